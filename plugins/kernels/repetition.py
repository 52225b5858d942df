"""How much of a text is its own repetition, as Rae et al. 2021 (table A1) measure it: lines, paragraphs, word n-grams.

The hash of any run of words must not depend on where the run stands, so that one sum from left to right serves every n: with an odd
base B and its inverse modulo 2^64, `sums[k]` adds t[byte] B^-j over the bytes j of words 0..k-1, and words i..i+n-1 hash to
(sums[i+n] - sums[i]) B^(bytes before i). Words run together without a separator ("ab" "c" as "a" "bc", which is how repeated n-grams are
compared) and words joined by a space take one such sum each. Two different runs meet with a probability of about 2^-64;
only a text made for it (Thue and Morse's sequence, over a thousand bytes in an n-gram) can force it.

Rejected: hashing each n-gram anew (45 times the bytes), and rolling from one to the next (nine chains of multiplications, and a ring each).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled
from plugins.kernels.words import Hashes, decode, mix

if TYPE_CHECKING:
    from plugins.kernels.tokens import Spans

TOP = (2, 3, 4)
DUP = (5, 6, 7, 8, 9, 10)
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

_EMPTY = np.uint64(0)
_ONE = np.uint64(1)
_BASE = np.uint64(0x9E3779B97F4A7C15)  # 5 modulo 8: its powers repeat after 2^62
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_SPREAD = np.uint64(
    0xD1342543DE82EF95
)  # Fibonacci hashing (Knuth, volume 3, 6.4): a slot is the top bits of the product
_PRIME = np.uint64(0x00000100000001B3)  # FNV-1a (Fowler, Noll, Vo), for lines
_SEED = np.uint64(0xCBF29CE484222325)
_FIRST = (1 << 32) - 1
_LINE_END, _SPACE = 10, 32
_WINDOW = 16


def repetition(texts: Texts, spans: Spans) -> npt.NDArray[np.float64]:
    """One row a text, one column for each of COLUMNS: fractions of its lines, paragraphs or characters; NaN for an empty text.

    `spans` are the words of `texts`, in order and not overlapping. Lengths are in code points, and a fraction may exceed 1: the
    most frequent n-gram is counted by all its occurrences, which may overlap.
    """
    out = np.full((len(texts), len(COLUMNS)), np.nan)
    words = int(np.diff(spans.offsets).max(initial=0))
    lines = int(_most_lines(*texts))
    slots = 1 << max(4, (2 * max(words, lines) - 1).bit_length())
    table, tally = np.empty(slots, np.uint64), np.empty(slots, np.int64)
    stream = np.empty(int(np.diff(texts.offsets).max(initial=0)) + 1, np.uint64)
    hashes = np.empty((4, words + 1), np.uint64)
    numbers = np.empty((4, words + 1), np.int64)
    _measure(*texts, *spans, _spaces(), _constants(), table, tally, stream, hashes, numbers, out)
    return out


@cache
def _constants() -> Hashes:
    """t[byte]: SplitMix64 (Steele, Lea, Flood 2014) from 0, the same for ever."""
    drawn = []
    for index in range(1, 257):
        word = index * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            word = (word ^ word >> shift) * factor & 0xFFFFFFFFFFFFFFFF
        drawn.append(word ^ word >> 31)
    return np.array(drawn, np.uint64)


@cache
def _spaces() -> npt.NDArray[np.bool_]:
    return np.fromiter((chr(point).isspace() for point in range(0x3001)), np.bool_, count=0x3001)


@compiled
def _most_lines(data: Bytes, offsets: Ints) -> int:
    """The number of lines of the text that has most."""
    most = 0
    for text in range(len(offsets) - 1):
        ends = 0
        for position in range(offsets[text], offsets[text + 1]):
            ends += data[position] == _LINE_END
        most = max(most, ends)
    return most + 1


@compiled
def _measure(
    data: Bytes,
    offsets: Ints,
    starts: Ints,
    ends: Ints,
    firsts: Ints,
    spaces: npt.NDArray[np.bool_],
    constants: Hashes,
    table: Hashes,
    tally: Ints,
    stream: Hashes,
    hashes: npt.NDArray[np.uint64],
    numbers: Ints,
    out: npt.NDArray[np.float64],
) -> None:
    """Fill the row of every text that is not empty."""
    sums, powers, spaced_sums, spaced_powers = hashes[0], hashes[1], hashes[2], hashes[3]
    places, lengths, some, slots = numbers[0], numbers[1], numbers[2], numbers[3]
    for text in range(len(offsets) - 1):
        start, end = offsets[text], offsets[text + 1]
        if start == end:
            continue
        row = out[text]
        chars = _lines(data, start, end, spaces, table, row)
        words = firsts[text + 1] - firsts[text]
        _sum_words(
            data, starts, ends, firsts[text], words, constants, stream, sums, powers, spaced_sums, spaced_powers,
            places, lengths,
        )  # fmt: skip
        for word in range(words):
            some[word] = word
        count = words
        for index in range(len(TOP)):
            found, count = _top(
                TOP[index], words, spaced_sums, spaced_powers, lengths, table, tally, some, count, slots
            )
            row[4 + index] = found / chars
        count = _suspects(words, stream, powers, places, table, tally, some)
        for index in range(len(DUP)):
            found = _dup(DUP[index], words, sums, powers, lengths, table, some, count)
            row[4 + len(TOP) + index] = found / chars


@compiled
def _clear(table: Hashes, items: int) -> int:
    """Empty as much of the table as `items` need to fill it half; the shift that makes a slot of a product."""
    bits = 4
    while (1 << bits) < 2 * items:
        bits += 1
    table[: 1 << bits] = _EMPTY
    return 64 - bits


@compiled
def _slot(table: Hashes, shift: np.uint64, key: np.uint64) -> np.uint64:
    """Where `key` is in the table, or would be."""
    mask = (_ONE << (np.uint64(64) - shift)) - _ONE
    slot = (key * _SPREAD) >> shift
    while table[slot] != _EMPTY and table[slot] != key:
        slot = (slot + _ONE) & mask
    return slot


@compiled
def _lines(
    data: Bytes,
    start: int,
    end: int,
    spaces: npt.NDArray[np.bool_],
    table: Hashes,
    row: npt.NDArray[np.float64],
) -> int:
    """Fill the first four columns; the number of characters."""
    chars, ends, pairs = 0, 0, 0
    view = data[start:end]  # counting from 0, these loops become vector instructions
    for position in range(len(view)):
        chars += (view[position] & 0xC0) != 0x80
        ends += view[position] == _LINE_END
    for position in range(len(view) - 1):
        pairs += (view[position] == _LINE_END) & (view[position + 1] == _LINE_END)
    # Paragraphs are those of the text without white space at its ends, lines are those of the text as it stands.
    pieces, again, repeated = 1, 0, 0
    if pairs > 0:
        first, last = _stripped(data, start, end, spaces)
        pieces, again, repeated = _pieces(data, first, last, 2, _clear(table, pairs + 1), table)
    row[0], row[1] = again / pieces, repeated / chars
    pieces, again, repeated = _pieces(data, start, end, 1, _clear(table, ends + 1), table)
    row[2], row[3] = again / pieces, repeated / chars
    return chars


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
def _pieces(data: Bytes, start: int, end: int, least: int, shift: int, table: Hashes) -> tuple[int, int, int]:
    """Split at `least` or more line ends in a row: (pieces, how many were there before, their characters)."""
    pieces, again, repeated = 0, 0, 0
    position = start
    while True:
        first, run = position, 0
        while position < end:
            if data[position] == _LINE_END:
                run = 1
                while position + run < end and data[position + run] == _LINE_END:
                    run += 1
                if run >= least:
                    break
                position += run
            else:
                position += 1
        key = _hash(data, first, position)
        slot = _slot(table, np.uint64(shift), key)
        if table[slot] == key:
            again += 1
            for index in range(first, position):
                repeated += (data[index] & 0xC0) != 0x80
        table[slot] = key
        pieces += 1
        if position >= end:
            return pieces, again, repeated
        position += run  # where the text ends with it, one more piece follows, which is empty


@compiled
def _hash(data: Bytes, start: int, end: int) -> np.uint64:
    """The hash of some bytes, eight at a time, never 0."""
    key = _SEED ^ np.uint64(end - start)
    while start + 8 <= end:
        block = (
            np.uint64(data[start])
            | np.uint64(data[start + 1]) << np.uint64(8)
            | np.uint64(data[start + 2]) << np.uint64(16)
            | np.uint64(data[start + 3]) << np.uint64(24)
            | np.uint64(data[start + 4]) << np.uint64(32)
            | np.uint64(data[start + 5]) << np.uint64(40)
            | np.uint64(data[start + 6]) << np.uint64(48)
            | np.uint64(data[start + 7]) << np.uint64(56)
        )
        key = mix(key ^ block) * _PRIME
        start += 8
    block = _EMPTY
    while start < end:
        block = block << np.uint64(8) | np.uint64(data[start])
        start += 1
    return max(mix(key ^ block), _ONE)


@compiled
def _sum_words(
    data: Bytes,
    starts: Ints,
    ends: Ints,
    first: int,
    words: int,
    constants: Hashes,
    stream: Hashes,
    sums: Hashes,
    powers: Hashes,
    spaced_sums: Hashes,
    spaced_powers: Hashes,
    places: Ints,
    lengths: Ints,
) -> None:
    """Before each word: the sums and powers of words run together, and of words with a space behind each; its place in bytes and
    characters. `stream` gets the sum before each byte of the words run together.
    """
    total, spaced_total = _EMPTY, _EMPTY
    power, inverse, spaces_power, spaces_inverse = _ONE, _ONE, _ONE, _ONE
    space = constants[_SPACE]
    chars, place = 0, 0
    for word in range(words):
        sums[word], powers[word] = total, power
        spaced_sums[word], spaced_powers[word] = spaced_total, power * spaces_power
        places[word], lengths[word] = place, chars
        before = total
        for position in range(starts[first + word], ends[first + word]):
            stream[place] = total
            total += constants[data[position]] * inverse
            power *= _BASE
            inverse *= _INVERSE
            chars += (data[position] & 0xC0) != 0x80
            place += 1
        spaced_total += (total - before + space * inverse) * spaces_inverse
        spaces_power *= _BASE
        spaces_inverse *= _INVERSE
    sums[words], spaced_sums[words] = total, spaced_total
    places[words], lengths[words], stream[place] = place, chars, total


@compiled
def _top(
    n: int,
    words: int,
    sums: Hashes,
    powers: Hashes,
    lengths: Ints,
    table: Hashes,
    tally: Ints,
    some: Ints,
    count: int,
    slots: Ints,
) -> tuple[int, int]:
    """Characters of the most frequent n-gram, words joined by a space, times its number; of equals the first. 0 where there is none.

    Only the first `count` words of `some` may begin an n-gram that occurs twice. Returned second: how many may begin a longer one,
    which `some` then begins with.
    """
    if words < n:
        return 0, 0
    shift = np.uint64(_clear(table, count))
    best, best_first = 1, 0
    for index in range(count):
        word = some[index]
        if word + n > words:
            count = index
            break
        key = max((sums[word + n] - sums[word]) * powers[word], _ONE)
        slot = _slot(table, shift, key)
        slots[index] = slot
        if table[slot] == _EMPTY:
            table[slot] = key
            tally[slot] = word
            continue
        entry = tally[slot] + (1 << 32)  # times seen before, and where first
        tally[slot] = entry
        times, first = (entry >> 32) + 1, entry & _FIRST
        if times > best or (times == best and first < best_first):
            best, best_first = times, first
    left = 0
    for index in range(count):
        if tally[slots[index]] > _FIRST:
            some[left] = some[index]
            left += 1
    return (lengths[best_first + n] - lengths[best_first] + n - 1) * best, left


@compiled
def _suspects(
    words: int, stream: Hashes, powers: Hashes, places: Ints, table: Hashes, tally: Ints, some: Ints
) -> int:
    """Write to `some` the words that may begin a repeated n-gram of DUP; return how many.

    Those are words from which the next _WINDOW bytes are the same as from another word, and words whose shortest n-gram has fewer.
    """
    shift = np.uint64(_clear(table, words))
    for word in range(words):
        some[word] = 0
    for word in range(words - DUP[0] + 1):
        place = places[word]
        if places[word + DUP[0]] - place < _WINDOW:
            some[word] = 1
        if place + _WINDOW > places[words]:
            continue
        key = max((stream[place + _WINDOW] - stream[place]) * powers[word], _ONE)
        slot = _slot(table, shift, key)
        if table[slot] == _EMPTY:
            table[slot] = key
            tally[slot] = word
        else:
            some[word] = 1
            some[tally[slot]] = 1
    count = 0
    for word in range(words):
        if some[word]:
            some[count] = word
            count += 1
    return count


@compiled
def _dup(
    n: int, words: int, sums: Hashes, powers: Hashes, lengths: Ints, table: Hashes, some: Ints, count: int
) -> int:
    """Characters of n-grams that stood before; behind such a one the search goes on n words later. Only words of `some` begin one."""
    shift = np.uint64(_clear(table, count))
    repeated, done = 0, 0
    for index in range(count):
        word = some[index]
        if word < done:
            continue
        if word + n > words:
            break
        key = max((sums[word + n] - sums[word]) * powers[word], _ONE)
        slot = _slot(table, shift, key)
        if table[slot] == key:
            repeated += lengths[word + n] - lengths[word]
            done = word + n
        else:
            table[slot] = key
    return repeated
