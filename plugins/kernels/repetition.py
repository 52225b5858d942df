"""How much of a text is its own repetition, as Rae et al. 2021 (table A1) measure it: lines, paragraphs, word n-grams.

Lines and paragraphs are told apart by 64-bit hashes; `plugins.kernels.ngrams` finds the n-grams.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled
from plugins.kernels.ngrams import DUP, TOP, desk_of, duplicated, lay, room_for, suspects, top
from plugins.kernels.raw import BLOCK, byte, equal, ones, put, shifted, times, word
from plugins.kernels.scan import MIX_2, characters, hashed, line_end, readable, spare_for
from plugins.kernels.words import decode

if TYPE_CHECKING:
    from plugins.kernels.tokens import Spans

COLUMNS = (
    "dup_para_frac",
    "dup_para_char_frac",
    "dup_line_frac",
    "dup_line_char_frac",
    *(f"top_{n}_gram" for n in TOP),
    *(f"dup_{n}_gram" for n in DUP),
)
"""What the columns of `repetition` are."""

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_NEWLINE = 10


def repetition(texts: Texts, spans: Spans) -> npt.NDArray[np.float64]:
    """One row a text, one column for each of COLUMNS: fractions of its lines, paragraphs or characters; NaN for an empty text.

    `spans` are the words of `texts`, in order, not overlapping and without spaces. Lengths are in code points, and a fraction may exceed
    1: the most frequent n-gram is counted by all its occurrences, which may overlap.
    """
    out = np.full((len(texts), len(COLUMNS)), np.nan)
    _measure(*texts, *spans, _spaces(), out)
    return out


@cache
def _spaces() -> npt.NDArray[np.bool_]:
    return np.fromiter((chr(point).isspace() for point in range(0x3001)), np.bool_, count=0x3001)


@compiled
def _measure(
    data: Bytes,
    offsets: Ints,
    starts: Ints,
    ends: Ints,
    firsts: Ints,
    spaces: npt.NDArray[np.bool_],
    out: npt.NDArray[np.float64],
) -> None:
    """Fill the row of every text that is not empty."""
    most, longest = np.int64(0), np.int64(0)
    for text in range(len(offsets) - 1):
        most = max(most, firsts[text + 1] - firsts[text])
        longest = max(longest, offsets[text + 1] - offsets[text])
    spare, room, table = spare_for(data, offsets), room_for(most, longest), np.zeros(32, np.int64)
    desk = desk_of(room, most)
    spans, span_ends = np.int64(starts.ctypes.data), np.int64(ends.ctypes.data)
    for text in range(len(offsets) - 1):
        start, end = offsets[text], offsets[text + 1]
        if start == end:
            continue
        row = out[text]
        origin = readable(data, start, end, spare)
        chars = characters(origin + start, origin + end)
        table = _lines(data, origin, start, end, chars, spaces, table, row)
        words, first = firsts[text + 1] - firsts[text], 8 * firsts[text]
        lay(desk, origin, spans + first, span_ends + first, words)
        count = words
        for index in range(len(TOP)):
            found, count = top(desk, TOP[index], words, count)
            row[4 + index] = found / chars
        count = suspects(desk, words)
        for index in range(len(DUP)):
            row[4 + len(TOP) + index] = duplicated(desk, DUP[index], words, count) / chars
    room.joined[0] = spare[0]  # in use until here


@compiled
def _lines(
    data: Bytes,
    origin: int,
    start: int,
    end: int,
    chars: int,
    spaces: npt.NDArray[np.bool_],
    table: Ints,
    row: npt.NDArray[np.float64],
) -> Ints:
    """Fill the first four columns; the table, which may have grown."""
    newlines, pairs = _count_ends(origin + start, origin + end)
    if len(table) < 4 * (newlines + 1):  # so that the power of two below is no less than twice the lines
        table = np.zeros(8 * (newlines + 1), np.int64)
    # Paragraphs are those of the text without white space at its ends, lines are those of the text as it stands.
    pieces, again, repeated = 1, 0, 0
    if pairs > 0:
        first, last = _stripped(data, start, end, spaces)
        pieces, again, repeated = _pieces(origin + first, origin + last, 2, table, pairs + 1)
    row[0], row[1] = again / pieces, repeated / chars
    pieces, again, repeated = _pieces(origin + start, origin + end, 1, table, newlines + 1)
    row[2], row[3] = again / pieces, repeated / chars
    return table


@compiled
def _count_ends(start: int, end: int) -> tuple[int, int]:
    """How many line feeds there are, and how many behind another."""
    newlines, pairs, last = 0, 0, 0
    while start < end:
        found = equal(start, _NEWLINE)
        if start + BLOCK > end:
            found &= shifted(-1, BLOCK - (end - start))
        newlines += ones(found)
        pairs += ones(found & (found << 1 | last))
        last = shifted(found, 63)
        start += BLOCK
    return newlines, pairs


@compiled
def _stripped(data: Bytes, start: int, end: int, spaces: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The text without white space at its ends."""
    while start < end:
        point, width = np.int64(data[start]), 1
        if point >= 0x80:
            point, width = decode(data, start, end)
        if point >= len(spaces) or not spaces[point]:
            break
        start += width
    while start < end:
        lead = end - 1
        while lead > start and (data[lead] & 0xC0) == 0x80:
            lead -= 1
        point = np.int64(data[lead])
        if point >= 0x80:
            point, _ = decode(data, lead, end)
        if point >= len(spaces) or not spaces[point]:
            break
        end = lead
    return start, end


@compiled
def _pieces(start: int, end: int, least: int, table: Ints, most: int) -> tuple[int, int, int]:
    """Split at `least` or more line feeds in a row: (pieces, how many were there before, their characters). There are at most `most`."""
    bits = 4
    while (1 << bits) < 2 * most:
        bits += 1
    for slot in range(1 << bits):
        table[slot] = 0
    slots, shift, mask = np.int64(table.ctypes.data), 64 - bits, (1 << bits) - 1
    pieces, again, repeated = 0, 0, 0
    position = start
    while True:
        first, run = position, 0
        while position < end:
            position = line_end(position, end)
            run = 0
            while position + run < end and byte(position + run) == _NEWLINE:
                run += 1
            if run >= least:
                break
            position += run
        key = hashed(first, position)
        key += key == 0
        slot = shifted(times(key, MIX_2), shift)
        while word(slots + 8 * slot) != 0 and word(slots + 8 * slot) != key:
            slot = (slot + 1) & mask
        if word(slots + 8 * slot) == key:
            again += 1
            repeated += characters(first, position)
        put(slots + 8 * slot, key)
        pieces += 1
        if position >= end:
            return pieces, again, repeated
        position += run  # where the text ends with it, one more piece follows, which is empty
