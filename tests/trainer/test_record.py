"""The record of a run: what today's gristmill reads of yesterday's, and an adapter's identity."""

import json
from pathlib import Path

import pytest

import trainer
from schemas.errors import Mismatch
from trainer import runs
from trainer.record import adapter_digest, check_adapter, read_record

OLD = Path(__file__).parent / "data" / "gristmill-0.1.json"
"""As gristmill wrote it before optimisers and schedules had options, and before runs told memory, processes and a verdict."""


def test_a_record_of_yesterday_is_read(tmp_path):
    (tmp_path / "gristmill.json").write_bytes(OLD.read_bytes())
    record = read_record(tmp_path)
    assert record.train["optimizer"] == "adamw"
    assert (record.outcome.ended, record.outcome.kept, record.outcome.verdict) == ("steps", "best", None)
    assert (record.processes, record.rows, record.key) == (1, {}, None)


def test_a_run_of_yesterday_is_listed_opened_and_compared_with_todays(made):
    root, recipe = made("max_steps = 1")
    new = trainer.train(recipe, root=root, quiet=True)
    old = new.path.parent / "2"
    old.mkdir()
    (old / "gristmill.json").write_bytes(OLD.read_bytes())
    assert trainer.open("tale/2", root=root).record.outcome.steps == 3
    theirs, ours = runs._identity(read_record(old)), runs._identity(new.record)
    assert {key for key in ours if key.startswith("train.") and ours[key] != theirs.get(key)} == {
        "train.max_steps",
        "train.eval_every",
    }


@pytest.mark.parametrize("change", ["weights", "config", "one more"])
def test_an_adapter_that_was_changed_is_refused(made, change):
    root, recipe = made("max_steps = 1")
    run = trainer.train(recipe, root=root, quiet=True)
    check_adapter(run.record, run.adapter)
    (run.adapter / "README.md").write_text("a card is nobody's business")
    check_adapter(run.record, run.adapter)
    if change == "weights":
        data = bytearray((run.adapter / "adapter_model.safetensors").read_bytes())
        data[-1] ^= 1
        (run.adapter / "adapter_model.safetensors").write_bytes(data)
    elif change == "config":
        config = json.loads((run.adapter / "adapter_config.json").read_text())
        (run.adapter / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 99}))
    else:
        (run.adapter / "adapter_model.bin").write_bytes(b"a pickle")
    for use in (lambda: run.chat("The innkeeper"), run.evaluate):
        with pytest.raises(Mismatch, match="is not the adapter that tale/1 saved"):
            use()
    assert run.record.openings == ()


def test_the_identity_of_yesterdays_adapters_is_the_same_today(tmp_path):
    """The digest that the old run recorded was made from these two files."""
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    (tmp_path / "adapter_config.json").write_bytes(b"{}")
    assert adapter_digest(tmp_path) == "c5722eebc3be5dd51ac0dbb4a2906656"
