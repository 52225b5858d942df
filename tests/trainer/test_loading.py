"""The two models of a finished run, and the folder of one that was trained whole."""

import pytest

import trainer
from plugins import models
from trainer import packing
from trainer.data import read_rows
from trainer.loading import read_model
from trainer.measure import measure

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
