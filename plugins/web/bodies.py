"""Content encodings undone within bounds (RFC 9110 8.4).

Stages are generators over blocks, so that only the result is held whole, whatever lies between two encodings. Each stage counts what it
gives out: a bomb ends at the limit, or at `ratio` times the size of what was sent, in the stage where it goes off. Decoders are fed so
little, or asked for so little, that one step gives out no more than a few MiB. What grows beyond 8 MiB is decoded twice, first to count and
then to keep: so a bomb, whose decoder alone may hold 24 MiB (Brotli's largest window), never stands beside 32 MiB of its output.

A stream that ends before its end is refused, since what is missing cannot be told. What follows a complete stream and is no further one
(padding, a stray newline) is ignored, as browsers do; but for Brotli, whose library calls it damage.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator

import brotli  # type: ignore[import-untyped]
import zstandard

BLOCK = 64 << 10
"""Bytes asked of a decoder at a time."""
PIECE = 16 << 10
"""Bytes given to a decoder that can be asked for a bounded block."""
ZSTD_PIECE = 64
"""Bytes given to Zstandard, which cannot: 3 bytes may stand for a block of 128 KiB (RFC 8878 3.1.1.2.2), so these for 2.7 MiB."""
ZSTD_WINDOW = 8 << 20
"""The largest window a sender may use (RFC 9659)."""
RATIO_FLOOR = 1 << 20
"""Bytes a body may always grow to: a small one of blanks packs a thousandfold."""
KEPT = 8 << 20
"""Bytes that are kept while it is not known that there are few enough."""
MAX_ENCODINGS = 3
MAX_MEMBERS = 10_000
"""Streams one after another in one body."""
NOT_ENCODED = frozenset(("", "identity", "none", "utf-8", "utf8", "binary", "7bit", "8bit", "aws-chunked"))
"""What servers state that encodes nothing: by the standard the first two, the others by mistake."""

Blocks = Iterator[bytes]


class BodyError(Exception):
    """Why a body could not be decoded. `reason` is "bomb" or "encoding"."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, self.detail)


def decoded(body: bytes, content_encoding: str | None, *, limit: int = 32 << 20, ratio: int = 200) -> bytes:
    """The body with its encodings undone, last applied first.

    `limit` is in bytes, of the result and of what lies between two encodings; `ratio` is times the body as sent, but never less than
    1 MiB. Raises BodyError "bomb" beyond either; "encoding" for an unknown encoding, more than three, and data that are damaged or
    end early. Holds the result and a few MiB.

    >>> decoded(zlib.compress(b"page"), "deflate")
    b'page'
    """
    names = [name.strip().lower() for name in (content_encoding or "").split(",")]
    names = [name for name in names if name not in NOT_ENCODED]
    if len(names) > MAX_ENCODINGS:
        raise BodyError(
            "encoding", f"{len(names)} encodings one within the other; {MAX_ENCODINGS} are undone"
        )
    if names.count("br") > 1:
        raise BodyError("encoding", "Brotli twice; each would take a window of 16 MiB")
    unknown = next((name for name in names if name not in DECODERS), None)
    if unknown is not None:
        raise BodyError("encoding", f'"{unknown[:40]}" is not one of {", ".join(DECODERS)}')
    if not body or not names:
        if len(body) > limit:
            raise BodyError("bomb", f"{len(body)} bytes; the limit is {limit}")
        return body
    most = min(limit, max(len(body) * ratio, RATIO_FLOOR))
    try:
        result, whole = _held(_chain(body, names, most), KEPT)
        if not whole:
            result, _ = _held(_chain(body, names, most), most)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise BodyError("encoding", f"{content_encoding}: {error}") from error
    return result


def _chain(body: bytes, names: list[str], most: int) -> Blocks:
    blocks: Blocks = iter((body,))
    for name in reversed(names):
        blocks = _bounded(DECODERS[name](blocks), name, most)
    return blocks


def _held(blocks: Blocks, most: int) -> tuple[bytes, bool]:
    """All that comes, and True; or nothing and False where it is more than `most`, once all has come and gone."""
    result, whole = io.BytesIO(), True
    for block in blocks:
        whole = whole and result.tell() + len(block) <= most
        if whole:
            result.write(block)
        else:
            result = io.BytesIO()
    return result.getvalue(), whole


def _bounded(blocks: Blocks, name: str, most: int) -> Blocks:
    total = 0
    for block in blocks:
        total += len(block)
        if total > most:
            raise BodyError("bomb", f"{name}: more than {most} bytes come out")
        yield block


def _pieces(blocks: Iterable[bytes], size: int) -> Blocks:
    for block in blocks:
        for start in range(0, len(block), size):
            yield block[start : start + size]


# ------------------------------------------------------------------------------------------------ one stream after another


def _gzip(blocks: Blocks) -> Blocks:
    """RFC 1952: one member or several. zlib checks the length and the CRC of each."""
    return _members(blocks, "gzip", PIECE, lambda: _Inflate(31), (b"\x1f\x8b",))


def _zstd(blocks: Blocks) -> Blocks:
    """RFC 8878: one frame or several, skippable ones among them."""
    skippable = tuple(bytes((0x50 + i, 0x2A, 0x4D, 0x18)) for i in range(16))
    return _members(blocks, "zstd", ZSTD_PIECE, _Zstd, (b"\x28\xb5\x2f\xfd", *skippable))


def _deflate(blocks: Blocks) -> Blocks:
    """RFC 9110 8.4.1.2 means the zlib format (RFC 1950); some send bare deflate (RFC 1951). The first two bytes tell."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= 2:
            break
    wrapped = len(head) >= 2 and head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0

    def joined() -> Blocks:
        yield head
        yield from blocks

    return _members(joined(), "deflate", PIECE, lambda: _Inflate(15 if wrapped else -15), ())


def _brotli(blocks: Blocks) -> Blocks:
    """RFC 7932. The library refuses what follows the end of a stream."""
    return _members(blocks, "br", PIECE, _Brotli, ())


class _Inflate:
    def __init__(self, bits: int) -> None:
        self._object = zlib.decompressobj(bits)

    def feed(self, data: bytes) -> Blocks:
        while True:
            block = self._object.decompress(data, BLOCK)
            data = self._object.unconsumed_tail
            if block:
                yield block
            if self.ended or (not data and len(block) < BLOCK):
                return

    @property
    def ended(self) -> bool:
        return self._object.eof

    @property
    def rest(self) -> bytes:
        return self._object.unused_data


class _Zstd:
    def __init__(self) -> None:
        self._object = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()

    def feed(self, data: bytes) -> Blocks:
        yield self._object.decompress(data)

    @property
    def ended(self) -> bool:
        return self._object.eof

    @property
    def rest(self) -> bytes:
        return self._object.unused_data


class _Brotli:
    rest = b""

    def __init__(self) -> None:
        self._object = brotli.Decompressor()

    def feed(self, data: bytes) -> Blocks:
        while True:
            block = self._object.process(data, output_buffer_limit=BLOCK)
            data = b""
            if block:
                yield block
            # `can_accept_more_data` tells only of input: output may be waiting still.
            waiting = len(block) >= BLOCK or (block and not self._object.can_accept_more_data())
            if self.ended or not waiting:
                return

    @property
    def ended(self) -> bool:
        return bool(self._object.is_finished())


_Decoder = _Inflate | _Zstd | _Brotli


def _members(
    blocks: Blocks, name: str, size: int, make: Callable[[], _Decoder], magics: tuple[bytes, ...]
) -> Blocks:
    """Feed pieces to a decoder; after its stream's end make another where what follows begins like one. Raises BodyError where the last
    stream does not end."""
    decoder, members, rest = make(), 1, b""
    between = False
    longest = max(map(len, magics), default=0)
    for piece in _pieces(blocks, size):
        rest += piece
        while rest:
            if between:
                if len(rest) < longest and any(magic.startswith(rest) for magic in magics):
                    break
                if not rest.startswith(magics):
                    return
                members += 1
                if members > MAX_MEMBERS:
                    raise BodyError("encoding", f"{name}: more than {MAX_MEMBERS} streams one after another")
                decoder, between = make(), False
            yield from decoder.feed(rest)
            between = decoder.ended
            rest = decoder.rest if between else b""
            if between and not magics:
                return
    if not between:
        raise BodyError("encoding", f"{name}: the data end before the stream does")


DECODERS: dict[str, Callable[[Blocks], Blocks]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
