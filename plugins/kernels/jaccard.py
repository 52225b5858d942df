"""Exact Jaccard similarity of shingle sets by merging sorted arrays."""

from __future__ import annotations

import numpy as np

from plugins.kernels.compiled import compiled
from plugins.kernels.words import Hashes

UNLIKE = -1.0
"""Stands for every similarity below the threshold."""


@compiled
def similarity(a: Hashes, b: Hashes, threshold: float) -> float:
    """|a and b| / |a or b| of two ascending arrays without repeats, or UNLIKE as soon as it cannot reach `threshold`.

    With threshold 0 it is always computed. Two empty sets resemble nothing: UNLIKE.
    """
    smaller, larger = min(len(a), len(b)), max(len(a), len(b))
    if larger == 0 or smaller / larger < threshold:
        return UNLIKE
    # Shared elements needed: s / (|a| + |b| - s) >= t; one fewer, so that rounding can never end the merge too early.
    needed = int(threshold * (smaller + larger) / (1.0 + threshold)) - 1
    i, j, shared = 0, 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            shared += 1
            i += 1
            j += 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
        if shared + min(len(a) - i, len(b) - j) < needed:
            return UNLIKE
    found = np.float64(shared) / np.float64(smaller + larger - shared)
    return found if found >= threshold else UNLIKE
