r"""Counts over words and lines that quality filters divide: each a whole number, so that the ratios are those of any exact program.

Lines and white space are Python's: `str.splitlines` for `word_quality`, parts between "\n" for `line_quality`, `str.isspace` for what is
stripped, and a character is a code point.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from plugins.kernels.alphabet import SIZE
from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.token_tables import code_points
from plugins.kernels.tokens import Spans
from plugins.kernels.words import decode

Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

TERMINALS = """21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 17D4-17D6 17D9-17DA
1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF
A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57
10F55-10F59 10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C
115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F
16AF5 16B37-16B38 16B44 16E98 1BC9F 1DA88"""
"""What may end a sentence: the code points of datatrove's TERMINAL_PUNCTUATION. A table, because Unicode's property
(Sentence_Terminal) is not in `unicodedata` and grows, and decisions are to be equal to theirs."""

_PUNCTUATION = """0-8 B-1F 22-2D 2F 3A-3E 40 5B-60 7B-9F AB B4 BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA 3001 3008-300D 3010-3011
FF05 FF08-FF09 FF0C FF11 FF1A-FF1B FF5E"""
"""What else a word may consist of and be no word: datatrove's PUNCTUATION, which follows no property (it has the full-width digit one)."""

_ALPHA, _SYMBOL, _SPACE, _BREAK = 1, 2, 4, 8

WORD_COUNTS = (
    "words",
    "non_symbol_words",
    "non_symbol_chars",
    "alpha_words",
    "stop_words",
    "hashes",
    "ellipses",
    "lines",
    "bullets",
    "open_lines",
)
"""Columns of `word_quality`. `open_lines` end with an ellipsis."""
LINE_COUNTS = ("words", "chars", "newlines", "lines", "ended", "short", "duplicate_chars")
"""Columns of `line_quality`. `chars` leaves the newlines out; `lines` are those with more than white space, and so are the rest."""


@cache
def _kinds() -> Bytes:
    """What each code point below SIZE is; none above is any of it."""
    kinds = np.fromiter(map(str.isalpha, map(chr, range(SIZE))), np.uint8, count=SIZE)
    kinds[sorted(code_points(_PUNCTUATION) | code_points(TERMINALS))] |= _SYMBOL
    for point in range(0x3001):
        if chr(point).isspace():
            kinds[point] |= _SPACE
        if len(f"a{chr(point)}b".splitlines()) > 1:
            kinds[point] |= _BREAK
    kinds.flags.writeable = False
    return kinds


@inlined
def _kind(data: Bytes, position: int, end: int, kinds: Bytes) -> tuple[int, int, int]:
    """(code point, bytes, what it is) of the character at `position`."""
    point, width = np.int64(data[position]), 1
    if point >= 0x80:
        point, width = decode(data, position, end)
    return point, width, np.int64(kinds[point]) if point < len(kinds) else 0


# ------------------------------------------------------------------------------------------------ words


def word_quality(texts: Texts, spans: Spans, stop_words: Sequence[str]) -> Longs:
    """WORD_COUNTS of each text, one row a text. `stop_words` counts how many of those given occur, exactly as written."""
    listed = [word.encode() for word in sorted(set(stop_words)) if word]
    bounds = np.cumsum([0, *map(len, listed)], dtype=np.int64)
    stops = np.frombuffer(b"".join(listed) or b"\0", np.uint8)
    chain = np.full(
        (2, max(256, len(listed))), -1, np.int64
    )  # words by their last byte: the first of each, and the next of each word
    for index, word in enumerate(listed):
        chain[1, index] = chain[0, word[-1]]
        chain[0, word[-1]] = index
    return _word_quality(*texts, *spans, _kinds(), stops, bounds, chain)


@compiled
def _word_quality(
    data: Bytes,
    offsets: Longs,
    starts: Longs,
    ends: Longs,
    bounds: Longs,
    kinds: Bytes,
    stops: Bytes,
    stop_bounds: Longs,
    chain: Longs,
) -> Longs:
    counts = np.zeros((len(offsets) - 1, 10), np.int64)
    found = np.full(len(stop_bounds), -1, np.int64)  # the text in which each stop word was last seen
    for text in range(len(counts)):
        non_symbol, chars, alphas, stopped = 0, 0, 0, 0
        for token in range(bounds[text], bounds[text + 1]):
            start, end = starts[token], ends[token]
            length, seen, plain = 0, 0, False
            position = start
            if data[start] < 0x80 and kinds[data[start]] & _ALPHA:  # the usual word
                seen, plain = _ALPHA, True
                while position < end:
                    length += data[position] & 0xC0 != 0x80
                    position += 1
            while position < end:
                _point, width, kind = _kind(data, position, end, kinds)
                seen |= kind
                plain = plain or not kind & _SYMBOL
                length += 1
                position += width
            if plain:
                non_symbol += 1
                chars += length
            if seen & _ALPHA:
                alphas += 1
            stop = chain[0, data[end - 1]] if end > start else -1
            while stop >= 0:
                first = stop_bounds[stop]
                size = stop_bounds[stop + 1] - first
                if size == end - start and found[stop] != text:
                    index = 0
                    while index < size and data[start + index] == stops[first + index]:
                        index += 1
                    if index == size:
                        found[stop] = text
                        stopped += 1
                stop = chain[1, stop]
        row = counts[text]
        row[0], row[1], row[2], row[3], row[4] = (
            bounds[text + 1] - bounds[text],
            non_symbol,
            chars,
            alphas,
            stopped,
        )
        _line_ends(data, offsets[text], min(offsets[text + 1], len(data)), kinds, row)
    return counts


@compiled
def _line_ends(data: Bytes, position: int, end: int, kinds: Bytes, row: Longs) -> None:
    """Hashes, ellipses, and how lines begin and end."""
    hashes, ellipses, lines, bullets, opened = 0, 0, 0, 0, 0
    busy = kinds[:128] & _BREAK
    busy[35], busy[46] = 1, 1
    dots, trailing, fresh, started, returned = 0, False, True, False, False
    while position < end:
        point, width, kind = _kind(data, position, end, kinds)
        position += width
        if kind & _BREAK:
            ellipses += dots // 3
            if not (point == 10 and returned):
                opened += trailing or dots >= 3
                lines += 1
            dots, trailing, fresh, started = 0, False, True, False
            returned = point == 13
            continue
        returned, started = False, True
        if kind & _SPACE:
            trailing = trailing or dots >= 3
            ellipses += dots // 3
            dots = 0
            continue
        if fresh:
            fresh = False
            bullets += point == 45 or point == 0x2022
        if point == 46:
            dots += 1
            trailing = False
            continue
        if dots:
            ellipses += dots // 3
            dots = 0
        trailing = point == 0x2026
        ellipses += trailing
        hashes += point == 35
        while position < end and data[position] < 0x80 and not busy[data[position]]:
            trailing = trailing and data[position] == 32
            position += 1
    ellipses += dots // 3
    if started:
        opened += trailing or dots >= 3
        lines += 1
    row[5], row[6], row[7], row[8], row[9] = hashes, ellipses, lines, bullets, opened


# ------------------------------------------------------------------------------------------------ lines


def line_quality(texts: Texts, spans: Spans, stop_chars: Sequence[str] | None, short: int) -> Longs:
    """LINE_COUNTS of each text, one row a text. `ended` lines end with one of `stop_chars` (None: TERMINALS), before any white space;
    `short` ones have at most that many characters; a line that stood before counts with all its characters."""
    points = code_points(TERMINALS) if stop_chars is None else set(map(ord, stop_chars))
    stops = np.zeros(max(points, default=0) + 1, np.bool_)
    stops[sorted(points)] = True
    return _line_quality(texts.data, texts.offsets, spans.offsets, _kinds(), stops, short)


@compiled
def _line_quality(
    data: Bytes, offsets: Longs, bounds: Longs, kinds: Bytes, stops: npt.NDArray[np.bool_], short: int
) -> Longs:
    counts = np.zeros((len(offsets) - 1, 7), np.int64)
    heads, tails = np.zeros(64, np.int64), np.zeros(64, np.int64)  # an open table of the lines of a text
    for text in range(len(counts)):
        position, end = offsets[text], min(offsets[text + 1], len(data))
        newlines = 0
        for index in range(position, end):
            newlines += data[index] == 10
        mask = 15
        while mask < 2 * newlines + 2:
            mask = 2 * mask + 1
        if mask >= len(heads):
            heads, tails = np.zeros(mask + 1, np.int64), np.zeros(mask + 1, np.int64)
        tails[: mask + 1] = -1
        chars, lines, ended, shorts, duplicate = 0, 0, 0, 0, 0
        while position < end:
            start, length, blank = position, 0, True
            while position < end and data[position] != 10:
                length += data[position] & 0xC0 != 0x80
                position += 1
            first = start
            while blank and first < position:
                _point, width, kind = _kind(data, first, position, kinds)
                blank = kind & _SPACE != 0
                first += width
            chars += length
            if not blank:
                lines += 1
                first = position - 1
                while first > start and data[first] & 0xC0 == 0x80:
                    first -= 1
                last, _width, _last_kind = _kind(data, first, position, kinds)
                key = _key(data, start, position)
                ended += last < len(stops) and stops[last]
                shorts += length <= short
                slot = np.int64((key ^ key >> np.uint64(29)) & np.uint64(mask))
                while tails[slot] >= 0 and not _same(data, heads[slot], tails[slot], start, position):
                    slot = (slot + 1) & mask
                if tails[slot] >= 0:
                    duplicate += length
                else:
                    heads[slot], tails[slot] = start, position
            position += 1
        row = counts[text]
        row[0], row[1], row[2] = bounds[text + 1] - bounds[text], chars, newlines
        row[3], row[4], row[5], row[6] = lines, ended, shorts, duplicate
    return counts


@inlined
def _key(data: Bytes, start: int, end: int) -> np.uint64:
    """A hash of a line, eight bytes at a step."""
    key = np.uint64(end - start)
    while start < end:
        word = np.uint64(0)
        for index in range(start, min(start + 8, end)):
            word = word << np.uint64(8) | np.uint64(data[index])
        key = (key ^ word) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
        start += 8
    return key


@inlined
def _same(data: Bytes, first: int, first_end: int, second: int, second_end: int) -> bool:
    """Whether two spans hold the same bytes."""
    size = first_end - first
    if size != second_end - second:
        return False
    index = 0
    while index < size and data[first + index] == data[second + index]:
        index += 1
    return index == size
