"""How one run without white space is cut into tokens: by list, at its edges, then inside. The rules are those of `plugins.kernels.tokens`."""

from __future__ import annotations

from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import byte, short, word
from plugins.kernels.token_infixes import inside
from plugins.kernels.token_lookup import (
    ALPHA,
    CLOSER,
    CLOSES,
    CURRENCY,
    DIGIT,
    JOINS,
    LOWER,
    OPENS,
    UNIT,
    UPPER,
    At,
    character,
    emit,
    is_likely,
    joined,
    listed,
    write,
)

_MARKS = 8  # how many marks a look backwards skips


@compiled
def split(at: At, start: int, end: int, count: int) -> int:
    """Cut one run: what opens it, what closes it, then what is left."""
    found = -1
    while start < end:
        found = listed(at, start, end) if is_likely(at, start, end) else -1
        if found & UNIT == 0:
            break
        size, first = 0, byte(start)
        if first >= 0x80 or short(at.flags + 2 * first) & OPENS or first in (43, 46, 65, 67, 85):
            size = _opening(at.flags, start, end)
        if size == 0:
            break
        count = write(at, count, start, start + size)
        start += size
    closing = at.room  # what closes is found from the end, and written from the end of the room
    while start < end and found & UNIT != 0:
        size, last = 0, byte(end - 1)
        flag = short(at.flags + 2 * last)
        if last < 0x80 and flag & CLOSES:
            size = 1
        elif (
            last >= 0x80
            or not flag & (ALPHA | DIGIT)
            or last in (83, 115)
            or (flag & ALPHA and _digit_near(start, end))
        ):
            size = _closing(at, start, end)
        if size == 0:
            break
        closing -= 1
        write(at, closing, end - size, end)
        end -= size
        found = listed(at, start, end) if start < end and is_likely(at, start, end) else -1
    if start < end:
        count = emit(at, count, start, end, found) if found & UNIT == 0 else inside(at, start, end, count)
    for index in range(closing, at.room):
        count = write(at, count, at.data + word(at.starts + 8 * index), at.data + word(at.ends + 8 * index))
    return count


@inlined
def _digit_near(start: int, end: int) -> bool:
    """Whether a digit or a character beyond ASCII is among the five bytes before the last: else no unit stands there."""
    near = False
    for position in range(max(start, end - 6), end - 1):
        near = near or byte(position) >= 0x80 or 48 <= byte(position) <= 57
    return near


@compiled
def _opening(flags: int, start: int, end: int) -> int:
    """Bytes of what is split off before the rest, 0 for none."""
    point, width, flag = character(flags, start, end)
    if point == 46:  # a run of full stops
        position = start + 1
        while position < end and byte(position) == 46:
            position += 1
        return position - start if position > start + 1 else 0
    if point == 43:  # "+", unless it is the sign of a number
        return 1 if start + 1 >= end or not 48 <= byte(start + 1) <= 57 else 0
    if start + 1 < end and byte(start + 1) == 36 and point in (65, 67):  # A$ and C$
        return 2
    if start + 2 < end and point == 85 and byte(start + 1) == 83 and byte(start + 2) == 36:  # US$
        return 3
    if flag & OPENS:
        return joined(flags, start + width, end) - start
    return 0


@compiled
def _closing(at: At, start: int, end: int) -> int:
    """Bytes of what is split off after the rest, 0 for none."""
    flags, last = at.flags, byte(end - 1)
    if last == 46:
        position = end - 1
        while position > start and byte(position - 1) == 46:
            position -= 1
        if position < end - 1:
            return end - position
        return 1 if _ends_sentence(flags, start, position) else 0
    if last in (115, 83):  # 's
        if end - start >= 2 and byte(end - 2) == 39:
            return 2
        if end - start >= 4 and byte(end - 4) == 0xE2 and byte(end - 3) == 0x80 and byte(end - 2) == 0x99:
            return 4
    first, point, flag = _before(flags, start, end)
    if flag & CLOSES:
        return end - first
    if first <= start:
        return 0
    if point == 43 or flag & CURRENCY:
        _first, _point, before = _before(flags, start, first)
        return end - first if before & DIGIT else 0
    if flag & ALPHA or point in (37, 0xB2, 0xB3):  # perhaps a unit
        for _ in range(5):
            earlier, point, flag = _before(flags, start, first)
            if flag & DIGIT:
                unit = listed(at, first, end)
                return end - first if unit >= 0 and unit & UNIT else 0
            if not (flag & ALPHA or point == 47):
                break
            first = earlier
    return 0


@compiled
def _before(flags: int, start: int, end: int) -> tuple[int, int, int]:
    """(where it starts, code point, flags) of the last character before `end` that joins none; (start, 0, 0) where there is none."""
    for _ in range(_MARKS):
        if end <= start:
            break
        first = end - 1
        while first > start and byte(first) & 0xC0 == 0x80:
            first -= 1
        point, _width, flag = character(flags, first, end)
        if not flag & JOINS:
            return first, point, flag
        end = first
    return start, 0, 0


@compiled
def _ends_sentence(flags: int, start: int, stop: int) -> bool:
    """Whether the full stop at `stop` is one, rather than part of an abbreviation."""
    first, point, flag = _before(flags, start, stop)
    if flag & (LOWER | DIGIT | CLOSER) or point == 0xB2:
        return True
    _first, before_point, before = _before(flags, start, first)
    if flag & UPPER:
        return before & UPPER != 0 or (before_point == 0xB0 and point in (67, 70, 75))
    return False
