"""Rows to one file, a batch at a time: Parquet, JSON lines, CSV, and the shapes of `records.py`.

CSV holds no lists: those cells (`messages`, `input_ids`) are JSON text, and null is the empty cell. Dates are ISO 8601.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from corpus.engine.parquet import write_stream
from corpus.exports.records import RECORDS, Losses

FormatName = Literal["parquet", "jsonl", "csv", "sharegpt", "alpaca", "openai"]
SUFFIX: dict[str, str] = {
    "parquet": ".parquet",
    "jsonl": ".jsonl",
    "csv": ".csv",
    "sharegpt": ".jsonl",
    "alpaca": ".json",
    "openai": ".jsonl",
}
"""Format → ending of its files."""


def write(batches: Iterable[pa.Table], schema: pa.Schema, path: Path, form: str, losses: Losses) -> int:
    """Write all rows to `path` in the format `form`; what the format cannot hold is added to `losses`. Returns the number of rows written."""
    if form == "parquet":
        counted: Counter[str] = Counter()
        write_stream(_counting(batches, schema, counted), path)
        return counted["rows"]
    rows = (row for batch in batches for row in batch.to_pylist())
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            writer = csv.writer(
                file, lineterminator="\r\n"
            )  # RFC 4180; and what is in it gets quoted: a bare "\r" too
            writer.writerow(schema.names)
            return _all(writer.writerow([_cell(value) for value in row.values()]) for row in rows)
        if form == "jsonl":
            return _all(file.write(_json(row) + "\n") for row in rows)
        records = (made for row in rows if (made := RECORDS[form](row, losses)) is not None)
        if form != "alpaca":
            return _all(file.write(_json(record) + "\n") for record in records)
        file.write("[")
        number = -1
        for number, record in enumerate(records):
            file.write((",\n" if number else "\n") + _json(record))
        file.write("\n]\n")
        return number + 1


def _counting(batches: Iterable[pa.Table], schema: pa.Schema, counted: Counter[str]) -> Iterator[pa.Table]:
    yield schema.empty_table()
    for batch in batches:
        counted["rows"] += batch.num_rows
        yield batch


def _all(written: Iterable[object]) -> int:
    return sum(1 for _ in written)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _cell(value: Any) -> Any:
    return (
        _json(value)
        if isinstance(value, (list, dict))
        else _plain(value)
        if isinstance(value, datetime)
        else value
    )


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
