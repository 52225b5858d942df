"""Which of many known word n-grams stand in a text, and which of them first: a hash table over the known, read once past the texts.

Unlike `plugins.kernels.presence`, which marks what was met anywhere, this answers for each text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.words import Hashes, bench, shingle

_EMPTY = np.uint64(0)  # no shingle hashes to it

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]


class Found(NamedTuple):
    """What one text holds, row for row."""

    total: Integers
    """N-grams, repeats counted."""
    hits: Integers
    """Those of them that are known."""
    distinct: Integers
    """Different known ones."""
    place: Integers
    """Where the first known one stands: the words before it; -1 without one."""
    owner: Integers
    """Whose it is; -1 without one."""


class Lookup:
    """Known n-grams, each owned by the first that names it; memory is 32 to 64 bytes per n-gram while it is used."""

    def __init__(self, hashes: Hashes, owners: Numbers, ngram: int) -> None:
        """`owners[i]` is a number from 0 on of the caller's choosing for `hashes[i]`; both have one length."""
        self.ngram = ngram
        self._table = np.zeros(1 << max(4, (2 * len(hashes)).bit_length()), np.uint64)
        self._owners = np.zeros(len(self._table), np.int32)
        _fill(self._table, self._owners, hashes, owners)

    def find(self, texts: Texts) -> Found:
        """A text of fewer words than `ngram` has one n-gram, of all its words."""
        room = bench(texts, self.ngram)
        found = Found(*(np.zeros(len(texts), np.int64) for _ in Found._fields))
        seen = np.full(len(self._table), -1, np.int32)
        _find(*texts, *room.alphabet, room.ring, room.out, self._table, self._owners, seen, *found)
        return found


@inlined
def _slot(table: Hashes, value: np.uint64) -> int:
    """Where `value` is in the table, or would be."""
    mask = len(table) - 1
    slot = np.int64(value & np.uint64(mask))
    while table[slot] != _EMPTY and table[slot] != value:
        slot = (slot + 1) & mask
    return slot


@compiled
def _fill(table: Hashes, owners: Numbers, hashes: Hashes, named: Numbers) -> None:
    for index in range(len(hashes)):
        slot = _slot(table, hashes[index])
        if table[slot] == _EMPTY:
            table[slot] = hashes[index]
            owners[slot] = named[index]


@compiled
def _find(
    data: npt.NDArray[np.uint8],
    offsets: Integers,
    classes: npt.NDArray[np.uint8],
    folds: npt.NDArray[np.uint32],
    ring: Hashes,
    room: Hashes,
    table: Hashes,
    owners: Numbers,
    seen: Numbers,
    totals: Integers,
    hits: Integers,
    distinct: Integers,
    places: Integers,
    firsts: Integers,
) -> None:
    for text in range(len(offsets) - 1):
        total = shingle(data, offsets[text], offsets[text + 1], classes, folds, ring, room)
        totals[text] = total
        places[text] = -1
        firsts[text] = -1
        for index in range(total):
            slot = _slot(table, room[index])
            if table[slot] == _EMPTY:
                continue
            if places[text] < 0:
                places[text] = index
                firsts[text] = owners[slot]
            hits[text] += 1
            if seen[slot] != text:
                seen[slot] = text
                distinct[text] += 1
