"""publish: everything decided → one version directory, whole or not at all.

It is written under `.gristmill/work/publish`, on the same file system; the manifest comes last, everything is flushed, files are made
read-only, and one rename puts it in place. Rows stream through in document order and are cut into files at content-defined
borders, so neither shards nor workers show in the bytes, and two versions share most of their files.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.engine.boundaries import Cutter
from corpus.engine.parquet import read_each, read_table, sync, write_table
from corpus.engine.tasks import beside
from corpus.phases.leakage import certificate
from corpus.phases.rows import frame_of
from schemas.errors import StorageError
from schemas.fingerprint import sha256_file
from schemas.manifest import (
    MANIFEST,
    MANIFEST_SHA,
    FileRecord,
    LeakageCertificate,
    Manifest,
    manifest_bytes,
    sha_line,
)
from schemas.store import SPLITS, Store, VersionPath
from schemas.tables import (
    CHUNKS,
    CUTS,
    DOCUMENTS,
    DUPLICATES,
    EDITS,
    FATES,
    GROUPS,
    INDEX,
    LEARNED,
    PAGES,
    conform,
)

FILE_BYTES = 32 << 20
"""Bytes of text or tokens in a file of `documents`, `rejects`, `edits` and `chunks`, on average."""

LIGHT_ROWS = 1 << 20
"""Rows in a file of a table without texts, on average."""


@dataclass(frozen=True)
class Contents:
    """What a version holds, as phases left it: light tables as frames in row order, heavy ones as files."""

    pages: pl.DataFrame
    fates: pl.DataFrame
    scores: pl.DataFrame
    duplicates: pl.DataFrame
    signatures: pl.DataFrame
    groups: pl.DataFrame
    learned: pl.DataFrame
    assignment: pl.DataFrame
    """doc_id, group_id, split of every kept document."""
    tokens: pl.DataFrame
    """doc_id, n_tokens."""
    drafts: tuple[str, ...]
    chunks: dict[str, str]
    """Drafts file → chunks file."""


@dataclass
class TableWriter:
    """Streams rows into the files of one table, or of one split of it."""

    folder: Path
    prefix: str
    schema: pa.Schema
    identity: str
    """The column whose hash decides where a file ends."""
    target: int
    files: int = 0
    _cutter: Cutter = field(init=False)
    _held: list[pa.Table] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cutter = Cutter(self.target)

    def add(self, table: pa.Table, sizes: list[int]) -> None:
        """Append rows; `sizes` are their weights against `target`."""
        start = 0
        for stop, (identity, size) in enumerate(zip(table[self.identity].to_pylist(), sizes, strict=True), 1):
            if self._cutter.ends(identity, size):
                self._held.append(table.slice(start, stop - start))
                self._flush()
                start = stop
        if start < table.num_rows:
            self._held.append(table.slice(start))

    def close(self, *, at_least_one: bool = True) -> None:
        """Write what is held; a table without rows still has a file, so that its columns can be seen."""
        if self._held or (at_least_one and self.files == 0):
            self._flush()

    def _flush(self) -> None:
        table = conform(pa.concat_tables([*self._held, self.schema.empty_table()]), self.schema)
        write_table(table, self.folder / f"{self.prefix}-{self.files:05d}.parquet")
        self.files += 1
        self._held = []


def stage(contents: Contents, folder: Path) -> None:
    """Write every table of the version under `folder`, replacing what an interrupted build left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _light(contents.pages, PAGES, folder / "pages", "page_id")
    _light(contents.fates, FATES, folder / "fates", "page_id")
    _light(contents.duplicates, DUPLICATES, folder / "duplicates", "doc_id")
    _light(contents.signatures, INDEX, folder / "signatures", "doc_id")
    _light(contents.groups, GROUPS, folder / "groups", "group_id")
    # One file: what repeats over a site's pages is little, and has no hash to cut it by.
    write_table(
        contents.learned.select(LEARNED.names).to_arrow().cast(LEARNED),
        folder / "learned" / "part-00000.parquet",
    )
    scores = contents.scores.to_arrow()
    _light(contents.scores, _plain_strings(scores.schema), folder / "scores", "doc_id")
    drafts = list(_drafts(contents))
    _documents(drafts, folder)
    _edits(contents, folder)
    _chunks(contents, drafts, folder)
    _cuts(contents, folder)


def _plain_strings(schema: pa.Schema) -> pa.Schema:
    """Short strings, as in every other table: polars hands out views."""
    odd = (pa.string_view(), pa.large_string())
    return pa.schema([
        f.with_type(pa.string())
        if f.type in odd
        else f.with_type(pa.string())
        if pa.types.is_null(f.type)
        else f
        for f in schema
    ])


def _light(frame: pl.DataFrame, schema: pa.Schema, folder: Path, identity: str) -> None:
    writer = TableWriter(folder, "part", schema, identity, LIGHT_ROWS)
    writer.add(frame.select(schema.names).to_arrow().cast(schema), [1] * frame.height)
    writer.close()


def _drafts(contents: Contents) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each drafts file, with the columns that `documents` has beyond a draft's, row for row.

    Joined once for all: a join with a million rows takes a tenth of a second, and there are thousands of files.
    """
    files = [frame_of(read_table(path, ["doc_id"])) for path in contents.drafts]
    joined = pl.concat(files).join(_annotations(contents), on="doc_id", how="left", maintain_order="left")
    start = 0
    for path, frame in zip(contents.drafts, files, strict=True):
        yield path, joined.slice(start, frame.height)
        start += frame.height


def _documents(drafts: Sequence[tuple[str, pl.DataFrame]], folder: Path) -> None:
    writers = {
        split: TableWriter(folder / "documents", split, DOCUMENTS, "doc_id", FILE_BYTES) for split in SPLITS
    }
    rejects = TableWriter(folder / "rejects", "part", DOCUMENTS, "doc_id", FILE_BYTES)
    for path, joined in drafts:
        whole = _with_columns(read_table(path), joined)
        for name, writer in (*writers.items(), (None, rejects)):
            mine = joined["split"].is_null() if name is None else joined["split"].eq_missing(name)
            rows = whole.filter(mine.to_arrow())
            writer.add(rows, rows["n_chars"].to_pylist())
    for split, writer in writers.items():
        writer.close(at_least_one=split == "train")
    rejects.close()


def _annotations(contents: Contents) -> pl.DataFrame:
    """doc_id and the columns `documents` has beyond a draft's; one row a document."""
    scores = contents.scores
    absent = [
        pl.lit(None, dtype).alias(name)
        for name, dtype in (("lang", pl.String), ("lang_score", pl.Float32))
        if name not in scores.columns
    ]
    languages = scores.with_columns(absent).select(
        "doc_id", pl.col("lang").cast(pl.String), pl.col("lang_score").cast(pl.Float32)
    )
    kept = contents.assignment.join(contents.tokens, on="doc_id", how="left")
    return languages.join(kept, on="doc_id", how="full", coalesce=True)


def _with_columns(table: pa.Table, joined: pl.DataFrame) -> pa.Table:
    extra = joined.select("lang", "lang_score", "group_id", "split", "n_tokens").to_arrow()
    for name in extra.column_names:
        table = table.append_column(name, extra[name].cast(DOCUMENTS.field(name).type))
    return conform(table.select(DOCUMENTS.names), DOCUMENTS)


def _edits(contents: Contents, folder: Path) -> None:
    writer = TableWriter(folder / "edits", "part", EDITS, "doc_id", FILE_BYTES)
    for path in contents.drafts:
        table = read_table(beside(path, "edits"))
        sizes = pc.add(pc.binary_length(table["before"]), pc.binary_length(table["after"]))
        writer.add(table, sizes.to_pylist())
    writer.close()


def _chunks(contents: Contents, drafts: Sequence[tuple[str, pl.DataFrame]], folder: Path) -> None:
    writers = {
        split: TableWriter(folder / "chunks", split, CHUNKS, "chunk_id", FILE_BYTES) for split in SPLITS
    }
    for path, joined in drafts:
        if path not in contents.chunks:
            continue
        table = read_table(contents.chunks[path])
        ids = frame_of(table.select(["doc_id"]))
        placed = ids.join(joined, on="doc_id", how="left", maintain_order="left").to_arrow()
        for name in ("group_id", "split"):
            table = table.append_column(CHUNKS.field(name), placed[name].cast(pa.string()))
        table = table.select(CHUNKS.names)
        for split, writer in writers.items():
            rows = table.filter(pc.equal(table["split"], split))
            writer.add(rows, [8 * n for n in rows["n_tokens"].to_pylist()])
    for split, writer in writers.items():
        writer.close(at_least_one=split == "train")


def _cuts(contents: Contents, folder: Path) -> None:
    writer = TableWriter(folder / "cuts", "part", CUTS, "doc_id", LIGHT_ROWS)
    for path in contents.drafts:
        if path in contents.chunks:
            table = read_table(beside(contents.chunks[path], "cuts"))
            writer.add(table, [1] * table.num_rows)
    writer.close()


def leakage(folder: Path, bound: float) -> LeakageCertificate:
    """Measure what of val and test stands in train, on the very files that are published."""

    def texts(split: str) -> Callable[[], Iterator[pa.ChunkedArray]]:
        files = sorted((folder / "documents").glob(f"{split}-*.parquet"))
        return lambda: (table["text"] for table in read_each(files, ["text"]))

    return certificate(texts("train")(), texts("val")(), texts("test")(), bound)


def file_records(folder: Path) -> tuple[FileRecord, ...]:
    """Every file under `folder` with its hash; the manifest and its hash are not among them."""
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name not in {MANIFEST, MANIFEST_SHA}
    )
    return tuple(
        FileRecord(
            path=path.relative_to(folder).as_posix(),
            sha256=sha256_file(path),
            bytes=path.stat().st_size,
            rows=pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None,
        )
        for path in paths
    )


def place(manifest: Manifest, folder: Path, store: Store) -> VersionPath:
    """Write the manifest, flush, make read-only, and rename `folder` into the store (law 3)."""
    data = manifest_bytes(manifest)
    (folder / MANIFEST_SHA).write_text(sha_line(data), encoding="ascii")
    (folder / MANIFEST).write_bytes(data)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
            sync(path)
    for path in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        sync(path)
    target = store.corpora / manifest.name / f"v{manifest.version}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        sync(target.parent)
    except OSError as error:
        raise StorageError(
            f"{target} cannot be created: {error.strerror}. Nothing that was published is harmed; choose another --root."
        ) from error
    return VersionPath(manifest.name, manifest.version, target)
