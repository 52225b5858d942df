"""What losses say, in a sentence."""

import math

from trainer.watching.verdict import verdict


def rows(vals, trains, every=10):
    """A journal: val at 0, every, …; each train value stands for the steps before its evaluation."""
    made = [{"kind": "val", "step": n * every, "loss": loss} for n, loss in enumerate(vals)]
    for n, loss in enumerate(trains):
        made += [{"kind": "train", "step": n * every + step, "loss": loss} for step in range(1, every + 1)]
    return sorted(made, key=lambda row: (row["step"], row["kind"]))


def test_val_that_turns_up_while_train_falls_is_overfitting():
    told = verdict(rows([4.0, 3.0, 2.5, 2.6, 2.9], [3.5, 2.6, 2.0, 1.5]))
    assert told.name == "overfitting"
    assert told.sentence.startswith(
        "overfitting: val loss turned up after step 20 while the training loss fell"
    )


def test_both_still_falling_is_underfitting():
    told = verdict(rows([4.0, 3.5, 3.0, 2.5], [3.8, 3.3, 2.8]))
    assert told.name == "underfitting"
    assert "both losses were still falling at the end" in told.sentence


def test_both_level_is_a_fit():
    assert verdict(rows([4.0, 3.0, 2.6, 2.5, 2.499, 2.499], [3.5, 2.7, 2.55, 2.5, 2.5])).name == "fit"


def test_val_level_while_train_falls_is_a_fit_that_has_not_turned():
    assert verdict(rows([4.0, 3.0, 2.6, 2.501, 2.5, 2.501], [3.5, 2.7, 2.4, 2.0, 1.7])).name == "fit"


def test_val_that_only_rises_is_no_gain():
    told = verdict(rows([3.0, 3.4, 3.9], [3.0, 3.1]))
    assert told.name == "no gain"
    assert "a lower learning_rate may help" in told.sentence


def test_val_that_rises_from_the_first_step_while_train_falls_is_overfitting():
    told = verdict(rows([3.0, 3.4, 3.9], [3.0, 2.0]))
    assert told.sentence.startswith(
        "overfitting: val loss turned up after step 0 while the training loss fell"
    )


def test_both_turning_up_is_unsteady():
    assert verdict(rows([4.0, 3.0, 3.5, 4.0], [3.5, 3.9, 4.4])).name == "unsteady"


def test_noise_of_a_small_split_is_no_turn():
    assert verdict(rows([4.0, 3.0, 2.5, 2.505], [3.5, 2.6, 2.5])).name != "overfitting"


def test_a_small_rise_at_evaluation_after_evaluation_is_a_turn():
    assert verdict(rows([4.0, 2.5, 2.503, 2.506], [3.5, 2.4, 2.2])).name == "overfitting"


def test_too_few_evaluations_tell_nothing():
    assert verdict(rows([4.0, 3.0], [3.5])) is None
    assert verdict([]) is None
    assert verdict(rows([], [3.5, 3.0, 2.5])) is None


def test_a_loss_that_is_no_number_is_left_out():
    told = verdict(rows([4.0, 3.0, 2.5, 2.6, 2.9, math.nan], [3.5, 2.6, 2.0, 1.5, math.nan]))
    assert told.name == "overfitting"
