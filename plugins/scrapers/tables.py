"""Tables cut into parts, and the rows of a part.

The digest of a part is of its content, of where in the source that stands, and of the number of its first row: all that its pages are
made of, apart from the scraper's options. What is appended to a JSON Lines file leaves its earlier parts as they were.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from plugins.contracts import Part
from plugins.extractors.encoding import SAMPLE_BYTES, codec_of, guess
from plugins.scrapers import records
from plugins.scrapers.columns import Columns
from plugins.scrapers.globs import Match, is_utf8
from plugins.scrapers.media import Medium, open_bytes
from plugins.scrapers.records import Record
from schemas.errors import SourceError, nearest
from schemas.fingerprint import digest_file, identify

PART_BYTES = 32 << 20
"""What a task reads at most, where it can be cut."""


def table_parts(match: Match, medium: Medium, columns: Columns, encoding: str | None) -> Iterator[Part]:
    """The parts of one table. Raises SourceError for a column that is not there, and what reading raises."""
    if not is_utf8(match.path):
        raise OSError("the name of a table must be UTF-8; rename it")
    where: dict[str, Any] = {
        "locator": match.locator,
        "path": match.path,
        "reader": medium.reader,
        "packed": medium.packed,
        "stamp": stamp(match.path),  # before the digest below, so that no change falls between
    }
    whole = "id" in columns.named
    if medium.reader == "parquet":
        yield from _row_groups(where, columns, whole=whole)
    elif medium.reader == "jsonl" and not medium.packed and not whole:
        with open_bytes(match.path, "") as file:
            for start, stop, first, digest in records.line_ranges(file, PART_BYTES):
                yield Part(
                    {**where, "number": first, "start": start, "stop": stop},
                    identify(match.locator, str(first), str(start), digest.hex()),
                )
    else:
        if medium.reader == "csv":
            _require(match.path, _header(where, columns, encoding)[0], columns)
        yield Part(where, identify(match.locator, digest_file(Path(match.path))))


def stamp(path: str) -> list[int]:
    """What changes when a file is rewritten: its size, and its time in nanoseconds."""
    status = Path(path).stat()
    return [status.st_size, status.st_mtime_ns]


def _row_groups(where: dict[str, Any], columns: Columns, *, whole: bool) -> Iterator[Part]:
    """Runs of row groups of bounded size."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, locator = where["path"], where["locator"]
    try:
        with pq.ParquetFile(path) as file:
            names, metadata = file.schema_arrow.names, file.metadata
    except pa.ArrowException as error:
        raise OSError(f"not a Parquet file: {error}") from None
    _require(path, names, columns)
    content, first, groups, size = digest_file(Path(path)), 0, list[int](), 0
    for n in range(metadata.num_row_groups):
        groups.append(n)
        size += metadata.row_group(n).total_byte_size
        if n == metadata.num_row_groups - 1 or (size >= PART_BYTES and not whole):
            yield Part({**where, "number": first, "groups": groups}, identify(locator, content, str(groups)))
            first += sum(metadata.row_group(group).num_rows for group in groups)
            groups, size = [], 0


def _require(path: str, names: Sequence[str], columns: Columns) -> None:
    """Raises SourceError for a column that was named and is not there."""
    for column in columns.wanted:
        if column not in names:
            option = (
                "text"
                if column == columns.text
                else next(field for field, named in columns.named.items() if named == column)
            )
            raise SourceError(
                f'{path} has no column "{column}", which the option `{option}` names. {nearest(column, list(names))} '
                f"Its columns: {', '.join(names) or 'none'}. Set {option} to one of them."
            )


def rows(where: dict[str, Any], columns: Columns, encoding: str | None) -> Iterator[Record]:
    """The rows of one part of a table."""
    reader, path = where["reader"], where["path"]
    if reader == "parquet":
        import pyarrow as pa

        try:
            yield from records.parquet_rows(path, where["groups"], where["number"])
        except pa.ArrowException as error:
            raise OSError(str(error)) from error
    elif reader == "jsonl":
        with closing(open_bytes(path, where["packed"])) as file:
            start = where.get("start")
            if start is not None:
                file.seek(start)
            bounds = {"number": where.get("number", 0), "offset": start or 0, "stop": where.get("stop")}
            for record in records.json_lines(file, codec_of(encoding) if encoding else "utf-8", **bounds):
                # An offset into a packed file leads nowhere.
                yield (
                    record
                    if start is not None
                    else Record(record.number, None, record.cells, record.error, record.detail)
                )
    elif reader == "json":
        with _text(where, encoding) as text:
            yield from records.json_array(text)
    else:
        _, delimiter = _header(where, columns, encoding)
        with _text(where, encoding) as text:
            yield from records.csv_rows(text, delimiter)


def _header(where: dict[str, Any], columns: Columns, encoding: str | None) -> tuple[list[str], str]:
    with _text(where, encoding) as text:
        return records.csv_header(text, columns.wanted)


def _text(where: dict[str, Any], encoding: str | None) -> io.TextIOWrapper:
    """A table's characters. Without `encoding`: as its byte-order mark says, UTF-8 where it is that all through, else as guessed."""
    name = codec_of(encoding) if encoding else ""
    if not name:
        with closing(open_bytes(where["path"], where["packed"])) as file:
            name = _sniff(file)
    return io.TextIOWrapper(
        open_bytes(where["path"], where["packed"]), encoding=name, errors="replace", newline=""
    )


def _sniff(file: BinaryIO) -> str:
    block = file.read(SAMPLE_BYTES)
    for bom, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if block.startswith(bom):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block:
            decoder.decode(block)
            block = file.read(SAMPLE_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return guess(block)
    return "utf-8"
