"""Archives of the web, record by record: WARC 1.0 and 1.1, ARC, and the WET and WAT files made of them; plain, gzip or Zstandard.

What is read comes from strangers. Every record is a `WarcRecord`, or a `WarcFault` that says where and why; after a fault reading goes on
with the next record that can be found. Nothing here raises for what a file holds. A file that was cut short ends in a fault: each record is
held to its Content-Length, each gzip member to its checksum (`plugins.web.warc_streams`), a record to its block digest. Only a cut exactly
between two records cannot be told.

Rejected: the readers of fastwarc and warcio, which take a cut file for a whole one and skip in silence what they cannot read. What is left to do
once framing is checked here is to split header lines. Tests hold the result against both.

Sources: WARC 1.1 (ISO 28500:2017), "ARC File Format" (Burner and Kahle, 1996), HTTP/1.1 messages (RFC 9112 2, 5, 7.1).
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from plugins.web.warc_streams import ARC_LINE, Broken, Damage, Stream

MAX_HEAD = 1 << 20
"""Bytes of a record's header, and of an HTTP head, at most."""
MAX_BLOCK = (32 << 20) + MAX_HEAD
"""The largest record that is read, in bytes of its block: the largest page a crawl takes by default, and its head. A larger one is a fault,
"too-large"."""
MAX_LINES = 1000
"""Lines of either at most; of an HTTP head, those after are left out."""
MAX_CHUNKS = 100_000
"""Chunks of a body that are joined."""
Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record."""

    offset: int
    """Where to begin to read the file to find it: where its gzip member begins, or it itself."""
    length: int
    """Bytes in the file from there to its end; 0 where other records share its member."""
    within: int
    """Unpacked bytes of the member before it; 0 where each record has its own."""
    type: str
    """WARC-Type, lower case. Of ARC: "response", and "warcinfo" for the file's own description."""
    id: str | None
    url: str | None
    date: datetime | None
    """When it was captured, in UTC."""
    headers: Fields
    """Fields of the record's own header."""
    content_type: str
    """Of the block, as the record states it."""
    block: bytes
    status: int | None = None
    """Of the HTTP response; None where the block is none."""
    reason: str = ""
    http_headers: Fields = ()
    body: bytes = b""
    """What the HTTP response brought, transfer encoding undone, content encoding not; or else the block."""
    truncated: str | None = None
    """Why the body is not whole: what the archiver stated (WARC-Truncated), or "chunked"."""

    def header(self, name: str) -> str | None:
        """The first field of the record's header of that name."""
        return _first(self.headers, name)

    def http_header(self, name: str) -> str | None:
        """The last field of the HTTP response of that name."""
        return _first(self.http_headers[::-1], name)


@dataclass(frozen=True, slots=True)
class WarcFault:
    """A record, or a piece of a file, that cannot be read."""

    offset: int
    within: int
    reason: str
    """"truncated", "malformed", "digest", "too-large" or "unsupported"; "unreadable" where the file system says so."""
    detail: str
    url: str | None = None
    """As far as it is known."""
    date: datetime | None = None
    type: str = ""


def records(path: Path, *, start: int = 0, max_block: int = MAX_BLOCK) -> Iterator[WarcRecord | WarcFault]:
    """The records of a file from an offset at which one begins; holds one at a time. A file that is empty has one fault, "truncated"."""
    try:
        with path.open("rb") as file:
            yield from _all(Stream(file, start), max_block)
    except Damage as damage:
        yield WarcFault(0, 0, damage.reason, damage.detail)
    except OSError as error:
        yield WarcFault(start, 0, "unreadable", str(error.strerror or error))


def read_at(path: Path, offset: int, length: int, *, max_block: int = MAX_BLOCK) -> WarcRecord:
    """The record that lies there. Raises OSError where it cannot be read, ValueError where no whole record lies there."""
    with path.open("rb") as file:
        if offset + length > file.seek(0, 2):
            raise ValueError(f"{path}: it ends before byte {offset + length}")
        try:
            found = next(_all(Stream(file, offset), max_block), None)
        except Damage as damage:
            raise ValueError(f"{path}: {damage.detail}") from None
    if isinstance(found, WarcRecord) and found.length == length:
        return found
    why = found.detail if isinstance(found, WarcFault) else "another record is there"
    raise ValueError(f"{path}: no record of {length} bytes at byte {offset}: {why}")


def read_bytes(data: bytes, *, max_block: int = MAX_BLOCK) -> WarcRecord | WarcFault:
    """The one record that these bytes are; a fault, "malformed", where they hold more than one."""
    try:
        found = list(islice(_all(Stream(io.BytesIO(data)), max_block), 2))
    except Damage as damage:
        return WarcFault(0, 0, damage.reason, damage.detail)
    if len(found) == 1:
        return found[0]
    return WarcFault(0, 0, "malformed", "there is more than one record, or none")


def _all(stream: Stream, max_block: int) -> Iterator[WarcRecord | WarcFault]:
    if not stream.size:
        yield WarcFault(0, 0, "truncated", "the file is empty")
    while True:
        head = _Head()
        try:
            if not _enter(stream):
                return
            head.offset, head.within = stream.offset, stream.within
            yield _record(stream, head, max_block)
        except Damage as damage:
            if head.offset < 0:
                head.offset, head.within = stream.offset, stream.within
            yield WarcFault(
                head.offset, head.within, damage.reason, damage.detail, head.url, head.date, head.type
            )
            if isinstance(damage, Broken):
                if not stream.resume():
                    return
            elif damage.reason not in {"too-large", "digest"}:
                stream.scan(head.body_at)


class _Head:
    """What is known of a record so far."""

    def __init__(self) -> None:
        self.offset = -1
        self.within = 0
        self.body_at: int | None = None
        self.type = ""
        self.url: str | None = None
        self.date: datetime | None = None
        self.content_type = ""
        self.fields: Fields = ()
        self.length = 0


def _enter(stream: Stream) -> bool:
    """Stand before the next record: past blank lines, which some writers leave more of than the two there should be."""
    while stream.enter():
        stream.skip_blank()
        if stream.peek():
            return True
    return False


def _record(stream: Stream, head: _Head, max_block: int) -> WarcRecord:
    if not stream.opens():
        found = stream.ahead()
        stream.read(1)
        head.body_at = stream.offset
        raise Damage("malformed", f"neither a WARC nor an ARC record: it begins with {found!r}")
    if stream.ahead(5) == b"WARC/":
        _warc_head(stream, head)
    else:
        _arc_head(stream, head)
    head.body_at = stream.offset
    if head.length > max_block:
        if stream.skip(head.length) < head.length:
            raise Damage("truncated", f"its header announces {head.length} bytes, and not all are there")
        raise Damage("too-large", f"{head.length} bytes; records of up to {max_block} are read")
    block = stream.read(head.length)
    if len(block) < head.length:
        raise Damage("truncated", f"its header announces {head.length} bytes; {len(block)} are there")
    length = _trailer(stream, head)
    _verify(head, block)
    return _parsed(head, block, length)


def _trailer(stream: Stream, head: _Head) -> int:
    """Read the line ends after a block; gives the record's length in the file. Raises Damage where something else follows, which makes it
    doubtful that the block ended there. At the end of a plain file they may be missing: some writers leave them out, and nothing is lost."""
    ends = b""
    while len(ends) < 16 and stream.peek() in {b"\r", b"\n"}:
        ends += stream.read(1)
    following = stream.peek()
    if following and ends != b"\r\n\r\n" and not stream.opens():
        raise Damage(
            "malformed", f"its block does not end after the {head.length} bytes its header announces"
        )
    if not stream.packing:
        return stream.offset - head.offset
    alone = not following and not head.within and stream.member == head.offset
    return stream.member_end - head.offset if alone and stream.member_end is not None else 0


# ------------------------------------------------------------------------------------------------ headers


def _warc_head(stream: Stream, head: _Head) -> None:
    """Version and fields (WARC 1.1, 4 and 5). Raises Damage without a type or a length."""
    lines, size = list[bytes](), 0
    stream.line()
    while True:
        line = stream.line()
        size += len(line)
        if size > MAX_HEAD or len(lines) > MAX_LINES:
            raise Damage("malformed", f"a header of more than {MAX_HEAD} bytes or {MAX_LINES} lines")
        if not line.endswith(b"\n"):
            raise Damage("truncated", "it ends within its header")
        if line.strip(b"\r\n") == b"":
            break
        lines.append(line)
    head.fields = _fields(lines, "utf-8")
    head.type = (_first(head.fields, "WARC-Type") or "").lower()
    head.url = (_first(head.fields, "WARC-Target-URI") or "").removeprefix("<").removesuffix(">") or None
    head.date = _date(_first(head.fields, "WARC-Date") or "")
    head.content_type = _first(head.fields, "Content-Type") or ""
    length = _first(head.fields, "Content-Length") or ""
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise Damage("malformed", f'its Content-Length is "{length[:40]}"')
    if not head.type:
        raise Damage("malformed", "it has no WARC-Type")
    head.length = int(length)


def _arc_head(stream: Stream, head: _Head) -> None:
    """One line. The file's own description is a record, whose block are the lines that follow."""
    line = stream.line()
    found = ARC_LINE.fullmatch(line)
    if found is None:
        raise Damage("malformed", f"no ARC header: {line[:120]!r}")
    url, address, date, medium, length = (value.decode("utf-8", "replace") for value in found.groups())
    head.type = "warcinfo" if url.startswith("filedesc:") else "response"
    head.url, head.date, head.length = url, _date(date), int(length)
    http = head.type == "response" and url.lower().startswith(("http:", "https:"))
    head.content_type = "application/http; msgtype=response" if http else medium
    head.fields = (("WARC-IP-Address", address), ("Content-Type", medium))


def _fields(lines: list[bytes], encoding: str) -> Fields:
    """Names and values, values stripped; a line that begins with a blank goes on with the one before (RFC 9112 5.2). What has no colon is
    left out."""
    unfolded = list[bytes]()
    for line in lines:
        if line[:1] in {b" ", b"\t"} and unfolded:
            unfolded[-1] += b" " + line.strip()
        else:
            unfolded.append(line.strip())
    pairs = (line.partition(b":") for line in unfolded if b":" in line)
    return tuple(
        (name.decode(encoding, "replace").strip(), value.decode(encoding, "replace").strip())
        for name, _, value in pairs
    )


def _first(fields: Fields, name: str) -> str | None:
    name = name.lower()
    return next((value for key, value in fields if key.lower() == name), None)


_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)T?(\d\d):?(\d\d):?(\d\d)?(?:\.(\d{1,9}))?Z?", re.ASCII)


def _date(value: str) -> datetime | None:
    """A moment as WARC ("2024-08-05T10:11:12.123456Z") or ARC ("20240805101112") writes it; None where it is none.

    >>> _date("2024-08-05T10:11:12.5Z").isoformat(), _date("20241399000000")
    ('2024-08-05T10:11:12.500000+00:00', None)
    """
    found = _DATE.fullmatch(value)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        return datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micros, tzinfo=UTC
        )
    except ValueError:
        return None


_HASHES = frozenset({"sha1", "sha256", "sha512", "md5"})


def _verify(head: _Head, block: bytes) -> None:
    """Hold the block to its digest, in base 32 as is the custom, or 16 or 64. Raises Damage where they differ."""
    algorithm, _, stated = (_first(head.fields, "WARC-Block-Digest") or "").partition(":")
    algorithm = algorithm.strip().lower().replace("-", "")
    if algorithm not in _HASHES or not stated:
        return
    found = hashlib.new(algorithm, block, usedforsecurity=False).digest()
    base32, base64_ = (encode(found).decode().rstrip("=") for encode in (base64.b32encode, base64.b64encode))
    stated = stated.strip().rstrip("=")
    if stated != base64_ and stated.lower() not in {base32.lower(), found.hex()}:
        raise Damage("digest", f"its bytes give {algorithm}:{base32}; it states {stated[:80]}")


# ------------------------------------------------------------------------------------------------ HTTP

_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?: +([^\r\n]*))?[ \t]*\r?\n?")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]{0,4096})?\r?\n")


def _parsed(head: _Head, block: bytes, length: int) -> WarcRecord:
    told = _first(head.fields, "WARC-Truncated")
    record = (
        head.offset, length, head.within, head.type, _first(head.fields, "WARC-Record-ID"), head.url, head.date, head.fields,
        head.content_type, block,
    )  # fmt: skip
    opening = _STATUS_LINE.match(block) if head.type in {"response", "revisit"} else None
    if opening is None:
        return WarcRecord(*record, body=block, truncated=told)
    end = _HEAD_END.search(block, max(0, opening.end() - 2), MAX_HEAD)
    lines = block[opening.end() : end.start() if end else min(len(block), MAX_HEAD)].splitlines()[:MAX_LINES]
    fields = _fields(lines, "latin-1")
    body = block[end.end() :] if end else b""
    if "chunked" in (_first(fields, "Transfer-Encoding") or "").lower():
        body, whole = _unchunked(body)
        told = told if whole else told or "chunked"
    reason = (opening[2] or b"").decode("latin-1").strip()
    return WarcRecord(
        *record, status=int(opening[1]), reason=reason, http_headers=fields, body=body, truncated=told
    )


def _unchunked(body: bytes) -> tuple[bytes, bool]:
    """A body with its chunks joined (RFC 9112 7.1), and whether the last one is there. Archivers that undo chunks often leave the field that
    states them, so a body that does not begin with a chunk is taken as it is."""
    parts, at = list[bytes](), 0
    while len(parts) < MAX_CHUNKS and (size := _CHUNK.match(body, at)):
        length = int(size[1], 16)
        if not length:
            return b"".join(parts), True
        start, stop = size.end(), size.end() + length
        if not parts and (stop > len(body) or body[stop : stop + 1] not in {b"\r", b"\n"}):
            return body, True
        parts.append(body[start:stop])
        at = stop + (2 if body[stop : stop + 2] == b"\r\n" else 1)
    return (b"".join(parts), False) if parts else (body, True)
