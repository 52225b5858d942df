"""The leader-first pass: who stays, whom the others repeat, and every pair that was proven alike.

Documents come in survivor order. Each is compared with those already kept that share a bucket with it; when one of them
reaches the threshold the document is dropped in favour of the most similar. So a dropped document is always near one that stays,
and a chain of small differences does not melt into one document, as connected components would have it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plugins.kernels.compiled import compiled
from plugins.kernels.components import find, join
from plugins.kernels.jaccard import similarity
from plugins.kernels.words import Hashes

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Buckets(NamedTuple):
    """Which buckets each document is in: those of document d are `buckets[offsets[d]:offsets[d + 1]]`, numbered from 0."""

    offsets: Numbers
    buckets: Numbers


class Leaders(NamedTuple):
    """What the pass found, for documents numbered in survivor order."""

    leader: Numbers
    """The kept document that each repeats: itself where it is kept."""
    likeness: Floats
    """Jaccard similarity to the leader; 1 where it is kept."""
    a: Numbers
    """First end of each proven pair …"""
    b: Numbers
    """… second end, earlier in survivor order …"""
    pair_likeness: Floats
    """… and its similarity."""
    proposed: int
    """Distinct pairs that shared a bucket and were considered."""
    compared: int
    """Those of them whose similarity was computed; the others differ too much in size."""
    capped: int
    """Buckets with more kept documents than were compared with."""


def leaders(sets: Hashes, bounds: Numbers, members: Buckets, threshold: float, cap: int) -> Leaders:
    """Run the pass over shingle sets `sets[bounds[d]:bounds[d + 1]]`, comparing with the first `cap` kept of each bucket.

    Each is also compared with the first `cap` dropped of each bucket, for the pairs' sake. Two dropped documents are compared only
    while that can still join two components: what is already known to be connected needs no second proof.
    """
    sizes = np.bincount(members.buckets)
    rooms = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(np.minimum(sizes, cap), out=rooms[1:])
    return Leaders(*_pass(sets, bounds, members.offsets, members.buckets, rooms, threshold))


@compiled
def _pass(
    sets: Hashes, bounds: Numbers, offsets: Numbers, buckets: Numbers, rooms: Numbers, threshold: float
) -> tuple[Numbers, Floats, Numbers, Numbers, Floats, int, int, int]:
    documents = len(bounds) - 1
    leader, likeness = np.arange(documents), np.ones(documents)
    seen, parent = np.full(documents, -1), np.arange(documents)
    # Two lists a bucket, each with room for `cap`: kept documents (0) and dropped ones (1).
    listed, counts = np.zeros((2, rooms[-1]), np.int64), np.zeros((2, len(rooms) - 1), np.int64)
    capped = np.zeros(len(rooms) - 1, np.bool_)
    a, b, pairs = np.zeros(64, np.int64), np.zeros(64, np.int64), np.zeros(64)
    size, proposed, compared = 0, 0, 0
    for document in range(documents):
        own = sets[bounds[document] : bounds[document + 1]]
        best, best_likeness = -1, -1.0
        for kind in range(2 if len(own) else 0):  # the kept decide first, the dropped only add pairs
            for membership in range(offsets[document], offsets[document + 1]):
                bucket = buckets[membership]
                for place in range(rooms[bucket], rooms[bucket] + counts[kind, bucket]):
                    other = listed[kind, place]
                    if seen[other] == document:
                        continue
                    seen[other] = document
                    if kind == 1 and best >= 0 and find(parent, other) == find(parent, document):
                        continue
                    proposed += 1
                    length = bounds[other + 1] - bounds[other]
                    if min(length, len(own)) / max(length, len(own)) < threshold:
                        continue
                    compared += 1
                    found = similarity(own, sets[bounds[other] : bounds[other + 1]], threshold)
                    if found < threshold:
                        continue
                    if size == len(a):
                        a, b, pairs = np.append(a, a), np.append(b, b), np.append(pairs, pairs)
                    a[size], b[size], pairs[size] = document, other, found
                    size += 1
                    join(parent, document, other)
                    if kind == 0 and (found > best_likeness or (found == best_likeness and other < best)):
                        best, best_likeness = other, found
        kind = 0
        if best >= 0:
            leader[document], likeness[document], kind = best, best_likeness, 1
        for membership in range(offsets[document], offsets[document + 1]):
            bucket = buckets[membership]
            if rooms[bucket] + counts[kind, bucket] < rooms[bucket + 1]:
                listed[kind, rooms[bucket] + counts[kind, bucket]] = document
                counts[kind, bucket] += 1
            elif kind == 0:
                capped[bucket] = True
    return leader, likeness, a[:size], b[:size], pairs[:size], proposed, compared, capped.sum()
