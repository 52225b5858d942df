"""A sweep: every member an ordinary run, the best chosen by val loss, taken up where it was killed."""

import json
import tomllib

import pytest
import typer
from typer.testing import CliRunner

import trainer
from schemas.errors import NotFound, RecipeError, UserError
from trainer import sft
from trainer.commands.sweep import sweep as command
from trainer.seeing.comparison import listing

STEPS = "max_steps = 4\neval_every = 2\npacking = false"
LONGER = STEPS.replace("4", "6")


def call(*args):
    app = typer.Typer()
    app.command("sweep")(command)
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)


def test_members_are_runs_with_their_values_the_slowest_is_stopped_and_the_best_is_told(made):
    root, recipe = made(LONGER)
    before = recipe.read_text()
    told = call(recipe, "train.learning_rate=1e-2,5e-2,1e-9", "--root", root, "--json")
    found = json.loads(told.stdout.splitlines()[-1])
    runs = [trainer.open(f"tale/{n}", root=root) for n in (1, 2, 3)]
    assert [run.record.train["learning_rate"] for run in runs] == [1e-2, 5e-2, 1e-9]
    assert [run.record.overrides for run in runs] == [
        {"train.learning_rate": value} for value in (1e-2, 5e-2, 1e-9)
    ]
    assert {run.record.sweep for run in runs} == {1}
    copies = [(run.path / "recipe.toml").read_text() for run in runs]
    assert copies[0] == before == recipe.read_text()  # 1e-2 is what it says already
    assert [tomllib.loads(copy)["train"]["learning_rate"] for copy in copies] == [1e-2, 5e-2, 1e-9]
    assert all(not run.record.openings for run in runs)

    assert [trial["status"] for trial in found["trials"]] == ["finished", "finished", "stopped"]
    assert (runs[2].record.outcome.ended, runs[2].record.outcome.steps) == ("callback", 4)
    losses = [run.record.outcome.val_loss for run in runs]
    assert found["best"] == f"tale/{1 + losses.index(min(losses))}" == "tale/2"
    assert found["lines"] == ["[train]", "learning_rate = 0.05"]
    assert "[train]\nlearning_rate = 0.05\n" in told.stdout
    assert (root / "runs/tale/sweeps/1.png").read_bytes().startswith(b"\x89PNG")
    assert [row.sweep for row in listing(root)] == [1, 1, 1]


def test_a_killed_sweep_goes_on_and_what_is_finished_is_not_run_again(made, monkeypatch):
    root, recipe = made(STEPS)
    tried = {"train.lora.r": [2, 4, 8]}
    trained = []

    def train(*args, member, **more):
        trained.append(member.overrides["train.lora.r"])
        if len(trained) == 2:
            with monkeypatch.context() as patch:
                patch.setattr(
                    "trainer.watching.ending.finish",
                    lambda *args, **more: (_ for _ in ()).throw(KeyboardInterrupt),
                )
                return run(*args, member=member, **more)
        return run(*args, member=member, **more)

    run = sft.train
    monkeypatch.setattr(sft, "train", train)
    with pytest.raises(KeyboardInterrupt):
        trainer.sweep(recipe, tried, root=root, quiet=True)
    assert [(row.run, row.status) for row in listing(root)] == [
        ("tale/1", "finished"),
        ("tale/2", "unfinished"),
    ]
    with pytest.raises(UserError, match="tries something else"):
        trainer.sweep(recipe, {"train.lora.r": [2, 4]}, root=root, resume=True, quiet=True)

    found = trainer.sweep(recipe, tried, root=root, resume=True, quiet=True)

    assert trained == [2, 4, 4, 8]
    assert [trial.run for trial in found.trials] == ["tale/1", "tale/2", "tale/3"]
    assert [row.status for row in listing(root)] == ["finished"] * 3
    assert found.best.val_loss == min(trial.val_loss for trial in found.trials)
    with pytest.raises(NotFound, match="nothing to resume: sweep 1 of tale is done"):
        trainer.sweep(recipe, tried, root=root, resume=True, quiet=True)


def test_a_run_that_ended_before_the_sweep_could_note_it_is_not_run_again(made, monkeypatch):
    root, recipe = made(STEPS)
    trained, tried, run = [], {"train.seed": [1]}, sft.train

    def train(*args, member, **more):
        trained.append(member.overrides["train.seed"])
        run(*args, member=member, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(sft, "train", train)
    with pytest.raises(KeyboardInterrupt):
        trainer.sweep(recipe, tried, root=root, quiet=True)
    found = trainer.sweep(recipe, tried, root=root, resume=True, quiet=True)
    assert trained == [1]
    assert (found.best.run, found.best.status) == ("tale/1", "finished")


def test_what_ends_one_run_is_told_and_the_others_go_on(made, monkeypatch):
    root, recipe = made(STEPS)

    def train(*args, member, **more):
        if member.overrides["train.seed"] == 1:
            raise UserError("the GPU is on fire.\nPut it out.")
        return run(*args, member=member, **more)

    run = sft.train
    monkeypatch.setattr(sft, "train", train)
    found = trainer.sweep(recipe, {"train.seed": [1, 2]}, root=root, quiet=True)
    assert [(trial.status, trial.run) for trial in found.trials] == [("failed", None), ("finished", "tale/1")]
    assert found.trials[0].told == "the GPU is on fire."
    assert found.best is found.trials[1]


def test_bad_keys_and_values_are_told_together_before_anything_runs(made):
    root, recipe = made(STEPS)
    tried = {
        "train.lora.rr": [8],
        "train.optimizer": ["adamw", "adamv"],
        "train.learning_rate": [0, 1e-3],
        "train.epochs.x": [1],
        "tokens.max_tokens": [64],
    }
    with pytest.raises(RecipeError) as raised:
        trainer.sweep(recipe, tried, root=root)
    told = {fault.key: fault.message for fault in raised.value.faults}
    assert told.keys() == {
        "train.lora.rr",
        "train.optimizer",
        "train.learning_rate",
        "train.epochs",
        "tokens.max_tokens",
    }
    assert 'Nearest: "r"' in told["train.lora.rr"]
    assert '"adamv", which is no optimiser' in told["train.optimizer"]
    assert "is 0; it must be above 0" in told["train.learning_rate"]
    assert not (root / "runs").exists()


def test_a_fault_of_the_recipe_itself_is_told_as_its_own(made):
    root, recipe = made(STEPS + '\noptimizer = "adamv"')
    with pytest.raises(RecipeError, match=r"recipe.toml: 1 fault") as raised:
        trainer.sweep(recipe, {"train.seed": [1, 2]}, root=root)
    assert "adamv" in str(raised.value)


def test_a_dry_run_lists_and_trains_nothing(made):
    root, recipe = made(STEPS)
    told = call(recipe, "train.lora.r=4,8", "train.seed=1,2", "--dry-run", "--root", root, "--json")
    assert json.loads(told.stdout.splitlines()[-1])[3] == {"train.lora.r": 8, "train.seed": 2}
    assert not (root / "runs").exists()


def test_without_a_val_split_there_is_nothing_to_choose_by(made):
    root, recipe = made(STEPS + "\nearly_stopping = false", val_texts=())
    with pytest.raises(UserError, match="a sweep chooses by val loss"):
        trainer.sweep(recipe, {"train.seed": [1, 2]}, root=root)


def test_a_number_whose_file_was_deleted_is_not_given_again(made):
    root, recipe = made("max_steps = 1\npacking = false")
    trainer.sweep(recipe, {"train.seed": [1]}, root=root, quiet=True)
    (root / "runs/tale/sweeps/1.json").unlink()
    recipe.write_text(recipe.read_text().replace("learning_rate = 1e-2", "learning_rate = 1e-3"))
    found = trainer.sweep(recipe, {"train.seed": [1]}, root=root, quiet=True)
    assert (found.number, found.best.run) == (2, "tale/2")
    assert trainer.open("tale/2", root=root).record.train["learning_rate"] == 1e-3


def test_a_sweep_goes_on_from_another_folder(made, monkeypatch):
    root, recipe = made("max_steps = 1\npacking = false")
    monkeypatch.chdir(root)

    def killed(*args, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sft, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            trainer.sweep("recipe.toml", {"train.seed": [1]}, root=root, quiet=True)
    monkeypatch.chdir(root.parent)
    found = trainer.sweep(f"{root.name}/recipe.toml", {"train.seed": [1]}, root=root, resume=True, quiet=True)
    assert (found.best.run, found.recipe) == ("tale/1", str(recipe))


def test_a_run_that_diverged_is_no_finished_one_when_the_sweep_goes_on(made, monkeypatch):
    root, recipe = made("max_steps = 20\neval_every = 20\npacking = false")
    tried, run = {"train.learning_rate": [1e30, 1e-2]}, sft.train

    def train(*args, member, **more):
        if member.overrides["train.learning_rate"] == 1e-2:
            raise KeyboardInterrupt
        return run(*args, member=member, **more)

    with monkeypatch.context() as patch:
        patch.setattr(sft, "train", train)
        with pytest.raises(KeyboardInterrupt):
            trainer.sweep(recipe, tried, root=root, quiet=True)
    found = trainer.sweep(recipe, tried, root=root, resume=True, quiet=True)
    assert [(one.status, one.run, one.val_loss is None) for one in found.trials] == [
        ("failed", "tale/1", True),
        ("finished", "tale/2", False),
    ]
    assert "became nan" in found.trials[0].told
