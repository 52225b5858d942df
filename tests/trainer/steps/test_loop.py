"""A step's loss and its update do not depend on how many rows a pass holds, nor on memory that ran out on the way."""

import itertools
import shutil
from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TEXTS

import trainer
from plugins.backends.peft import Peft
from schemas.errors import UserError
from trainer.runs import Run
from trainer.watching.watch import Watch

ROWS = [text[: 10 + 17 * n % 70] for n, text in enumerate(TEXTS[:39])]
"""Rows of very different length."""


LINES = "optimizer = 'sgd'\nlearning_rate = 0.5\nepochs = 2\nmax_length = 96\n"
"""Plain gradient descent steps, whose updates are proportional to the gradient: Adam's would blow a rounding error on a
gradient near 0 up to a whole learning rate."""


def train(made, batch: int, micro: int, packing: str, **options) -> Run:
    """Two epochs, the last step of each partial."""
    root, recipe = made(
        f"{LINES}eval_every = 50\nbatch_size = {batch}\nmicro_batch_size = {micro}\npacking = {packing}",
        train_texts=ROWS if packing == "true" else ROWS[:13],
        val_texts=ROWS[:4],
    )
    return trainer.train(recipe, root=root, **{"quiet": True} | options)


def same(ours: Run, theirs: Run) -> None:
    """Equal losses and gradient norms at every step, equal val loss at the end, equal weights."""
    steps, others = (
        [row for row in run.metrics().to_pylist() if row["kind"] == "train"] for run in (ours, theirs)
    )
    assert len(steps) > 2
    for row, other in zip(steps, others, strict=True):
        assert (row["step"], row["tokens"]) == (other["step"], other["tokens"])
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-5)
        assert row["grad_norm"] == pytest.approx(other["grad_norm"], abs=1e-5)
    last, other = (run.metrics().to_pylist()[-1] for run in (ours, theirs))
    assert (last["kind"], last["loss"]) == ("val", pytest.approx(other["loss"], abs=1e-5))
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


@pytest.mark.parametrize(
    ("batch", "micro", "packing"), [(8, 3, "true"), (8, 3, "false"), (8, 1, "false"), (5, 2, "true")]
)
def test_any_micro_batch_gives_the_losses_and_the_weights_of_the_whole_batch(
    made, whole, batch, micro, packing
):
    same(train(made, batch, micro, packing), whole(batch, packing))


def test_a_step_of_all_rows_is_the_same_in_any_passes(made):
    seen = []
    for micro in (13, 4):
        root, recipe = made(
            f'optimizer = "gd"\nepochs = 3\nbatch_size = 13\nmicro_batch_size = {micro}\npacking = false',
            train_texts=ROWS[:13],
        )
        seen.append(trainer.train(recipe, root=root, quiet=True))
        recipe.unlink()
        shutil.rmtree(root / "corpora")
    same(*seen)


def test_a_model_that_takes_the_mean_of_a_pass_is_weighed_by_its_tokens(made, whole, monkeypatch):
    """As those that know nothing of `num_items_in_batch` do: what is asked of them as a mean is turned into a share of the step."""
    load = Peft.load

    def loaded(self, *args, **more):
        found = load(self, *args, **more)
        found.model.get_base_model().accepts_loss_kwargs = False
        return found

    monkeypatch.setattr(Peft, "load", loaded)
    same(train(made, 8, 3, "false"), whole(8, "false"))


# ------------------------------------------------------------------------------------------------ memory


def crowd(
    patch,
    rows: int,
    *,
    grace: int = 0,
    where: str = "forward",
    error: type[Exception] = torch.OutOfMemoryError,
) -> None:
    """Have training passes of more than `rows` rows run out of memory, in their forward or their backward half, but for the first `grace`."""
    load, larger = Peft.load, itertools.count()

    def loaded(self, *args, **more):
        found = load(self, *args, **more)
        layer = next(module for name, module in found.model.named_modules() if name.endswith("layers.0"))

        def fail(*anything) -> None:
            raise error("CUDA out of memory. Tried to allocate 2.00 GiB.")

        def look(module, inputs, output):
            states = output[0] if isinstance(output, tuple) else output
            if module.training and len(states) > rows and next(larger) >= grace:
                fail() if where == "forward" else states.register_hook(fail)

        layer.register_forward_hook(look)
        return found

    patch.setattr(Peft, "load", loaded)


@pytest.mark.parametrize(("packing", "where"), [("true", "forward"), ("false", "backward")])
def test_memory_that_runs_out_changes_no_loss_and_no_weight(made, whole, monkeypatch, capsys, packing, where):
    """The first pass of the first step fits, so that it leaves gradients; the second does not."""
    crowd(monkeypatch, 2, grace=1, where=where)
    run = train(made, 8, 4, packing, quiet=False)
    assert "memory ran out at step 1 with 4 rows a pass: from here on 2" in capsys.readouterr().err
    same(run, whole(8, packing))


def test_a_single_row_that_does_not_fit_says_what_takes_less(made, monkeypatch):
    crowd(monkeypatch, 0)
    with pytest.raises(UserError, match=r"pass of a single row.*gradient_checkpointing = true"):
        train(made, 8, 4, "false")


def test_a_resumed_run_takes_up_the_smaller_passes(made, whole, monkeypatch):
    root, recipe = made(
        f"{LINES}eval_every = 2\nbatch_size = 8\nmicro_batch_size = 8\npacking = true",
        train_texts=ROWS,
        val_texts=ROWS[:4],
    )
    with monkeypatch.context() as patch:
        crowd(patch, 4)
        patch.setattr(Watch, "on_log", killed_after(3, Watch.on_log))
        with pytest.raises(Killed):
            trainer.train(recipe, root=root, quiet=True)
    crowd(monkeypatch, 4, error=AssertionError)  # the larger passes are not tried again
    run = trainer.train(recipe, root=root, quiet=True, resume=True)
    same(run, whole(8, "true"))


class Killed(Exception):
    """The end of a run that knows nothing of it."""


def killed_after(step: int, seen):
    """`Watch.on_log` that raises after a step."""

    def on_log(self, args, state, control, **more):
        seen(self, args, state, control, **more)
        if state.global_step == step:
            raise Killed

    return on_log


def test_memory_that_runs_out_in_the_optimiser_is_told_with_what_takes_less(made, monkeypatch):
    def crowded(*_args, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.optim.AdamW, "step", crowded)
    root, recipe = made('max_steps = 2\noptimizer = "adamw"')
    with pytest.raises(UserError, match=r"outside the passes.*adamw-8bit"):
        trainer.train(recipe, root=root, quiet=True)
