"""Runs in a table and side by side."""

import json
import math

import pytest
import typer
from typer.testing import CliRunner

import trainer
from schemas.errors import Corruption, NotFound, UserError
from schemas.manifest import SplitRecord
from trainer import runs as on_disk
from trainer.commands.runs import as_table, runs, side_by_side
from trainer.record import BaseModelRecord, Opening, Outcome, RunRecord
from trainer.seeing.comparison import compare, listing
from trainer.seeing.journal import Journal
from trainer.seeing.table import table


def call(*args):
    app = typer.Typer()
    app.command()(runs)
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture
def begun(tmp_path):
    """Writes a run by hand: no model is needed to list one."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "tale"')

    def write(*, losses=(3.0, 2.5, 2.4), finished=True, train=None, corpus="tale@1", documents=8, **more):
        record = RunRecord(
            run="tale/0", corpus=corpus, fingerprint=f"f-{corpus}",
            splits={"train": SplitRecord(target=0.8, groups=1, documents=documents, chunks=1, tokens=100)}, split={},
            tokenizer={"model": "tiny", "digest": "d", "eos_token_id": 0, "format": "text", "max_tokens": 8},
            base=BaseModelRecord(name="tiny", path="/tiny", digest="abcdef0123", tokenizer="d", template=None),
            recipe=str(recipe), train=train or {}, backend="peft", device="cpu", precision="float32", max_length=8, seed=7, libraries={},
            **more,
        )  # fmt: skip
        run = on_disk.begin(on_disk.Store(tmp_path), "tale", record, recipe)
        journal = Journal(run.path / on_disk.METRICS)
        for n, loss in enumerate(losses):
            if n:
                journal.add("train", n, n / 4, loss - 0.5, 100 * n)
            journal.add("val", n, n / 4, loss, 100 * n)
            journal.rows[-1]["seconds"] = 60.0 * n
        journal.write()
        if finished:
            end = Outcome(steps=len(losses) - 1, stop_reason="early stopping: no gain", kept="best", best_step=1, first_val_loss=3.0,
                          val_loss=min(losses), last_val_loss=losses[-1], train_loss=1.9, trained_tokens=200, seconds=120.0)  # fmt: skip
            done = {"status": "finished", "outcome": end}
            on_disk.write_record(run.path, run.record.model_copy(update=done))
        return run

    return write


def test_every_run_is_a_row_whatever_became_of_it(begun, tmp_path):
    begun(openings=(Opening(at="now", base_loss=3.0, tuned_loss=2.0),), sweep=2)
    begun(losses=(3.0, 2.7), finished=False)
    torn, at_work, young = begun(), begun(finished=False), begun(losses=(), finished=False)
    (torn.path / "gristmill.json").write_text("{")
    (begun().path / "metrics.parquet").write_text("not Parquet")
    with on_disk.locked(at_work):
        rows = listing(tmp_path)
    assert [row.status for row in rows] == [
        "finished",
        "unfinished",
        "unreadable",
        "running",
        "unfinished",
        "unreadable",
    ]
    assert (rows[0].val_loss, rows[0].test_loss, rows[0].minutes, rows[0].sweep) == (2.4, 2.0, 2.0, 2)
    assert rows[0].test_perplexity == pytest.approx(math.exp(2.0))
    assert (rows[1].val_loss, rows[1].steps, rows[1].best_step, rows[1].minutes) == (2.7, 1, 1, 1.0)  # so far
    assert "not a run's record" in rows[2].stop_reason
    assert (rows[4].run, rows[4].steps, rows[4].val_loss) == (young.spec, 0, None)


def test_a_look_that_measured_nothing_hides_no_test_loss(begun):
    looks = (Opening(at="then", base_loss=3.0, tuned_loss=2.0), Opening(at="now"))
    measured, broken = begun(openings=looks), begun(openings=looks[1:])
    rows = listing(measured.root)
    assert [(row.test_loss, row.openings) for row in rows] == [(2.0, 2), (None, 1)]
    told = next(line for line in side_by_side(compare([measured, broken])) if line.startswith("test loss"))
    assert told.split("  ")[-1].strip() == "not measured"
    assert "2.0000 (opened 2x)" in told


def test_a_picture_for_a_folder_that_is_not_there_says_how_to_make_it(begun, tmp_path):
    begun()
    with pytest.raises(UserError, match="Make it: mkdir -p"):
        call("--root", tmp_path, "--plot", tmp_path / "none/x.png")


def test_overfitting_is_told_in_the_table_and_in_words_beside(begun):
    row = listing(begun(losses=(3.0, 2.0, 2.6, 2.9)).root)[0]
    assert row.verdict in {"overfitting", "unsteady"}
    assert as_table([row])[1].endswith(f"{row.verdict}; early stopping")
    run = begun(losses=(3.0, 2.0, 2.6, 2.9))
    assert any(row.told in line for line in side_by_side(compare([run])))


def test_only_what_differs_is_compared_and_an_old_recipe_has_the_defaults_of_then(begun):
    old = begun(train={"learning_rate": 1e-3, "lora": {"r": 16}, "optimizer": "adamw", "schedule": "cosine"})
    new = begun(train={"learning_rate": 1e-3, "lora": {"r": 8}, "weight_decay": 0.1})
    found = compare([old, new])
    assert found.recipe == {"train.weight_decay": [0.0, 0.1], "train.lora.r": [16, 8]}
    assert found.corpus == {}
    assert compare([old, old]).recipe == {}


def test_runs_of_two_versions_tell_what_grew(begun):
    found = compare([begun(), begun(corpus="tale@2", documents=9)])
    assert found.recipe == {}
    assert found.corpus["version"] == ["tale@1", "tale@2"]
    assert found.corpus["train documents"] == [8, 9]


def test_the_command_lists_compares_and_draws(begun, tmp_path):
    begun()
    begun(train={"seed": 8})
    listed = call("--root", tmp_path, "--json")
    assert [row["run"] for row in json.loads(listed.stdout.splitlines()[-1])] == ["tale/1", "tale/2"]
    assert call("tale", "--root", tmp_path).stdout.splitlines() == listed.stdout.splitlines()[:-1]
    beside = call("tale/1", "tale/2", "--root", tmp_path, "--json", "--plot", tmp_path / "both.png")
    assert json.loads(beside.stdout.splitlines()[-1])["recipe"] == {"train.seed": [7, 8]}
    assert "sealed" in beside.stdout
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(NotFound, match='no run named "tail"'):
        call("tail", "--root", tmp_path)


def test_a_run_that_cannot_be_read_cannot_be_compared(begun):
    good, torn = begun(), begun()
    (torn.path / "gristmill.json").write_text("{")
    with pytest.raises(Corruption):
        compare([good, torn])


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_the_table_fits_the_terminal_and_says_what_it_left_out(begun, width, monkeypatch):
    run = begun(openings=(Opening(at="now", base_loss=3.0, tuned_loss=2.0),), sweep=12)
    monkeypatch.setattr("trainer.seeing.table.room", lambda: width)
    lines = as_table(listing(run.root))
    assert max(map(len, lines[:2])) <= width
    assert lines[1].startswith("tale/1 ")
    assert "2.4000" in lines[1]
    assert width >= 100 or lines[2].startswith("(base")


def test_a_column_without_a_value_is_not_shown():
    assert table({"run": ["a"], "test": [""], "val": ["1"]}, width=None, left=["run"]) == [
        "run  val",
        "a      1",
    ]


def test_listing_is_the_trainers(begun):
    assert trainer.listing(begun().root)[0].run == "tale/1"
