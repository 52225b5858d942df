"""What versions there are, and whether one still is what was published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.ledger import broken
from corpus.query import TABLES, connect
from schemas.errors import GristmillError
from schemas.fingerprint import sha256_file
from schemas.manifest import MANIFEST, MANIFEST_SHA, FileRecord, Manifest, sha_line
from schemas.store import SPLITS, Store, VersionPath
from schemas.tables import PUBLISHED, SINCE


@dataclass(frozen=True, slots=True)
class Listed:
    """One version in a list."""

    version: str
    """name@N."""
    path: str
    fingerprint: str | None
    counts: dict[str, int]
    """pages, documents, rejects, chunks, tokens; empty where the manifest is damaged."""
    bytes: int
    """Of all its files, by the manifest."""
    problem: str | None = None
    """Why the manifest cannot be read."""


def list_versions(root: Path, name: str | None = None) -> list[Listed]:
    """Published versions under `root`, by name, oldest first; of `name` only, if given.

    A damaged manifest is listed with its problem. Raises NotFound for a name without versions.
    """
    store = Store(root)
    names = [store.version(name).name] if name else store.names()
    return [_listed(version) for known in names for version in store.versions(known)]


def _listed(version: VersionPath) -> Listed:
    try:
        manifest = version.manifest()
    except GristmillError as error:
        return Listed(version.spec, str(version.path), None, {}, 0, str(error))
    size = sum(record.bytes for record in manifest.files)
    return Listed(version.spec, str(version.path), manifest.fingerprint, manifest.counts, size)


def verify(version: VersionPath) -> list[str]:
    """One line for everything about `version` that is not as it was published; none where all is whole.

    In this order, since each step needs the one before: the manifest against its hash; the files against the manifest (none
    missing, none added, size, SHA-256); each Parquet file read through with its page checksums, its columns and its row count; the
    counts in the manifest; the ledger's laws, asked of the files by SQL. Memory: a few row groups, and DuckDB's.
    """
    try:
        manifest = version.manifest()
    except GristmillError as error:
        return [str(error)]
    problems = [*_manifest_problems(version, manifest), *_listing_problems(version.path, manifest)]
    for record in manifest.files:
        problems += _file_problems(version.path, record, manifest.format_version)
    return problems or _table_problems(version, manifest)


def _manifest_problems(version: VersionPath, manifest: Manifest) -> Iterator[str]:
    written = (version.path / MANIFEST_SHA).read_bytes()
    if written != sha_line((version.path / MANIFEST).read_bytes()).encode():
        yield f"{MANIFEST_SHA} is not the line that was written, though its hash is right"
    if (manifest.name, manifest.version) != (version.name, version.number):
        yield f"{MANIFEST} says it is {manifest.name}@{manifest.version}, but it lies where {version.spec} belongs"


def _listing_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    listed = {record.path for record in manifest.files}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() and (name in listed or name in {MANIFEST, MANIFEST_SHA}):
            yield f"{name} is a link; a version holds its own files"
        elif not path.is_dir() and name not in listed | {MANIFEST, MANIFEST_SHA}:
            yield f"{name} was not published with this version"


def _file_problems(folder: Path, record: FileRecord, written: int) -> Iterator[str]:
    path = folder / record.path
    try:
        if not path.is_file():
            yield f"{record.path} is missing"
        elif (size := path.stat().st_size) != record.bytes:
            yield f"{record.path} has {size:,} bytes; {record.bytes:,} were published"
        elif sha256_file(path) != record.sha256:
            yield f"{record.path} does not have the SHA-256 that was published"
        elif path.suffix == ".parquet":
            yield from _parquet_problems(path, record, written)
    except OSError as error:
        yield f"{record.path} cannot be read: {error.strerror or error}"


def _parquet_problems(path: Path, record: FileRecord, written: int) -> Iterator[str]:
    """Whether the file says what a reader will take from it: it may have been wrong when it was hashed."""
    table = path.parent.name
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            schema = file.schema_arrow.remove_metadata()
            if table in PUBLISHED and not schema.equals(_schema(table, written)):
                yield f"{record.path} does not have the columns of `{table}`"
            rows, splits = 0, set[str]()
            for batch in file.iter_batches():
                rows += batch.num_rows
                splits |= (
                    set(batch["split"].unique().to_pylist()) if table in {"documents", "chunks"} else set()
                )
    except (pa.ArrowException, OSError) as error:
        yield f"{record.path} cannot be read through: {error}"
        return
    if rows != record.rows:
        yield f"{record.path} has {rows:,} rows; the manifest says {record.rows}"
    if strangers := splits - {path.name.rpartition("-")[0]}:
        yield f"{record.path} holds rows of split {', '.join(map(str, sorted(map(str, strangers))))}"


def _schema(table: str, written: int) -> pa.Schema:
    """The columns of a table in the layout of a format."""
    later = {column for column, since in SINCE.get(table, {}).items() if since > written}
    return pa.schema([field for field in PUBLISHED[table] if field.name not in later])


def _table_problems(version: VersionPath, manifest: Manifest) -> list[str]:
    with connect(version) as connection:
        try:
            return [*_count_problems(connection, manifest), *broken(connection)]
        except duckdb.Error as error:
            return [f"the tables cannot be asked: {error}"]


def _count_problems(connection: duckdb.DuckDBPyConnection, manifest: Manifest) -> Iterator[str]:
    found = {table: _number(connection, f"SELECT count(*) FROM {table}") for table in TABLES}
    found["tokens"] = _number(connection, "SELECT coalesce(sum(n_tokens), 0) FROM chunks")
    for name, count in manifest.counts.items():
        if name in found and found[name] != count:
            yield f"there are {found[name]:,} {name}; the manifest says {count:,}"
    for split in SPLITS:
        if record := manifest.splits.get(split):
            documents = _number(connection, f"SELECT count(*) FROM documents WHERE split = '{split}'")
            if documents != record.documents:
                yield f"split {split} has {documents:,} documents; the manifest says {record.documents:,}"
    longest = _number(connection, "SELECT coalesce(max(n_tokens), 0) FROM chunks")
    if longest > manifest.tokenizer.max_tokens:
        yield f"a chunk has {longest:,} tokens; at most {manifest.tokenizer.max_tokens:,} were asked for"


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    found = connection.execute(sql).fetchone()
    return int(found[0]) if found else 0
