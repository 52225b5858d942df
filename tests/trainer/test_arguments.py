"""Batch arithmetic and schedules, as the journal shows them."""

import pytest
from hypothesis import given, strategies as st

import trainer
from schemas.recipe import Train
from trainer.arguments import count_steps


@given(rows=st.integers(1, 500), micro=st.integers(1, 8), times=st.integers(1, 8), epochs=st.integers(1, 5))
def test_every_row_is_seen_once_an_epoch(rows, micro, times, epochs):
    steps = count_steps(Train(batch_size=micro * times, micro_batch_size=micro, epochs=epochs), rows)
    assert (steps.per_epoch - 1) * micro * times < rows <= steps.per_epoch * micro * times
    assert steps.total == epochs * steps.per_epoch


@given(rows=st.integers(1, 500), micro=st.integers(1, 8))
def test_gradient_descent_takes_one_step_an_epoch(rows, micro):
    steps = count_steps(Train(optimizer="gd", batch_size=micro, micro_batch_size=micro, epochs=4), rows)
    assert (steps.per_epoch, steps.total) == (1, 4)
    assert steps.accumulate * micro >= rows


def test_max_steps_wins_over_epochs():
    assert count_steps(Train(max_steps=7, epochs=100), 1000).total == 7


def rates(made, line: str) -> list[float]:
    root, recipe = made(f"max_steps = 8\neval_every = 8\n{line}")
    return [
        row["learning_rate"]
        for row in trainer.train(recipe, root=root).metrics().to_pylist()
        if row["kind"] == "train"
    ]


def test_a_constant_rate_still_warms_up(made):
    found = rates(made, 'schedule = "constant"\nwarmup = 0.5')
    assert found[:4] == sorted(found[:4])
    assert found[0] < found[3]
    assert found[5:] == [pytest.approx(1e-2)] * 3


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_falling_rate_ends_near_nothing(made, schedule):
    found = rates(made, f'schedule = "{schedule}"\nwarmup = 0')
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.2 * found[0]
