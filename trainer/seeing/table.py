"""Columns of text that fit a terminal: what matters least goes first, the last column takes what room is left."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence

GAP = "  "
LEAST = 14
"""Characters the last column keeps, if it needs as many."""


def table(
    columns: Mapping[str, Sequence[str]],
    *,
    width: int | None,
    expendable: Sequence[str] = (),
    left: Sequence[str] = (),
) -> list[str]:
    """The columns as lines under a heading, none wider than `width` (None: as wide as they are).

    `expendable` names columns that are left out, the first of them first, until the rest fits; a last line says so. `left` names
    those that are text; the others are numbers, flush right. A column without a single value is not shown.

    >>> table(
    ...     {"run": ["tale/1", "tale/12"], "steps": ["9", "120"], "said": ["", "overfitting"]},
    ...     width=24,
    ...     left=["run", "said"],
    ... )
    ['run      steps  said', 'tale/1       9', 'tale/12    120  overfit…']
    """
    shown = {name: list(cells) for name, cells in columns.items() if any(cells)}
    needs = {name: max(map(len, [name, *cells])) for name, cells in shown.items()}
    gone: list[str] = []
    for name in expendable:
        if width is None or _least(needs) <= width:
            break
        if needs.pop(name, None):
            gone.append(name)
    last = list(needs)[-1]
    if width is not None:
        needs[last] = max(min(needs[last], width - (_wide(needs) - needs[last])), 1)
    set_in = {
        name: [_set(cell, need, left=name in left) for cell in (name, *shown[name])]
        for name, need in needs.items()
    }
    lines = [GAP.join(cells).rstrip() for cells in zip(*set_in.values(), strict=True)]
    return [*lines, *([f"({', '.join(gone)}: left out, there is no room)"] if gone else [])]


def _set(text: str, width: int, *, left: bool) -> str:
    short = cut(text, width)
    return short.ljust(width) if left else short.rjust(width)


def cut(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def room() -> int | None:
    """Characters on a line of the terminal stdout is; None where it is a file or a pipe, which has all the room it needs."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else None


def _least(needs: Mapping[str, int]) -> int:
    last = list(needs)[-1]
    return _wide(needs) - needs[last] + min(needs[last], LEAST)


def _wide(needs: Mapping[str, int]) -> int:
    return sum(needs.values()) + len(GAP) * (len(needs) - 1)
