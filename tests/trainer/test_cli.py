"""The commands as they are mounted: what stdout holds, and the one line of JSON at its end."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import trainer
from schemas.errors import Diverged, MissingExtra, UserError
from trainer.commands.chat import chat
from trainer.commands.evaluate import evaluate
from trainer.commands.runs import runs
from trainer.commands.train import train

app = typer.Typer()
for name, function in {"train": train, "eval": evaluate, "chat": chat, "runs": runs}.items():
    app.command(name)(function)


def call(*args: str, **more):
    """Run a command; what it raises is raised here, as it is in `corpus.cli`."""
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False, **more)


def last(result) -> dict:
    return json.loads(result.stdout.splitlines()[-1])


def test_train_eval_chat_and_runs_work_in_turn(made):
    root, recipe = made("max_steps = 4\neval_every = 2")
    trained = call("train", recipe, "--root", root, "--json")
    assert last(trained)["run"] == "tale/1"
    assert last(trained)["val_loss"] < last(trained)["first_val_loss"]
    assert "step 2/4" in trained.stderr
    assert "step" not in trained.stdout.splitlines()[-2]

    evaluated = call("eval", "tale", "--root", root, "--json")
    assert last(evaluated)["opening"] == 1
    assert last(evaluated)["tuned"]["loss"] < last(evaluated)["base"]["loss"]

    asked = call(
        "chat", "tale/1", "--prompt", "The innkeeper", "--max-new-tokens", "5", "--root", root, "--json"
    )
    assert last(asked)["answer"] == "\n".join(asked.stdout.splitlines()[:-1])

    talk = call("chat", "tale", "--root", root, "--max-new-tokens", "3", "--json", input="Who\n\nShe draws\n")
    assert [json.loads(line)["prompt"] for line in talk.stdout.splitlines() if line.startswith('{"run"')] == [
        "Who",
        "She draws",
    ]

    listed = call("runs", "--root", root, "--json")
    assert (last(listed)[0]["run"], last(listed)[0]["status"], last(listed)[0]["openings"]) == (
        "tale/1",
        "finished",
        1,
    )
    assert "all 4 steps are done" in listed.stdout


def test_a_dry_run_prints_the_preflight(made):
    root, recipe = made("max_steps = 4")
    result = call("train", recipe, "--root", root, "--dry-run", "--json")
    assert last(result)["splits"]["train"]["rows"] == 24
    assert "0 cut" in result.stderr
    assert not (root / "runs").exists()


def test_numbers_that_are_none_are_null_in_the_record(made):
    """The only step's own loss is a number; what it did to the weights is not."""
    root, recipe = made("max_steps = 1\nearly_stopping = false\nlearning_rate = 1e30")
    with pytest.raises(Diverged, match="val loss became nan after step 1"):
        call("train", recipe, "--root", root, "--json")
    text = (root / "runs/tale/1/gristmill.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["outcome"]["last_val_loss"] is None
    assert last(call("runs", "--root", root, "--json"))[0]["val_loss"] is None


def test_a_gpu_by_its_number_says_how_to_train_on_it(made):
    root, recipe = made()
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES=1 and type --device cuda"):
        call("train", recipe, "--root", root, "--device", "cuda:1")


def test_no_runs_is_said_with_the_line_that_makes_one(tmp_path):
    result = call("runs", "--root", tmp_path, "--json")
    assert last(result) == []
    assert "gristmill train RECIPE" in result.stderr


def test_a_missing_extra_prints_its_pip_line(made, monkeypatch):
    import plugins.backends.peft as module

    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "trl" else object())
    root, recipe = made()
    with pytest.raises(
        MissingExtra,
        match=r"trl not installed\) needs the extra `train`. Install it with: pip install 'gristmill\[train\]'",
    ):
        call("train", recipe, "--root", root)


def test_what_the_user_must_change_is_raised_for_the_shell_to_print(made):
    root, recipe = made(val_texts=())
    with pytest.raises(UserError, match="the val split of tale@1 is empty"):
        call("train", recipe, "--root", root)


def test_help_imports_nothing_heavy():
    code = "import sys, trainer, trainer.commands.train, trainer.commands.evaluate, trainer.commands.chat, trainer.commands.runs; print([n for n in ('torch', 'transformers', 'pyarrow', 'numpy', 'polars', 'matplotlib') if n in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=trainer.__file__.rpartition("/trainer")[0],
        ).stdout
        == "[]\n"
    )
