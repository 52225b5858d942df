"""Words and word n-grams ("shingles") of texts as 64-bit hashes, without a Python string per word.

What a word is stands in `plugins.kernels.alphabet`. A shingle is `ngram` words in a row. A text with fewer words, but one at
least, has a single shingle of all its words: so short texts are alike only when all their words are, and a text without
any word has none and resembles nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plugins.kernels.alphabet import Alphabet, alphabet
from plugins.kernels.buffers import Texts, buffers
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import BLOCK, alphanumerics, lowest, shifted, times, wides, word as _read
from plugins.kernels.scan import character

Hashes = npt.NDArray[np.uint64]

MAX_NGRAM = 64

# Kernels see module constants as compile-time ones; numba needs the classes spelt as plain integers.
_SEPARATOR, _LETTER, _ALONE, _MARK, _IGNORED = 0, 1, 2, 3, 4

_WORD_SEED = np.uint64(0xCBF29CE484222325)  # FNV-1a's offset and prime (Fowler, Noll, Vo)
_WORD_PRIME = np.uint64(0x00000100000001B3)
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd; the golden ratio's 64 bits
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's 64-bit finaliser (Appleby)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(33)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_STEP = 0x2545F4914F6CDD1D  # odd; a multiplier of xorshift*
_SMALL = 0x2020202020202020  # makes letters small and leaves digits


@compiled
def mix(value: np.uint64) -> np.uint64:
    """Spread every bit of `value` over all 64; a bijection."""
    value ^= value >> _HALF
    value *= _MIX_1
    value ^= value >> _HALF
    value *= _MIX_2
    value ^= value >> _HALF
    return value


@inlined
def decode(data: npt.NDArray[np.uint8], position: int, end: int) -> tuple[int, int]:
    """(code point, bytes taken) of the multi-byte character at `position` < `end`; a broken one is U+0000, one byte long.

    The caller handles ASCII: so its loop stays as tight as the compiler can make it.
    """
    lead = np.int64(data[position])
    if 0xC0 <= lead < 0xE0 and position + 1 < end:
        return (lead & 0x1F) << 6 | (np.int64(data[position + 1]) & 0x3F), 2
    if 0xE0 <= lead < 0xF0 and position + 2 < end:
        return (lead & 0x0F) << 12 | (np.int64(data[position + 1]) & 0x3F) << 6 | (
            np.int64(data[position + 2]) & 0x3F
        ), 3
    if 0xF0 <= lead < 0xF8 and position + 3 < end:
        high = (lead & 0x07) << 18 | (np.int64(data[position + 1]) & 0x3F) << 12
        return high | (np.int64(data[position + 2]) & 0x3F) << 6 | (np.int64(data[position + 3]) & 0x3F), 4
    return 0, 1


@compiled
def shingle(
    data: npt.NDArray[np.uint8],
    start: int,
    end: int,
    classes: npt.NDArray[np.uint8],
    folds: npt.NDArray[np.uint32],
    ring: Hashes,
    out: Hashes,
) -> int:
    """Write the hashes of one text's shingles to `out`, in order and never 0; return how many.

    `ring` holds one place per word of a shingle. `out` must hold `end - start + 1`: a word takes a byte at least.
    The hash of a shingle is a polynomial of its words' hashes, rolled from one shingle to the next (Karp and Rabin 1987), then mixed.
    """
    ngram = len(ring)
    oldest = _ONE  # the base to the power of ngram: what the word that leaves was multiplied by
    for _ in range(ngram):
        oldest *= _BASE
    base = np.int64(data.ctypes.data)
    limit = base + len(data)
    position, end = base + start, base + min(end, len(data))
    words, place, count = 0, 0, 0
    rolling = _ZERO
    # The block at `position`, of `step` bytes: which of them, not yet read, are letters and digits of ASCII, and which are not ASCII.
    ascii_bits, wide_bits, step = 0, 0, 0
    while True:
        if ascii_bits | wide_bits == 0:
            position += step
            if position >= end:
                break
            step = min(BLOCK, end - position)
            if position + BLOCK + 8 <= limit:
                ascii_bits, wide_bits = alphanumerics(position), wides(position)
                if step < BLOCK:
                    ascii_bits &= shifted(-1, BLOCK - step)
                    wide_bits &= shifted(-1, BLOCK - step)
                if ascii_bits | wide_bits == 0:
                    continue
        first = lowest(ascii_bits | wide_bits)
        size = lowest(~shifted(ascii_bits, first & 63))
        behind = first + size
        if (size > 0 and behind < step and shifted(wide_bits, behind) & 1 == 0) or (
            behind == step and step < BLOCK
        ):
            word = _hash_ascii(position + first, position + behind)
            ascii_bits &= -1 << behind
            wide_bits &= -1 << behind
        elif (
            behind == BLOCK and 0 < first < BLOCK
        ):  # it may go on in the next block: make it the first of that
            position, step, ascii_bits, wide_bits = position + first, 0, 0, 0
            continue
        else:
            position, is_word, word = _read_word(position + first % BLOCK, end, classes, folds)
            step, ascii_bits, wide_bits = 0, 0, 0
            if not is_word:
                break
        hashed = mix(np.uint64(word))
        rolling = rolling * _BASE + hashed
        if words >= ngram:
            rolling -= ring[place] * oldest
        ring[place] = hashed
        place = place + 1 if place + 1 < ngram else 0
        words += 1
        if words >= ngram:
            out[count] = max(mix(rolling), _ONE)
            count += 1
    if 0 < words < ngram:
        out[0] = max(mix(rolling), _ONE)
        count = 1
    return count


@inlined
def _hash_ascii(start: int, end: int) -> int:
    """The hash of a word of ASCII letters and digits, its capitals made small. Seven bytes behind its end must be readable.

    Most words have eight bytes at most, and hardly any more than sixteen: so few branches go an unexpected way.
    """
    size = end - start
    key = 0
    while start + 8 <= end:
        key = times(key ^ (_read(start) | _SMALL), _STEP)
        key ^= shifted(key, 29)
        start += 8
    if start < end:
        key ^= (_read(start) | _SMALL) & shifted(-1, 64 - 8 * (end - start))
    return times(key, _STEP) ^ size


@compiled
def _read_word(
    position: int, end: int, classes: npt.NDArray[np.uint8], folds: npt.NDArray[np.uint32]
) -> tuple[int, bool, int]:
    """(where the next word ends, whether there is one, its hash), character by character."""
    inside, is_ascii = _SEPARATOR, True
    key, chunk, size = 0, 0, 0
    wide = _WORD_SEED
    while position < end:
        point, width = character(position, end)
        kind = np.int64(classes[point]) if point < len(classes) else _SEPARATOR
        if kind == _IGNORED:
            position += width
            continue
        ends = kind in (_SEPARATOR, _ALONE) or (kind == _LETTER and inside == _ALONE)
        if ends and inside != _SEPARATOR:
            break
        position += width
        if kind == _SEPARATOR:
            continue
        if inside == _SEPARATOR:
            inside = _ALONE if kind == _ALONE else _LETTER
        folded = np.int64(folds[point])
        wide = (wide ^ np.uint64(folded)) * _WORD_PRIME
        is_ascii = is_ascii and folded < 0x80
        if is_ascii:
            chunk |= folded << 8 * (size & 7)
            size += 1
            if size & 7 == 0:
                key = times(key ^ chunk, _STEP)
                key ^= shifted(key, 29)
                chunk = 0
    word = times(key ^ chunk, _STEP) ^ size if is_ascii else np.int64(wide)
    return position, inside != _SEPARATOR, word


class Bench(NamedTuple):
    """Room to work in, made once a batch: the alphabet, a ring of `ngram` places, and space for the longest text's shingles."""

    alphabet: Alphabet
    ring: Hashes
    out: Hashes


def bench(texts: Texts, ngram: int) -> Bench:
    """The room that shingling `texts` takes. Raises ValueError when `ngram` is not in 1..MAX_NGRAM."""
    if not 1 <= ngram <= MAX_NGRAM:
        raise ValueError(f"ngram is {ngram}; a shingle has 1 to {MAX_NGRAM} words")
    longest = int(np.diff(texts.offsets).max(initial=0))
    return Bench(alphabet(), np.zeros(ngram, np.uint64), np.zeros(longest + 1, np.uint64))


def shingles(texts: pa.Array | pa.ChunkedArray, ngram: int) -> Iterator[Hashes]:
    """The hashes of each text's shingles, in order and with repeats: one array a text."""
    for part in buffers(texts):
        room = bench(part, ngram)
        for start, end in zip(part.offsets[:-1].tolist(), part.offsets[1:].tolist(), strict=True):
            count = shingle(part.data, start, end, *room.alphabet, room.ring, room.out)
            yield room.out[:count].copy()


def distinct(hashes: Hashes) -> Hashes:
    """`hashes` sorted, each once; sorts in place. NumPy's vectorised sort is some times quicker than one compiled here."""
    hashes.sort()
    fresh = np.ones(len(hashes), np.bool_)
    np.not_equal(hashes[1:], hashes[:-1], out=fresh[1:])
    return hashes[fresh]
