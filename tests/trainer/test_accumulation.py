"""A step's loss and its update do not depend on how many rows a pass holds."""

from functools import cache

import pytest
from safetensors.torch import load_file
from tiny_model import TEXTS

import trainer
from trainer.runs import Run

ROWS = [text[: 10 + 17 * n % 70] for n, text in enumerate(TEXTS[:39])]
"""Rows of very different length."""


def train(made, batch: int, micro: int, packing: str) -> Run:
    """Two epochs of plain gradient descent steps, the last of each partial. Its updates are proportional to the gradient;
    Adam's would blow a rounding error on a gradient near 0 up to a whole learning rate."""
    root, recipe = made(
        f'optimizer = "sgd"\nlearning_rate = 0.5\nepochs = 2\neval_every = 50\nbatch_size = {batch}\n'
        f"micro_batch_size = {micro}\npacking = {packing}\nmax_length = 96",
        train_texts=ROWS if packing == "true" else ROWS[:13],
        val_texts=ROWS[:4],
    )
    return trainer.train(recipe, root=root, quiet=True)


def same(ours: Run, theirs: Run) -> None:
    """Equal losses, gradient norms and weights."""
    pairs = list(zip(ours.metrics().to_pylist(), theirs.metrics().to_pylist(), strict=True))
    assert len([1 for row, _ in pairs if row["kind"] == "train"]) > 1
    for row, other in pairs:
        assert (row["kind"], row["step"], row["tokens"]) == (other["kind"], other["step"], other["tokens"])
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-5)
        if row["kind"] == "train":
            assert row["grad_norm"] == pytest.approx(other["grad_norm"], abs=1e-5)
    weights, others = (load_file(run.adapter / "adapter_model.safetensors") for run in (ours, theirs))
    assert max(float((weights[name] - others[name]).abs().max()) for name in others) < 1e-5
    assert max(float(weight.abs().max()) for name, weight in weights.items() if "lora_B" in name) > 1e-3


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_version):
    """The run that takes each step in one pass: once a batch size and packing."""

    @cache
    def run(batch: int, packing: str) -> Run:
        root = tmp_path_factory.mktemp("whole")
        return train(lambda *args, **more: make_version(root, *args, **more), batch, batch, packing)

    return run


@pytest.mark.parametrize("packing", ["true", "false"])
@pytest.mark.parametrize(("batch", "micro"), [(8, 3), (8, 1), (5, 2)])
def test_any_micro_batch_gives_the_losses_and_the_weights_of_the_whole_batch(
    made, whole, batch, micro, packing
):
    same(train(made, batch, micro, packing), whole(batch, packing))
