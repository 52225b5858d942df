"""What a shape of conversations is: records found in a file, one a conversation, and what such a record says.

The two are apart because a build keeps the record: it is the page, its bytes are hashed, and it is read again whenever this code changes, without
the file. Rejected: to keep what was read, as finished messages; then a better reader would need the files once more, and a page's hash would
change with our code.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from plugins.scrapers import records
from plugins.scrapers.columns import plain
from plugins.scrapers.media import open_bytes
from plugins.scrapers.records import Record

DIGITS = 9
"""Numbers in locators are padded, so that their order as text is their order in the file."""


COLUMNS = ("conversation", "speaker", "text", "role", "time", "prompt", "response", "system")
"""What a column of a CSV file may mean."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """The options of `chats` that shapes read; the scraper says what each means."""

    split: str = "auto"
    gap: float = 7200.0
    """Seconds."""
    assistant: str | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: {name: name for name in COLUMNS})
    """Meaning → column of a CSV file."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file, or some lines of one, and how its bytes become characters."""

    path: str
    packed: str = ""
    encoding: str = ""
    """A Python codec; "" for UTF-8, with a byte-order mark or without."""
    number: int = 0
    """Of the first line, counted from 0."""
    start: int | None = None
    stop: int | None = None
    """Bytes: from one line's beginning to another's; the whole file where they are None."""

    def bytes(self) -> BinaryIO:
        """The file's bytes, unpacked, from `start` on."""
        file = open_bytes(self.path, self.packed)
        if self.start:
            file.seek(self.start)
        return file

    def text(self) -> io.TextIOWrapper:
        """Its characters; what is not in the encoding raises UnicodeDecodeError where it is met."""
        return io.TextIOWrapper(self.bytes(), encoding=self.encoding or "utf-8-sig", newline="")

    def lines(self) -> Iterator[Record]:
        """Its lines as JSON objects."""
        with closing(self.bytes()) as file:
            yield from records.json_lines(
                file, self.encoding or "utf-8", number=self.number, offset=self.start or 0, stop=self.stop
            )


@dataclass(frozen=True, slots=True)
class Raw:
    """One conversation as the file has it: `record` is JSON, JSON lines or a log's lines. Or why there is none."""

    key: str
    """Its name in the file, after "#"."""
    record: str | None = None
    error: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a record says."""

    messages: list[dict[str, Any]]
    title: str | None = None
    published: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class Malformed(ValueError):
    """A record is not of its shape."""


class Shape(Protocol):
    """One way to keep conversations."""

    name: str

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """The conversations of a file, in bounded memory where the shape allows it; a broken one is a Raw with `error`.

        Raises ValueError where nothing after this point can be read.
        """

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """What a record says. Raises ValueError for one that is not of this shape."""


def message(role: str, content: str, *, name: str | None = None, train: bool | None = None) -> dict[str, Any]:
    """One message, as every table of ours can hold it."""
    return {"role": role, "name": plain(name) or None, "content": plain(content), "train": train}


def numbered(number: int) -> str:
    """The name of a conversation by its place in the file."""
    return f"{number:0{DIGITS}}"


def written(cells: Any) -> str:
    """A record of JSON on one line. Raises RecursionError for nesting that is too deep."""
    return str(plain(json.dumps(cells, ensure_ascii=False)))


def json_raws(file: SourceFile) -> Iterator[Raw]:
    """The objects of JSON lines, of a JSON array, or the one of a JSON file: each is a conversation."""
    found = file.lines() if file.start is not None or is_lines(file) else _array(file)
    for record in found:
        key = numbered(record.number)
        if record.cells is None:
            yield Raw(key, error=record.error, detail=record.detail)
            continue
        try:
            yield Raw(key, written(record.cells))
        except RecursionError:
            yield Raw(key, error="malformed", detail=f"record {record.number + 1} is nested too deep")


def _array(file: SourceFile) -> Iterator[Record]:
    with file.text() as text:
        yield from records.json_array(text)


HEAD_BYTES = 1 << 20
"""How long a first line may be to be taken for a line of JSON."""


def is_lines(file: SourceFile) -> bool:
    """Whether it holds JSON lines: the first line that is not blank is an object by itself, or would be if it were not broken."""
    line = first_line(file)
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return line.endswith(b"}") or len(line) >= HEAD_BYTES - 1


def first_line(file: SourceFile) -> bytes:
    """The first line that is not blank, at most HEAD_BYTES of it; empty where there is none."""
    with closing(file.bytes()) as opened:
        while line := opened.readline(HEAD_BYTES):
            if line := line.removeprefix(codecs.BOM_UTF8).strip():
                return line
    return b""


def others(cells: Mapping[str, Any], *known: str) -> dict[str, Any]:
    """What else a record says, for `metadata`."""
    return {str(key): plain(value) for key, value in cells.items() if key not in known and value is not None}
