"""Batch arithmetic and schedules, as the journal shows them."""

import pytest
from hypothesis import given, strategies as st

import trainer
from schemas.recipe import Train
from trainer.steps.arguments import count_steps


@given(rows=st.integers(1, 500), micro=st.integers(1, 9), batch=st.integers(1, 40), epochs=st.integers(1, 5))
def test_every_row_is_seen_once_an_epoch_for_any_pair_of_batch_and_micro_batch(rows, micro, batch, epochs):
    steps = count_steps(Train(batch_size=batch, micro_batch_size=micro, epochs=epochs), rows)
    assert (steps.per_epoch - 1) * batch < rows <= steps.per_epoch * batch
    assert steps.total == epochs * steps.per_epoch
    assert steps.micro <= micro
    assert (steps.accumulate - 1) * steps.micro < steps.batch <= steps.accumulate * steps.micro


@given(rows=st.integers(1, 500), micro=st.integers(1, 8), batch=st.integers(1, 40))
def test_gradient_descent_takes_one_step_an_epoch(rows, micro, batch):
    steps = count_steps(Train(optimizer="gd", batch_size=batch, micro_batch_size=micro, epochs=4), rows)
    assert (steps.per_epoch, steps.total, steps.batch) == (1, 4, rows)
    assert steps.accumulate * steps.micro >= rows
    # A plugin of the recipe's own may want all rows too.
    assert steps == count_steps(
        Train(optimizer="mine", batch_size=batch, micro_batch_size=micro, epochs=4), rows, full_batch=True
    )


@given(total=st.integers(1, 200), share=st.floats(0, 0.999))
def test_a_step_is_left_after_the_warm_up(total, share):
    steps = count_steps(Train(max_steps=total, warmup=share), 100)
    assert 0 <= steps.warmup < total
    assert abs(steps.warmup - share * total) <= 1


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


def test_settings_reach_the_loop(made):
    """max_grad_norm, neftune_alpha, gradient_checkpointing: each is seen in the losses, or leaves them as they are."""
    root, recipe = made('max_steps = 2\neval_every = 2\npacking = false\nwarmup = 0\noptimizer = "sgd"')
    text = recipe.read_text()

    def losses(line: str) -> dict[str, list[float]]:
        recipe.write_text(text + line)
        rows = trainer.train(recipe, root=root, quiet=True).metrics().to_pylist()
        assert all(row["grad_norm"] > 0 for row in rows if row["kind"] == "train"), "measured, clipped or not"
        return {kind: [row["loss"] for row in rows if row["kind"] == kind] for kind in ("train", "val")}

    plain = losses("max_grad_norm = 0\n")
    assert plain == losses("max_grad_norm = 1e9\n")
    assert plain["train"][1] != losses("max_grad_norm = 1e-3\n")["train"][1]

    noisy = losses("max_grad_norm = 0\nneftune_alpha = 5\n")
    assert abs(noisy["train"][0] - plain["train"][0]) > 1e-4, (
        "noise on the embeddings moves the first loss already"
    )
    assert noisy["val"][0] == plain["val"][0], "and is not there when val is measured"

    again = losses("max_grad_norm = 0\ngradient_checkpointing = true\n")
    assert again["train"] == pytest.approx(plain["train"], abs=1e-6)
