r"""Counts over words and lines that quality filters divide: each a whole number, so that the ratios are those of any exact program.

Lines and white space are Python's: `str.splitlines` for `word_quality`, parts between "\n" for `line_quality`, `str.isspace` for what is
stripped, and a character is a code point.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from plugins.kernels.alphabet import SIZE
from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import WIDTH, byte, letters, plain, shifted, times, word
from plugins.kernels.scan import (
    MIX_2,
    character,
    characters,
    hashed,
    line_end,
    low,
    occurrences,
    readable,
    same,
    spare_for,
)
from plugins.kernels.token_tables import code_points
from plugins.kernels.tokens import Spans

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
def _kind(position: int, end: int, kinds: int) -> tuple[int, int, int]:
    """(code point, bytes, what it is) of the character at an address; `kinds` is the address of that table."""
    point, width = character(position, end)
    return point, width, byte(kinds + point) if point < SIZE else 0


# ------------------------------------------------------------------------------------------------ words


def word_quality(texts: Texts, spans: Spans, stop_words: Sequence[str]) -> Longs:
    """WORD_COUNTS of each text, one row a text. `stop_words` counts how many of those given occur, exactly as written."""
    return _word_quality(*texts, *spans, _kinds(), *_stop_tables(tuple(sorted(set(stop_words)))))


@lru_cache(maxsize=8)
def _stop_tables(stop_words: tuple[str, ...]) -> tuple[Longs, Longs, Bytes, Longs, Longs]:
    """Where stop words are looked up: (words of up to eight bytes in an open table, which each is; the longer ones side by side, where each
    ends, and by their last byte the first of them and the next of each)."""
    listed = [stop.encode() for stop in stop_words if stop]
    brief = {index for index, stop in enumerate(listed) if len(stop) <= 8 and 0 not in stop}
    slots = 16
    while slots < 4 * len(brief):
        slots *= 2
    keys, which = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    bounds = np.cumsum([0, *map(len, listed)], dtype=np.int64)
    chain = np.full((2, max(256, len(listed))), -1, np.int64)
    for index, stop in enumerate(listed):
        if index in brief:
            key = int.from_bytes(stop.ljust(8, b"\0"), "little", signed=True)
            slot = (key * MIX_2 & (1 << 64) - 1) >> (65 - slots.bit_length())
            while keys[slot]:
                slot = (slot + 1) % slots
            keys[slot], which[slot] = key, index
        else:
            chain[1, index] = chain[0, stop[-1]]
            chain[0, stop[-1]] = index
    stops = np.frombuffer(b"".join(listed) or b"\0", np.uint8)
    return keys, which, stops, bounds, chain


@compiled
def _word_quality(
    data: Bytes,
    offsets: Longs,
    starts: Longs,
    ends: Longs,
    bounds: Longs,
    kinds: Bytes,
    keys: Longs,
    which: Longs,
    stops: Bytes,
    stop_bounds: Longs,
    chain: Longs,
) -> Longs:
    counts = np.zeros((len(offsets) - 1, 10), np.int64)
    found = np.full(len(stop_bounds), -1, np.int64)  # the text in which each stop word was last seen
    spare = spare_for(data, offsets)
    table = np.int64(kinds.ctypes.data)
    shift = 64
    while 1 << (64 - shift) < len(keys):
        shift -= 1
    for text in range(len(counts)):
        origin = readable(data, offsets[text], offsets[text + 1], spare)
        non_symbol, chars, alphas, stopped = 0, 0, 0, 0
        for token in range(bounds[text], bounds[text + 1]):
            start, end = starts[token], ends[token]
            size = end - start
            if size <= WIDTH and letters(origin + start) >= size:  # the usual word
                non_symbol += 1
                alphas += 1
                chars += size
            else:
                position, length, seen, more = origin + start, 0, 0, 0
                while position < origin + end:
                    _point, width, kind = _kind(position, origin + end, table)
                    seen |= kind
                    more |= ~kind & _SYMBOL
                    length += 1
                    position += width
                if more:
                    non_symbol += 1
                    chars += length
                alphas += seen & _ALPHA
            if size <= 8:
                key = word(origin + start) & low(size)
                slot = shifted(times(key, MIX_2), shift)
                while keys[slot] != 0 and keys[slot] != key:
                    slot = (slot + 1) & (len(keys) - 1)
                if keys[slot] == key and key != 0 and found[which[slot]] != text:
                    listed = which[slot]
                    if stop_bounds[listed + 1] - stop_bounds[listed] == size:  # a key tells no NUL at the end
                        found[listed] = text
                        stopped += 1
            stop = chain[0, data[end - 1]] if size > 0 else -1
            while stop >= 0:
                first = stop_bounds[stop]
                if stop_bounds[stop + 1] - first == size and found[stop] != text:
                    index = 0
                    while index < size and data[start + index] == stops[first + index]:
                        index += 1
                    if index == size:
                        found[stop] = text
                        stopped += 1
                stop = chain[1, stop]
        row = counts[text]
        row[0], row[1], row[2] = bounds[text + 1] - bounds[text], non_symbol, chars
        row[3], row[4] = alphas, stopped
        _line_ends(origin + offsets[text], origin + offsets[text + 1], table, row)
    return counts


@compiled
def _line_ends(position: int, end: int, kinds: int, row: Longs) -> None:
    """Hashes, ellipses, and how lines begin and end, between two addresses."""
    hashes, ellipses, lines, bullets, opened = 0, 0, 0, 0, 0
    dots, trailing, fresh, started, returned = 0, False, True, False, False
    while position < end:
        point, width, kind = _kind(position, end, kinds)
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
        size = 0 if trailing else WIDTH
        while size == WIDTH and position < end:
            size = plain(position)
            position += size
        position = min(position, end)
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
    spare, table = spare_for(data, offsets), np.int64(kinds.ctypes.data)
    for text in range(len(counts)):
        position, end = offsets[text], offsets[text + 1]
        origin = readable(data, position, end, spare)
        newlines = occurrences(origin + position, origin + end, 10)
        bits = 4
        while (1 << bits) < 2 * newlines + 2:
            bits += 1
        mask = (1 << bits) - 1
        if mask >= len(heads):
            heads, tails = np.zeros(mask + 1, np.int64), np.zeros(mask + 1, np.int64)
        tails[: mask + 1] = -1
        chars, lines, ended, shorts, duplicate = 0, 0, 0, 0, 0
        position, end = origin + position, origin + end
        while position < end:
            start = position
            position = line_end(start, end)
            length, blank = characters(start, position), True
            first = start
            while blank and first < position:
                _point, width, kind = _kind(first, position, table)
                blank = kind & _SPACE != 0
                first += width
            chars += length
            if not blank:
                lines += 1
                first = position - 1
                while first > start and byte(first) & 0xC0 == 0x80:
                    first -= 1
                last, _width = character(first, position)
                ended += last < len(stops) and stops[last]
                shorts += length <= short
                slot = shifted(times(hashed(start, position), MIX_2), 64 - bits)
                while tails[slot] >= 0 and not (
                    tails[slot] - heads[slot] == position - start
                    and same(heads[slot], start, position - start)
                ):
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
