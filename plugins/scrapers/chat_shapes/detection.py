"""Which shape a file has, by its content; its ending only tells CSV from a log.

JSON is told by the names in its first record: those of a line, or of the first 64 KiB of a document, so that a file of any size is told at once.
"""

from __future__ import annotations

import re
from contextlib import closing

from plugins.scrapers.chat_shapes.alpaca import Alpaca
from plugins.scrapers.chat_shapes.characterai import CharacterAi
from plugins.scrapers.chat_shapes.csv_turns import CsvTurns, header
from plugins.scrapers.chat_shapes.discord import Discord
from plugins.scrapers.chat_shapes.irc import ANNOTATION, Irc
from plugins.scrapers.chat_shapes.irc_lines import read_line
from plugins.scrapers.chat_shapes.openai import OpenAi
from plugins.scrapers.chat_shapes.shape import ChatOptions, Shape, SourceFile
from plugins.scrapers.chat_shapes.sharegpt import ShareGpt
from plugins.scrapers.chat_shapes.sillytavern import SillyTavern

_SHAPES: tuple[Shape, ...] = (
    ShareGpt(),
    OpenAi(),
    Alpaca(),
    SillyTavern(),
    CharacterAi(),
    Discord(),
    Irc(),
    CsvTurns(),
)
SHAPES: dict[str, Shape] = {shape.name: shape for shape in _SHAPES}
SAMPLE_BYTES = 1 << 16
LOG_LINES = 60
"""Lines of a log that are looked at; half of them must be lines of IRC."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"(\s*:)?|\Z)', re.DOTALL)
"""A whole string, and whether it is a key: strings are passed over whole, so that what one says is no key and no scan begins twice."""

# Names that a file's first record must all have; the first shape that fits counts.
_BY_KEYS = (
    ("discord", ("guild", "channel")),
    ("characterai", ("histories",)),
    ("characterai", ("chats",)),
    ("characterai", ("turns", "author")),
    ("sharegpt", ("conversations",)),
    ("sillytavern", ("mes", "is_user")),
    ("sillytavern", ("user_name", "character_name")),
    ("sillytavern", ("chat_metadata",)),
    ("openai", ("messages",)),
    ("alpaca", ("instruction", "output")),
)


class UnknownShape(ValueError):
    """The message says what was seen, and what to type."""


def detect(file: SourceFile, options: ChatOptions) -> str:
    """The name of the file's shape. Raises UnknownShape, and UnicodeDecodeError for bytes that are not in its encoding."""
    with closing(file.bytes()) as opened:
        data = opened.read(SAMPLE_BYTES)
    cut = len(data) == SAMPLE_BYTES
    sample = _decoded(data, file.encoding or "utf-8-sig", cut=cut)
    head = sample.lstrip("\ufeff \t\r\n")
    if not head:
        raise UnknownShape("the file is empty")
    # "[12:34]" opens a log, "[{" an array of records.
    if head[0] == "{" or re.match(r"\[\s*[{\]]", head):
        return _by_keys(head)
    if file.path.lower().endswith(ANNOTATION):
        raise UnknownShape(
            "these are the links of the log beside it, which is read with them; leave it out of `path`"
        )
    lines = [line for line in head.splitlines()[:LOG_LINES] if line.strip()]
    if 2 * sum(read_line(line).kind != "unread" for line in lines) >= len(lines):
        return "irc"
    try:
        header(file, options)
    except ValueError as error:
        told = f"as CSV, {error}" if _is_table(head, file.path) else f"its first line is {lines[0][:80]!r}"
        raise UnknownShape(f"this is no shape of conversations that is known: {told}. {advice()}") from None
    return "csv"


def advice() -> str:
    """What to type where no shape fits."""
    return f'Known: {", ".join(SHAPES)}; shape = "…" says which it is, and `use = "files"` reads other texts and tables'


def _is_table(head: str, path: str) -> bool:
    return (
        path.lower().removesuffix(".gz").removesuffix(".zst").endswith((".csv", ".tsv"))
        or "," in head.partition("\n")[0]
    )


def _by_keys(head: str) -> str:
    first, _, _rest = head.partition("\n")
    lined = head[0] == "{" and first.rstrip().endswith("}")
    strings = _STRING.findall(first if lined else head)
    keys = list(dict.fromkeys(text for text, colon in strings if colon))
    known = set(keys)
    for name, wanted in _BY_KEYS:
        if known.issuperset(wanted):
            return name
    raise UnknownShape(
        f"this is JSON of no known shape; its first names are {', '.join(keys[:12]) or 'none'}. {advice()}"
    )


def _decoded(data: bytes, encoding: str, *, cut: bool) -> str:
    """The sample's characters; a character that the cut went through is left out."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if cut and error.start > len(data) - 4:
            return data[: error.start].decode(encoding)
        raise
