"""Where a split's chunks come from: the source, address and group of each, read from the version on disk.

Only ids and names are read, never a text: what is asked here must not cost an opening of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import Corruption
from schemas.store import VersionPath

UNKNOWN = "unknown"
"""The source of a chunk whose version holds no row of its document."""


@dataclass(frozen=True)
class Origin:
    """Of one document."""

    source: str = UNKNOWN
    url: str | None = None


def groups_of(version: VersionPath, split: str) -> dict[str, str]:
    """chunk_id → group_id of the chunks of a split."""
    table = _read(version, "chunks", split, ["chunk_id", "group_id"])
    return dict(zip(table["chunk_id"].to_pylist(), table["group_id"].to_pylist(), strict=True))


def origins_of(version: VersionPath, split: str, documents: Iterable[str]) -> Mapping[str, Origin]:
    """doc_id → origin of some documents of a split. A version without documents on disk (an export of chunks alone) knows none of them."""
    wanted = sorted(set(documents))
    table = _read(version, "documents", split, ["doc_id", "source", "url"], wanted)
    found = {row["doc_id"]: Origin(row["source"], row["url"]) for row in table.to_pylist()}
    return {name: found.get(name, Origin()) for name in wanted}


def _read(
    version: VersionPath, table: str, split: str, columns: list[str], documents: list[str] | None = None
) -> pa.Table:
    filters = None if documents is None else [("doc_id", "in", documents)]
    try:
        read = [
            pq.read_table(file, columns=columns, filters=filters, page_checksum_verification=True)
            for file in version.files(table, split)
        ]
    except (pa.ArrowException, OSError) as error:
        raise Corruption(
            f"the {table} of {version.spec}, split {split}, cannot be read: {error}. See what is damaged: gristmill verify {version.spec}"
        ) from error
    empty = pa.schema([(name, pa.string()) for name in columns]).empty_table()
    return pa.concat_tables(read) if read else empty
