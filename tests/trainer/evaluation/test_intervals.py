"""Bootstrap intervals: as wide as theory says, paired, and drawn by groups."""

import math

import numpy as np
import pytest

from trainer.evaluation.intervals import Interval, group_sums, intervals, share


def of(values, weights=None, **more):
    weights = np.ones(len(values)) if weights is None else weights
    return intervals({"mean": values}, weights, {}, **more)["mean"]


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_where_that_holds():
    values = np.random.default_rng(1).normal(3, 2, 400)
    error = values.std() / math.sqrt(len(values))
    found = of(values)
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_about_95_of_100_intervals_hold_the_truth():
    """Of 200 samples of 40 skewed draws each; a percentile interval comes out a little narrow there, so 88 to 98 %."""
    random = np.random.default_rng(2)
    held = sum(
        found.low <= 1 <= found.high for found in (of(random.exponential(1, 40), seed=n) for n in range(200))
    )
    assert 176 <= held <= 196


def test_a_ratio_is_drawn_whole_so_that_long_documents_weigh_by_their_tokens():
    tokens = np.array([1.0, 1000.0])
    found = of(np.array([9.0, 2000.0]), tokens)
    assert found == Interval(2.0, 9.0)  # one document twice, or the other


def test_a_difference_on_the_same_draws_is_narrower_than_what_it_is_made_of():
    random = np.random.default_rng(3)
    base = random.normal(3, 1, 60)
    tuned = base - 0.1 + random.normal(0, 0.01, 60)
    found = intervals({"base": base, "tuned": tuned}, np.ones(60), {"change": ("tuned", "base")})
    assert -0.11 < found["change"].low < found["change"].high < -0.09
    assert found["base"].high - found["base"].low > 20 * (found["change"].high - found["change"].low)


def test_copies_within_a_group_do_not_narrow_the_interval():
    values = np.random.default_rng(4).normal(3, 1, 30)
    copies, numbers = np.repeat(values, 50)[:, None], np.repeat(np.arange(30), 50)
    alone, sums = of(values), group_sums(copies, numbers)
    grouped, by_copy = of(sums[:, 0], np.full(30, 50.0)), of(copies[:, 0])
    assert grouped.low == pytest.approx(alone.low)
    assert by_copy.high - by_copy.low < 0.3 * (grouped.high - grouped.low)


def test_the_same_seed_gives_the_same_interval_and_another_a_close_one():
    values = np.random.default_rng(5).normal(3, 1, 100)
    assert of(values, seed=1) == of(values, seed=1) != of(values, seed=2)
    assert of(values, seed=1).low == pytest.approx(of(values, seed=2).low, abs=0.05)


def test_one_group_has_no_interval_and_no_number_has_one_of_none():
    assert intervals({"mean": np.ones(1)}, np.ones(1), {}) == {}
    broken = of(np.array([1.0, math.nan]))
    assert math.isnan(broken.low)
    assert math.isnan(broken.high)
    assert Interval(0.0, 1e4).exp() == Interval(1.0, math.inf)


@pytest.mark.parametrize(
    ("hits", "tried", "low", "high"), [(0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662), (10, 10, 0.7225, 1.0)]
)
def test_the_interval_of_a_share_is_wilsons(hits, tried, low, high):
    """81 of 263 is the example of Newcombe 1998, "Two-sided confidence intervals for the single proportion", method 3."""
    found = share(hits, tried)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
