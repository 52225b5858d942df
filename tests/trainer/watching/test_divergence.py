"""When a loss has run away."""

import math

import pytest

from schemas.recipe_train import Divergence
from trainer.watching.divergence import Divergences

RULE = Divergence(spike=2.0, patience=3, window=5)


def see(losses, rule=RULE):
    """The step at which it ends, if it does, and what saw it."""
    seen = Divergences(rule)
    for step, loss in enumerate(losses, 1):
        if end := seen.see(step, loss):
            return step, end, seen
    return None, None, seen


def test_a_loss_that_stays_far_above_its_median_ends_the_run_after_patience():
    step, end, seen = see([3.0, 2.8, 2.9, 5.0, 6.0, 7.0, 8.0])
    assert (step, end.kind, seen.first) == (6, "diverged", 4)
    assert "7.00 at step 6" in end.reason
    assert "above its median of 2.90 for 3 steps" in end.reason


def test_a_spike_that_passes_ends_nothing():
    step, _, seen = see([3.0, 3.0, 9.0, 9.0, 3.1, 9.0, 9.0, 2.9])
    assert step is None
    assert not seen.doubtful


def test_a_rise_within_the_spike_ends_nothing():
    assert see([1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5])[0] is None


def test_a_worse_level_that_it_settles_on_is_still_a_divergence():
    """Bad steps do not move the median they are held against."""
    assert see([1.0] * 5 + [4.0] * 10, Divergence(spike=2.0, patience=8, window=2))[0] == 13


def test_a_fall_moves_the_median_along():
    assert see([10.0, 8.0, 6.0, 4.0, 2.0, 1.0, 1.0, 1.0, 3.5, 3.5, 3.5])[0] == 11


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rule", [Divergence(), None], ids=["watched", "not watched"])
def test_a_loss_that_is_no_number_ends_the_run_at_once(loss, rule):
    step, end, seen = see([3.0, 3.0, loss, 3.0], rule)
    assert (step, end.kind, seen.first) == (3, "diverged", 3)


def test_without_a_rule_only_numbers_are_asked_for():
    assert see([1.0, 100.0, 100.0, 100.0, 100.0], None)[0] is None


def test_the_last_step_being_bad_is_told():
    _, _, seen = see([3.0, 3.0, 9.0])
    assert seen.doubtful
