"""Which shingles of a few texts stand anywhere in many others: a hash table over the few, read once past the many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plugins.kernels.buffers import buffers
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.words import Hashes, bench, shingle

_EMPTY = np.uint64(0)  # no shingle hashes to it


class Presence:
    """Distinct shingles and whether each has been met; memory is bounded by them, not by the texts read past them."""

    def __init__(self, hashes: Hashes, ngram: int) -> None:
        self._ngram = ngram
        self._table = np.zeros(1 << max(4, (2 * len(hashes)).bit_length()), np.uint64)
        self._met = np.zeros(len(self._table), np.bool_)
        _fill(self._table, hashes)

    def meet(self, texts: pa.Array | pa.ChunkedArray) -> None:
        """Mark every shingle that stands in one of `texts`."""
        for part in buffers(texts):
            room = bench(part, self._ngram)
            _meet(*part, *room.alphabet, room.ring, room.out, self._table, self._met)

    def met(self, hashes: Hashes) -> int:
        """How many of `hashes`, all of them known from the start, have been met."""
        return int(_count(self._table, self._met, hashes))


@inlined
def _slot(table: Hashes, value: np.uint64) -> int:
    """Where `value` is in the table, or would be."""
    mask = len(table) - 1
    slot = np.int64(value & np.uint64(mask))
    while table[slot] != _EMPTY and table[slot] != value:
        slot = (slot + 1) & mask
    return slot


@compiled
def _fill(table: Hashes, hashes: Hashes) -> None:
    for value in hashes:
        table[_slot(table, value)] = value


@compiled
def _meet(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    classes: npt.NDArray[np.uint8],
    folds: npt.NDArray[np.uint32],
    ring: Hashes,
    found: Hashes,
    table: Hashes,
    met: npt.NDArray[np.bool_],
) -> None:
    for text in range(len(offsets) - 1):
        total = shingle(data, offsets[text], offsets[text + 1], classes, folds, ring, found)
        for index in range(total):
            slot = _slot(table, found[index])
            if table[slot] != _EMPTY:
                met[slot] = True


@compiled
def _count(table: Hashes, met: npt.NDArray[np.bool_], hashes: Hashes) -> int:
    total = 0
    for value in hashes:
        slot = _slot(table, value)
        if table[slot] != _EMPTY and met[slot]:
            total += 1
    return total
