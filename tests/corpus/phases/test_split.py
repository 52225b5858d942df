"""Splits: nothing related lies on two sides, and a document's place depends on its group alone."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from corpus.phases.split import ASSIGNMENT, PURGED, draw, split
from schemas.errors import SplitError
from schemas.recipe import Split
from schemas.tables import EDGES, GROUPS


def documents(groups):
    """A table for {doc_id: declared group or None}."""
    count = len(groups)
    return pa.table({
        "doc_id": pa.array(groups, pa.string()),
        "source": pa.array(["s"] * count, pa.string()),
        "url": pa.nulls(count, pa.string()),
        "group": pa.array(groups.values(), pa.string()),
    })


def edges(*pairs):
    ordered = sorted(tuple(sorted(pair)) for pair in pairs)
    columns = [[pair[0] for pair in ordered], [pair[1] for pair in ordered], [0.9] * len(ordered)]
    return pa.table(columns, schema=EDGES)


def alone(count, prefix="d"):
    return {f"{prefix}{number:04}": None for number in range(count)}


def places(placed):
    return {row["doc_id"]: row["split"] for row in placed.assignment.to_pylist()}


def test_a_thread_stays_together_and_shares_come_close_to_what_was_asked():
    groups = {f"d{number:04}": f"thread {number // 4}" for number in range(4000)}
    placed = split(documents(groups), groups, edges(), Split(val=0.1, test=0.2))
    found = places(placed)
    assert all(found[f"d{number:04}"] == found[f"d{number - number % 4:04}"] for number in range(4000))
    shares = {name: list(found.values()).count(name) / 4000 for name in ("train", "val", "test")}
    assert shares == {
        "train": pytest.approx(0.7, abs=0.04),
        "val": pytest.approx(0.1, abs=0.03),
        "test": pytest.approx(0.2, abs=0.04),
    }


def test_a_component_is_drawn_by_its_smallest_group():
    groups = alone(300)
    options = Split(val=0.3, test=0.3, seed=3)
    found = places(split(documents(groups), groups, edges(("d0007", "d0200"), ("d0200", "d0123")), options))
    for doc_id, where in found.items():
        u = draw(3, "d0007" if doc_id in ("d0123", "d0200") else doc_id)
        assert where == ("test" if u < 0.3 else "val" if u < 0.6 else "train")


def test_groups_that_a_dropped_document_joins_lie_together_and_what_is_dropped_is_not_placed():
    groups = {**alone(200), "x1": "one", "x2": "two", "gone": "one", "gone2": "three"}
    kept = [doc_id for doc_id in groups if not doc_id.startswith("gone")]
    placed = split(
        documents(groups), kept, edges(("gone", "gone2"), ("gone2", "x2")), Split(val=0.4, test=0.3)
    )
    found = places(placed)
    assert found.keys() == set(kept)
    assert found["x1"] == found["x2"]
    rows = {row["group_id"]: row for row in placed.groups.to_pylist()}
    ids = {row["doc_id"]: row["group_id"] for row in placed.assignment.to_pylist()}
    assert rows[ids["x1"]]["component"] == rows[ids["x2"]]["component"] == min(ids["x1"], ids["x2"])
    assert len(rows) == 202  # group "three" has no kept document


def test_a_document_that_arrives_later_moves_no_other():
    groups = alone(200)
    options = Split(val=0.2, test=0.2)
    before = places(split(documents(groups), groups, edges(), options))
    more = {**groups, "new": None}
    after = places(split(documents(more), more, edges(), options))
    assert {doc_id: after[doc_id] for doc_id in before} == before


def test_a_component_too_large_is_cut_back_and_its_overlap_purged():
    """60 documents in a chain, more than max(1 %, 50): each goes its own way, and where neighbours part, val and test give way."""
    groups = alone(60)
    names = sorted(groups)
    chain = list(pairwise(names))
    placed = split(documents(groups), groups, edges(*chain), Split(val=0.3, test=0.3))
    found = places(placed)
    purged = {row["doc_id"]: row for row in placed.purged.to_pylist()}
    assert purged
    assert found.keys() | purged.keys() == set(names)
    assert not found.keys() & purged.keys()
    assert all(found[a] == found[b] for a, b in chain if a in found and b in found)
    assert placed.groups.column("component").to_pylist() == placed.groups.column("group_id").to_pylist()
    for doc_id, row in purged.items():
        partner, where = row["detail"].removeprefix("near ").split(" of ")
        assert row["reason"] == "overlap"
        assert tuple(sorted((doc_id, partner))) in chain
        assert found[partner] == where


def test_a_component_within_the_limit_is_never_cut():
    groups = alone(50)
    star = [("d0000", name) for name in sorted(groups)[1:]]
    more = {**groups, **alone(30, "e")}
    found = places(split(documents(more), more, edges(*star), Split(val=0.3, test=0.3)))
    assert len({found[name] for name in groups}) == 1


def test_documents_near_one_dropped_document_overlap_but_longer_chains_do_not():
    """A star of 60 kept documents around `hub`, dropped; and around `far`, dropped too, others: hub and far are alike."""
    near, other = alone(60, "n"), alone(60, "o")
    groups = {**near, **other, **alone(30, "free"), "hub": None, "xfar": None}
    pairs = [("hub", name) for name in near] + [("xfar", name) for name in other] + [("hub", "xfar")]
    options = Split(val=0.2, test=0.2)
    placed = split(documents(groups), groups.keys() - {"hub", "xfar"}, edges(*pairs), options)
    partners = {(row["doc_id"][0], row["detail"].split()[1][0]) for row in placed.purged.to_pylist()}
    assert partners == {("n", "n"), ("o", "o")}
    # Every star has documents in train, so none of its others may stay in val or test.
    assert {where for name, where in places(placed).items() if name[0] in "no"} == {"train"}


@pytest.mark.parametrize("count", [4, 5, 6])
@pytest.mark.parametrize("seed", range(12))
def test_a_split_that_draws_nothing_takes_the_lowest_of_train(count, seed):
    groups = alone(count)
    found = places(split(documents(groups), groups, edges(), Split(val=0.05, test=0.05, seed=seed)))
    assert set(found.values()) == {"train", "val", "test"}
    in_train = sorted((name for name in groups if draw(seed, name) >= 0.1), key=lambda name: draw(seed, name))
    moved = {name for name in in_train if found[name] != "train"}
    assert moved == set(in_train[: len(moved)])


def test_train_too_is_never_left_empty():
    for seed in range(40):
        groups = alone(3)
        found = places(split(documents(groups), groups, edges(), Split(val=0.01, test=0.98, seed=seed)))
        assert set(found.values()) == {"train", "val", "test"}


def test_without_val_and_test_all_is_train():
    groups = alone(3)
    placed = split(documents(groups), groups, edges(), Split(val=0, test=0))
    assert set(places(placed).values()) == {"train"}
    assert (placed.assignment.schema, placed.groups.schema, placed.purged.schema) == (
        ASSIGNMENT,
        GROUPS,
        PURGED,
    )


def test_fewer_groups_than_splits_is_an_error_that_says_so():
    groups = {"a": "t", "b": "t", "c": None, "d": None}
    with pytest.raises(
        SplitError,
        match=r"form 2 groups \(3 groups, 1 of them joined.*too few for 3 splits.*val = 0 or test = 0",
    ) as error:
        split(documents(groups), groups, edges(("c", "d")), Split())
    assert error.value.exit_code == 2
    assert set(places(split(documents(groups), groups, edges(("c", "d")), Split(test=0))).values()) == {
        "train",
        "val",
    }


def test_a_split_that_purging_empties_is_an_error_that_says_so():
    groups = alone(60)
    star = [("hub", name) for name in groups]
    with pytest.raises(SplitError, match=r"every document of (test|val) lies near one of another split"):
        split(documents({**groups, "hub": None}), groups, edges(*star), Split(val=0.2, test=0.2))


def test_an_edge_to_an_unknown_document_is_refused():
    with pytest.raises(ValueError, match="not among those to split"):
        split(documents(alone(5)), alone(5), edges(("d0000", "stranger")), Split())


MEMBERS = [f"m{number:02}" for number in range(14)]
PAIRS = st.lists(
    st.tuples(st.sampled_from(MEMBERS), st.sampled_from(MEMBERS)).filter(lambda pair: pair[0] != pair[1]),
    max_size=8,
)


@given(
    st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from([None, "t1", "t2", "t3"])),
    PAIRS,
    st.sets(st.sampled_from(MEMBERS)),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_changes_nothing_and_no_group_or_edge_is_torn(declared, pairs, dropped, seed, rng):
    groups = {**dict.fromkeys(MEMBERS), **alone(6), **declared}
    kept = [name for name in groups if name not in dropped]
    options = Split(val=0.2, test=0.2, seed=seed)
    shuffled = dict(rng.sample(sorted(groups.items()), len(groups)))
    try:
        placed = split(documents(groups), kept, edges(*pairs), options)
    except SplitError:
        with pytest.raises(SplitError):
            split(documents(shuffled), kept, edges(*pairs), options)
        return
    assert (
        split(
            documents(shuffled), rng.sample(kept, len(kept)), edges(*rng.sample(pairs, len(pairs))), options
        )
        == placed
    )
    found = places(placed)
    for a, b in [*pairs, *[(a, b) for a in groups for b in groups if groups[a] and groups[a] == groups[b]]]:
        assert a not in found or b not in found or found[a] == found[b]
