"""The median stopping rule, by the numbers of its definition."""

import math

import pytest

from trainer.sweeping.median_rule import MedianRule, curve, median_of_averages

GOOD = ((100, 3.0), (200, 2.0), (300, 1.0))
FAIR = ((100, 3.4), (200, 3.0), (300, 2.9))
POOR = ((100, 3.8), (200, 3.6), (300, 3.5))


def val(step: int, loss: float, tokens: int | None = None) -> dict:
    return {"kind": "val", "step": step, "loss": loss, "tokens": 100 * step if tokens is None else tokens}


def reasons(rule: MedianRule, *rows: dict) -> list[bool]:
    return [rule.evaluate(row) is not None for row in rows]


def test_the_bar_is_the_median_of_what_each_averaged_up_to_there():
    assert median_of_averages([GOOD, FAIR, POOR], 200) == pytest.approx((3.4 + 3.0) / 2)
    assert median_of_averages([GOOD, POOR], 300) == pytest.approx((2.0 + (3.8 + 3.6 + 3.5) / 3) / 2)
    assert median_of_averages([GOOD, FAIR], 50) is None


def test_a_run_ends_where_its_best_so_far_is_worse_than_the_bar_and_says_both():
    rule = MedianRule(curves=(GOOD, FAIR, POOR))
    assert rule.evaluate(val(1, 3.9)) is None  # one evaluation is a warm-up
    assert rule.evaluate(val(2, 3.21)) == (
        "val loss is 3.2100 at best, worse than 3.2000, the median of what the 3 completed runs averaged up to 200 tokens"
    )


def test_the_best_counts_not_the_last_and_equal_to_the_bar_is_not_worse():
    assert reasons(MedianRule(curves=(GOOD, FAIR, POOR)), val(1, 3.2), val(2, 9.0)) == [False, False]
    assert reasons(MedianRule(curves=(GOOD, FAIR, POOR)), val(1, 9.0), val(2, 3.2 + 1e-9)) == [False, True]


def test_the_base_before_the_first_step_counts_for_nobody():
    rule = MedianRule(curves=(GOOD, FAIR))
    assert reasons(rule, val(0, 0.1), val(1, 9.0), val(2, 9.0)) == [False, False, True]
    assert curve([val(0, 4.0), val(1, 3.0), {"kind": "train", "step": 1, "loss": 1.0, "tokens": 100}]) == (
        (100, 3.0),
    )


def test_nothing_is_judged_by_a_single_run():
    assert reasons(MedianRule(curves=(GOOD,)), val(1, 9.0), val(2, 9.0)) == [False, False]
    assert reasons(MedianRule(), val(1, 9.0), val(2, 9.0)) == [False, False]


def test_runs_are_compared_at_equal_tokens_not_steps():
    rule = MedianRule(curves=(GOOD, FAIR, POOR))
    assert reasons(rule, val(10, 3.9, tokens=50), val(20, 3.5, tokens=100)) == [False, True]  # bar 3.4
    assert reasons(
        MedianRule(curves=(GOOD, FAIR, POOR)), val(10, 3.9, tokens=50), val(20, 3.5, tokens=99)
    ) == [False, False]


def test_a_loss_that_is_no_number_is_as_bad_as_can_be():
    assert reasons(MedianRule(curves=(GOOD, FAIR)), val(1, math.nan), val(2, math.nan)) == [False, True]


def test_a_run_that_goes_on_remembers_what_it_had_reached():
    rule = MedianRule(curves=(GOOD, FAIR, POOR))
    rule.begin({"rows": [val(0, 4.0), val(1, 3.1)], "steps": 9})
    assert rule.evaluate(val(2, 9.0)) is None


def test_at_its_last_step_a_run_is_complete_and_not_stopped():
    rule = MedianRule(curves=(GOOD, FAIR))
    rule.begin({"rows": [], "steps": 3})
    assert reasons(rule, val(1, 3.0), val(3, 9.0)) == [False, False]
    bad = MedianRule(curves=(GOOD, FAIR))
    bad.begin({"rows": [], "steps": 3})
    assert reasons(bad, val(1, 9.0), val(2, 9.0), val(3, 9.0)) == [False, True, False]
