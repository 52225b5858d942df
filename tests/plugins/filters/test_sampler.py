import polars as pl
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters.sampler import Sampler

IDS = [f"{number:032x}" for number in range(4000)]


def drawn(ids, **options):
    documents = pl.DataFrame(
        {"text": [None] * len(ids), "doc_id": ids}, schema={"text": pl.String, "doc_id": pl.String}
    )
    return Sampler(rate=0.5, **options).score_documents(documents)["sampler_u"].to_list()


def kept(scores, rate):
    rule = Sampler(rate=rate).rules()[0]
    return (
        pl
        .DataFrame({"sampler_u": scores}, schema={"sampler_u": pl.Float64})
        .select(~rule.fails)
        .to_series()
        .to_list()
    )


def test_the_share_kept_is_the_rate_and_a_lower_rate_lies_within():
    scores = drawn(IDS)
    assert abs(sum(kept(scores, 0.3)) / len(IDS) - 0.3) < 0.03
    assert all(high or not low for low, high in zip(kept(scores, 0.3), kept(scores, 0.6), strict=True))
    assert all(kept(scores, 1))
    assert not any(kept(scores, 0))


@given(st.lists(st.text(), max_size=6), st.integers())
def test_a_draw_depends_on_the_document_and_the_seed_alone(ids, seed):
    together = drawn(ids, seed=seed)
    assert together == [one for doc_id in ids for one in drawn([doc_id], seed=seed)]
    assert all(0 <= one < 1 for one in together)


def test_another_seed_is_another_sample():
    one, two = (kept(drawn(IDS, seed=seed), 0.5) for seed in (0, 1))
    assert 0.4 < sum(a == b for a, b in zip(one, two, strict=True)) / len(IDS) < 0.6


def test_a_draw_on_the_rate_goes():
    assert kept([0.5, 0.4999], 0.5) == [False, True]


def test_texts_without_an_id_are_not_drawn():
    assert Sampler(rate=0.5).score(pl.Series(["a", None])).rows() == [(None,), (None,)]


def test_draws_stay_what_they_were():
    assert drawn(["a"], seed=7) == [0.7046996301373819]


def test_the_rate_is_a_share_and_no_part_of_the_scores_identity():
    assert Sampler(rate=0.1).identity(without=Threshold) == Sampler(rate=0.9).identity(without=Threshold)
    with pytest.raises(ValidationError):
        Sampler(rate=30)
