"""The chunks of a split in blocks, flat: for whoever looks through all of them and must not hold all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import Corruption
from schemas.store import VersionPath
from trainer.data import MASKED, Vector

ROWS = 1024
"""Chunks in a block: two million tokens at the usual longest chunk."""


@dataclass(frozen=True)
class Block:
    """Some chunks, one after another."""

    chunks: list[str]
    """Their ids."""
    documents: list[str]
    """The documents they are of."""
    ids: Vector
    """Their tokens, int64."""
    trained: Vector
    """Whether a loss is taken on each, bool."""
    starts: Vector
    """Where each chunk starts, and at the end how many tokens there are; int64."""

    @property
    def row_of(self) -> Vector:
        """The chunk that each token is in, int64."""
        return np.repeat(np.arange(len(self.chunks)), np.diff(self.starts))


def blocks(version: VersionPath, split: str) -> Iterator[Block]:
    """The chunks of `split` in order. Raises Corruption where a file cannot be read, and at the end where one is missing: no answer must come of a part."""
    columns = ["chunk_id", "doc_id", "input_ids", "labels"]
    mend = f"See what is damaged: gristmill verify {version.spec}"
    read, published = 0, version.manifest().splits[split].chunks
    try:
        for path in version.files("chunks", split):
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                for batch in file.iter_batches(ROWS, columns=columns):
                    yield _block(batch)
                    read += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise Corruption(
            f"the chunks of {version.spec}, split {split}, cannot be read: {error}. {mend}"
        ) from error
    if read != published:
        raise Corruption(
            f"{version.path / 'chunks'} holds {read:,} rows of split {split}, but {published:,} were published. {mend}"
        )


def _block(batch: pa.RecordBatch) -> Block:
    lists = batch["input_ids"]
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return Block(
        batch["chunk_id"].to_pylist(),
        batch["doc_id"].to_pylist(),
        lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64),
        batch["labels"].flatten().to_numpy(zero_copy_only=False) != MASKED,
        offsets - offsets[0],
    )
