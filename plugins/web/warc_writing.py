"""The archive of a crawl: WARC 1.1 files that hold what servers sent, as they sent it.

Each record is a gzip member of its own (WARC 1.1, annex D), so that it can be read at its offset, and written by one call: what is in a file
after a kill are whole records, and at most one torn one at its end. A crawl knows up to where it has accounted for records; opened `at` that
place, the archive forgets what follows it. Nothing in a record comes from a clock or from chance: the same answers give the same bytes.

Rejected: warcio's writer, which takes HTTP headers apart and puts them together anew, draws record ids at random, and dates a file's
description by the clock.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from uuid import UUID, uuid5

from plugins.web.warc_reading import WarcFault, records
from schemas.errors import Corruption, StorageError

SPACE = UUID("0b4e3b5e-8a43-5d0c-9f0e-6d1b6f3c2a77")
"""The namespace of our record ids (RFC 9562 5.5)."""
PROFILE = "http://netpreserve.org/warc/1.1/revisit/"
LEVEL = 6
PACKED_LEVEL = 1
"""Deflate's effort on bodies that are packed already; 0 gains nothing, since their headers are text."""
_NAME = re.compile(r"crawl-([0-9]{5,9})\.warc\.gz", re.ASCII)
_UNSAFE = re.compile(rb"[\x00-\x20\x7f<>\"]")
_BREAKS = re.compile(rb"[\r\n\x00]+")
HeaderPairs = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a record lies: bytes [offset, offset + length) of a file of the archive."""

    file: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Revisit:
    """An earlier capture that a new answer repeats: its address and moment, and, where known, the digest of its payload, "sha1:…" in base 32
    or SHA-256 as 64 hex digits."""

    url: str
    date: datetime
    payload_digest: str | None = None


class WarcWriter:
    """Writes crawl-00000.warc.gz and further files into a folder of its own; a file is begun when the one before holds `max_bytes`.

    `software` goes into each file's description. `at` is what `sync` gave: the file is cut there, later ones are removed. None: the last file
    is cut after its last whole record, and the archive goes on. Raises Corruption where the archive ends before `at`, ValueError for a name
    that is none of ours, StorageError where the folder cannot be written.
    """

    def __init__(
        self, folder: Path, *, software: str, max_bytes: int = 1 << 30, at: tuple[str, int] | None = None
    ) -> None:
        self._folder = folder
        self._software = software
        self._max_bytes = max_bytes
        self._file: FileIO | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._number, self._offset = _cut(folder, at) if at else _whole(folder)
            if self._offset:
                self._file = self._open()
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def file(self) -> str:
        """The name of the file that is written now."""
        return _name(self._number)

    def response(
        self,
        url: str,
        *,
        status: int,
        reason: str,
        http_version: str,
        headers: HeaderPairs,
        body: bytes,
        address: str,
        started: datetime,
        request_headers: HeaderPairs = (),
        revisit_of: Revisit | None = None,
    ) -> Stored:
        """Write an answer, and a request record behind it if its fields are given; they are in the operating system's hands then.

        `body` has its content encoding, but no transfer encoding; the field that states one is renamed "X-Archive-Orig-Transfer-Encoding", as
        archivers do. `http_version` "HTTP/2" becomes "HTTP/1.1" with "WARC-Protocol: h2", since readers know no other status lines. With
        `revisit_of` the record has no body: it repeats that capture, as the server says (status 304) or as its bytes do. Raises StorageError
        where nothing can be written; the archive then ends where it ended before.
        """
        version, protocol = _protocol(http_version)
        line = f"{version} {status} {reason}".encode("latin-1", "replace")
        head = _http(line, headers)
        digest = None if revisit_of and status == 304 else payload_digest(body)
        fields = [("WARC-Target-URI", _uri(url)), ("WARC-Date", _date(started)), *protocol]
        if address:
            fields.append(("WARC-IP-Address", _plain(address)))
        shared = fields[:]
        kind, block = "response", head + body
        if revisit_of is not None:
            kind, block = "revisit", head
            fields += [
                (
                    "WARC-Profile",
                    PROFILE + ("server-not-modified" if status == 304 else "identical-payload-digest"),
                ),
                ("WARC-Refers-To-Target-URI", _uri(revisit_of.url)),
                ("WARC-Refers-To-Date", _date(revisit_of.date)),
            ]
            digest = digest or _labelled(revisit_of.payload_digest or "")
            if status != 304:
                fields.append(("WARC-Truncated", "length"))
        if digest:
            fields.append(("WARC-Payload-Digest", digest))
        packed = any(name.lower() == b"content-encoding" for name, _ in headers)
        level = PACKED_LEVEL if packed else LEVEL

        if self._offset >= self._max_bytes:
            self._roll()
        info = b"" if self._offset else self._info(started)
        offset = self._offset + len(info)
        name = f"{self.file}/{offset}/{kind}/{url}/{_date(started)}"
        identity = _identity(name, block)
        media = "application/http; msgtype=response"
        data = _member(kind, identity, fields, media, block, level)
        stored = Stored(self.file, offset, len(data))
        if request_headers:
            data += self._request(url, version, shared, request_headers, identity)
        self._write(info + data)
        return stored

    def sync(self) -> tuple[str, int]:
        """Make all that was written durable (fsync); gives the file and its end, to open the archive `at`."""
        if self._file is not None:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise self._unwritable(error) from error
        return self.file, self._offset

    def close(self) -> None:
        """Close the file. What was not synced is with the operating system."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # ------------------------------------------------------------------------------------- records

    def _info(self, date: datetime) -> bytes:
        """The record that describes the file; its date is that of the first answer."""
        lines = f"software: {_plain(self._software)}\r\nformat: WARC File Format 1.1\r\nconformsTo: {CONFORMS}\r\n"
        block = lines.encode()
        fields = [("WARC-Date", _date(date)), ("WARC-Filename", self.file)]
        return _member(
            "warcinfo", _identity(self.file, block), fields, "application/warc-fields", block, LEVEL
        )

    def _request(
        self, url: str, version: str, fields: list[tuple[str, str]], headers: HeaderPairs, response: str
    ) -> bytes:
        target = re.sub(r"^[a-z]+://[^/?#]*", "", url.partition("#")[0])
        target = target if target.startswith("/") else "/" + target
        block = _http(f"GET {_uri(target)} {version}".encode(), headers)
        fields = [*fields, ("WARC-Concurrent-To", response)]
        return _member(
            "request", _identity(response, block), fields, "application/http; msgtype=request", block, LEVEL
        )

    # ------------------------------------------------------------------------------------- files

    def _write(self, data: bytes) -> None:
        try:
            if self._file is None:
                self._file = self._open()
            done = 0
            while done < len(data):
                done += self._file.write(memoryview(data)[done:]) or 0
        except OSError as error:
            if self._file is not None:
                self._file.truncate(self._offset)
                self._file.seek(self._offset)
            raise self._unwritable(error) from error
        self._offset += len(data)

    def _open(self) -> FileIO:
        file = FileIO(self._folder / self.file, "r+b" if self._offset else "wb")
        file.seek(self._offset)
        _sync_folder(self._folder)
        return file

    def _roll(self) -> None:
        self.sync()
        self.close()
        self._number += 1
        self._offset = 0

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self._folder / self.file}: cannot be written: {error.strerror or error}. The crawl stops, and loses nothing that it "
            "wrote before. Make room or mend the folder's permissions, then run it again."
        )


CONFORMS = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"


def payload_digest(body: bytes) -> str:
    """The digest of a payload as records state it: SHA-1 in base 32 (RFC 4648 6), what readers verify.

    >>> payload_digest(b"")
    'sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ'
    """
    return "sha1:" + base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()


def _labelled(digest: str) -> str | None:
    """A digest with its algorithm, as a field states it; None for what is none."""
    digest = f"sha256:{digest}" if re.fullmatch(r"[0-9a-f]{64}", digest) else digest
    return digest if re.fullmatch(r"[a-z0-9-]{2,16}:[A-Za-z0-9+/=]{16,128}", digest) else None


def _member(
    kind: str, identity: str, fields: list[tuple[str, str]], media: str, block: bytes, level: int
) -> bytes:
    """A record as a gzip member with no name and no time (RFC 1952 2.3)."""
    lines = [
        ("WARC-Type", kind),
        ("WARC-Record-ID", identity),
        *fields,
        ("WARC-Block-Digest", payload_digest(block)),
        ("Content-Type", media),
        ("Content-Length", str(len(block))),
    ]
    head = "".join(["WARC/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines), "\r\n"])
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return b"".join([
        packer.compress(head.encode("utf-8", "replace")),
        packer.compress(block),
        packer.compress(b"\r\n\r\n"),
        packer.flush(),
    ])


def _identity(name: str, block: bytes) -> str:
    """A record's id: of its place and its content, so that it is unique and always the same."""
    digest = hashlib.sha256(block).hexdigest()
    name = f"{name}/{digest}".encode("utf-8", "replace").decode()
    return f"<urn:uuid:{uuid5(SPACE, name)}>"


def _http(line: bytes, headers: HeaderPairs) -> bytes:
    """A head as it came, but for line ends within fields, which HTTP/2 lets through, and transfer encodings, which are undone."""
    lines = [_BREAKS.sub(b" ", line)]
    for name, value in headers:
        renamed = b"X-Archive-Orig-" + name if name.lower() == b"transfer-encoding" else name
        lines.append(_BREAKS.sub(b" ", renamed) + b": " + _BREAKS.sub(b" ", value))
    return b"\r\n".join([*lines, b"", b""])


def _protocol(version: str) -> tuple[str, list[tuple[str, str]]]:
    if version.upper() in {"HTTP/1.0", "HTTP/1.1"}:
        return version.upper(), []
    return "HTTP/1.1", [
        ("WARC-Protocol", "h2" if version.upper() in {"HTTP/2", "HTTP/2.0"} else _plain(version))
    ]


def _uri(url: str) -> str:
    """An address in one line: what no URI may hold is percent-encoded (RFC 3986 2.1)."""
    data = _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], url.encode("utf-8", "replace"))
    return data.decode()


def _plain(value: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value)


def _date(moment: datetime) -> str:
    """A moment in UTC with microseconds (WARC 1.1, 5.4); one without a zone is taken for UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


# ------------------------------------------------------------------------------------------------ what a killed crawl left


def _name(number: int) -> str:
    return f"crawl-{number:05}.warc.gz"


def _files(folder: Path) -> dict[int, Path]:
    """The archive's files by number, in order."""
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def _cut(folder: Path, at: tuple[str, int]) -> tuple[int, int]:
    """Cut the archive at a place and remove what follows; gives the number of the file there, and the place in it."""
    match = _NAME.fullmatch(at[0])
    if match is None or at[1] < 0:
        raise ValueError(f"{at!r} is no place in an archive such as crawl-00000.warc.gz")
    number, offset = int(match[1]), at[1]
    files = _files(folder)
    size = files[number].stat().st_size if number in files else 0
    if size < offset:
        raise Corruption(
            f"{folder / at[0]}: has {size} bytes; the crawl has accounted for {offset}. What it holds was lost after it was written. "
            "Restore it from a copy, or remove the crawl's folder to crawl anew."
        )
    for later, path in files.items():
        if later > number:
            path.unlink()
    if size > offset:
        _truncate(files[number], offset)
    _sync_folder(folder)
    return number, offset


def _whole(folder: Path) -> tuple[int, int]:
    """Cut a torn record off the end of the last file; gives its number and its end. What is damaged elsewhere stays as it is."""
    files = _files(folder)
    if not files:
        return 0, 0
    number, path = max(files.items())
    last = None
    for last in records(path):  # noqa: B007  the last one is asked for
        pass
    if isinstance(last, WarcFault) and last.reason == "truncated":
        _truncate(path, last.offset)
        return number, last.offset
    return number, path.stat().st_size


def _truncate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make names durable: what was created, and what was removed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
