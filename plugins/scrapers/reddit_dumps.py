"""Dumps of Reddit as Pushshift lays them out, sorted by thread on disk: what `reddit` reads its threads from.

A dump is a month of JSON lines, comments apart from submissions, in order of time; the comments of one thread lie anywhere in it and in
the next month's. All of Reddit's comments of a month are some 200 GB, so they are sorted by hash, once: every post that is wanted goes to one of
4096 cells by its thread's name, and a cell (15 MB where everything is wanted) is then read at once. A dump's cells are one file of Zstandard
frames, written when 64 MiB of posts have gathered, and an index of them; the index comes last, so a dump whose sorting was killed is
sorted again, and no other. Rejected: a database with an index on the thread, which writes every
post at a place of its own; a file a cell, 4096 of them open at once.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard
from pydantic_core import from_json

from plugins.scrapers.columns import plain
from plugins.scrapers.media import FED_BYTES

CELLS = 4096
FAULTS = CELLS
"""The cell of what could not be read."""
FLUSH_BYTES = 64 << 20
MAX_WINDOW = 1 << 31
"""Pushshift packs with `zstd --ultra --long=31`: a window of 2 GiB, which is the memory that unpacking takes."""
MAX_LINE = 64 << 20
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError)
"""What a damaged archive may raise; OSError is another matter: the disk may be back tomorrow (but bz2 raises it too)."""

Frame = list[Any]
"""[path, offset, length] of a packed run of lines."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which posts go to the cells, and which of them with their text."""

    subreddits: frozenset[str]
    """In lower case; all where it is empty."""
    min_score: int | None
    after: float | None
    before: float | None
    """Seconds since 1970 in UTC: from `after` on, and before `before`."""
    skip_authors: frozenset[str]
    """In lower case."""


# ------------------------------------------------------------------------------------------------ bytes


def lines(path: str) -> Iterator[bytes]:
    """The lines of a dump, unpacked as its name says (zst, gz, bz2, xz, or not); one longer than MAX_LINE is cut about there.

    Raises what DAMAGED names, and OSError.
    """
    begun, size = list[bytes](), 0
    for block in _blocks(path):
        head, *rest = block.split(b"\n")
        if size < MAX_LINE:
            begun.append(head)
            size += len(head)
        if rest:
            yield b"".join(begun)
            yield from rest[:-1]
            begun, size = [rest[-1]], len(rest[-1])
    if size:
        yield b"".join(begun)


def _blocks(path: str) -> Iterator[bytes]:
    suffix = Path(path).suffix.lower()
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(suffix, open)
    with closing(cast(BinaryIO, opener(path, "rb"))) as file:
        if suffix == ".zst":
            yield from _frames(file)
            return
        while block := file.read(1 << 20):
            yield block


def _frames(file: BinaryIO) -> Iterator[bytes]:
    """Frames one after the other, fed a little at a time: a block of 4 bytes can stand for 128 KiB (RFC 8878, 3.1.1.2)."""
    frame: Any = None
    while packed := file.read(1 << 18):
        at = 0
        while at < len(packed):
            if frame is None:
                frame = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()
            fed = packed[at : at + FED_BYTES]
            at += len(fed)
            if block := frame.decompress(fed):
                yield block
            if frame.eof:
                at -= len(frame.unused_data)
                frame = None
    if frame is not None:
        raise EOFError("the Zstandard stream ends inside a frame")


# ------------------------------------------------------------------------------------------------ posts

_SUBREDDIT = re.compile(rb'"subreddit"\s*:\s*"([^"\\]*)"')
_ID = re.compile(r"[0-9a-z]{1,20}\Z")
_ESCAPED = re.compile(r"&(?:amp;#x200B|amp;nbsp|lt|gt|amp|#x200B|nbsp);")
_MEANT = {
    "&lt;": "<",
    "&gt;": ">",
    "&amp;": "&",
    "&nbsp;": " ",
    "&amp;nbsp;": " ",
    "&#x200B;": "",
    "&amp;#x200B;": "",
}
_ODD = re.compile(r"[\0-\x08\x0b-\x1f\x7f]")
GONE = frozenset({"[deleted]", "[removed]", "[ removed by reddit ]", "[deleted by user]"})
"""What Reddit writes, in lower case, where a text or a name was."""


def posts(rows: Iterable[bytes], wanted: Wanted) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(number of the line, post) for every post that is wanted, or (number, why) for a line that is none.

    A post has thread, id, parent (None for a submission), time, score, author, text, and `dropped` where the text was not taken: it stays a
    place in the thread's tree. Lines of other subreddits are told by their bytes and not parsed.
    """
    for number, line in enumerate(rows):
        line = line.strip()  # noqa: PLW2901
        if not line:
            continue
        whole = line.endswith(b"}")  # one that is cut may lack the name of its subreddit
        if whole and wanted.subreddits and not _may_be(line, wanted.subreddits):
            continue
        try:
            row = _parsed(line)
            post = _post(row, wanted) if isinstance(row, dict) else "is not an object"
        except (ValueError, RecursionError) as error:
            post = str(error)
        if post is not None:
            yield number, post


def _may_be(line: bytes, subreddits: frozenset[str]) -> bool:
    """Whether any object in the line names one of them; an object within it may, such as what is cross-posted."""
    return any(name.decode("utf-8", "replace").lower() in subreddits for name in _SUBREDDIT.findall(line))


def _parsed(line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError:
        return json.loads(line.decode("utf-8", "replace"))  # it takes half a surrogate pair, too


def _post(row: dict[str, Any], wanted: Wanted) -> dict[str, Any] | str | None:
    subreddit = _text(row.get("subreddit")) or None
    if wanted.subreddits and (subreddit or "").lower() not in wanted.subreddits:
        return None
    comment = "body" in row and "link_id" in row
    own = _name(row.get("id"), "t1_" if comment else "t3_")
    thread = _name(row.get("link_id"), "t3_") if comment else own
    if not own or not thread or not (comment or "title" in row):
        return "is neither a submission (id, title) nor a comment (id, link_id, body)"
    text = _text(row.get("body" if comment else "selftext"))
    author = _text(row.get("author")).strip()
    post: dict[str, Any] = {
        "thread": thread,
        "id": own,
        "parent": (_name(row.get("parent_id"), "t1_") or "") if comment else None,
        "time": _number(row.get("created_utc")),
        "score": _number(row.get("score")),
        "author": None if author.lower() in GONE else author or None,
        "subreddit": subreddit,
    }
    if not comment:
        title = _text(row.get("title")).strip()
        post["title"] = None if title.lower() in GONE else title or None
        post.update({
            key: value
            for key, source in (("permalink", "permalink"), ("flair", "link_flair_text"), ("link", "url"))
            if (value := _text(row.get(source)).strip())
            and not (key == "link" and row.get("is_self") is True)
        })
        if row.get("over_18") is True:
            post["nsfw"] = True
    why = _why_not(post, wanted)
    if why or text.strip().lower() in GONE:
        post["dropped"] = why or "deleted"
    else:
        post["text"] = text.strip()
    if why and not comment:
        post["title"] = None
    return post


def _why_not(post: dict[str, Any], wanted: Wanted) -> str | None:
    time, score = post["time"], post["score"]
    if (wanted.after is not None and (time is None or time < wanted.after)) or (
        wanted.before is not None and (time is None or time >= wanted.before)
    ):
        return "date"
    if wanted.min_score is not None and score is not None and score < wanted.min_score:
        return "score"
    return "author" if (post["author"] or "").lower() in wanted.skip_authors else None


def _text(value: Any) -> str:
    """A string of the dump as it was typed: Reddit escapes "&", "<" and ">" once more."""
    if not isinstance(value, str):
        return ""
    meant = _ESCAPED.sub(lambda found: _MEANT[found[0]], value).replace("\r\n", "\n").replace("\r", "\n")
    return _ODD.sub("", plain(meant))


def _name(value: Any, prefix: str) -> str | None:
    name = value.removeprefix(prefix).lower() if isinstance(value, str) else ""
    return name if _ID.match(name) else None


def _number(value: Any) -> int | None:
    try:
        return int(float(value)) if not isinstance(value, bool) else None
    except (TypeError, ValueError, OverflowError):
        return None


# ------------------------------------------------------------------------------------------------ cells


class Cells:
    """Where the posts of one dump lie: frames, raw bytes and a digest by cell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self.passing: bool = told["passing"]
        """An error of the moment: sort the dump again next time."""
        self.size: dict[int, int] = {int(cell): size for cell, (size, _, _) in told["cells"].items()}
        self.digest: dict[int, str] = {int(cell): digest for cell, (_, digest, _) in told["cells"].items()}
        self._frames: dict[int, list[list[int]]] = {
            int(cell): frames for cell, (_, _, frames) in told["cells"].items()
        }

    def frames(self, cell: int) -> list[Frame]:
        """The frames of a cell, in order."""
        return [[str(self.path), *frame] for frame in self._frames.get(cell, [])]


def sort(dump: str, locator: str, target: Path, wanted: Wanted, error: str | None = None) -> Cells:
    """Sort a dump into cells at `target`; `error` says why it cannot be read, where that is known. What is there already is taken."""
    index = target.with_suffix(".json")
    if index.exists() and not (known := Cells(target)).passing:
        return known
    number, passing = 0, error is not None
    with target.open("wb") as file:
        writer = _Writer(file)
        try:
            for number, post in posts(lines(dump) if error is None else (), wanted):
                if isinstance(post, str):
                    writer.fault(locator, number, "malformed", f"line {number + 1}: {post}")
                else:
                    writer.add(zlib.crc32(post["thread"].encode()) % CELLS, post)
        except (*DAMAGED, OSError) as failure:
            passing = isinstance(failure, OSError) and failure.errno is not None
            error = str(failure)
        if error is not None:
            writer.fault(
                locator, number + 1, "unreadable", f"after line {number + 1}: {error}" if number else error
            )
        writer.flush()
    fresh = index.with_suffix(".fresh")
    fresh.write_text(json.dumps({"passing": passing, "cells": writer.index()}), encoding="utf-8")
    fresh.rename(index)
    return Cells(target)


class _Writer:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packer = zstandard.ZstdCompressor(level=3)
        self._waiting: dict[int, bytearray] = {}
        self._size = self._offset = 0
        self._cells: dict[int, tuple[list[int], Any, list[list[int]]]] = {}

    def add(self, cell: int, row: dict[str, Any]) -> None:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._waiting.setdefault(cell, bytearray()).extend(line)
        self._size += len(line)
        if self._size >= FLUSH_BYTES:
            self.flush()

    def fault(self, locator: str, number: int, error: str, detail: str) -> None:
        self.add(FAULTS, {"locator": f"{locator}#{number:09}", "error": error, "detail": detail})

    def flush(self) -> None:
        for cell, raw in sorted(self._waiting.items()):
            size, hasher, frames = self._cells.setdefault(cell, ([0], blake2b(digest_size=16), []))
            packed = self._packer.compress(raw)
            self._file.write(packed)
            frames.append([self._offset, len(packed)])
            hasher.update(raw)
            size[0] += len(raw)
            self._offset += len(packed)
        self._waiting.clear()
        self._size = 0

    def index(self) -> dict[int, tuple[int, str, list[list[int]]]]:
        return {
            cell: (size[0], hasher.hexdigest(), frames)
            for cell, (size, hasher, frames) in self._cells.items()
        }


def read(frames: Iterable[Frame]) -> Iterator[dict[str, Any]]:
    """The rows of frames, one after another."""
    unpack = zstandard.ZstdDecompressor().decompress
    for path, offset, length in frames:
        with open(path, "rb") as file:  # noqa: PTH123  as it was named
            file.seek(offset)
            raw = unpack(file.read(length))
        for line in raw.splitlines():
            yield json.loads(line)
