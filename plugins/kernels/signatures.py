"""What duplicates are found by: MinHash signatures and the hash of the normalised text, columnar.

MinHash (Broder 1997, On the resemblance and containment of documents): under a random order of all shingles, two sets have
the same least element with a probability that equals their Jaccard similarity. The orders here are x -> a x + b modulo
2^32 with fixed odd a, on 32 bits of each shingle's hash. All shingle hashes are well mixed, so a product modulo 2^32 does
(checked against the binomial error in the tests), and eight or sixteen of them go in one vector instruction; the usual product modulo a
Mersenne prime needs 64-bit divisions for no better estimate.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plugins.kernels.buffers import Texts, buffers
from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.words import Hashes, bench, decode, shingle
from schemas.fingerprint import digest

MAX_PERMUTATIONS = 1024

SCHEMA = pa.schema([
    pa.field("n_shingles", pa.int64(), nullable=False),
    pa.field("minhash", pa.list_(pa.uint32())),
])

Matrix = npt.NDArray[np.uint32]

_EMPTY = np.uint64(0)  # no shingle hashes to it
_UPPER = np.uint64(32)
_HIGHEST = np.uint32(0xFFFFFFFF)
_SEED = 0x6772697374  # "grist"


def sign(texts: pa.Array | pa.ChunkedArray, ngram: int, permutations: int | None) -> pa.Table:
    """Sign each text: `n_shingles` int64, its distinct shingles of `ngram` words; `minhash` list<uint32>, one a permutation.

    `minhash` is null for a text without any word, and everywhere when `permutations` is None. A text of fewer words than `ngram`
    has one shingle of all its words. The first k values of a signature are the signature of k permutations.
    Raises ValueError when `ngram` is not in 1..64 or `permutations` not in 1..1024.
    """
    if permutations is not None and not 1 <= permutations <= MAX_PERMUTATIONS:
        raise ValueError(f"permutations is {permutations}; it must be 1 to {MAX_PERMUTATIONS}")
    batches = [_sign(part, ngram, permutations) for part in buffers(texts)]
    return pa.Table.from_batches(batches, SCHEMA)


def _sign(texts: Texts, ngram: int, permutations: int | None) -> pa.RecordBatch:
    room = bench(texts, ngram)
    factors, shifts = _orders(permutations or 0)
    counts = np.zeros(len(texts), np.int64)
    signatures = np.full((len(texts), len(factors)), _HIGHEST, np.uint32)
    table = np.zeros(slots(len(room.out)), np.uint64)
    _sign_all(*texts, *room.alphabet, room.ring, room.out, table, factors, shifts, counts, signatures)
    signed = counts > 0 if permutations else np.zeros(len(texts), np.bool_)
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(signed * len(factors), out=offsets[1:])
    minhash = pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(signatures[signed].ravel()), mask=pa.array(~signed)
    )
    return pa.record_batch([pa.array(counts), minhash], schema=SCHEMA)


@cache
def _orders(permutations: int) -> tuple[Matrix, Matrix]:
    """The odd factor and the shift of each order: SplitMix64 (Steele, Lea, Flood 2014) from a fixed seed, the same for ever."""
    state, drawn = _SEED, []
    for _ in range(permutations):
        state = (state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        word = state
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            word = (word ^ word >> shift) * factor & 0xFFFFFFFFFFFFFFFF
        drawn.append(word ^ word >> 31)
    words = np.array(drawn, np.uint64)
    return (words >> _UPPER).astype(np.uint32) | np.uint32(1), (words & np.uint64(_HIGHEST)).astype(np.uint32)


def slots(items: int) -> int:
    """The power of two that leaves a hash table of `items` at most half full."""
    return 1 << max(4, (2 * items - 1).bit_length())


@inlined
def insert(table: Hashes, mask: int, value: np.uint64) -> int:
    """The slot of `value` in an open hash table of `mask + 1` slots, put there if it is new; -1 if it was there."""
    slot = np.int64(value & np.uint64(mask))
    while table[slot] != _EMPTY:
        if table[slot] == value:
            return -1
        slot = (slot + 1) & mask
    table[slot] = value
    return slot


@compiled
def _sign_all(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    classes: npt.NDArray[np.uint8],
    folds: npt.NDArray[np.uint32],
    ring: Hashes,
    found: Hashes,
    table: Hashes,
    factors: Matrix,
    shifts: Matrix,
    counts: npt.NDArray[np.int64],
    signatures: Matrix,
) -> None:
    """Fill `counts` and `signatures` text by text; `table` must hold twice the longest text's shingles."""
    for text in range(len(offsets) - 1):
        total = shingle(data, offsets[text], offsets[text + 1], classes, folds, ring, found)
        mask = 16  # only as much of the table as this text needs is cleared
        while mask < 2 * total:
            mask *= 2
        table[:mask] = _EMPTY
        distinct = 0
        for index in range(total):
            if insert(table, mask - 1, found[index]) >= 0:
                found[distinct] = found[index]
                distinct += 1
        counts[text] = distinct
        signature = signatures[text]
        for index in range(distinct):
            _lower(signature, np.uint32(found[index] >> _UPPER), factors, shifts)


@inlined
def _lower(signature: npt.NDArray[np.uint32], shingle: np.uint32, factors: Matrix, shifts: Matrix) -> None:
    """Let one shingle lower the minima. A loop this plain becomes vector instructions."""
    for order in range(len(factors)):
        signature[order] = min(signature[order], np.uint32(shingle * factors[order] + shifts[order]))


# ------------------------------------------------------------------------------------------------ exact


def exact_hashes(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A digest (32 hex digits, `schemas.fingerprint.digest`) of each text with every run of white space as one space and none at its ends.

    White space is what `str.split()` takes for it. Case, punctuation and invisible format characters count.
    """
    digests: list[str] = []
    for part in buffers(texts):
        data = np.zeros(int(part.offsets[-1] - part.offsets[0]) + 1, np.uint8)
        ends = np.zeros(len(part), np.int64)
        _normalise(*part, _spaces(), data, ends)
        view, start = memoryview(data), 0
        for end in ends.tolist():
            digests.append(digest(view[start:end]))
            start = end
    return pa.array(digests, pa.string())


@cache
def _spaces() -> npt.NDArray[np.bool_]:
    return np.fromiter((chr(point).isspace() for point in range(0x3001)), np.bool_, count=0x3001)


@compiled
def _normalise(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    spaces: npt.NDArray[np.bool_],
    out: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
) -> None:
    """Copy every text to `out` with its white space normalised; text i ends at `ends[i]`, where the next begins."""
    size = 0
    for text in range(len(ends)):
        first, position, end = size, offsets[text], min(offsets[text + 1], len(data))
        pending = False
        while position < end:
            point, width = np.int64(data[position]), 1
            if point >= 0x80:
                point, width = decode(data, position, end)
            if point < len(spaces) and spaces[point]:
                pending = size > first
            else:
                if pending:
                    out[size] = 32
                    size += 1
                    pending = False
                for index in range(width):
                    out[size] = data[position + index]
                    size += 1
            position += width
        ends[text] = size
