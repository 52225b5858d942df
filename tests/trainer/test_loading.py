"""The two models of a finished run, and the folder of one that was trained whole."""

import os
import signal

import pytest
from tiny_model import TEXTS
from transformers import LlamaModel

import trainer
from plugins import models
from schemas.errors import Interrupted, NotFound
from trainer.data import read_rows
from trainer.evaluation.measure import measure
from trainer.loading import read_model
from trainer.steps import packing

FULL = 'method = "full"\nlearning_rate = 3e-3\nmax_steps = 12\neval_every = 4\nbackend = "peft"\n'


@pytest.fixture(scope="module")
def run(make_version, tmp_path_factory):
    """A run of method full that overfits a little."""
    root, recipe = make_version(tmp_path_factory.mktemp("full"), FULL)
    return trainer.train(recipe, root=root, quiet=True)


def val_loss(run, model) -> float:
    rows = packing.dataset(read_rows(run.store.version("tale@1"), "val"), 128, packing=False)
    return measure(model, rows, packing.Collator(0), batch_size=4).loss


def test_a_run_of_method_full_trains_every_weight_and_keeps_a_whole_model(run, tiny_model):
    from safetensors.torch import load_file

    end = run.record.outcome
    assert end.val_loss < end.first_val_loss - 0.1
    assert models.tokenizer_digest(run.adapter) == models.tokenizer_digest(tiny_model)
    before, after = (load_file(path / "model.safetensors") for path in (tiny_model, run.adapter))
    assert before.keys() == after.keys()
    assert not [name for name in before if before[name].equal(after[name])]
    assert str(tiny_model) not in (run.adapter / "config.json").read_text()
    assert models.resolve(str(run.adapter), run.store.models, run.root, weights=True) == run.adapter.resolve()


def test_tuned_and_base_of_a_full_run_are_two_models_measured_as_recorded(run, tiny_model):
    record = run.record
    readable = read_model(record, tiny_model, run.adapter, "cpu")
    with readable.tuned() as tuned:
        assert val_loss(run, tuned) == pytest.approx(record.outcome.val_loss, abs=1e-5)
    with readable.base() as base:
        assert base is not tuned
        assert val_loss(run, base) == pytest.approx(record.outcome.first_val_loss, abs=1e-5)
    with readable.base() as again:
        assert again is base


def test_eval_and_chat_compare_a_full_run_with_its_base(run):
    found = run.evaluate(device="cpu")
    assert found.tuned.loss < found.base.loss - 0.1
    assert run.chat("The dragon", max_new_tokens=8) != run.chat("The dragon", max_new_tokens=8, base=True)


def test_the_best_of_a_full_run_that_overfits_is_restored_not_the_last(made, tiny_model):
    scrambled = [text[:40].upper() for text in TEXTS[30:40]]
    lines = 'epochs = 100\neval_every = 2\nlearning_rate = 2e-2\nwarmup = 0\nschedule = "constant"\nearly_stopping = { patience = 2 }\n'
    root, recipe = made(f'method = "full"\n{lines}', train_texts=TEXTS[:4], val_texts=scrambled)
    run = trainer.train(recipe, root=root, quiet=True)
    end = run.record.outcome
    assert end.stop_reason.startswith("early stopping: val_loss did not improve")
    assert end.best_step < end.steps
    assert end.last_val_loss > end.val_loss + 0.01
    with read_model(run.record, tiny_model, run.adapter, "cpu").tuned() as tuned:
        assert val_loss(run, tuned) == pytest.approx(end.val_loss, abs=1e-5)


def test_a_full_run_that_was_interrupted_ends_as_if_it_had_not_been(made, monkeypatch):
    root, recipe = made('method = "full"\nlearning_rate = 3e-3\nmax_steps = 6\neval_every = 2\n')
    whole = trainer.train(recipe, root=root, quiet=True)
    steps = 0
    forward = LlamaModel.forward

    def struck(self, *args, **more):
        nonlocal steps
        steps += self.training
        if steps == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return forward(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(LlamaModel, "forward", struck)
        with pytest.raises(Interrupted):
            trainer.train(recipe, root=root, quiet=True)
    resumed = trainer.train(recipe, root=root, quiet=True, resume=True)
    one, other = ((run.adapter / "model.safetensors").read_bytes() for run in (whole, resumed))
    assert one == other


def test_an_adapter_that_lies_there_as_a_pickle_only_is_not_opened(made, tiny_model):
    """Not even where no record tells that it was another: PEFT would read it."""
    import torch
    from safetensors.torch import load_file

    root, recipe = made("max_steps = 1")
    run = trainer.train(recipe, root=root, quiet=True)
    weights = run.adapter / "adapter_model.safetensors"
    torch.save(load_file(weights), run.adapter / "adapter_model.bin")
    weights.unlink()
    with pytest.raises(NotFound, match=r"only as pickles \(adapter_model\.bin\)"):
        read_model(run.record.model_copy(update={"adapter": None}), tiny_model, run.adapter, "cpu")
