"""leakage: how much of val and test stands in train, measured on the published text.

Distinct word 13-grams, as GPT-3 counted contamination (Brown et al. 2020, appendix C), and as a share of the document, as Llama 2
judged it (Touvron et al. 2023, appendix A.6). A document of fewer than 13 words is one shingle of all its words: it leaks when
train holds a document of just these words. The splits themselves were made without these numbers: this is the proof, not the means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from plugins.kernels.presence import Presence
from plugins.kernels.words import Hashes, distinct, shingles
from schemas.manifest import LeakageCertificate

NGRAM = 13

Texts = Iterable[pa.Array | pa.ChunkedArray]


def certificate(
    train: Texts, val: Texts, test: Texts, bound: float, ngram: int = NGRAM
) -> LeakageCertificate:
    """Measure the overlap of each val and test document with train.

    The arguments are batches of text columns. `train` is read once, in passing; memory holds the shingles of val and test, 8 bytes
    a word and some 40 more for the table over them. A document leaks when its share of shingles met in train is above `bound`.
    A split without documents has mean overlap 0, and so has a document without words.
    """
    held = {"val": _sets(val, ngram), "test": _sets(test, ngram)}
    every = [hashes for sets in held.values() for hashes in sets]
    presence = Presence(distinct(np.concatenate(every)) if every else np.zeros(0, np.uint64), ngram)
    for texts in train:
        presence.meet(texts)
    shares = {
        split: [presence.met(hashes) / len(hashes) if len(hashes) else 0.0 for hashes in sets]
        for split, sets in held.items()
    }
    return LeakageCertificate(
        ngram=ngram,
        bound=bound,
        val_documents=len(shares["val"]),
        val_leaking=_leaking(shares["val"], bound),
        val_mean_overlap=_mean(shares["val"]),
        test_documents=len(shares["test"]),
        test_leaking=_leaking(shares["test"], bound),
        test_mean_overlap=_mean(shares["test"]),
    )


def _sets(texts: Texts, ngram: int) -> list[Hashes]:
    return [distinct(hashes) for column in texts for hashes in shingles(column, ngram)]


def _leaking(shares: list[float], bound: float) -> int:
    return sum(share > bound for share in shares)


def _mean(shares: list[float]) -> float:
    """Summed exactly, so that the order of documents cannot show in the last digit."""
    return math.fsum(shares) / len(shares) if shares else 0.0
