"""C4's line rules (Raffel et al. 2020, section 2.2) in one pass over the bytes, for the filter that counts and the cleaner that cuts.

Lines are those of `str.splitlines`, words those of `str.split`, and phrases are sought in any case, as `str.lower` would show them:
of all characters outside ASCII only the Kelvin sign lowers to a letter of a phrase, and it is looked for.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled
from plugins.kernels.words import decode

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

PLAIN, CITED, LOREM_IPSUM, CURLY_BRACKET = 0, 1, 2, 3
"""What a line that is not dropped is: as it stands; without its citations; or one that costs the whole document, and why."""

PHRASES = (
    "lorem ipsum",
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
_POLICY = 2  # from this place on, phrases are policies
_OTHER, _SPACE, _END = 0, 1, 2
_OPEN, _CLOSE = 0x5B, 0x5D
_STOPS, _OPENS, _CURLS = (
    1,
    2,
    4,
)  # flags of bytes: white space and all that is not ASCII, and the two brackets
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
    kinds: npt.NDArray[np.uint8]
    """PLAIN, CITED, LOREM_IPSUM or CURLY_BRACKET. A PLAIN line may hold citations: removing them would change what the rules
    say of it, or uncover another."""


def kept_lines(texts: Texts, rules: LineRules) -> Lines:
    """Every line of `texts` that no rule drops."""
    size = int(texts.offsets[-1] - texts.offsets[0])
    lines = int(_count_ends(*texts)) + len(texts)
    data = np.empty(size, np.uint8)
    offsets = np.zeros(lines + 1, np.int64)
    owners, starts, ends = (np.empty(lines, np.int64) for _ in range(3))
    kinds = np.empty(lines, np.uint8)
    count = _keep(
        *texts, *_tables(), *_phrases(), _EDIT, _NEEDED, *rules, data, offsets, owners, starts, ends, kinds
    )
    for array in (data, offsets):
        array.flags.writeable = False
    kept = Texts(data[: offsets[count]], offsets[: count + 1])
    return Lines(kept, owners[:count], starts[:count], ends[:count], kinds[:count])


def third_longest(texts: Texts) -> Ints:
    r"""The characters of each text's third longest line, lines parting at "\n" only; 0 where there are fewer than three."""
    out = np.zeros(len(texts), np.int64)
    _third_longest(*texts, out)
    return out


@cache
def _tables() -> tuple[Bytes, Bytes, npt.NDArray[np.bool_]]:
    """Flags by byte; white space and line ends by code point; decimal digits by code point."""
    spaces = np.zeros(0x3001, np.uint8)
    for point in range(len(spaces)):
        if chr(point).isspace():
            spaces[point] = _END if len(f"a{chr(point)}a".splitlines()) > 1 else _SPACE
    digits = np.fromiter((chr(point).isdecimal() for point in range(0x20000)), np.bool_, count=0x20000)
    quick = np.full(256, _STOPS, np.uint8)
    quick[:0x80] = spaces[:0x80] != _OTHER
    quick[ord("[")], quick[ord("{")] = _OPENS, _CURLS
    return quick, spaces, digits


@cache
def _phrases() -> tuple[Bytes, Ints, npt.NDArray[np.bool_]]:
    """PHRASES side by side, where each ends, and which pairs of letters, of five bits each, begin one."""
    joined = np.frombuffer("".join(PHRASES).encode(), np.uint8)
    ends = np.cumsum([0, *map(len, PHRASES)]).astype(np.int64)
    begins = np.zeros(1 << 10, np.bool_)
    for phrase in PHRASES:
        begins[(ord(phrase[0]) & 31) << 5 | ord(phrase[1]) & 31] = True
    return joined, ends, begins


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
    quick: Bytes,
    spaces: Bytes,
    digits: npt.NDArray[np.bool_],
    phrases: Bytes,
    phrase_ends: Ints,
    begins: npt.NDArray[np.bool_],
    edit: Bytes,
    needed: Bytes,
    min_words: int,
    max_word_length: int,
    punctuation: bool,  # noqa: FBT001 - a kernel's arguments are positional
    citations: bool,  # noqa: FBT001
    lorem_ipsum: bool,  # noqa: FBT001
    javascript: bool,  # noqa: FBT001
    curly_bracket: bool,  # noqa: FBT001
    policy: bool,  # noqa: FBT001
    out: Bytes,
    bounds: Ints,
    owners: Ints,
    starts: Ints,
    ends: Ints,
    kinds: Bytes,
) -> int:
    """Write the lines that stay side by side to `out`; return how many."""
    count, size = 0, 0
    for text in range(len(offsets) - 1):
        position, end, char = offsets[text], offsets[text + 1], 0
        while position < end:
            # One line: what of it is not white space at its ends, its words, its longest word.
            first, last = position, position
            first_char, last_char = char, char
            words, longest, length = 0, 0, 0
            seen = 0
            while position < end:
                begin, before = position, char
                while position < end and not quick[data[position]] & _STOPS:
                    seen |= quick[data[position]]
                    position += 1
                kind = _OTHER
                if position == begin:
                    point, width = np.int64(data[position]), 1
                    if point >= 0x80:
                        point, width = decode(data, position, end)
                    position += width
                    kind = spaces[point] if point < len(spaces) else _OTHER
                    char += 1
                else:
                    point = 0
                    char += position - begin
                if kind == _OTHER:
                    if length == 0:
                        if words == 0:
                            first, first_char = begin, before
                        words += 1
                    length += char - before
                    longest = max(longest, length)
                    last, last_char = position, char
                else:
                    length = 0
                if kind == _END:
                    if point == 13 and position < end and data[position] == 10:
                        position += 1
                        char += 1
                    break
            if words == 0:
                last, last_char = first, first_char
            # The rules, in datatrove's order.
            if max_word_length > 0 and longest > max_word_length:
                continue
            stop = size
            if citations and seen & _OPENS:
                stop = _without_citations(data, first, last, digits, edit, needed, out, size)
            else:
                for source in range(first, last):
                    out[stop] = data[source]
                    stop += 1
            if punctuation and not _terminal(out, size, stop):
                continue
            if words < min_words:
                continue
            found = _find(out, size, stop, phrases, phrase_ends, begins)
            kind = PLAIN
            if lorem_ipsum and found & 1:
                kind = LOREM_IPSUM
            elif javascript and found & 2:
                continue
            elif curly_bracket and seen & _CURLS:
                kind = CURLY_BRACKET
            elif policy and found & 4:
                continue
            elif stop - size < last - first:
                kind = CITED
                left, right, left_words, left_longest = _look(out, size, stop, spaces)
                if (
                    left_words < max(min_words, 1)
                    or (max_word_length > 0 and left_longest > max_word_length)
                    or _cites(out, left, right, digits, edit, needed)
                ):
                    kind = PLAIN
                else:
                    for source in range(left, right):
                        out[size + source - left] = out[source]
                    stop = size + right - left
            bounds[count], bounds[count + 1] = size, stop
            owners[count], starts[count], ends[count], kinds[count] = text, first_char, last_char, kind
            count += 1
            size = stop
    return count


@compiled
def _citation(
    data: Bytes, position: int, end: int, digits: npt.NDArray[np.bool_], edit: Bytes, needed: Bytes
) -> int:
    """Where the citation ends that begins with the bracket at `position`; `position` where none does."""
    close = position + 1
    while close < end:
        point, width = np.int64(data[close]), 1
        if point >= 0x80:
            point, width = decode(data, close, end)
        if point == _CLOSE:
            return close + 1
        if point >= len(digits) or not digits[point]:
            break
        close += width
    for mark in (edit, needed):
        if position + len(mark) <= end:
            same = 0
            while same < len(mark) and data[position + same] == mark[same]:
                same += 1
            if same == len(mark):
                return position + same
    return position


@compiled
def _cites(
    data: Bytes, start: int, end: int, digits: npt.NDArray[np.bool_], edit: Bytes, needed: Bytes
) -> bool:
    for position in range(start, end):
        if data[position] == _OPEN and _citation(data, position, end, digits, edit, needed) > position:
            return True
    return False


@compiled
def _without_citations(
    data: Bytes,
    start: int,
    end: int,
    digits: npt.NDArray[np.bool_],
    edit: Bytes,
    needed: Bytes,
    out: Bytes,
    size: int,
) -> int:
    """Copy to `out` from `size` on what is no citation; where that ends."""
    position = start
    while position < end:
        if data[position] == _OPEN:
            behind = _citation(data, position, end, digits, edit, needed)
            if behind > position:
                position = behind
                continue
        out[size] = data[position]
        size += 1
        position += 1
    return size


@compiled
def _look(data: Bytes, start: int, end: int, spaces: Bytes) -> tuple[int, int, int, int]:
    """A line without white space at its ends, its words and the characters of the longest."""
    first, last, words, longest, length = start, start, 0, 0, 0
    position = start
    while position < end:
        point, width = np.int64(data[position]), 1
        if point >= 0x80:
            point, width = decode(data, position, end)
        if point < len(spaces) and spaces[point] != _OTHER:
            length = 0
        else:
            if length == 0:
                if words == 0:
                    first = position
                words += 1
            length += 1
            longest = max(longest, length)
            last = position + width
        position += width
    return first, last, words, longest


@compiled
def _terminal(data: Bytes, start: int, end: int) -> bool:
    """Whether a line ends in one of . ? ! " ' and not in three dots."""
    if start == end:
        return False
    last = data[end - 1]
    if last == 0x2E:
        return end - start < 3 or data[end - 2] != 0x2E or data[end - 3] != 0x2E
    return last in (0x3F, 0x21, 0x22, 0x27)


@compiled
def _find(
    data: Bytes, start: int, end: int, phrases: Bytes, phrase_ends: Ints, begins: npt.NDArray[np.bool_]
) -> int:
    """Bit 0: lorem ipsum, bit 1: javascript, bit 2: one of the policies."""
    found = 0
    for position in range(start, end - 1):
        if not begins[(data[position] & 31) << 5 | data[position + 1] & 31]:
            continue
        for phrase in range(len(phrase_ends) - 1):
            at, letter = position, phrase_ends[phrase]
            while letter < phrase_ends[phrase + 1] and at < end:
                byte = data[at]
                if 0x41 <= byte <= 0x5A:
                    byte |= 0x20
                if byte == phrases[letter]:
                    at += 1
                elif (
                    phrases[letter] == 0x6B  # k, which the Kelvin sign U+212A lowers to
                    and at + 2 < end
                    and byte == 0xE2
                    and data[at + 1] == 0x84
                    and data[at + 2] == 0xAA
                ):
                    at += 3
                else:
                    break
                letter += 1
            if letter == phrase_ends[phrase + 1]:
                found |= 1 << min(phrase, _POLICY)
    return found


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
