"""export: a table of a version as files that others read, with a record of where they come from.

Everything is written into a temporary folder beside the target, `export.json` last, which is renamed when it is whole: an export appears whole or not at
all, and nothing is overwritten. Files are read and written a batch at a time, so that memory is some tens of megabytes whatever the size.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from corpus.exports.records import RECORDS, Losses
from corpus.exports.writers import SUFFIX, FormatName, write
from schemas.errors import NotFound, StorageError, UserError, nearest
from schemas.fingerprint import sha256_file
from schemas.store import SPLITS, VersionPath

if TYPE_CHECKING:
    import pyarrow as pa

RECORD = "export.json"
SPLIT_TABLES = frozenset({"documents", "chunks"})
"""Tables with a file a split."""
SPOKEN_TABLES = frozenset({"documents", "rejects"})
"""Tables that hold texts and messages: what ShareGPT, OpenAI and Alpaca are made of."""
BATCH_ROWS = 512


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export."""

    path: str
    split: str | None
    rows: int
    """Rows or records written."""
    read: int
    """Rows of the table they were made of; the difference is in `losses`."""
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the content of `export.json`, and where it lies."""

    path: str
    version: str
    """name@N."""
    fingerprint: str
    format: str
    table: str
    files: tuple[ExportedFile, ...]
    losses: dict[str, int]
    """What the format could not hold, by name (`corpus.exports.records`); empty where it holds everything."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def export(
    version: VersionPath,
    target: Path,
    form: FormatName,
    *,
    splits: Sequence[str] | None = None,
    table: str = "documents",
) -> Exported:
    """Write `table` of a version into the folder `target`, one file a split.

    `splits` are train, val, test, by default all; only `documents` and `chunks` have any. Raises UserError for a target that is not empty, a format
    that cannot show the table, a split that there is not; NotFound for a table.
    """
    target = target.absolute()
    manifest = version.manifest()
    _check(version, form, splits, table)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(
            f"{target} is not empty, and an export overwrites nothing. Name a new folder, such as {target}-{form}, or first: rm -r {target}"
        )
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise StorageError(
            f"{temporary.parent} cannot be written: {error.strerror}. Name another folder."
        ) from error
    try:
        losses: Losses = Counter()
        wanted: Sequence[str | None] = (splits or SPLITS) if table in SPLIT_TABLES else (None,)
        files = tuple(_file(version, table, split, temporary, form, losses) for split in wanted)
        told = {name: count for name, count in sorted(losses.items()) if count}
        made = Exported(str(target), version.spec, manifest.fingerprint, form, table, files, told)
        record = {
            **made.to_json(),
            "gristmill": manifest.libraries.get("gristmill"),
            "corpus_counts": manifest.counts,
        }
        del record["path"]  # where it lies is no part of what it is
        (temporary / RECORD).write_text(
            json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return made


def _check(version: VersionPath, form: str, splits: Sequence[str] | None, table: str) -> None:
    if form not in get_args(FormatName):
        raise UserError(
            f'"{form}" is not a format. {nearest(form, list(SUFFIX))} There are: {", ".join(SUFFIX)}.'
        )
    tables = sorted({path.parent.name for path in version.path.glob("*/*.parquet")})
    if table not in tables:
        raise NotFound(
            f'{version.spec} has no table "{table}". {nearest(table, tables)} It has: {", ".join(tables)}.'
        )
    if form in RECORDS and table not in SPOKEN_TABLES:
        raise UserError(
            f'format {form} is made of messages, and table "{table}" holds none. Take --table documents, or --format parquet, jsonl or csv.'
        )
    if splits is not None and table not in SPLIT_TABLES:
        raise UserError(f'table "{table}" has no splits; leave --split out.')
    if splits is not None and not splits:
        raise UserError(f"no split is named; there are: {', '.join(SPLITS)}.")
    for split in splits or ():
        if split not in SPLITS or list(splits or ()).count(split) > 1:
            raise UserError(
                f'--split names "{split}"; name each of {", ".join(SPLITS)} once at most, as in --split train,val.'
            )


def _file(
    version: VersionPath, table: str, split: str | None, folder: Path, form: str, losses: Losses
) -> ExportedFile:
    import pyarrow.parquet as pq

    path = folder / f"{split or table}{SUFFIX[form]}"
    sources = version.files(table, split)
    schema = pq.read_schema(sources[0] if sources else version.files(table)[0]).remove_metadata()
    read: Counter[str] = Counter()
    rows = write(_batches(sources, read), schema, path, form, losses)
    return ExportedFile(path.name, split, rows, read["rows"], path.stat().st_size, sha256_file(path))


def _batches(sources: Sequence[Path], read: Counter[str]) -> Iterator[pa.Table]:
    """The rows, checked as they are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for source in sources:
        with pq.ParquetFile(source, page_checksum_verification=True) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                read["rows"] += batch.num_rows
                yield pa.Table.from_batches([batch]).replace_schema_metadata(None)
