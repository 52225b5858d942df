"""Where a run is cut that nothing more can be split from at its edges. The rules are those of `plugins.kernels.tokens`."""

from __future__ import annotations

from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import byte, short
from plugins.kernels.token_lookup import (
    ALPHA,
    DIGIT,
    JOINS,
    LOWER,
    SYMBOL,
    UPPER,
    At,
    character,
    joined,
    write,
)


@compiled
def inside(at: At, start: int, end: int, count: int) -> int:
    """Cut what is left at the characters that split inside, unless it is an address."""
    flags = at.flags
    position, before, before_point, asked = start, 0, 0, False
    while position < end:
        point, width, flag = character(flags, position, end)
        if flag & JOINS:
            position += width
            continue
        size = 0
        if (
            flag & SYMBOL
            or point >= 0x2000
            or (not flag & (ALPHA | DIGIT) and before & (ALPHA | DIGIT))
            or point == 46
        ):
            size = _infix(flags, position, end, before, before_point)
        if size == 0:
            position += width
            before, before_point = flag, point
            continue
        if not asked:
            asked = True
            if _is_address(flags, start, end):
                break
        if position > start:
            count = write(at, count, start, position)
        count = write(at, count, position, position + size)
        position += size
        start, before, before_point = position, flag, point
    return write(at, count, start, end) if start < end else count


@compiled
def _infix(flags: int, position: int, end: int, before: int, before_point: int) -> int:
    """Bytes of the splitting token at `position`, 0 if it does not split."""
    point, width, flag = character(flags, position, end)
    following = position + width
    if point == 46 and following < end and byte(following) == 46:
        while following < end and byte(following) == 46:
            following += 1
        return following - position
    if flag & SYMBOL:
        return joined(flags, following, end) - position
    if following >= end:
        return 0
    next_point, _width, after = character(flags, following, end)
    if before & DIGIT and point in (42, 43, 45, 94) and (after & DIGIT or next_point == 45):
        return width
    if before & (ALPHA | DIGIT) and point in (58, 60, 61, 62, 47) and after & ALPHA:
        return width
    if before & ALPHA and point == 44 and after & ALPHA:
        return width
    if point == 46:
        splits = (before & LOWER or _is_quote(before_point)) and (after & UPPER or _is_quote(next_point))
        return width if splits else 0
    if before & (ALPHA | DIGIT) and point in (45, 0x2013, 0x2014, 126):
        for _ in range(2):  # "--" and "---" are one
            if next_point != point or point == 126 or after & ALPHA or following + width >= end:
                break
            following += width
            next_point, _width, after = character(flags, following, end)
        return following - position if after & ALPHA else 0
    return 0


@inlined
def _is_quote(point: int) -> bool:
    return point in (34, 39, 96, 0xB4, 0xAB, 0xBB, 0x2018, 0x2019, 0x201A, 0x201C, 0x201D, 0x201E)


@compiled
def _is_address(flags: int, start: int, end: int) -> bool:
    """Whether it reads as scheme://, user@, dotted host, port and path, of which only the host must be there."""
    host = start
    for position in range(start, end - 2):
        at_byte = byte(position)
        if at_byte == 58 and byte(position + 1) == 47 and byte(position + 2) == 47:
            host = position + 3
            break
        if at_byte in (47, 63, 35):
            break
    if _is_host(flags, host, end):
        return True
    for position in range(host, end):
        if byte(position) == 64:
            return _is_host(flags, position + 1, end)
    return False


@compiled
def _is_host(flags: int, position: int, end: int) -> bool:
    """Labels with dots between, the last of two small letters or more, then the end, a port or a path."""
    dots, label, small = 0, 0, True
    while position < end:
        at_byte = byte(position)
        flag = short(flags + 2 * at_byte)
        if at_byte == 46:
            if label == 0:
                return False
            dots, label, small = dots + 1, 0, True
        elif at_byte == 45 or at_byte == 95:
            if label == 0:
                return False
            small = False
        elif at_byte >= 0x80 or flag & (ALPHA | DIGIT):
            label += 1
            small = small and (at_byte >= 0x80 or flag & LOWER != 0)
        else:
            break
        position += 1
    if dots == 0 or label < 2 or not small:
        return False
    if position < end and byte(position) == 58:
        position += 1
        while position < end and 48 <= byte(position) <= 57:
            position += 1
    return position >= end or byte(position) in (47, 63, 35)
