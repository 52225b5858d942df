"""Rows of JSON Lines, JSON, CSV and Parquet files, one by one, as dictionaries. A row that cannot be read is a row with an error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from plugins.scrapers.media import MAX_PAGE_BYTES

DELIMITERS = ",;\t|"
"""Tried in this order until the header holds the columns asked for: spreadsheets west of the Atlantic write ",", east of it ";"."""
BLOCK = 1 << 18
"""Characters or bytes read at once."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its number in the file, counted from 0, where its bytes begin (None where unknown), and its cells or an error."""

    number: int
    offset: int | None = None
    cells: dict[str, Any] | None = None
    error: str | None = None
    detail: str | None = None


def json_lines(
    file: BinaryIO, encoding: str, *, number: int = 0, offset: int = 0, stop: int | None = None
) -> Iterator[Record]:
    """Lines from where the file stands up to byte `stop`; blank ones are no rows, but count. `number` and `offset` are the first line's."""
    while stop is None or offset < stop:
        line = file.readline(MAX_PAGE_BYTES + 1)
        if not line:
            return
        length, large = len(line), len(line) > MAX_PAGE_BYTES
        while large and line and not line.endswith(b"\n"):
            line = file.readline(BLOCK)
            length += len(line)
        if large:
            yield Record(
                number,
                offset,
                error="too-large",
                detail=f"line {number + 1} has {length} bytes, more than {MAX_PAGE_BYTES}",
            )
        elif line.strip():
            yield _object(line, encoding, number, offset)
        number, offset = number + 1, offset + length


def _object(line: bytes, encoding: str, number: int, offset: int) -> Record:
    """One line of JSON. Python's parser raises RecursionError for nesting that is deep enough."""
    try:
        cells = json.loads(line.decode(encoding).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return Record(number, offset, error="malformed", detail=f"line {number + 1}: {error}")
    if not isinstance(cells, dict):
        return Record(
            number,
            offset,
            error="malformed",
            detail=f"line {number + 1} is a {type(cells).__name__}, not an object",
        )
    return Record(number, offset, cells)


def line_ranges(file: BinaryIO, target: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Byte ranges of whole lines, each of `target` bytes or a little more: (start, stop, number of the first line, BLAKE2b)."""
    from hashlib import blake2b

    start = stop = first = lines = 0
    hasher = blake2b(digest_size=16)
    while block := file.read(BLOCK):
        cut = block.find(b"\n") + 1 if stop - start >= target else 0
        if cut:
            hasher.update(block[:cut])
            stop, lines = stop + cut, lines + 1
            yield start, stop, first, hasher.digest()
            start, first, hasher, block = stop, lines, blake2b(digest_size=16), block[cut:]
        hasher.update(block)
        stop, lines = stop + len(block), lines + block.count(b"\n")
    if stop > start:
        yield start, stop, first, hasher.digest()


def json_array(text: io.TextIOBase) -> Iterator[Record]:
    """The objects of a JSON array, or the single object a file holds. What follows a broken one cannot be read."""
    decoder, buffer, at, number = json.JSONDecoder(), "", 0, 0
    ended, array = False, None
    while True:
        while at < len(buffer) and buffer[at] in " \t\r\n\ufeff" + (
            ",[" if array is None else "," if array else ""
        ):
            array = True if buffer[at] == "[" else array
            at += 1
        if at == len(buffer) or not (found := _value(decoder, buffer, at, ended=ended)):
            # More is read twice as fast each time, or one long value would be parsed over and over.
            more = "" if ended else text.read(max(BLOCK, len(buffer) - at))
            if not more and (ended or at == len(buffer)):
                yield Record(
                    number,
                    error="malformed",
                    detail="the array is not closed" if array else "the file holds no JSON",
                )
                return
            buffer, at, ended = buffer[at:] + more, 0, not more
            if len(buffer) > MAX_PAGE_BYTES:
                yield Record(
                    number,
                    error="too-large",
                    detail=f"row {number + 1} has more than {MAX_PAGE_BYTES} characters",
                )
                return
            continue
        value, end = found
        if end < 0:
            if value == "]" and array:
                return
            yield Record(
                number,
                error="malformed",
                detail=f"row {number + 1}: {value}; the rows after it cannot be read",
            )
            return
        at = end
        if isinstance(value, dict):
            yield Record(number, cells=value)
        else:
            yield Record(
                number,
                error="malformed",
                detail=f"row {number + 1} is a {type(value).__name__}, not an object",
            )
        number += 1
        if array is None:
            return


def _value(decoder: json.JSONDecoder, buffer: str, at: int, *, ended: bool) -> tuple[Any, int] | None:
    """(value, where it ends); (why, -1) where there is none; None where more text may make one."""
    if buffer[at] == "]":
        return "]", -1
    try:
        value, end = decoder.raw_decode(buffer, at)
    except (ValueError, RecursionError) as error:
        return (str(error), -1) if ended else None
    # A number at the end of the buffer may go on behind it.
    return (value, end) if ended or end < len(buffer) else None


def csv_header(text: io.TextIOBase, wanted: Sequence[str]) -> tuple[list[str], str]:
    """The names in the first row, and the delimiter with which they hold the wanted ones ("," where none does)."""
    _allow_long_fields()
    sample = text.read(BLOCK)
    headers = {
        delimiter: _names(next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), []))
        for delimiter in DELIMITERS
    }
    delimiter = next(
        (d for d, names in headers.items() if set(wanted) <= set(names)),
        max(DELIMITERS, key=lambda d: len(headers[d])),
    )
    return headers[delimiter], delimiter


def csv_rows(text: io.TextIOBase, delimiter: str) -> Iterator[Record]:
    """The rows below the header. A row with more fields than the header is malformed, and so is a last one whose quote never closes;
    missing fields at its end are null."""
    _allow_long_fields()
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter)
    names = _names(next(reader, []))
    number, waiting = 0, None
    while True:
        lines.taken.clear()
        begin = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            row, failure = None, f"line {begin}: {error}"
        else:
            failure = ""
        if row == []:
            continue  # a blank line
        if waiting:
            yield waiting
        waiting = _row(names, row, number, failure, begin)
        number += 1
        last = list(lines.taken) if lines.ended else []
        if last and _unclosed(last, delimiter):
            waiting = Record(
                number - 1, error="malformed", detail=f"line {begin}: a quote is opened and never closed"
            )
    if waiting:
        yield waiting


def _names(header: list[str]) -> list[str]:
    return [name.removeprefix("\ufeff").strip() for name in header]


def _row(names: list[str], row: list[str] | None, number: int, failure: str, line: int) -> Record:
    if row is None:
        return Record(number, error="malformed", detail=failure)
    if any(cell.strip() for cell in row[len(names) :]):
        return Record(
            number, error="malformed", detail=f"line {line} has {len(row)} fields, the header {len(names)}"
        )
    return Record(
        number, cells={name: row[n] if n < len(row) else None for n, name in enumerate(names) if name}
    )


class _Lines:
    """The lines a CSV reader takes, kept until its row is done, so that the last can be looked at again."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self.taken: list[str] = []
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline()
        if not line:
            self.ended = True
            raise StopIteration
        self.taken.append(line)
        return line


def _unclosed(lines: list[str], delimiter: str) -> bool:
    try:
        list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _allow_long_fields() -> None:
    if csv.field_size_limit() < MAX_PAGE_BYTES:
        csv.field_size_limit(MAX_PAGE_BYTES)


def parquet_rows(path: str, groups: Sequence[int], number: int) -> Iterator[Record]:
    """The rows of some row groups; `number` is the first one's."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(batch_size=256, row_groups=list(groups)):
            try:
                rows: list[Any] = batch.to_pylist()
            except (UnicodeDecodeError, ValueError, OverflowError):
                rows = [_scalars(batch, n) for n in range(batch.num_rows)]
            for row in rows:
                if isinstance(row, str):
                    yield Record(number, error="malformed", detail=row)
                else:
                    yield Record(number, cells=row)
                number += 1


def _scalars(batch: Any, n: int) -> dict[str, Any] | str:
    """One row by itself, or why Python cannot hold it: text that is no UTF-8, a date before the year 1."""
    try:
        return batch.slice(n, 1).to_pylist()[0]
    except (UnicodeDecodeError, ValueError, OverflowError) as error:
        return f"{type(error).__name__}: {error}"
