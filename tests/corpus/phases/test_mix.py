"""mix drops whole documents by cap and weight: by draw, whatever the order of the rows, and no more than asked."""

from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, strategies as st

from corpus.phases.mix import mix
from corpus.phases.split import draw
from schemas.errors import MixError
from schemas.recipe_mix import Mix

COLUMNS = {
    "doc_id": pl.String,
    "source": pl.String,
    "url": pl.String,
    "author": pl.String,
    "group": pl.String,
    "n_chars": pl.Int64,
}


def documents(rows: list[dict[str, Any]]) -> pl.DataFrame:
    numbered = [{"doc_id": f"{n:032x}", "n_chars": 100, "source": "s", **row} for n, row in enumerate(rows)]
    return pl.DataFrame([{name: row.get(name) for name in COLUMNS} for row in numbered], schema=COLUMNS)


def left(frame: pl.DataFrame, **options: Any) -> pl.DataFrame:
    return frame.join(mix(frame, Mix(**options)).dropped, on="doc_id", how="anti")


def shares(frame: pl.DataFrame) -> dict[str, float]:
    total = frame["n_chars"].sum()
    return dict(frame.group_by("source").agg(pl.col("n_chars").sum() / total).iter_rows())


def sources(**sizes: int) -> pl.DataFrame:
    return documents([{"source": name} for name, size in sizes.items() for _ in range(size)])


def test_weights_change_the_shares_of_sources_and_the_scarcest_stays_whole() -> None:
    kept = left(sources(forum=100, web=300), weights={"forum": 3.0})
    assert shares(kept) == pytest.approx({"forum": 0.5, "web": 0.5}, abs=0.01)
    assert kept.filter(source="forum").height == 100


def test_temperature_draws_sources_together() -> None:
    frame = sources(small=100, big=900)
    assert shares(left(frame, temperature=2.0)) == pytest.approx({"small": 0.25, "big": 0.75}, abs=0.01)
    assert shares(left(frame, temperature=1e9)) == pytest.approx({"small": 0.5, "big": 0.5}, abs=0.01)


def test_weights_that_are_all_alike_drop_nothing() -> None:
    frame = sources(a=7, b=1, c=40)
    assert left(frame, weights={"a": 2.0, "b": 2.0, "c": 2.0}).height == frame.height


def test_a_source_never_vanishes() -> None:
    frame = documents([{"source": "forum", "n_chars": 10}, {"source": "web", "n_chars": 10_000}])
    assert set(left(frame, weights={"forum": 5.0})["source"]) == {"forum", "web"}


@pytest.mark.parametrize(
    ("kind", "same", "other"),
    [
        ("site", {"url": "https://www.example.org/a"}, {"url": "https://example.com/"}),
        ("author", {"author": "Ada"}, {"author": "Ada", "source": "t"}),
        ("thread", {"group": "inn"}, {"group": "inn", "source": "t"}),
    ],
)
def test_a_cap_counts_a_site_an_author_a_thread_and_passes_over_documents_of_none(
    kind: str, same: dict[str, Any], other: dict[str, Any]
) -> None:
    frame = documents([*[same] * 9, *[other] * 4, *[{}] * 6])
    found = mix(frame, Mix(cap={kind: 5}))
    assert set(found.dropped["reason"]) == {f"cap:{kind}"}
    assert found.dropped["doc_id"].is_in(frame["doc_id"].head(9).implode()).all()
    assert found.dropped.height == 4
    assert "of 9 from" in found.dropped["detail"][0]


def test_the_first_cap_that_drops_a_document_is_its_reason() -> None:
    frame = documents([{"url": "https://a.org/", "author": "Ada"}] * 4)
    dropped = mix(frame, Mix(cap={"site": 3, "author": 1})).dropped
    assert sorted(dropped["reason"]) == ["cap:author", "cap:author", "cap:site"]


def test_a_share_cap_holds_of_what_it_leaves() -> None:
    frame = documents([{"author": "loud"}] * 60 + [{"author": f"quiet {n}"} for n in range(10)] + [{}] * 10)
    kept = left(frame, max_share={"author": 0.2})
    loud = kept.filter(author="loud").height
    assert loud <= 0.2 * kept.height
    assert loud + 1 > 0.2 * (kept.height + 1)


def test_a_share_cap_that_cannot_be_reached_is_said() -> None:
    frame = documents([{"author": name} for name in "abc" for _ in range(5)])
    with pytest.raises(MixError, match=r"name 3 authors.*one of them holds 33%"):
        mix(frame, Mix(max_share={"author": 0.3}))


def test_what_stays_of_a_thinned_source_is_not_what_the_split_holds_back() -> None:
    """Both draw by doc_id, with the same default seed."""
    kept = left(sources(a=100, b=2000), weights={"a": 20.0}).filter(source="b")
    low = sum(draw(7, doc_id) < 0.1 for doc_id in kept["doc_id"])
    assert kept.height == 100
    assert low < 30


def test_counts_say_what_was_there_what_was_asked_and_what_stays() -> None:
    counts = mix(sources(forum=10, web=30), Mix(weights={"forum": 3.0}, cap={"site": 5})).counts
    assert counts["weight"] == 20
    assert [counts[f"{key}:web"] for key in ("chars_before", "chars_target", "chars")] == [3000, 1000, 1000]
    assert [counts[f"{key}:forum"] for key in ("chars_before", "chars_target", "chars")] == [1000, 1000, 1000]


# ------------------------------------------------------------------------------------------------ as properties

ROWS = st.lists(
    st.fixed_dictionaries({
        "source": st.sampled_from(["s", "t"]),
        "url": st.sampled_from([None, "https://a.org/1", "https://b.org/1"]),
        "author": st.sampled_from([None, "x", "y"]),
        "group": st.sampled_from([None, "g", "h"]),
        "n_chars": st.integers(0, 500),
    }),
    max_size=30,
)
CAPS = st.fixed_dictionaries({}, optional={kind: st.integers(1, 6) for kind in ("site", "author", "thread")})
WEIGHTS = st.fixed_dictionaries({}, optional={"s": st.floats(0.1, 9), "t": st.floats(0.1, 9)})


@given(ROWS, CAPS, WEIGHTS, st.floats(1, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    rows: list[dict[str, Any]],
    cap: dict[str, int],
    weights: dict[str, float],
    temperature: float,
    random: Any,
) -> None:
    options = Mix(cap=cap, weights=weights, temperature=temperature)
    frame = documents(rows)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=random.randint(0, 99))
    first, second = mix(frame, options), mix(shuffled, options)
    assert first.dropped.equals(second.dropped)
    assert first.counts == second.counts


@given(ROWS, CAPS, st.sampled_from(["site", "author", "thread"]), st.integers(0, 5))
def test_raising_a_cap_only_adds_documents(
    rows: list[dict[str, Any]], cap: dict[str, int], kind: str, more: int
) -> None:
    assume(kind in cap)
    frame = documents(rows)
    tight, loose = left(frame, cap=cap), left(frame, cap={**cap, kind: cap[kind] + more})
    assert set(tight["doc_id"]) <= set(loose["doc_id"])


@given(ROWS, st.floats(0.5, 1), st.floats(0, 0.5))
def test_raising_a_share_cap_only_adds_documents(
    rows: list[dict[str, Any]], share: float, more: float
) -> None:
    frame = documents(rows)
    try:
        tight = left(frame, max_share={"author": share})
    except MixError:
        return
    loose = left(frame, max_share={"author": min(1.0, share + more)})
    assert set(tight["doc_id"]) <= set(loose["doc_id"])


@given(ROWS, CAPS, WEIGHTS)
def test_no_cap_is_exceeded_and_no_source_is_further_from_its_target_than_half_a_document(
    rows: list[dict[str, Any]], cap: dict[str, int], weights: dict[str, float]
) -> None:
    assume(cap or weights)
    frame = documents(rows)
    found = mix(frame, Mix(cap=cap, weights=weights))
    kept = frame.join(found.dropped, on="doc_id", how="anti")
    if "author" in cap:
        sizes = kept.filter(pl.col("author").is_not_null()).group_by("source", "author").len()["len"]
        assert (sizes.max() or 0) <= cap["author"]
    for source in set(kept["source"]):
        longest = frame.filter(source=source)["n_chars"].max()
        apart = abs(found.counts[f"chars:{source}"] - found.counts[f"chars_target:{source}"])
        assert apart <= max(longest, 1)
