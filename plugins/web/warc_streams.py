"""The unpacked bytes of an archive file, with the places where reading can begin again.

An archive is gzip or Zstandard members one after the other, as a rule one for each record (WARC 1.1, annex D), or plain bytes. Both fastwarc
and warcio take a file that was cut short for a whole one: neither asks whether the last member ended. Here every member must end as its
format says (gzip: CRC and length, RFC 1952 2.3.1), and what follows the last one must be another, or zeros.

After damage, reading goes on where a member begins whose content begins like a record. Nothing but a few blocks is ever held.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import Any, BinaryIO

import zstandard

BLOCK = 64 << 10
"""Bytes read, and bytes unpacked, at a time."""
ZSTD_FED = 64
"""Packed bytes given to Zstandard at a time, which cannot be asked for a bounded block: these may stand for 2.7 MiB."""
ZSTD_WINDOW = 128 << 20
MAGICS = {"gz": b"\x1f\x8b\x08", "zst": b"\x28\xb5\x2f\xfd"}
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
"""A frame that is no data (RFC 8878 3.1.2)."""
DICTIONARY = b"\x5d\x2a\x4d\x18"
"""The frame at the head of a WARC.zst file that holds the dictionary of all others (IIPC, "Use of the Zstandard Compression Standard in
WARC Files 1.0")."""
MAX_DICTIONARY = 16 << 20

ARC_LINE = re.compile(
    rb"([a-z][a-z0-9+.-]{1,40}:[^\r\n]{0,8192}) ([0-9a-fA-F.:]{2,45}) (\d{12,14}) ([^ \r\n]{1,256}) (?:[^\r\n]{0,256} )?(\d{1,18})\r?\n"
)
"""The line that opens an ARC record, version 1 or 2: URL, IP address, date, media type, …, length (Burner and Kahle, 1996)."""
OPENING = re.compile(rb"WARC/\d|filedesc://|" + ARC_LINE.pattern)
_OPENINGS = (re.compile(rb"(WARC/1\.\d\r?\n)"), re.compile(rb"\n" + ARC_LINE.pattern))
LINE = 1 << 16
"""The longest line that opening a record may take."""


class Damage(Exception):
    """What makes a stream unreadable here: `reason` is "truncated", "malformed" or "unsupported"."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Broken(Damage):
    """Damage to the packing itself: nothing more can be had of this member."""


class Stream:
    """Reads on and on through the members of a file, but stops where a member begins with a record, until `enter` is called.

    `start` is an offset at which a member (of plain bytes: a record) begins.
    """

    def __init__(self, file: BinaryIO, start: int = 0) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(4)
        self.packing = next(
            (name for name, magic in MAGICS.items() if head and magic[: len(head)] == head[: len(magic)]), ""
        )
        if _SKIPPABLE.match(head):
            self.packing = "zst"
        self._soft = False
        """Whether a member was met in the midst of a record."""
        self._dictionary: Any = None
        if self.packing == "zst" and head == DICTIONARY:
            self._dictionary = self._read_dictionary()
        self._seek(start)

    def _seek(self, offset: int) -> None:
        self._file.seek(offset)
        self._raw = b""
        """Read from the file, not unpacked yet."""
        self._raw_end = offset
        self._object: Any = None
        self.member = offset
        """Where the present member begins in the file; of plain bytes, where reading began."""
        self._data = b""
        self._at = 0
        self._consumed = 0
        self._waiting: bytes | None = None
        """The first block of a member that begins with a record."""
        self._waiting_at = offset
        self._ahead: Broken | None = None
        """What is wrong with the next member."""
        self._begun = offset
        """Where the member that was begun last begins, be it this one or the next."""
        self.member_end: int | None = None
        """Where the present member ends in the file, once that is known."""
        self._waiting_end: int | None = None

    # ------------------------------------------------------------------------------------- reading

    @property
    def offset(self) -> int:
        """Where in the file one must begin to come to the next byte: that of its member, or of plain bytes its own."""
        return self.member if self.packing else self.member + self._consumed

    @property
    def within(self) -> int:
        """Unpacked bytes of the member before the next byte; 0 in plain files."""
        return max(0, self._consumed) if self.packing else 0

    def enter(self) -> bool:
        """Go on into the next member, if this one was read to its end; False at the end of the file. Raises Broken where what
        follows is none."""
        if self._at < len(self._data):
            return True
        if self._more():
            return True
        if self._ahead is not None:
            ahead, self._ahead, self.member = self._ahead, None, self._begun
            self._consumed = 0
            raise ahead
        if self._waiting is None:
            return False
        self._data, self._at, self._consumed = self._waiting, 0, 0
        self.member, self._waiting = self._waiting_at, None
        self.member_end = self._waiting_end if self._object is None else None
        return True

    def read(self, size: int) -> bytes:
        """The next bytes; fewer where the file ends, or a member that begins with a record comes first."""
        parts, missing = [], size
        while missing > 0 and (self._at < len(self._data) or self._more()):
            part = self._data[self._at : self._at + missing]
            parts.append(part)
            self._at += len(part)
            self._consumed += len(part)
            missing -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> int:
        """Read past bytes; gives how many there were."""
        done = 0
        while done < size and (part := len(self.read(min(BLOCK, size - done)))):
            done += part
        return done

    def peek(self) -> bytes:
        """The next byte, b"" where `read` gives nothing."""
        return self._data[self._at : self._at + 1] if self._at < len(self._data) or self._more() else b""

    def skip_blank(self) -> None:
        """Read past line ends."""
        while self._at < len(self._data) or self._more():
            rest = self._data[self._at :].lstrip(b"\r\n")
            self._consumed += len(self._data) - self._at - len(rest)
            self._at = len(self._data) - len(rest)
            if rest:
                return

    def ahead(self, size: int = 40) -> bytes:
        """Some of the next bytes, as far as they are unpacked; they stay unread."""
        return self._data[self._at : self._at + size]

    def opens(self) -> bool:
        """Whether a record begins with the next byte."""
        while len(self._data) - self._at < LINE and self._data.find(b"\n", self._at) < 0:
            rest = self._data[self._at :]
            if not self._more():
                break
            self._data = rest + self._data
        return OPENING.match(self._data, self._at) is not None

    def line(self, limit: int = LINE) -> bytes:
        """The next line with its end. Raises Damage beyond `limit` bytes."""
        line = b""
        while self._at < len(self._data) or self._more():
            stop = self._data.find(b"\n", self._at)
            part = self._data[self._at : stop + 1 if stop >= 0 else len(self._data)]
            self._at += len(part)
            self._consumed += len(part)
            line += part
            if len(line) > limit:
                raise Damage("malformed", f"a header line of more than {limit} bytes")
            if stop >= 0:
                break
        return line

    # ------------------------------------------------------------------------------------- unpacking

    def _more(self) -> bool:
        """Get a block into an empty buffer; False at the end of the file or before a member that begins with a record."""
        while self._waiting is None and self._ahead is None:
            block = self._block()
            if block:
                self._data, self._at = block, 0
                return True
            if not self.packing:
                return False
            end = self.member_end
            try:
                if not self._next_member():
                    return False
                first = self._block()
                while b"\n" not in first and 0 < len(first) < LINE and (more := self._block()):
                    first += more
            except Broken as broken:
                self._ahead = broken
                return False
            if OPENING.match(first):
                # The present member's end is not forgotten before the next is entered.
                self._waiting, self._waiting_at = first, self._begun
                self._waiting_end, self.member_end = self.member_end, end
                return False
            if first:
                self._soft = True
                self.member, self._data, self._at, self._consumed = self._begun, first, 0, 0
                return True
        return False

    def _raw_block(self) -> bool:
        block = self._file.read(BLOCK)
        self._raw += block
        self._raw_end += len(block)
        return bool(block)

    def _next_member(self) -> bool:
        """Begin the next member; False at the end of the file. Raises Damage where something else follows."""
        magic = MAGICS[self.packing]
        while True:
            if len(self._raw) < 8 and self._raw_block():
                continue
            if self._raw[:1] == b"\0":  # padding, as tape and tar leave it
                self._raw = self._raw.lstrip(b"\0")
                continue
            if not self._raw:
                return False
            self._begun = self._raw_end - len(self._raw)
            if self.packing == "zst" and _SKIPPABLE.match(self._raw):
                self._skip_frame()
                continue
            if not self._raw.startswith(magic):
                short = magic.startswith(self._raw)
                raise Broken(
                    "truncated" if short else "malformed",
                    f"after the last member, at byte {self._begun}, there is {self._raw[:16]!r}",
                )
            self._object = self._decoder()
            return True

    def _decoder(self) -> Any:
        if self.packing == "gz":
            return zlib.decompressobj(31)
        return zstandard.ZstdDecompressor(
            dict_data=self._dictionary, max_window_size=ZSTD_WINDOW
        ).decompressobj()

    def _block(self) -> bytes:
        """The next bytes of the present member, b"" after its end. Raises Damage where it is cut or broken."""
        if not self.packing:
            block, self._raw = self._raw or self._file.read(BLOCK), b""
            return block
        while self._object is not None:
            if not self._raw and not self._raw_block():
                if self.packing == "gz" and (block := self._object.decompress(b"", BLOCK)):
                    return block
                self._object = None
                raise Broken(
                    "truncated", f"the file ends, at byte {self._raw_end}, within a {self.packing} member"
                )
            try:
                block = self._step()
            except (zlib.error, zstandard.ZstdError) as error:
                self._object = None
                raise Broken(
                    "malformed", f"in the {self.packing} member at byte {self._begun}: {error}"
                ) from None
            if self._object.eof:
                self._raw = self._object.unused_data + self._raw
                self._object = None
                self.member_end = self._raw_end - len(self._raw)
            if block:
                return block
        return b""

    def _step(self) -> bytes:
        if self.packing == "gz":
            raw, self._raw = self._raw, b""
            block = self._object.decompress(raw, BLOCK)
            # At a member's end zlib may give what follows twice: there and as `unused_data`.
            self._raw = b"" if self._object.eof else self._object.unconsumed_tail
            return block
        raw, self._raw = self._raw[:ZSTD_FED], self._raw[ZSTD_FED:]
        return self._object.decompress(raw)

    # ------------------------------------------------------------------------------------- Zstandard frames that are no data

    def _skip_frame(self) -> None:
        length = 8 + int.from_bytes(self._raw[4:8], "little")
        stop = self._begun + length
        if len(self._raw) < 8 or stop > self.size:
            self._raw = b""
            self._file.seek(self.size)
            self._raw_end = self.size
            raise Broken("truncated", f"the file ends within the frame at byte {self._begun}")
        self._file.seek(stop)
        self._raw, self._raw_end = b"", stop

    def _read_dictionary(self) -> Any:
        self._file.seek(4)
        length = int.from_bytes(self._file.read(4), "little")
        if length > MAX_DICTIONARY:
            raise Damage("unsupported", f"a Zstandard dictionary of {length} bytes")
        data = self._file.read(length)
        if len(data) < length:
            raise Damage("truncated", "the file ends within its Zstandard dictionary")
        try:
            if data.startswith(MAGICS["zst"]):
                data = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_DICTIONARY)
            return zstandard.ZstdCompressionDict(data)
        except zstandard.ZstdError as error:
            raise Damage("unsupported", f"its Zstandard dictionary cannot be read: {error}") from None

    # ------------------------------------------------------------------------------------- after damage

    def scan(self, offset: int | None = None) -> None:
        """Read past all that opens no record: to a line that does, or to where `read` ends. Of plain bytes, from `offset` on."""
        if offset is not None and not self.packing:
            self._seek(offset)
        tail = b""
        while True:
            window = tail + self._data[self._at :]
            found = min(
                (match.start(1) for form in _OPENINGS if (match := form.search(window))), default=None
            )
            if found is not None:
                self._data, self._at = window, found
                self._consumed += found - len(tail)
                return
            self._consumed += len(window) - len(tail)
            self._at = len(self._data)
            # What may be the beginning of an opening: a line without an end, or a piece of "WARC/1.1".
            tail = window[max(window.rfind(b"\n"), 0) :]
            tail = tail if len(tail) < LINE else tail[-16:]
            if not self._more():
                return

    def resume(self) -> bool:
        """After Broken: go to the next member that begins with a record; False where there is none."""
        offset, tail, magic = self._begun + 1, b"", MAGICS[self.packing]
        while True:
            self._file.seek(offset)
            block = self._file.read(1 << 20)
            if not block:
                return False
            for found in re.finditer(re.escape(magic), tail + block):
                if self._opens(offset - len(tail) + found.start()):
                    return True
            offset, tail = offset + len(block), block[1 - len(magic) :]

    def _opens(self, offset: int) -> bool:
        """Whether a member with a record begins here, or any, where records do not begin with members; then the stream stands before it."""
        self._seek(offset)
        return (self._more() and self._soft) or self._waiting is not None
