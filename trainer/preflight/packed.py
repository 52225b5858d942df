"""How many rows packing will make, from lengths alone.

A dry run counts them here instead of packing: TRL's packer brings transformers with it, which takes seconds, and which unsloth must be
imported before, so a session that looked first could not train with it. Best-fit decreasing as TRL has it (trl.data_utils, 1.14):
rows that are as full are alike, so which of them takes a document does not change their number.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Sequence

GROUP = 1000
"""Documents packed together: `datasets.map`'s batch, in which TRL packs."""


def packed_rows(lengths: Sequence[int], max_length: int) -> int:
    """Rows of at most `max_length` tokens that documents of these lengths, in this order, are packed into.

    >>> packed_rows([5, 2, 4, 1], 6), packed_rows([6, 6], 6), packed_rows([], 6)
    (2, 2, 0)
    """
    groups = (lengths[start : start + GROUP] for start in range(0, len(lengths), GROUP))
    return sum(_packed(group, max_length) for group in groups)


def _packed(lengths: Iterable[int], max_length: int) -> int:
    rows, room = 0, Counter[int]()
    spaces: list[int] = []  # the distinct numbers of places that are left somewhere, ascending
    for length in sorted((int(length) for length in lengths if length), reverse=True):
        at = bisect_left(spaces, length)
        if at == len(spaces):
            space, rows = max_length, rows + 1
        else:
            space = spaces[at]
            room[space] -= 1
            if not room[space]:
                del spaces[at]
        left = space - length
        if left > 0:
            if not room[left]:
                insort(spaces, left)
            room[left] += 1
    return rows
