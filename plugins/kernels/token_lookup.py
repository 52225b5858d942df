"""What the kernels of `plugins.kernels.tokens` share: characters and listed strings looked up, and tokens written.

Positions are addresses (`plugins.kernels.raw` says why); what is written are positions in the texts.
"""

from __future__ import annotations

from typing import NamedTuple

from plugins.kernels.alphabet import SIZE
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import byte, put, short, times, word
from plugins.kernels.token_tables import LONGEST, SLOTS

# token_tables' flags, spelt as the plain integers that numba needs
LOWER, UPPER, DIGIT, OPENS, CLOSES, CLOSER = 1, 2, 4, 8, 16, 32
SYMBOL, CURRENCY, SPACE, ALONE, JOINS = 64, 128, 256, 512, 1024
ALPHA = LOWER | UPPER
UNIT = 1 << 16

_SEED = -0x340D631B7BDDDCDB  # FNV-1a's offset and prime, in int64
_PRIME = 0x100000001B3


class At(NamedTuple):
    """Addresses of the texts, the tables the tokens found and the runs remembered."""

    data: int
    limit: int
    """Where the bytes of all texts end: nothing is read from there on."""
    flags: int
    likely: int
    keys: int
    cuts: int
    starts: int
    ends: int
    room: int
    """How many tokens there is space for."""
    memo: int
    slots: int


@compiled
def character(flags: int, position: int, end: int) -> tuple[int, int, int]:
    """(code point, bytes, flags) of the character at `position`; a broken one is U+0000, one byte long."""
    point, width = byte(position), 1
    if point >= 0x80:
        lead, point = point, 0
        if 0xC0 <= lead < 0xE0:
            if position + 1 < end:
                point, width = (lead & 0x1F) << 6 | byte(position + 1) & 0x3F, 2
        elif 0xE0 <= lead < 0xF0:
            if position + 2 < end:
                point, width = (
                    (lead & 0xF) << 12 | (byte(position + 1) & 0x3F) << 6 | byte(position + 2) & 0x3F,
                    3,
                )
        elif 0xF0 <= lead < 0xF8 and position + 3 < end:
            point, width = (
                (lead & 7) << 18 | (byte(position + 1) & 0x3F) << 12 | (byte(position + 2) & 0x3F) << 6,
                4,
            )
            point |= byte(position + 3) & 0x3F
    return point, width, short(flags + 2 * point) if point < SIZE else 0


@inlined
def write(at: At, count: int, start: int, end: int) -> int:
    """Write one token; return the new count."""
    put(at.starts + 8 * count, start - at.data)
    put(at.ends + 8 * count, end - at.data)
    return count + 1


@inlined
def emit(at: At, count: int, start: int, end: int, cut: int) -> int:
    """Write `start` to `end` as one token, or as the two or three that `cut` makes of it."""
    first, second = start + (cut & 0xFF), start + (cut >> 8 & 0xFF)
    if first > start:
        count = write(at, count, start, first)
        start = first
    if second > start:
        count = write(at, count, start, second)
        start = second
    return write(at, count, start, end)


@inlined
def is_likely(at: At, start: int, end: int) -> bool:
    """Whether a string is worth looking for in the lists: by its ends and length."""
    place = (
        byte(start) * 37
        + byte(min(start + 1, end - 1)) * 1543
        + byte(end - 1) * 389
        + min(end - start, 31) * 4099
    )
    return byte(at.likely + (place & 0xFFFF)) != 0


@compiled
def listed(at: At, start: int, end: int) -> int:
    """The cuts of this very string in the lists, -1 if it is not there."""
    if end - start > LONGEST or end <= start:
        return -1
    if not is_likely(at, start, end):
        return -1
    key = _SEED
    for position in range(start, end):
        key = times(key ^ byte(position), _PRIME)
    slot = key & (SLOTS - 1)
    while word(at.keys + 8 * slot) != 0:
        if word(at.keys + 8 * slot) == key:
            return word(at.cuts + 8 * slot)
        slot = (slot + 1) & (SLOTS - 1)
    return -1


@compiled
def joined(flags: int, position: int, end: int) -> int:
    """Past the marks and format characters at `position`."""
    while position < end:
        _point, width, flag = character(flags, position, end)
        if not flag & JOINS:
            break
        position += width
    return position
