"""An answer to SQL as text: a table for eyes, csv or json for programs."""

from __future__ import annotations

import json
import shutil
from typing import Any, Literal

import polars as pl

Format = Literal["table", "csv", "json"]

PLAN = ("explain_key", "explain_value")
"""Columns of an EXPLAIN's answer."""

ROWS_SHOWN = 50
"""Rows of a table on the terminal; csv and json have all."""
GAP = 2
"""Blanks between two columns."""
NARROWEST = 12
"""Characters a column of a table keeps, if it needs as many; columns that would get fewer are named below it instead."""


def render(frame: pl.DataFrame, form: Format = "table", *, width: int | None = None) -> str:
    """The answer as text, ending in a newline.

    `table`: for eyes; at most ROWS_SHOWN rows, cells cut to fit `width` columns of the terminal, control characters made
    visible (a page's text may hold escape sequences); an EXPLAIN's plan as it is drawn.
    `csv`: everything, nested values as JSON. `json`: a list of objects.
    """
    if form == "csv":
        return frame.select(_flat(column) for column in frame.iter_columns()).write_csv()
    if form == "json":
        return json.dumps([_plain(row) for row in frame.iter_rows(named=True)], ensure_ascii=False) + "\n"
    if tuple(frame.columns) == PLAN:
        return "".join(f"{plan}\n" for plan in frame["explain_value"])
    return _as_table(frame, width or shutil.get_terminal_size((120, 24)).columns)


def _flat(column: pl.Series) -> pl.Series:
    if not (column.dtype.is_nested() or column.dtype == pl.Binary):
        return column
    flat = [
        None if value is None else json.dumps(_plain(value), ensure_ascii=False) for value in column.to_list()
    ]
    return pl.Series(column.name, flat, pl.String)


def _plain(value: Any) -> Any:
    """What JSON can say: NaN as null, bytes as hex, dates as ISO 8601."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _as_table(frame: pl.DataFrame, width: int) -> str:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = {
        column.name: [_cell(value, width) for value in column.head(ROWS_SHOWN).to_list()]
        for column in frame.iter_columns()
    }
    needs = {name: max(map(cell_len, [_cell(name, width), *values])) for name, values in cells.items()}
    shown = _widths(needs, width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for name, columns in shown.items():
        justify: Literal["left", "right"] = "right" if frame.schema[name].is_numeric() else "left"
        table.add_column(
            Text(_cell(name, width)), justify=justify, no_wrap=True, overflow="ellipsis", width=columns
        )
    for row in zip(*(cells[name] for name in shown), strict=True):
        table.add_row(*map(Text, row))
    console = Console(width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    notes = []
    if frame.height > ROWS_SHOWN:
        notes.append(f"({ROWS_SHOWN} of {frame.height:,} rows; --format csv prints them all)")
    if hidden := [name for name in frame.columns if name not in shown]:
        notes.append(f"({len(hidden)} more columns: {', '.join(_cell(name, width) for name in hidden)})")
    return "\n".join([*(line.rstrip() for line in capture.get().splitlines()), *notes]) + "\n"


def _widths(needs: dict[str, int], width: int) -> dict[str, int]:
    """Columns of the terminal for each leading column that can have NARROWEST, or all it needs if that is less; one at least.

    What is left over goes, evenly, to those that need more.

    >>> _widths({"title": 5, "text": 900, "detail": 40}, 60)
    {'title': 5, 'text': 26, 'detail': 25}
    """
    shown: dict[str, int] = {}
    for name, need in needs.items():
        least = min(need, NARROWEST)
        if shown and sum(shown.values()) + GAP * len(shown) + least > width:
            break
        shown[name] = min(least, width)
    spare = width - sum(shown.values()) - GAP * (len(shown) - 1)
    while growing := [name for name in shown if shown[name] < needs[name]][: max(spare, 0)]:
        share = max(1, spare // len(growing))
        for name in growing:
            more = min(share, needs[name] - shown[name], spare)
            shown[name] += more
            spare -= more
    return shown


def _cell(value: Any, width: int) -> str:
    """One line of at most `width` characters."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        text = value
    elif isinstance(value, (list, dict)):
        text = json.dumps(
            _plain(value[:width] if isinstance(value, list) else value), ensure_ascii=False, default=_plain
        )
    else:
        text = str(_plain(value))
    cut = " ".join(text[: 4 * width].split()) if text[: 4 * width].strip() else text[: 4 * width]
    visible = "".join(
        letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in cut[: width + 1]
    )
    return visible if len(visible) <= width and len(text) <= 4 * width else visible[: width - 1] + "…"
