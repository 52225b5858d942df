"""Conversations that people already have: data sets in ShareGPT, OpenAI or Alpaca, chats of SillyTavern and Character.AI, Discord, IRC, CSV.

    [[source]]
    use = "chats"
    path = ["chats/*.jsonl", "discord/*.json"]

Each file's shape is told by its content (`chat_shapes/detection.py`), and a file of no known shape is one page whose fate says what was seen.
One conversation is one page, named "file#n". Its bytes are the record as the file has it, put into a line of HTML, since a scraper's own `parse` is asked for
HTML alone; as a JSON string with "<", ">" and "&" escaped, so that nothing in it is markup and not a character of it is changed.

JSON lines are cut into parts of bounded size; other files are one part each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from plugins.contracts import Brings, Extracted, Locates, Page, Part, Place, Scraper
from plugins.extractors.encoding import codec_of
from plugins.scrapers import records
from plugins.scrapers.chat_shapes.detection import SHAPES, UnknownShape, detect
from plugins.scrapers.chat_shapes.irc import links_of
from plugins.scrapers.chat_shapes.shape import COLUMNS, ChatOptions, Raw, SourceFile, is_lines
from plugins.scrapers.globs import Match, find, is_utf8
from plugins.scrapers.media import MAX_PAGE_BYTES, UNREADABLE, open_bytes
from plugins.scrapers.tables import PART_BYTES, stamp
from schemas.errors import SourceError
from schemas.fingerprint import digest_file, identify

ShapeName = Literal[
    "auto", "sharegpt", "openai", "alpaca", "sillytavern", "characterai", "discord", "irc", "csv"
]
LINED = frozenset({"sharegpt", "openai", "alpaca"})
"""Shapes whose JSON lines are records of their own."""
_GAP = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Chats(Scraper):
    """Conversations in the shapes people keep them: ShareGPT, OpenAI, Alpaca, SillyTavern, Character.AI, Discord, IRC, CSV."""

    name = "chats"
    requires: ClassVar[tuple[str, ...]] = ("zstandard",)
    kernels: ClassVar[tuple[str, ...]] = (
        *(
            f"plugins.scrapers.chat_shapes.{module}"
            for module in (
                *("alpaca", "characterai", "csv_turns", "detection", "discord", "irc", "irc_lines"),
                *("json_members", "openai", "shape", "sharegpt", "sillytavern", "weaving"),
            )
        ),
        "plugins.extractors.encoding",
        "plugins.scrapers.columns",
        "plugins.scrapers.globs",
        "plugins.scrapers.media",
        "plugins.scrapers.records",
        "plugins.scrapers.tables",
    )

    path: Annotated[str | tuple[str, ...], Locates(), Field(min_length=1)]
    """One glob or several, relative to the recipe: "chats/**/*.jsonl". Packed with gzip or Zstandard or not."""
    shape: Annotated[ShapeName, Brings()] = "auto"
    """What the files are; "auto" tells each by its content."""
    split: Annotated[Literal["auto", "gap", "links", "file"], Brings()] = "auto"
    """How a channel of Discord or IRC becomes conversations: cut where nobody speaks for `gap`; by replies or links; or one a file. "auto": by the links that lie beside a log, else by gap."""
    gap: Annotated[str, Brings()] = "2h"
    """The silence after which talk in a channel is a new conversation: "90s", "30m", "2h", "1d"."""
    assistant: str | None = None
    """The speaker who is the model, in Discord, IRC and CSV: their messages get role assistant, everyone else's user."""
    conversation: str = "conversation"
    """CSV: column that names the conversation a turn belongs to."""
    speaker: str = "speaker"
    """CSV: column of who speaks."""
    text: str = "text"
    """CSV: column of what is said."""
    role: str = "role"
    """CSV: column of the role."""
    time: str = "time"
    """CSV: column of when it was said."""
    prompt: str = "prompt"
    """CSV with a pair a row: column of what the user says."""
    response: str = "response"
    """CSV with a pair a row: column of what the model answers."""
    system: str = "system"
    """CSV with a pair a row: column of the system text, where there is one."""
    encoding: str | None = None
    """The encoding of every file, where it is not UTF-8."""
    license_value: str | None = None
    """The licence of every conversation."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        if encoding is not None and not codec_of(encoding):
            raise ValueError(f'"{encoding}" is not an encoding; utf-8, windows-1252 and shift_jis are')
        return encoding

    @field_validator("gap")
    @classmethod
    def _known_gap(cls, gap: str) -> str:
        if not _GAP.match(gap.strip()):
            raise ValueError(f'"{gap}" is not a length of time; write it as "90s", "30m", "2h" or "1d"')
        return gap

    @property
    def options(self) -> ChatOptions:
        """What the shapes read."""
        found = _GAP.match(self.gap.strip())
        assert found is not None  # checked above
        columns = {name: getattr(self, name) for name in COLUMNS}
        return ChatOptions(self.split, float(found[1]) * _SECONDS[found[2]], self.assistant, columns)

    def parts(self, place: Place) -> Sequence[Part]:
        """One part a file, more of long JSON lines. Raises SourceError for a glob without files."""
        patterns = (self.path,) if isinstance(self.path, str) else self.path
        return [part for match in find(patterns, place.base) for part in self._parts(match)]

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The conversations of a part; what cannot be read is a page with an error."""
        where, locator = part.where, part.where["locator"]
        if where["error"]:
            yield Page(locator, raw_path=locator, error=where["error"], detail=where["detail"])
            return
        file, shape = self._file(where), SHAPES[where["shape"]]
        seen = 0
        try:
            for raw in shape.raws(file, self.options):
                seen += 1
                yield self._page(locator, shape.name, raw)
            if not seen and not where.get("number"):
                yield Page(
                    locator,
                    raw_path=locator,
                    error="empty",
                    detail=f"no conversation is in it ({shape.name})",
                )
            if stamp(file.path) != where["stamp"]:
                # What was read would be remembered as what was hashed.
                raise SourceError(
                    f"{file.path} was rewritten while it was read. Build again when it is at rest."
                )
        except (ValueError, *UNREADABLE) as error:
            told = "" if seen == 0 else f"after {seen} conversations: "
            name = f"{locator}#rest-{where.get('number', 0)}"
            yield Page(name, raw_path=locator, error=_word(error), detail=told + _told(error))

    def parse(self, html: str) -> Extracted:
        """The messages of a page of ours. Raises ValueError where the record is not of its shape, or nobody says anything."""
        found = _RECORD.search(html)
        if found is None:
            return Extracted(None)
        said = SHAPES[found[1]].read(json.loads(found[2]), self.options)
        if not any(message["content"].strip() for message in said.messages):
            raise ValueError("no message of the conversation says anything")
        return Extracted(None, said.messages, said.title, published=said.published, metadata=said.metadata)

    # ------------------------------------------------------------------------------------- files

    def _parts(self, match: Match) -> Iterator[Part]:
        """The parts of one file, each with its shape; or one that says why there is none."""
        where: dict[str, Any] = {"locator": match.locator, "path": match.path, "error": None, "detail": None}
        where["packed"] = next((end for end in ("gz", "zst") if match.path.lower().endswith(f".{end}")), "")
        try:
            if match.error or not is_utf8(match.path):
                raise OSError(match.error or "its name is not UTF-8; rename it")
            where["stamp"] = stamp(match.path)  # before the digest below, so that no change falls between
            file = self._file(where)
            where["shape"] = detect(file, self.options) if self.shape == "auto" else self.shape
            if where["shape"] in LINED and not where["packed"] and is_lines(file):
                with open_bytes(file.path, "") as opened:
                    for start, stop, number, digest in records.line_ranges(opened, PART_BYTES):
                        bounds = {"start": start, "stop": stop, "number": number}
                        yield Part(
                            {**where, **bounds},
                            identify(match.locator, where["shape"], str(bounds), digest.hex()),
                        )
                return
            beside = links_of(file.path) if where["shape"] == "irc" else None
            digests = [digest_file(Path(path)) for path in (file.path, beside) if path is not None]
            yield Part(where, identify(match.locator, where["shape"], *digests))
        except (ValueError, *UNREADABLE) as error:
            yield Part({**where, "error": _word(error), "detail": _told(error)})

    def _file(self, where: dict[str, Any]) -> SourceFile:
        encoding = codec_of(self.encoding) if self.encoding else ""
        bounds = {key: where[key] for key in ("number", "start", "stop") if key in where}
        return SourceFile(where["path"], where["packed"], encoding, **bounds)

    def _page(self, locator: str, shape: str, raw: Raw) -> Page:
        page = Page(
            f"{locator}#{raw.key}", raw_path=locator, license=self.license_value, metadata={"shape": shape}
        )
        if raw.record is None:
            page.error, page.detail = raw.error, raw.detail
            return page
        page.content_type, page.content = "text/html; charset=utf-8", page_of(shape, raw.record)
        if len(page.content) > MAX_PAGE_BYTES:
            page.content, page.error = None, "too-large"
            page.detail = f"the conversation has more than {MAX_PAGE_BYTES >> 20} MiB; a smaller `gap` cuts a channel shorter"
        return page


_RECORD = re.compile(
    r'<body data-gristmill="chats"><script type="application/json" data-shape="([a-z]+)">("[^<>]*")</script></body>'
)
_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\x7f": "\\u007f"})


def page_of(shape: str, record: str) -> bytes:
    """A record as the bytes of its page."""
    held = json.dumps(record, ensure_ascii=False).translate(_MARKUP)
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body data-gristmill="chats">'
        f'<script type="application/json" data-shape="{shape}">{held}</script></body></html>\n'
    ).encode()


def _word(error: Exception) -> str:
    if isinstance(error, UnknownShape):
        return "unknown-shape"
    if isinstance(error, UnicodeDecodeError):
        return "encoding"
    return "malformed" if isinstance(error, ValueError) else "unreadable"


def _told(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return f'byte 0x{byte:02X} is not {error.encoding.upper()}. Say what it is: encoding = "windows-1252", or convert the file: iconv -t UTF-8'
    return str(getattr(error, "strerror", None) or error)[:500]


__all__ = ["SHAPES", "Chats", "page_of"]
