"""Early stopping as a rule over a sequence of values."""

import math

from hypothesis import given, strategies as st

from schemas.recipe import EarlyStopping
from trainer.watching.stopping import Stopper

VALUES = st.lists(st.floats(-10, 10) | st.just(math.nan), min_size=1, max_size=30)


def run(values, **rule):
    """See values until patience is spent; returns the stopper and how many it saw."""
    stopper = Stopper(EarlyStopping(**rule))
    for n, value in enumerate(values):
        stopper.see(n, value)
        if stopper.spent:
            return stopper, n + 1
    return stopper, len(values)


@given(values=VALUES, patience=st.integers(1, 5), delta=st.floats(0, 1))
def test_the_best_is_the_lowest_value_seen_at_its_first_step(values, patience, delta):
    stopper, seen = run(values, patience=patience, min_delta=delta)
    finite = [value for value in values[:seen] if math.isfinite(value)]
    if finite:
        assert stopper.best == min(finite)
        assert stopper.best_step == values.index(min(finite))
    else:
        assert stopper.best is None


@given(values=VALUES, patience=st.integers(1, 5))
def test_it_stops_exactly_when_patience_evaluations_in_a_row_brought_nothing(values, patience):
    stopper, seen = run(values, patience=patience)
    last = stopper.best_step if stopper.best_step is not None else -1
    assert stopper.spent == (seen - 1 - last >= patience)


def test_an_improvement_below_min_delta_is_kept_but_does_not_buy_patience():
    stopper, seen = run([1.0, 0.99, 0.98, 0.97], patience=3, min_delta=0.1)
    assert (stopper.spent, seen, stopper.best_step) == (True, 4, 3)


def test_accuracy_is_better_when_higher():
    stopper, _ = run([0.1, 0.4, 0.3], patience=5, metric="val_accuracy")
    assert stopper.best_step == 1


def test_the_reason_names_metric_patience_and_best():
    stopper, _ = run([2.0, 1.5, 1.6, 1.7], patience=2)
    assert (
        stopper.end().reason
        == "early stopping: val_loss did not improve for 2 evaluations; the best is 1.5000 at step 1"
    )


def test_only_nans_stop_without_a_best():
    stopper, seen = run([math.nan] * 5, patience=2)
    assert stopper.best is None
    assert (stopper.spent, seen) == (True, 2)
