"""A version on disk as training rows, each checked before the first step.

Law 7: no token is trained by accident. A label counts when it is not -100 and is not a row's first: the first token of a
row is predicted by nothing, packed or not, so it is masked here for both. Nothing is truncated: a row too long is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import Corruption, UserError
from schemas.store import VersionPath

MASKED = -100
"""The label no loss is taken on (PyTorch's `ignore_index`)."""

Vector = np.ndarray[Any, Any]

COLUMNS = ("chunk_id", "doc_id", "position", "input_ids", "labels")


@dataclass(frozen=True)
class Rows:
    """The rows of one split: Arrow lists, the first label of each row masked."""

    table: pa.Table
    """chunk_id, doc_id, position, input_ids LIST<INT32>, labels LIST<INT32>."""
    too_short: int = 0

    @property
    def lengths(self) -> Vector:
        """Tokens of each row, int64."""
        return np.diff(_offsets(_whole(self.table["input_ids"])))

    @property
    def trained(self) -> int:
        """Labels a loss is taken on."""
        return int((_whole(self.table["labels"]).flatten().to_numpy() != MASKED).sum())


def read_rows(version: VersionPath, split: str) -> Rows:
    """The chunks of a split, checked.

    Raises UserError naming the chunk for a row whose labels are all -100, and where labels and tokens differ in number; Corruption
    where the files are not those that were published.
    """
    table = _chunks(version, split)
    if not table.num_rows:
        return Rows(table)
    ids, labels = _whole(table["input_ids"]), _whole(table["labels"])
    starts, ends = _offsets(ids)[:-1], _offsets(ids)[1:]
    if not np.array_equal(_offsets(ids), _offsets(labels)):
        row = int(np.flatnonzero(np.diff(_offsets(ids)) != np.diff(_offsets(labels)))[0])
        raise UserError(
            f"{_name(table, row)} of {version.spec} has not as many labels as tokens. Build the corpus again."
        )
    values = labels.flatten().to_numpy(zero_copy_only=False).copy()
    given = _per_row(values != MASKED, starts, ends)
    values[starts[ends > starts]] = MASKED
    single = (ends - starts == 1) & (given > 0)
    _refuse_unlearnable(version, table, (_per_row(values != MASKED, starts, ends) == 0) & ~single)
    masked = pa.ListArray.from_arrays(
        pa.array(_offsets(labels).astype(np.int32)), pa.array(values, pa.int32())
    )
    table = table.set_column(table.schema.get_field_index("labels"), "labels", masked)
    return Rows(table.filter(pa.array(~single)).combine_chunks(), int(single.sum()))


def thinned(rows: Rows, tokens: int | None) -> Rows:
    """Rows of about so many tokens, taken evenly from all of them in order, at least one; all where `tokens` is None or no fewer are there."""
    total = int(rows.lengths.sum())
    if tokens is None or total <= tokens:
        return rows
    kept = max(1, round(len(rows.lengths) * tokens / total))
    chosen = np.linspace(0, len(rows.lengths) - 1, kept).round().astype(np.int64)
    return Rows(rows.table.take(pa.array(chosen)).combine_chunks(), rows.too_short)


def _chunks(version: VersionPath, split: str) -> pa.Table:
    """The chunks as they lie on disk, as many as the manifest says: a file that is gone must not mean a smaller training set."""
    schema = pa.schema([
        (name, pa.list_(pa.int32()) if name in {"input_ids", "labels"} else pa.string()) for name in COLUMNS
    ])
    try:
        files = version.files("chunks", split)
        tables = [
            pq.read_table(file, columns=list(COLUMNS), page_checksum_verification=True) for file in files
        ]
    except (pa.ArrowException, OSError) as error:
        raise Corruption(
            f"the chunks of {version.spec}, split {split}, cannot be read: {error}. See what is damaged: gristmill verify {version.spec}"
        ) from error
    table = pa.concat_tables(tables).combine_chunks() if tables else schema.empty_table()
    published = version.manifest().splits[split].chunks
    if table.num_rows != published:
        raise Corruption(
            f"{version.path / 'chunks'} holds {table.num_rows:,} rows of split {split}, but {published:,} were published. "
            f"See what is missing: gristmill verify {version.spec}"
        )
    return table


def _whole(column: pa.ChunkedArray) -> Any:
    """A column as one array, also where it has no rows."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _offsets(lists: Any) -> Vector:
    """Row boundaries of a list array, counted from its own first value."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0] if len(offsets) else np.zeros(1, np.int64)


def _per_row(flags: Vector, starts: Vector, ends: Vector) -> Vector:
    """How many flags are set within each row."""
    running = np.concatenate([[0], np.cumsum(flags)])
    return running[ends] - running[starts]


def _refuse_unlearnable(version: VersionPath, table: pa.Table, empty: Vector) -> None:
    """A row without a label to learn trains nothing and reads as loss 0: see it before it does."""
    rows = np.flatnonzero(empty)
    if len(rows):
        more = f" (and {len(rows) - 1:,} more)" if len(rows) > 1 else ""
        raise UserError(
            f"{_name(table, int(rows[0]))} of {version.spec}{more} has nothing to learn: all its labels are {MASKED}, so it would "
            "cost time and teach nothing. A dialogue needs a trained turn in every chunk: raise [tokens] max_tokens, "
            "or drop the document with a filter, and build again."
        )


def _name(table: pa.Table, row: int) -> str:
    return f"chunk {table['chunk_id'][row].as_py()} of document {table['doc_id'][row].as_py()}"


def check_lengths(version: VersionPath, rows: Rows, max_length: int) -> None:
    """Raise UserError naming the first row longer than `max_length`; nothing is ever cut in silence."""
    lengths = rows.lengths
    over = np.flatnonzero(lengths > max_length)
    if len(over):
        row = int(over[0])
        raise UserError(
            f"{_name(rows.table, row)} of {version.spec} has {lengths[row]:,} tokens, and {len(over):,} rows have more than "
            f"max_length = {max_length:,}; the rest of them would be cut. Set [train] max_length = {int(lengths.max())} or more, "
            "or lower [tokens] max_tokens and build again."
        )
