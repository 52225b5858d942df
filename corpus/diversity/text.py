"""Measures of a sample of texts. All are of words as `plugins.kernels.alphabet` cuts them, compared as hashes.

Repetition grows with the amount of text, and so do entropy and self-repetition; distinct-n falls. So everything but compression is
measured on passages: at most PASSAGE words of a document, at most WORDS together, which makes parts of a version comparable as soon as
they are large enough, and a smaller one look more diverse than it is, never less. Rejected: embeddings (a model would decide, and be
fetched), clusters of topics (their number is made up; the Vendi score needs none) and self-BLEU (quadratic, and ranks as
compression does: Shaib et al. 2024, Standardizing the Measurement of Text Diversity).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.diversity.records import TextMeasures
from plugins.kernels.words import Hashes, shingles

PASSAGE = 2_000
"""Words of a document, at most."""

WORDS = 200_000
"""Words of a part, at most."""

WINDOW = 2_000
"""n-grams in a window of distinct-n; fewer words than this and the measures of passages are not taken."""

DOCUMENTS = 20
"""Fewer documents, and what compares documents is not measured."""

SPREAD_DOCUMENTS = 200
"""Documents that are compared with each other for `spread`, at most."""

SMALLEST = 20_000
"""Fewer bytes, and compression is not measured: the header and the first window weigh too much."""

_BUCKETS = 1 << 14
_ZSTD_LEVEL = 9

Matrix = npt.NDArray[np.float64]


def text_measures(texts: pa.ChunkedArray, drawn: Sequence[int]) -> TextMeasures:
    """Measure `texts`, in document order; `drawn` are their numbers in order of draw: passages are taken of the first."""
    joined = "\n".join(text for text in texts.to_pylist() if text).encode()
    passages = _passages(texts, drawn)
    words = sum(len(hashes) for hashes in passages[1])
    enough, several = words >= WINDOW, len(passages[1]) >= DOCUMENTS and words >= WINDOW
    repeated, self_repetition = _repetition(passages[4]) if several else (None, None)
    grams = [passages[n] for n in (1, 2, 3)]
    return TextMeasures(
        documents=len(texts),
        characters=int(sum(len(text or "") for text in texts.to_pylist())),
        words=words,
        compression=len(joined) / len(zlib.compress(joined, 6)) if len(joined) >= SMALLEST else None,
        compression_far=len(joined) / _zstd(joined) if len(joined) >= SMALLEST else None,
        distinct=_three([_distinct(found) for found in grams]),
        entropy=_three([_entropy(found) if enough else None for found in grams]),
        repeated=repeated,
        self_repetition=self_repetition,
        spread=_spread(passages[1][:SPREAD_DOCUMENTS]) if several else None,
    )


def _three(values: list[float | None]) -> tuple[float | None, float | None, float | None]:
    return values[0], values[1], values[2]


def _zstd(data: bytes) -> int:
    return len(cast(bytes, pa.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(data, asbytes=True)))


def _passages(texts: pa.ChunkedArray, drawn: Sequence[int]) -> dict[int, list[Hashes]]:
    """n → the n-gram hashes of each passage, in document order; documents without words left out."""
    found = {n: [hashes[: PASSAGE - n + 1] for hashes in shingles(texts, n)] for n in (1, 2, 3, 4)}
    chosen, total = [], 0
    for number in drawn:
        size = len(found[1][number])
        if size and total + size <= WORDS:
            chosen.append(number)
            total += size
    chosen.sort()
    # A text of fewer words than n has one shingle of them all (plugins.kernels.words): that is no n-gram.
    return {
        n: [hashes[number] if len(found[1][number]) >= n else hashes[number][:0] for number in chosen]
        for n, hashes in found.items()
    }


def _distinct(grams: Sequence[Hashes]) -> float | None:
    """Different n-grams over all, in windows of WINDOW that lie end to end; None for less than one window."""
    stream = _joined(grams)
    windows = len(stream) // WINDOW
    if windows == 0:
        return None
    whole = np.sort(stream[: windows * WINDOW].reshape(windows, WINDOW), axis=1)
    return float((1 + (whole[:, 1:] != whole[:, :-1]).sum(axis=1)).mean() / WINDOW)


def _entropy(grams: Sequence[Hashes]) -> float:
    _, counts = np.unique(_joined(grams), return_counts=True)
    shares = counts / max(int(counts.sum()), 1)
    return float(-(shares * np.log2(shares)).sum())


def _joined(grams: Sequence[Hashes]) -> Hashes:
    return np.concatenate([np.zeros(0, np.uint64), *grams])


def _repetition(grams: Sequence[Hashes]) -> tuple[float, float]:
    """(share of 4-grams that another document has too, Salkar's self-repetition)."""
    once = [np.unique(hashes) for hashes in grams]
    known, documents = np.unique(_joined(once), return_counts=True)
    stream = _joined(grams)
    others = documents[np.searchsorted(known, stream)] - 1
    numbers = np.repeat(np.arange(len(grams)), [len(hashes) for hashes in grams])
    summed = np.bincount(numbers, weights=others, minlength=len(grams))
    return float((others > 0).mean()) if len(others) else 0.0, float(np.log1p(summed).mean())


def _spread(words: Sequence[Hashes]) -> float:
    """The Vendi score (Friedman and Dieng 2023): exp of the entropy of the eigenvalues of K / n, with K the cosines between the
    documents' TF-IDF vectors (words hashed to buckets, 1 + log tf, smoothed idf), over the number n of documents."""
    vectors = np.zeros((len(words), _BUCKETS))
    for vector, hashes in zip(vectors, words, strict=True):
        buckets, counts = np.unique(hashes % np.uint64(_BUCKETS), return_counts=True)
        vector[buckets.astype(np.int64)] = 1 + np.log(counts)
    present = (vectors > 0).sum(axis=0)
    vectors *= np.log((1 + len(words)) / (1 + present)) + 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(vectors @ vectors.T / len(words))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()) / len(words))
