"""What a step reads is a function of the seed and the epoch, and of nothing else."""

import datasets
import pytest
from hypothesis import given, strategies as st

from trainer.steps.batches import Steps, loader, order, passes, trained_tokens


@given(rows=st.integers(1, 200), batch=st.integers(1, 50), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_an_epoch_reads_every_row_once_in_full_steps_and_a_rest(rows, batch, seed, epoch):
    steps = Steps(rows, batch, seed)
    steps.set_epoch(epoch)
    read = list(steps)
    assert sorted(row for step in read for row in step) == list(range(rows))
    assert all(len(step) == batch for step in read[:-1])
    assert len(read) == len(steps)


@given(rows=st.integers(0, 60), micro=st.integers(1, 20))
def test_passes_hold_every_row_of_a_step_in_order(rows, micro):
    cut = list(passes(range(rows), micro))
    assert [row for part in cut for row in part] == list(range(rows))
    assert all(0 < len(part) <= micro for part in cut)


def test_epochs_and_seeds_read_in_different_orders():
    seen = {tuple(order(50, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(seen) == 16


@pytest.fixture
def rows() -> datasets.Dataset:
    """Row n has n + 1 trained tokens."""
    labels = [[-100] + [5] * (n + 1) for n in range(11)]
    return datasets.Dataset.from_dict({
        "input_ids": [list(range(len(row))) for row in labels],
        "labels": labels,
    })


def test_trained_tokens_are_counted_row_by_row(rows):
    assert trained_tokens(rows).tolist() == list(range(1, 12))
    assert trained_tokens(rows.select([4, 2])).tolist() == [5, 3]


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_processes_share_each_step_and_know_the_tokens_of_all(rows, processes):
    shares = [
        list(loader(rows, batch_size=4, seed=3, process=n, processes=processes)) for n in range(processes)
    ]
    alone = list(loader(rows, batch_size=4, seed=3))
    for step, whole in enumerate(alone):
        mine = [share[step] for share in shares]
        assert sorted(len(row["input_ids"]) for part in mine for row in part.rows) == sorted(
            len(row["input_ids"]) for row in whole.rows
        )
        assert {part.trained for part in mine} == {whole.trained}
        assert whole.trained == sum(label != -100 for row in whole.rows for label in row["labels"])
