"""Shingle sets of many texts, written side by side where room was kept for them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plugins.kernels.buffers import buffers
from plugins.kernels.compiled import compiled
from plugins.kernels.signatures import insert, slots
from plugins.kernels.words import Hashes, bench, shingle

Numbers = npt.NDArray[np.int64]


def write_sets(
    texts: pa.Array | pa.ChunkedArray, ngram: int, places: Numbers, bounds: Numbers, flat: Hashes
) -> int | None:
    """Write the distinct shingles of text i, ascending, to `flat[bounds[places[i]]:bounds[places[i] + 1]]`.

    Returns None, or the first text that has not as many as there is room for. Threads may write to different places at once.
    """
    done = 0
    for part in buffers(texts):
        room = bench(part, ngram)
        table = np.zeros(slots(len(room.out)), np.uint64)
        here = places[done : done + len(part)]
        wrong = _write(*part, *room.alphabet, room.ring, room.out, table, here, bounds, flat)
        if wrong >= 0:
            return done + wrong
        for place in here.tolist():  # NumPy's vectorised sort is some times quicker than one compiled here
            flat[bounds[place] : bounds[place + 1]].sort()
        done += len(part)
    return None


@compiled
def _write(
    data: npt.NDArray[np.uint8],
    offsets: Numbers,
    classes: npt.NDArray[np.uint8],
    folds: npt.NDArray[np.uint32],
    ring: Hashes,
    found: Hashes,
    table: Hashes,
    places: Numbers,
    bounds: Numbers,
    flat: Hashes,
) -> int:
    """Write each text's distinct shingles as they come; the first text of another number of them, or -1."""
    for text in range(len(offsets) - 1):
        total = shingle(data, offsets[text], offsets[text + 1], classes, folds, ring, found)
        mask = 16  # only as much of the table as this text needs is cleared
        while mask < 2 * total:
            mask *= 2
        table[:mask] = 0
        at, end = bounds[places[text]], bounds[places[text] + 1]
        for index in range(total):
            if insert(table, mask - 1, found[index]) >= 0:
                if at == end:
                    return text
                flat[at] = found[index]
                at += 1
        if at != end:
            return text
    return -1
