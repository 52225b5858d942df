"""Which kept documents still have a near one beside them, by the signatures that the version publishes.

Signatures are cut into bands of ROWS values; of documents that share a band each is compared with the one before it in the order of
rows, and with the first. The share of equal values estimates the Jaccard similarity of the word n-grams (Broder 1997), with 112 of them to
about ± 0.05. Rejected: to shingle texts anew (an exact value that nobody needs, for minutes of work).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIMILAR = 0.5
"""Estimated Jaccard similarity from which two documents count as near. Dedup drops from 0.8 on by default; half is where a reader would say
that one was made of the other."""

ROWS = 3
"""With 37 bands of 3, a pair at 0.5 shares one with probability 0.99."""

Matrix = npt.NDArray[np.uint32]


def near(signatures: Matrix) -> npt.NDArray[np.bool_]:
    """Whether each row has another that is near: (documents, permutations) → (documents,)."""
    found = np.zeros(len(signatures), np.bool_)
    for start in range(0, signatures.shape[1] - ROWS + 1, ROWS):
        band = np.ascontiguousarray(signatures[:, start : start + ROWS])
        order = np.lexsort(band.T[::-1])
        same = (band[order[1:]] == band[order[:-1]]).all(axis=1)
        starts = np.flatnonzero(~np.concatenate([[False], same]))
        first = order[np.repeat(starts, np.diff([*starts, len(order)]))]
        later = np.flatnonzero(same) + 1
        for one, other in ((order[later - 1], order[later]), (first[later], order[later])):
            unsure = np.flatnonzero(~(found[one] & found[other]))
            alike = unsure[_estimate(signatures, one[unsure], other[unsure]) >= SIMILAR]
            found[one[alike]] = True
            found[other[alike]] = True
    return found


def _estimate(
    signatures: Matrix, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    pieces = [
        (signatures[one[start : start + 16_384]] == signatures[other[start : start + 16_384]]).mean(axis=1)
        for start in range(0, len(one), 16_384)
    ]
    return np.concatenate([np.zeros(0), *pieces])
