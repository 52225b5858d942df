"""C4's line rules (Raffel et al. 2020, section 2.2) in one pass over the bytes, for the filter that counts and the cleaner that cuts.

Lines are those of `str.splitlines`, words those of `str.split`; `plugins.kernels.c4_phrases` seeks what a line must not say.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plugins.kernels.buffers import Texts
from plugins.kernels.c4_phrases import find, phrases
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import WIDTH, byte, put_byte, solid
from plugins.kernels.scan import SLACK, character, characters, copied, occurrences, readable, spare_for

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

PLAIN, CITED, LOREM_IPSUM, CURLY_BRACKET = 0, 1, 2, 3
"""What a line that is not dropped is: as it stands; without its citations; or one that costs the whole document, and why."""

_OTHER, _SPACE, _END = 0, 1, 2
_OPEN, _CLOSE, _CURLY = 0x5B, 0x5D, 0x7B
_EDIT = np.frombuffer(b"[edit]", np.uint8)
_NEEDED = np.frombuffer(b"[citation needed]", np.uint8)


class LineRules(NamedTuple):
    """Which rules hold; a bound of 0 holds nothing back."""

    min_words: int
    max_word_length: int
    punctuation: bool
    citations: bool
    lorem_ipsum: bool
    javascript: bool
    curly_bracket: bool
    policy: bool


class Lines(NamedTuple):
    """The lines that no rule drops, in order."""

    texts: Texts
    """Each as datatrove's filter counts its sentences: stripped and without citations."""
    owners: Ints
    """The text it is of."""
    starts: Ints
    ends: Ints
    """Its characters in that text, stripped."""
    places: Ints
    sizes: Ints
    """The byte at which it begins, stripped, among those of all texts, and how many it has there; `texts` has fewer where citations went."""
    kinds: npt.NDArray[np.uint8]
    """PLAIN, CITED, LOREM_IPSUM or CURLY_BRACKET. A PLAIN line may hold citations: removing them would change what the rules
    say of it, or uncover another."""


def kept_lines(texts: Texts, rules: LineRules) -> Lines:
    """Every line of `texts` that no rule drops."""
    size = int(texts.offsets[-1] - texts.offsets[0])
    lines = int(_count_ends(*texts)) + len(texts)
    data = np.empty(size + 2 * SLACK, np.uint8)
    offsets = np.zeros(lines + 1, np.int64)
    columns = owners, starts, ends, places, sizes = np.empty((5, lines), np.int64)
    kinds = np.empty(lines, np.uint8)
    spaces, digits = _tables()
    tables = (spaces, digits, *phrases(), _EDIT, _NEEDED)
    count = _keep(*texts, *tables, rules, data, offsets, columns, kinds)
    for array in (data, offsets):
        array.flags.writeable = False
    kept = Texts(data[: offsets[count]], offsets[: count + 1])
    return Lines(
        kept, owners[:count], starts[:count], ends[:count], places[:count], sizes[:count], kinds[:count]
    )


def third_longest(texts: Texts) -> Ints:
    r"""The characters of each text's third longest line, lines parting at "\n" only; 0 where there are fewer than three."""
    out = np.zeros(len(texts), np.int64)
    _third_longest(*texts, out)
    return out


@cache
def _tables() -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """White space and line ends by code point; decimal digits by code point."""
    spaces = np.zeros(0x3001, np.uint8)
    for point in range(len(spaces)):
        if chr(point).isspace():
            spaces[point] = _END if len(f"a{chr(point)}a".splitlines()) > 1 else _SPACE
    digits = np.fromiter((chr(point).isdecimal() for point in range(0x20000)), np.bool_, count=0x20000)
    return spaces, digits


@compiled
def _count_ends(data: Bytes, offsets: Ints) -> int:
    """No fewer than there are line ends: bytes that are one, or the last of one."""
    count = 0
    for position in range(offsets[0], offsets[-1]):
        byte = data[position]
        count += (10 <= byte <= 13) | (28 <= byte <= 30) | (byte == 0x85) | (byte == 0xA8) | (byte == 0xA9)
    return count


@compiled
def _keep(
    data: Bytes,
    offsets: Ints,
    spaces: Bytes,
    digits: npt.NDArray[np.bool_],
    phrases: Bytes,
    phrase_ends: Ints,
    edit: Bytes,
    needed: Bytes,
    rules: LineRules,
    out: Bytes,
    bounds: Ints,
    columns: npt.NDArray[np.int64],
    kinds: Bytes,
) -> int:
    """Write the lines that stay side by side to `out`; return how many."""
    owners, starts, ends, places, sizes = columns
    count, base = 0, np.int64(out.ctypes.data)
    spare = spare_for(data, offsets)
    size = base
    for text in range(len(offsets) - 1):
        origin = readable(data, offsets[text], offsets[text + 1], spare)
        position, end = origin + offsets[text], origin + offsets[text + 1]
        counted, char = position, 0  # characters are counted from one line that stays to the next
        while position < end:
            line = position
            position, first, last, words, widest = _line(line, end, spaces)
            # The rules, in datatrove's order.
            longest = rules.max_word_length
            if 0 < longest < widest and _widest(line, position, spaces) > longest:
                continue
            cited = rules.citations and occurrences(first, last, _OPEN) > 0
            if cited:
                stop = _without_citations(first, last, digits, edit, needed, size)
            elif rules.punctuation and not _terminal(first, last):
                continue
            else:
                copied(size, first, last)
                stop = size + last - first
            if cited and rules.punctuation and not _terminal(size, stop):
                continue
            if words < rules.min_words:
                continue
            found = find(size, stop, phrases, phrase_ends)
            kind = PLAIN
            if rules.lorem_ipsum and found & 1:
                kind = LOREM_IPSUM
            elif rules.javascript and found & 2:
                continue
            elif rules.curly_bracket and occurrences(line, position, _CURLY) > 0:
                kind = CURLY_BRACKET
            elif rules.policy and found & 4:
                continue
            elif stop - size < last - first:
                kind, stop = _stripped(size, stop, rules, spaces, digits, edit, needed)
            char += characters(counted, first)
            starts[count], places[count], sizes[count] = char, first - origin, last - first
            char += characters(first, last)
            ends[count], counted = char, last
            bounds[count], bounds[count + 1] = size - base, stop - base
            owners[count], kinds[count] = text, kind
            count += 1
            size = stop
    return count


@inlined
def _line(position: int, end: int, spaces: Bytes) -> tuple[int, int, int, int, int]:
    """The line at an address: (where the next begins, where what is not white space begins and ends, words, bytes of the longest)."""
    first, last, words, widest = position, position, 0, 0
    kind = _OTHER
    while kind != _END and position < end:
        begin, width = position, 0
        kind = _OTHER
        while kind == _OTHER and position < end:
            size = WIDTH
            while size == WIDTH and position < end:
                size = solid(position)
                position += size
            position, point, width = min(position, end), 0, 0
            if position < end:
                point, width = character(position, end)
                kind = spaces[point] if point < len(spaces) else _OTHER
                position += width if kind == _OTHER else 0
        if position > begin:
            if words == 0:
                first = begin
            words += 1
            last = position
            widest = max(widest, position - begin)
        if position < end:
            if byte(position) == 13 and position + 1 < end and byte(position + 1) == 10:
                width = 2
            position += width
    return position, first, last, words, widest


@compiled
def _widest(position: int, end: int, spaces: Bytes) -> int:
    """The characters of the longest word between two addresses."""
    longest, length = 0, 0
    while position < end:
        point, width = character(position, end)
        position += width
        length = 0 if point < len(spaces) and spaces[point] != _OTHER else length + 1
        longest = max(longest, length)
    return longest


@compiled
def _stripped(
    start: int,
    end: int,
    rules: LineRules,
    spaces: Bytes,
    digits: npt.NDArray[np.bool_],
    edit: Bytes,
    needed: Bytes,
) -> tuple[int, int]:
    """A line that lost citations: (CITED, where it ends, now without white space at its ends), or (PLAIN, `end`) where the rules would
    judge what is left otherwise or it holds another citation."""
    _next, first, last, words, widest = _line(start, end, spaces)
    longest = rules.max_word_length
    if (
        words < max(rules.min_words, 1)
        or (0 < longest < widest and _widest(start, end, spaces) > longest)
        or _cites(first, last, digits, edit, needed)
    ):  # fmt: skip
        return PLAIN, end
    copied(start, first, last)  # downwards, sixteen bytes at a time
    return CITED, start + last - first


@compiled
def _citation(position: int, end: int, digits: npt.NDArray[np.bool_], edit: Bytes, needed: Bytes) -> int:
    """Where the citation ends that begins with the bracket at `position`; `position` where none does."""
    close = position + 1
    while close < end:
        point, width = character(close, end)
        if point == _CLOSE:
            return close + 1
        if point >= len(digits) or not digits[point]:
            break
        close += width
    for mark in (edit, needed):
        if position + len(mark) <= end:
            same = 0
            while same < len(mark) and byte(position + same) == mark[same]:
                same += 1
            if same == len(mark):
                return position + same
    return position


@compiled
def _cites(start: int, end: int, digits: npt.NDArray[np.bool_], edit: Bytes, needed: Bytes) -> bool:
    for position in range(start, end):
        if byte(position) == _OPEN and _citation(position, end, digits, edit, needed) > position:
            return True
    return False


@compiled
def _without_citations(
    position: int, end: int, digits: npt.NDArray[np.bool_], edit: Bytes, needed: Bytes, size: int
) -> int:
    """Copy to the address `size` what is no citation; where that ends."""
    while position < end:
        if byte(position) == _OPEN:
            behind = _citation(position, end, digits, edit, needed)
            if behind > position:
                position = behind
                continue
        put_byte(size, byte(position))
        size += 1
        position += 1
    return size


@inlined
def _terminal(start: int, end: int) -> bool:
    """Whether a line ends in one of . ? ! " ' and not in three dots."""
    if start == end:
        return False
    last = byte(end - 1)
    if last == 0x2E:
        return end - start < 3 or byte(end - 2) != 0x2E or byte(end - 3) != 0x2E
    return last == 0x3F or last == 0x21 or last == 0x22 or last == 0x27


@compiled
def _third_longest(data: Bytes, offsets: Ints, out: Ints) -> None:
    for text in range(len(offsets) - 1):
        first, second, third, chars = 0, 0, 0, 0
        for position in range(offsets[text], offsets[text + 1] + 1):
            if position == offsets[text + 1] or data[position] == 10:
                if chars > first:
                    first, second, third = chars, first, second
                elif chars > second:
                    second, third = chars, second
                elif chars > third:
                    third = chars
                chars = 0
            else:
                chars += (data[position] & 0xC0) != 0x80
        out[text] = third
