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
    end = min(end, len(data))
    position, words, place, count = start, 0, 0, 0
    rolling, word = _ZERO, _WORD_SEED
    inside = _SEPARATOR  # the class of the word being read, _SEPARATOR between words
    while position <= end:
        kind = _SEPARATOR
        if position < end:
            point, width = np.int64(data[position]), 1
            if point >= 0x80:
                point, width = decode(data, position, end)
            position += width
            if point < len(classes):
                kind = np.int64(classes[point])
        else:
            point = 0
            position += 1
        if kind == _IGNORED:
            continue
        ends = kind in (_SEPARATOR, _ALONE) or (kind == _LETTER and inside == _ALONE)
        if inside != _SEPARATOR and ends:
            hashed = mix(word)
            rolling = rolling * _BASE + hashed
            if words >= ngram:
                rolling -= ring[place] * oldest
            ring[place] = hashed
            place = place + 1 if place + 1 < ngram else 0
            words += 1
            if words >= ngram:
                out[count] = max(mix(rolling), _ONE)
                count += 1
            inside = _SEPARATOR
        if kind != _SEPARATOR:
            if inside == _SEPARATOR:
                inside = _ALONE if kind == _ALONE else _LETTER
                word = _WORD_SEED
            word = (word ^ np.uint64(folds[point])) * _WORD_PRIME
    if 0 < words < ngram:
        out[0] = max(mix(rolling), _ONE)
        count = 1
    return count


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


def shingle_sets(texts: pa.Array | pa.ChunkedArray, ngram: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Each text's distinct shingles, ascending, side by side: set i is `flat[offsets[i]:offsets[i + 1]]`."""
    sets = [distinct(hashes) for hashes in shingles(texts, ngram)]
    offsets = np.zeros(len(sets) + 1, np.int64)
    np.cumsum([len(found) for found in sets], out=offsets[1:])
    return np.concatenate(sets) if sets else np.zeros(0, np.uint64), offsets


def distinct(hashes: Hashes) -> Hashes:
    """`hashes` sorted, each once; sorts in place. NumPy's vectorised sort is some times quicker than one compiled here."""
    hashes.sort()
    fresh = np.ones(len(hashes), np.bool_)
    np.not_equal(hashes[1:], hashes[:-1], out=fresh[1:])
    return hashes[fresh]
