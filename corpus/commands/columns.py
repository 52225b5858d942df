"""Lists on stdout: aligned columns that a person reads and `awk` splits. Rich's tables wrap to a terminal that a pipe is not."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[object]], *, indent: str = "") -> str:
    """The rows, each column as wide as its widest cell; numbers to the right.

    >>> print(columns([("kept", 41), ("filter", 4)]))
    kept    41
    filter   4
    """
    shown = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*shown, strict=True)]
    right = [all(isinstance(cell, (int, float)) for cell in cells) for cells in zip(*rows, strict=True)]
    return "\n".join(
        indent
        + "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in shown
    )


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)
