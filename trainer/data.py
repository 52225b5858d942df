"""A version on disk as training rows, and the preflight that counts every token before the first step.

Law 7: no token is trained by accident. A label counts when it is not -100 and is not a row's first: the first token of a
row is predicted by nothing, packed or not, so it is masked here for both. Nothing is truncated: a row too long is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plugins import models
from schemas.errors import Corruption, Mismatch, UserError
from schemas.manifest import Manifest
from schemas.recipe import Train
from schemas.store import VersionPath

MASKED = -100
"""The label no loss is taken on (PyTorch's `ignore_index`)."""

Vector = np.ndarray[Any, Any]

COLUMNS = ("chunk_id", "doc_id", "position", "input_ids", "labels")


@dataclass(frozen=True)
class SplitReport:
    """What one split holds, in rows and tokens."""

    rows: int
    tokens: int
    trained: int
    """Tokens a loss is taken on."""
    masked: int
    """Tokens read but not trained, each row's first among them."""
    too_short: int
    """Rows of a single token, left out: nothing in them can be predicted."""
    longest: int
    packed_rows: int
    """Rows after packing; `rows` where packing is off."""
    efficiency: float
    """Tokens over the token places the model computes; the rest is padding."""


@dataclass(frozen=True)
class Preflight:
    """What a run will do, before it does it."""

    corpus: str
    fingerprint: str
    model: str
    max_length: int
    packing: bool
    splits: dict[str, SplitReport]
    steps: int
    steps_per_epoch: int
    warmup_steps: int
    tokens_per_step: int
    """Trained tokens in a mean optimiser step."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.corpus} on {self.model}: {self.steps} steps of about {self.tokens_per_step:,} trained tokens"
        for name, split in self.splits.items():
            packed = f", packed into {split.packed_rows:,}" if self.packing else ""
            short = f", {split.too_short:,} rows of one token left out" if split.too_short else ""
            yield (
                f"  {name}: {split.rows:,} rows{packed} ({split.efficiency:.0%} full), {split.tokens:,} tokens: "
                f"{split.trained:,} trained, {split.masked:,} masked, 0 cut (longest {split.longest:,} of {self.max_length:,}){short}"
            )


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


# ------------------------------------------------------------------------------------------------ checks


def check_tokenizer(version: VersionPath, manifest: Manifest, model: Path, name: str) -> None:
    """Raise Mismatch where the corpus was cut with another tokenizer than the base model has."""
    found = models.tokenizer_digest(model)
    if found != manifest.tokenizer.digest:
        raise Mismatch(
            f"{version.spec} was cut with the tokenizer of {manifest.tokenizer.model} ({manifest.tokenizer.digest}), but {name} "
            f'has {found}: its token numbers would mean other words. Set [tokens] model = "{name}" and build again, '
            f"or train {manifest.tokenizer.model}."
        )


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


def check_val(version: VersionPath, rows: Rows, train: Train) -> None:
    """Raise UserError where early stopping watches a val split that has no rows."""
    watched = train.early_stopping
    if rows.table.num_rows == 0 and watched is not None and watched.metric.startswith("val_"):
        raise UserError(
            f"the val split of {version.spec} is empty, but [train] early_stopping watches {watched.metric}, which is measured "
            "on it. Set [split] val = 0.1 and build again; or [train] early_stopping = false to train to the end; or "
            'early_stopping = { metric = "train_loss" }.'
        )
