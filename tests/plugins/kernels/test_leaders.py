"""The leader-first pass against its definition in plain Python, on small random sets."""

import numpy as np
from hypothesis import given, strategies as st

from plugins.kernels.components import components
from plugins.kernels.leaders import Buckets, leaders

SETS = st.lists(st.sets(st.integers(1, 12), min_size=1, max_size=9), min_size=2, max_size=14)
THRESHOLDS = st.sampled_from([0.3, 0.5, 0.6, 0.75, 1.0])


def jaccard(a, b):
    return len(a & b) / len(a | b)


def run(sets, threshold, cap=1000, buckets=1):
    """All documents in `buckets` buckets together."""
    flat = np.array([value for found in sets for value in sorted(found)], np.uint64)
    bounds = np.cumsum([0, *map(len, sets)])
    members = Buckets(np.arange(len(sets) + 1) * buckets, np.tile(np.arange(buckets), len(sets)))
    return leaders(flat, bounds, members, threshold, cap)


def by_definition(sets, threshold):
    """Keep a document unless one alike is kept; its leader is the most similar kept one, the earlier of equals."""
    leader = []
    for index, own in enumerate(sets):
        near = [(-jaccard(own, sets[other]), other) for other in range(index) if leader[other] == other]
        near = [(distance, other) for distance, other in near if -distance >= threshold]
        leader.append(min(near)[1] if near else index)
    return leader


@given(SETS, THRESHOLDS, st.integers(1, 3))
def test_leaders_are_those_of_the_definition(sets, threshold, buckets):
    found = run(sets, threshold, buckets=buckets)
    assert found.leader.tolist() == by_definition(sets, threshold)
    assert found.likeness.tolist() == [
        jaccard(own, sets[lead]) for own, lead in zip(sets, found.leader, strict=True)
    ]
    assert found.capped == 0


@given(SETS, THRESHOLDS)
def test_pairs_are_true_and_complete_up_to_connection(sets, threshold):
    found = run(sets, threshold)
    pairs = {
        (int(b), int(a)): value for a, b, value in zip(found.a, found.b, found.pair_likeness, strict=True)
    }
    true = {
        (i, j): jaccard(sets[i], sets[j])
        for j in range(len(sets))
        for i in range(j)
        if jaccard(sets[i], sets[j]) >= threshold
    }
    assert pairs.items() <= true.items()
    assert len(pairs) == len(found.a)
    kept = {index for index, lead in enumerate(found.leader.tolist()) if lead == index}
    assert {pair for pair in true if kept & set(pair)} <= pairs.keys()
    joined = [
        components(len(sets), *np.array(list(some), np.int64).reshape(-1, 2).T).tolist()
        for some in (pairs, true)
    ]
    assert joined[0] == joined[1]


@given(SETS, THRESHOLDS, st.integers(0, 14))
def test_fixed_documents_stay_and_others_yield_to_them(sets, threshold, fixed):
    """As if the fixed ones had been kept before, whatever they are to one another."""
    fixed = min(fixed, len(sets))
    flat = np.array([value for found in sets for value in sorted(found)], np.uint64)
    bounds = np.cumsum([0, *map(len, sets)])
    members = Buckets(np.arange(len(sets) + 1), np.zeros(len(sets), np.int64))
    found = leaders(flat, bounds, members, threshold, 1000, fixed)
    leader = list(range(fixed))
    for index in range(fixed, len(sets)):
        near = [
            (-jaccard(sets[index], sets[other]), other) for other in range(index) if leader[other] == other
        ]
        near = [pair for pair in near if -pair[0] >= threshold]
        leader.append(min(near)[1] if near else index)
    assert found.leader.tolist() == leader
    assert min([*found.a.tolist(), *found.b.tolist()], default=fixed) >= fixed


@given(SETS, THRESHOLDS, st.integers(1, 4))
def test_a_cap_never_drops_a_document_without_proof(sets, threshold, cap):
    found = run(sets, threshold, cap=cap)
    for own, lead, likeness in zip(
        range(len(sets)), found.leader.tolist(), found.likeness.tolist(), strict=True
    ):
        assert found.leader[lead] == lead
        assert likeness == jaccard(sets[own], sets[lead])
        assert likeness >= threshold
    kept = (found.leader == np.arange(len(sets))).sum()
    assert found.capped == (kept > cap)
    assert found.proposed <= 2 * cap * len(sets)
