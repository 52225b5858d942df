"""A run cut off anywhere and resumed is the run that was never cut off: same losses, same adapter, bit for bit."""

import random
import shutil

import numpy as np
import pytest
import torch
import transformers.trainer
from cut_runs import Cut, cut_and_resume, cut_at, quick, told  # noqa: F401  quick is a fixture
from tiny_model import TEXTS

import trainer
from schemas.errors import Corruption, NotFound, UserError
from trainer.watching import ending
from trainer.watching.resuming import Resumable, random_numbers, set_random_numbers

pytestmark = pytest.mark.usefixtures("quick")

TRAIN = "max_steps = 9\nlora = { dropout = 0.1 }\nwarmup = 0.3\n"
MADE = {
    "packed": "packing = true\neval_every = 3",
    "unpacked": "packing = false\neval_every = 2",
    "whole model": 'packing = false\neval_every = 2\nmethod = "full"\nneftune_alpha = 5',
}
"""Twelve rows make three steps an epoch, and two when they are packed: so there are checkpoints within an epoch and at an epoch's end."""


@pytest.fixture(scope="module")
def whole(request, tmp_path_factory, make_version):
    """What a run told that nothing disturbed, where it lies, and its recipe."""
    root, recipe = make_version(
        tmp_path_factory.mktemp("whole"),
        TRAIN + MADE[request.param],
        train_texts=TEXTS[:12],
        val_texts=TEXTS[24:28],
    )
    return told(trainer.train(recipe, root=root, quiet=True)), root, recipe


@pytest.mark.parametrize("whole", list(MADE), indirect=True)
@pytest.mark.parametrize("step", [1, 5, 8], ids=lambda step: f"cut after step {step}")
def test_a_run_cut_off_anywhere_ends_as_one_that_never_was(whole, step, monkeypatch):
    """Before the first checkpoint; behind one that lies within an epoch, and across that epoch's end; behind one at an epoch's end."""
    expected, root, recipe = whole
    assert told(cut_and_resume(recipe, root, step, monkeypatch)) == expected


@pytest.mark.parametrize("whole", ["unpacked"], indirect=True)
def test_a_run_cut_off_twice_ends_as_one_that_never_was(whole, monkeypatch):
    expected, root, recipe = whole
    for resume, step in ((False, 3), (True, 7)):
        with monkeypatch.context() as patch:
            cut_at(step, patch)
            with pytest.raises(Cut):
                trainer.train(recipe, root=root, resume=resume, quiet=True)
    assert told(trainer.train(recipe, root=root, resume=True, quiet=True)) == expected


@pytest.mark.parametrize("whole", ["unpacked"], indirect=True)
@pytest.mark.parametrize("part", ["random numbers", "data order", "optimiser"])
def test_what_is_not_restored_shows(whole, part, monkeypatch):
    """The comparison above is not blind: each part that a checkpoint brings back matters to it."""
    expected, root, recipe = whole
    if part == "random numbers":
        monkeypatch.setattr(Resumable, "_load_rng_state", lambda self, checkpoint: None)
    elif part == "data order":
        monkeypatch.setattr(transformers.trainer, "skip_first_batches", lambda loader, batches: loader)
    else:
        monkeypatch.setattr(Resumable, "_load_optimizer_and_scheduler", lambda self, checkpoint: None)
    rows, _, adapter = told(cut_and_resume(recipe, root, 5, monkeypatch))
    assert rows != expected[0]
    assert adapter != expected[2]


def test_early_stopping_counts_what_it_saw_before_the_cut(made, monkeypatch):
    """Patience is half spent when the run is cut."""
    text = [text[:40].upper() for text in TEXTS[30:34]]
    rule = 'epochs = 200\neval_every = 2\nlearning_rate = 3e-2\nwarmup = 0\nschedule = "constant"\nearly_stopping = { patience = 3 }'
    root, recipe = made(rule, train_texts=TEXTS[:4], val_texts=text)
    expected = told(trainer.train(recipe, root=root, quiet=True))
    steps = expected[1]["steps"]
    assert expected[1]["ended"] == "early-stopping"
    assert told(cut_and_resume(recipe, root, steps - 1, monkeypatch)) == expected


def test_a_run_that_was_cut_after_it_had_stopped_is_only_ended(made, monkeypatch):
    root, recipe = made("max_steps = 4\neval_every = 2\nearly_stopping = false")
    expected = told(trainer.train(recipe, root=root, quiet=True))
    with monkeypatch.context() as patch:
        patch.setattr(ending, "choose", lambda watch: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            trainer.train(recipe, root=root, quiet=True)
    assert told(trainer.train(recipe, root=root, resume=True, quiet=True)) == expected


def test_a_checkpoint_holds_no_pickle(made, monkeypatch):
    root, recipe = made("max_steps = 4\neval_every = 2\nlora = { dropout = 0.1 }")
    with monkeypatch.context() as patch:
        cut_at(3, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root, quiet=True)
    folder = trainer.open("tale/1", root=root).path / "checkpoints/checkpoint-2"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "seal.json", "state.json", "state.safetensors", "trainer_state.json",
        "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
    }  # fmt: skip
    monkeypatch.setattr(torch, "load", lambda *args, **more: pytest.fail("torch.load was called"))
    trainer.train(recipe, root=root, resume=True, quiet=True)


def test_a_best_adapter_that_was_changed_while_the_run_lay_is_refused(made, monkeypatch):
    root, recipe = made("max_steps = 6\neval_every = 2")
    with monkeypatch.context() as patch:
        cut_at(5, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root, quiet=True)
    file = trainer.open("tale/1", root=root).path / "best/step-4/adapter_model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(
        Corruption, match=r"step-4, the best adapter when checkpoint-4 was written, is gone or was changed"
    ):
        trainer.train(recipe, root=root, resume=True, quiet=True)


def test_every_generator_goes_on_where_it_was():
    def draw() -> tuple[float, ...]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002  the generator libraries draw from

    before = random_numbers()
    drawn = draw()
    set_random_numbers(before)
    assert draw() == drawn
    set_random_numbers(before)


def test_a_corpus_that_was_changed_under_the_run_is_noticed(made, monkeypatch, tmp_path, make_version):
    """Same name, number, fingerprint and row count, other rows."""
    root, recipe = made("max_steps = 4\neval_every = 2")
    with monkeypatch.context() as patch:
        cut_at(3, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root, quiet=True)
    shutil.rmtree(root / "corpora")
    make_version(root, "max_steps = 4\neval_every = 2", train_texts=TEXTS[1:25])
    with pytest.raises(UserError, match=r"tale/1 cannot go on: rows\.train was \w+, is \w+"):
        trainer.train(recipe, root=root, resume=True, quiet=True)
    shutil.rmtree(root / "corpora")
    with pytest.raises(NotFound, match='no corpus named "tale"'):
        trainer.train(recipe, root=root, resume=True, quiet=True)


def test_how_a_run_is_computed_may_change_when_it_is_resumed(made, monkeypatch):
    root, recipe = made("max_steps = 4\neval_every = 2")
    with monkeypatch.context() as patch:
        cut_at(3, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root, quiet=True)
    recipe.write_text(recipe.read_text().replace("micro_batch_size = 2", "micro_batch_size = 1"))
    run = trainer.train(recipe, root=root, resume=True, quiet=True)
    assert run.record.train["micro_batch_size"] == 1
    assert run.record.outcome.steps == 4
