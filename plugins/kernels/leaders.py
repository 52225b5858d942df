"""The leader-first pass: who stays, whom the others repeat, and every pair that was proven alike.

Documents come in survivor order. Each is compared with those already kept that share a bucket with it; when one of them
reaches the threshold the document is dropped in favour of the most similar. So a dropped document is always near one that stays,
and a chain of small differences does not melt into one document, as connected components would have it.

The first `fixed` documents are of another corpus: they stay whatever they resemble, are not compared with one another, and make no pairs.
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
    """Buckets with more kept, or more fixed, documents than were compared with."""


class _Task(NamedTuple):
    """What the pass reads."""

    sets: Hashes
    bounds: Numbers
    offsets: Numbers
    buckets: Numbers
    rooms: Numbers
    """The places of bucket b in each of the three lists are rooms[b] to rooms[b + 1]."""
    fixed: int
    """So many documents, the first ones, stay unasked."""


class _State(NamedTuple):
    """What the pass writes."""

    leader: Numbers
    likeness: Floats
    parent: Numbers
    """Union-find over proven pairs."""
    seen: Numbers
    """The last document that each was considered for."""
    listed: Numbers
    """Row 0: the fixed documents of each bucket; row 1: those kept; row 2: those dropped."""
    counts: Numbers
    """How many of its places each bucket has filled, in each of the three lists."""
    capped: npt.NDArray[np.bool_]
    tally: Numbers
    """Pairs proven, proposed, compared."""


class _Pairs(NamedTuple):
    """Room for proven pairs; renewed when it runs short."""

    a: Numbers
    b: Numbers
    likeness: Floats


PAIRS = 1 << 16
"""Proven pairs held before they are put aside."""

_FIXED, _KEPT, _DROPPED = 0, 1, 2
_PROVEN, _PROPOSED, _COMPARED = 0, 1, 2


def leaders(
    sets: Hashes, bounds: Numbers, members: Buckets, threshold: float, cap: int, fixed: int = 0
) -> Leaders:
    """Run the pass over shingle sets `sets[bounds[d]:bounds[d + 1]]`, comparing with the first `cap` kept of each bucket, and the first
    `cap` fixed.

    Each is also compared with the first `cap` dropped of each bucket, for the pairs' sake. Two dropped documents are compared only
    while that can still join two components: what is already known to be connected needs no second proof.
    """
    documents, sizes = len(bounds) - 1, np.bincount(members.buckets)
    rooms = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(np.minimum(sizes, cap), out=rooms[1:])
    task = _Task(sets, bounds, members.offsets, members.buckets, rooms, fixed)
    state = _State(
        leader=np.arange(documents),
        likeness=np.ones(documents),
        parent=np.arange(documents),
        seen=np.full(documents, -1),
        listed=np.zeros((3, rooms[-1]), np.int64),
        counts=np.zeros((3, len(sizes)), np.int64),
        capped=np.zeros(len(sizes), np.bool_),
        tally=np.zeros(3, np.int64),
    )
    most = 2 * cap * int(np.diff(members.offsets).max(initial=0))  # pairs that one document can add
    found, done = [_room(0)], 0
    while done < documents:
        pairs = _room(most + PAIRS)
        state.tally[_PROVEN] = 0
        done = _advance(task, state, pairs, done, PAIRS, threshold)
        found.append(_Pairs(*(column[: state.tally[_PROVEN]].copy() for column in pairs)))
    a, b, likeness = (np.concatenate(columns) for columns in zip(*found, strict=True))
    proposed, compared = state.tally[1:].tolist()
    return Leaders(state.leader, state.likeness, a, b, likeness, proposed, compared, int(state.capped.sum()))


def _room(size: int) -> _Pairs:
    return _Pairs(np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size))


@compiled
def _advance(task: _Task, state: _State, pairs: _Pairs, first: int, limit: int, threshold: float) -> int:
    """Decide documents from `first` on, until all are decided or more than `limit` pairs are proven; return the next one."""
    for document in range(first, len(task.bounds) - 1):
        if state.tally[_PROVEN] > limit:
            return document
        # _FIXED and _KEPT decide, _DROPPED only adds pairs. In a loop, since numba would compile for each constant apart.
        for kind in range(3 if document >= task.fixed else 0):
            leader, likeness = _compare(task, state, pairs, document, kind, threshold)
            decides = kind != _DROPPED and leader >= 0
            if decides and (state.leader[document] == document or likeness > state.likeness[document]):
                state.leader[document], state.likeness[document] = leader, likeness
        kind = _KEPT if state.leader[document] == document else _DROPPED
        kind = _FIXED if document < task.fixed else kind
        for membership in range(task.offsets[document], task.offsets[document + 1]):
            bucket = task.buckets[membership]
            place = task.rooms[bucket] + state.counts[kind, bucket]
            if place < task.rooms[bucket + 1]:
                state.listed[kind, place] = document
                state.counts[kind, bucket] += 1
            elif kind != _DROPPED:
                state.capped[bucket] = True
    return len(task.bounds) - 1


@compiled
def _compare(
    task: _Task, state: _State, pairs: _Pairs, document: int, kind: int, threshold: float
) -> tuple[int, float]:
    """Compare a document with those listed under `kind` in its buckets, but two dropped ones only if they are not yet connected.

    Returns the most similar and its similarity, the first of equals; (-1, -1.0) where none reaches the threshold.
    """
    both_dropped = kind == _DROPPED and state.leader[document] != document
    own = task.sets[task.bounds[document] : task.bounds[document + 1]]
    best, best_likeness = -1, -1.0
    for membership in range(task.offsets[document], task.offsets[document + 1]):
        bucket = task.buckets[membership]
        for place in range(task.rooms[bucket], task.rooms[bucket] + state.counts[kind, bucket]):
            other = state.listed[kind, place]
            if state.seen[other] == document:
                continue
            state.seen[other] = document
            if both_dropped and find(state.parent, other) == find(state.parent, document):
                continue
            state.tally[_PROPOSED] += 1
            theirs = task.sets[task.bounds[other] : task.bounds[other + 1]]
            if min(len(theirs), len(own)) / max(len(theirs), len(own), 1) < threshold:
                continue
            state.tally[_COMPARED] += 1
            found = similarity(own, theirs, threshold)
            if found < threshold:
                continue
            if kind != _FIXED:
                proven = state.tally[_PROVEN]
                pairs.a[proven], pairs.b[proven], pairs.likeness[proven] = document, other, found
                state.tally[_PROVEN] += 1
                join(state.parent, document, other)
            if found > best_likeness or (found == best_likeness and other < best):
                best, best_likeness = other, found
    return best, best_likeness
