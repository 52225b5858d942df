"""One run: losses, early stopping, the adapter that is kept, what it remembers, and being killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import TEXTS

import trainer
from plugins import models
from plugins.backends.peft import Peft
from schemas.errors import MissingExtra, NotFound, RecipeError, UserError
from schemas.manifest import sha_line
from schemas.recipe import Train
from trainer import runs, sft
from trainer.data import read_rows
from trainer.evaluation.measure import measure
from trainer.steps import packing
from trainer.watching import ending

REPO = Path(__file__).resolve().parents[2]


def val_loss(run, tiny_model) -> float:
    """Measured anew from what lies on disk."""
    record = run.record
    loaded = Peft().load(tiny_model, Train(), max_length=128, adapter=run.adapter, trainable=False)
    rows = read_rows(run.store.version(record.corpus), "val")
    return measure(
        loaded.model, packing.dataset(rows, 128, packing=False), packing.Collator(0), batch_size=2
    ).loss


def test_a_run_lowers_the_validation_loss_and_leaves_what_it_promises(made, tiny_model):
    root, recipe = made("epochs = 6\neval_every = 6")
    run = trainer.train(recipe, root=root)
    record, end = run.record, run.record.outcome
    assert run.spec == "tale/1"
    assert end.val_loss < end.first_val_loss
    assert end.stop_reason == f"all {end.steps} steps are done"
    assert {path.name for path in run.path.iterdir()} == {
        "adapter", "gristmill.json", "losses.png", "learning_rate.png", "grad_norm.png", "metrics.parquet", "preflight.json", "recipe.toml", "README.md", ".lock",
    }  # fmt: skip
    assert {path.name for path in (run.path / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert (run.path / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert (run.path / "recipe.toml").read_bytes() == recipe.read_bytes()
    assert (record.corpus, record.fingerprint, record.base.digest) == (
        "tale@1",
        "f1",
        models.model_digest(tiny_model),
    )
    assert record.tokenizer.digest == record.base.tokenizer == models.tokenizer_digest(tiny_model)
    assert record.train["epochs"] == 6
    assert {"torch", "trl", "peft", "transformers"} <= record.libraries.keys()
    assert json.loads((run.path / "preflight.json").read_text())["splits"]["train"]["rows"] == 24


def test_the_journal_has_every_step_once_and_a_validation_before_the_first(made):
    root, recipe = made("max_steps = 7\neval_every = 3")
    rows = trainer.train(recipe, root=root).metrics().to_pylist()
    assert [row["step"] for row in rows if row["kind"] == "train"] == list(range(1, 8))
    assert [row["step"] for row in rows if row["kind"] == "val"] == [0, 3, 6, 7]
    assert [row["tokens"] for row in rows] == sorted(row["tokens"] for row in rows)


OVERFIT = 'epochs = 200\neval_every = 3\nlearning_rate = 3e-2\nwarmup = 0\nschedule = "constant"\nearly_stopping = { patience = 2 }'


def test_an_overfitting_run_stops_early_and_keeps_the_best_adapter_not_the_last(made, tiny_model):
    scrambled = [text[:40].upper() for text in TEXTS[30:40]]
    root, recipe = made(OVERFIT, train_texts=TEXTS[:4], val_texts=scrambled)
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    values = {row["step"]: row["loss"] for row in run.metrics().to_pylist() if row["kind"] == "val"}
    assert end.stop_reason.startswith("early stopping: val_loss did not improve for 2 evaluations")
    assert end.steps < 200
    assert end.best_step == min(values, key=values.get) < end.steps
    assert end.last_val_loss > end.val_loss + 0.01
    assert val_loss(run, tiny_model) == pytest.approx(values[end.best_step], abs=1e-5)


def test_without_early_stopping_the_last_adapter_is_kept(made, tiny_model):
    root, recipe = made("max_steps = 4\neval_every = 2\nearly_stopping = false")
    run = trainer.train(recipe, root=root)
    assert run.record.outcome.kept == "last"
    assert val_loss(run, tiny_model) == pytest.approx(run.record.outcome.last_val_loss, abs=1e-5)


@pytest.mark.parametrize("metric", ["val_accuracy", "train_loss"])
def test_other_metrics_can_be_watched(made, metric):
    root, recipe = made(f'max_steps = 6\neval_every = 2\nearly_stopping = {{ metric = "{metric}" }}')
    run = trainer.train(recipe, root=root)
    rows = run.metrics().to_pylist()
    if metric == "val_accuracy":
        values = {row["step"]: row["accuracy"] for row in rows if row["kind"] == "val"}
        assert run.record.outcome.best_step == max(values, key=values.get)
    else:
        losses = [row["loss"] for row in rows if row["kind"] == "train"]
        means = {2 * n + 2: (losses[2 * n] + losses[2 * n + 1]) / 2 for n in range(3)}
        assert run.record.outcome.best_step == min(means, key=means.get)


def test_accumulated_steps_weigh_tokens_not_micro_batches(made):
    """Rows of very different lengths: a mean of means would differ in the first digit."""
    long, short = " ".join(TEXTS[:3])[:300], [text[:12] for text in TEXTS[:7]]
    root, recipe = made("max_steps = 2\npacking = false", train_texts=[long, *short])
    text, seen = recipe.read_text(), []
    for micro in (1, 8):
        recipe.write_text(
            text.replace(
                "batch_size = 4\nmicro_batch_size = 2", f"batch_size = 8\nmicro_batch_size = {micro}"
            )
        )
        seen.append([
            row for row in sft.train(recipe, root=root).metrics().to_pylist() if row["kind"] == "train"
        ])
    for one, eight in zip(*seen, strict=True):
        assert one["loss"] == pytest.approx(eight["loss"], abs=1e-5)
        assert one["grad_norm"] == pytest.approx(eight["grad_norm"], rel=1e-4)


def test_the_same_recipe_trains_the_same_adapter(made):
    root, recipe = made("max_steps = 3\nlora = { dropout = 0.1 }")
    first, second = (trainer.train(recipe, root=root) for _ in range(2))
    assert (first.spec, second.spec) == ("tale/1", "tale/2")
    adapters = [(run.adapter / "adapter_model.safetensors").read_bytes() for run in (first, second)]
    assert adapters[0] == adapters[1]


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "gd", "adafactor"])
def test_every_named_optimiser_lowers_the_training_loss(made, optimizer):
    rate = 0.5 if optimizer in {"sgd", "gd"} else 1e-2
    root, recipe = made(f'max_steps = 8\neval_every = 8\noptimizer = "{optimizer}"\nlearning_rate = {rate}')
    end = trainer.train(recipe, root=root).record.outcome
    assert end.val_loss < end.first_val_loss


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('optimizer = "adamv"', r'train.optimizer is "adamv", which is no optimiser. Nearest: "adam"'),
        ('schedule = "cosin"', r'train.schedule is "cosin".*Nearest: "cosine"'),
        (
            'lora = { targets = ["q_prj"] }',
            r'train.lora.targets names "q_prj".*Nearest: "q_proj".*"all-linear"',
        ),
    ],
    ids=["optimiser", "schedule", "lora target"],
)
def test_a_misspelt_name_is_refused_with_the_nearest(made, line, message):
    root, recipe = made(line)
    with pytest.raises(UserError, match=message):
        trainer.train(recipe, root=root)


def test_an_unknown_backend_is_a_fault_of_the_recipe(made):
    root, recipe = made()
    recipe.write_text(recipe.read_text().replace('"peft"', '"pefft"'))
    with pytest.raises(RecipeError, match='"pefft" is not a backend. Nearest: "peft"'):
        trainer.train(recipe, root=root)


def test_a_backend_that_is_not_installed_names_its_pip_line(made, monkeypatch):
    import plugins.backends.unsloth as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    root, recipe = made()
    recipe.write_text(recipe.read_text().replace('"peft"', '"unsloth"'))
    with pytest.raises(MissingExtra, match=r"pip install 'gristmill\[unsloth\]'"):
        trainer.train(recipe, root=root)


# ------------------------------------------------------------------------------------------------ killed

KILLED = """
import os, signal, sys
from trainer.watching.watch import Watch
from trainer import sft
written = Watch.checkpoint
def checkpoint(self, step, fill):
    written(self, step, fill)
    if step >= 4:
        os.kill(os.getpid(), signal.SIGKILL)
Watch.checkpoint = checkpoint
sft.train(sys.argv[1], root=sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_run_is_shown_unfinished_and_resumed_to_the_same_end(made):
    root, recipe = made("max_steps = 9\neval_every = 2\nlora = { dropout = 0.1 }")
    whole = trainer.train(recipe, root=root)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, recipe, root],
        cwd=REPO,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert [(row.run, row.status) for row in trainer.listing(root)] == [
        ("tale/1", "finished"),
        ("tale/2", "unfinished"),
    ]
    with pytest.raises(NotFound, match="tale/2 is not finished"):
        _ = trainer.open("tale/2", root=root).adapter

    resumed = trainer.train(recipe, root=root, resume=True)

    assert resumed.spec == "tale/2"
    keep = ("step", "kind", "loss", "accuracy", "learning_rate", "tokens")
    told = [
        [{key: row[key] for key in keep} for row in run.metrics().to_pylist()] for run in (whole, resumed)
    ]
    assert told[0] == told[1]
    assert (whole.adapter / "adapter_model.safetensors").read_bytes() == (
        resumed.adapter / "adapter_model.safetensors"
    ).read_bytes()


def interrupted(made, monkeypatch):
    """A run broken off before its first step."""
    root, recipe = made("max_steps = 2")
    with monkeypatch.context() as patch:
        patch.setattr(ending, "finish", lambda *args, **more: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trainer.train(recipe, root=root)
    return root, recipe


def test_a_run_broken_off_after_its_last_step_is_only_closed(made, monkeypatch):
    root, recipe = interrupted(made, monkeypatch)
    assert trainer.listing(root)[0].status == "unfinished"
    run = trainer.train(recipe, root=root, resume=True)
    assert run.record.status == "finished"
    assert [row["step"] for row in run.metrics().to_pylist() if row["kind"] == "train"] == [1, 2]


def test_resuming_with_another_train_section_is_refused(made, monkeypatch):
    root, recipe = interrupted(made, monkeypatch)
    recipe.write_text(recipe.read_text().replace("learning_rate = 1e-2", "learning_rate = 1e-3"))
    with pytest.raises(UserError, match=r"tale/1 cannot go on: train.learning_rate was 0.01, is 0.001"):
        trainer.train(recipe, root=root, resume=True)


def test_resuming_beside_a_newer_version_says_how_to_name_the_old_one(made, monkeypatch):
    root, recipe = interrupted(made, monkeypatch)
    newer = shutil.copytree(root / "corpora/tale/v1", root / "corpora/tale/v2")
    tables = json.loads((newer / "manifest.json").read_bytes()) | {"version": 2, "fingerprint": "f2"}
    (newer / "manifest.json").write_text(json.dumps(tables))
    (newer / "manifest.json.sha256").write_text(sha_line((newer / "manifest.json").read_bytes()))
    with pytest.raises(
        UserError, match=r"corpus was tale@1, is tale@2.* go on with --resume --version tale@1"
    ):
        trainer.train(recipe, root=root, resume=True)
    assert trainer.train(recipe, root=root, resume=True, version="tale@1").record.status == "finished"


def test_resuming_a_finished_run_is_refused(made):
    root, recipe = made("max_steps = 1")
    trainer.train(recipe, root=root)
    with pytest.raises(NotFound, match="nothing to resume: tale/1 is finished"):
        trainer.train(recipe, root=root, resume=True)


def test_a_run_at_work_cannot_be_resumed_beside_it(made, monkeypatch):
    root, recipe = interrupted(made, monkeypatch)
    with runs.locked(trainer.open("tale/1", root=root)):
        with pytest.raises(UserError, match="at work in another process"):
            trainer.train(recipe, root=root, resume=True)
        assert trainer.listing(root)[0].status == "running"
