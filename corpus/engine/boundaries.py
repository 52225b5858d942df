"""Where to cut a sequence of rows so that an inserted row moves one cut, not all that follow.

Content-defined chunking as in LBFS (Muthitacharoen et al. 2001, section 3.1), on the rows' own hashes: a row ends its piece
with probability size / target. A shard cut by counting would change every later shard, and with it every later task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SMALLEST, LARGEST = 0.25, 4.0
"""A piece holds at least and at most this many targets (its last row excepted), so that none is a crumb or a mountain."""


class Cutter:
    """Decides row by row whether a piece ends; its state is only what the piece holds so far."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.held = 0

    def ends(self, identity: str, size: int) -> bool:
        """True when the row with this identity (hex) and size (bytes) is the last of its piece."""
        self.held += size
        lottery = int(identity[-13:], 16) / 16**13
        ends = self.held >= LARGEST * self.target or (
            self.held >= SMALLEST * self.target and lottery < size / self.target
        )
        if ends:
            self.held = 0
        return ends


def pieces(rows: Iterable[tuple[str, int]], target: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of each piece of `rows`, given as (identity, size in bytes); `target` is the mean piece in bytes.

    >>> list(pieces([("f" * 13, 10)] * 3, 1000))
    [(0, 3)]
    """
    cutter = Cutter(target)
    start = stop = 0
    for stop, (identity, size) in enumerate(rows, 1):
        if cutter.ends(identity, size):
            yield start, stop
            start = stop
    if stop > start:
        yield start, stop
