"""What a file holds, by its name; and its bytes, through gzip or Zstandard where the name says so."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import zstandard

MAX_PAGE_BYTES = 128 << 20
"""The largest page, unpacked: a shelf of books in one file. Whatever is larger is no page, or a bomb."""

FED_BYTES = 1 << 10
"""Packed bytes unpacked at once. A block of 4 bytes can stand for 128 KiB (RFC 8878, 3.1.1.2), so a bomb takes 32 MiB at a time."""

UNREADABLE = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What reading a file may raise, a damaged archive included."""

Reader = Literal["page", "jsonl", "json", "csv", "parquet"]


@dataclass(frozen=True, slots=True)
class Medium:
    """How a file is read."""

    reader: Reader
    content_type: str = "text/plain"
    """Of a whole-file page."""
    packed: Literal["", "gz", "zst"] = ""


_HTML, _MARKDOWN = "text/html", "text/markdown"
_BY_SUFFIX: dict[str, Medium] = {
    **{suffix: Medium("page", _HTML) for suffix in (".html", ".htm")},
    ".xhtml": Medium("page", "application/xhtml+xml"),
    **{suffix: Medium("page") for suffix in (".txt", ".text")},
    **{suffix: Medium("page", _MARKDOWN) for suffix in (".md", ".markdown")},
    **{suffix: Medium("jsonl") for suffix in (".jsonl", ".ndjson")},
    ".json": Medium("json"),
    **{suffix: Medium("csv") for suffix in (".csv", ".tsv")},
    ".parquet": Medium("parquet"),
}
SUFFIXES = tuple(_BY_SUFFIX)


def medium_of(name: str) -> Medium | None:
    """How a file of this name is read; None where its ending says nothing.

    >>> medium_of("a/B.HTML.gz")
    Medium(reader='page', content_type='text/html', packed='gz')
    """
    path = Path(name.lower())
    packed = path.suffix[1:] if path.suffix in {".gz", ".zst"} else ""
    medium = _BY_SUFFIX.get(path.with_suffix("").suffix if packed else path.suffix)
    if medium is None or not packed:
        return medium
    if medium.reader == "parquet":
        return None  # Parquet packs its own pages, and must be read from the end
    return Medium(medium.reader, medium.content_type, cast(Any, packed))


def open_bytes(path: str, packed: str) -> BinaryIO:
    """The file's bytes, unpacked; a stream cut short raises EOFError at its end."""
    if packed == "gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    file = open(path, "rb")  # noqa: SIM115, PTH123  the caller closes it; the path may hold bytes that are no UTF-8
    return io.BufferedReader(_Zstandard(file), 1 << 18) if packed == "zst" else file


class _Zstandard(io.RawIOBase):
    """Frames of a Zstandard file, one after the other. The library's own reader takes a cut frame for a whole one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame: Any = None
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            packed = self._frame.unused_data if self._frame is not None and self._frame.eof else b""
            packed = packed or self._file.read(FED_BYTES)
            if not packed:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("the Zstandard stream ends inside a frame")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
            self._left = self._frame.decompress(packed)
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
