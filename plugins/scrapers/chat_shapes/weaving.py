"""Conversations that lie in a file one through another: untangled by labels, cut by silence, joined by links.

What is being read is never held whole: a conversation is handed on with its last record, so that memory is that of the conversations open at
one time, and a number for every record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def untangle(records: Iterable[T], labels: Sequence[int]) -> Iterator[tuple[int, list[T]]]:
    """(label, records) of each conversation, when its last record has come; a record whose label is negative belongs to none.

    >>> list(untangle("abcd", [0, 1, 0, -1]))
    [(1, ['b']), (0, ['a', 'c'])]
    """
    last = {label: number for number, label in enumerate(labels)}
    waiting: dict[int, list[T]] = {}
    for number, (record, label) in enumerate(zip(records, labels, strict=True)):
        if label < 0:
            continue
        waiting.setdefault(label, []).append(record)
        if last[label] == number:
            yield label, waiting.pop(label)


def by_silence(records: Iterable[T], pause: Callable[[T], float | None], gap: float) -> Iterator[list[T]]:
    """Runs of records; a new one begins where `pause`, the seconds since the one before, is more than `gap`. None: not known, so no pause.
    A ValueError of `records` comes after the run that it ends."""
    run: list[T] = []
    try:
        for record in records:
            silent = pause(record)
            if run and silent is not None and silent > gap:
                yield run
                run = []
            run.append(record)
    except ValueError:
        if run:
            yield run  # what stands before a broken record is whole
        raise
    if run:
        yield run


class Joined:
    """Numbers joined into sets (union by smallest: a set is named by its first member).

    >>> joined = Joined(4)
    >>> joined.join(3, 1)
    >>> joined.names()
    [0, 1, 2, 1]
    """

    def __init__(self, size: int) -> None:
        self._above = list(range(size))

    def _top(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Put two numbers into one set."""
        low, high = sorted((self._top(one), self._top(other)))
        self._above[high] = low

    def names(self) -> list[int]:
        """The name of each number's set."""
        return [self._top(number) for number in range(len(self._above))]
