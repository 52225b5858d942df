"""From rows that a stranger's plugin had a hand in to a table: one that Arrow cannot hold costs itself, not its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import polars as pl
import pyarrow as pa

Row = dict[str, Any]

ROW_BYTES = 512
"""What a page or document weighs in memory beside its content, about: a task of very short ones is bounded by their number."""

LONGEST = 500
"""Characters of an exception's message that are kept."""


def table_of(rows: list[Row], schema: pa.Schema, refused: Callable[[Row, str], Row]) -> pa.Table:
    """The rows as a table. One with a value that does not fit its column (a number for a text, half a surrogate pair) is replaced by
    what `refused` makes of it and of the reason."""
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UNFIT:
        return pa.concat_tables([schema.empty_table(), *(_alone(row, schema, refused) for row in rows)])


UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)
"""What Arrow raises for a value that is not of its column's type."""


def _alone(row: Row, schema: pa.Schema, refused: Callable[[Row, str], Row]) -> pa.Table:
    try:
        return pa.Table.from_pylist([row], schema=schema)
    except UNFIT as error:
        return pa.Table.from_pylist([refused(row, told(error))], schema=schema)


def told(error: BaseException) -> str:
    """An exception as one line that a table can hold, such as "ValueError: no title"."""
    line = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST]
    return line.encode("utf-8", "backslashreplace").decode("utf-8")


def frame_of(table: pa.Table) -> pl.DataFrame:
    """An Arrow table as a polars frame."""
    return cast(pl.DataFrame, pl.from_arrow(table))
