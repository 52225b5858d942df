"""Runs that diverge, by a training loss, by val loss, or by weights that are no numbers: what they keep, and that they never keep ruins."""

import dataclasses
import math

import pytest
from cut_runs import Cut, bend_losses, cut_at, quick, vals  # noqa: F401  quick is a fixture

import trainer
from schemas.errors import Diverged, NotFound
from trainer.watching import ending
from trainer.watching.watch import Watch

pytestmark = pytest.mark.usefixtures("quick")

PLAIN = "max_steps = 8\neval_every = 2\nearly_stopping = false"


def test_a_run_that_diverges_keeps_its_best_adapter(made, monkeypatch):
    bend_losses(monkeypatch, lambda step, loss: loss + 10 * (step >= 5))
    root, recipe = made("max_steps = 20\neval_every = 2")
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    assert (end.ended, end.kept, end.steps, end.best_step) == ("diverged", "best", 7, 6)
    assert end.checked_val_loss == pytest.approx(vals(run)[6], abs=1e-4)


def test_without_early_stopping_it_keeps_the_checkpoint_from_before(made, monkeypatch):
    """Losses are bad from step 6 on; step 4's weights gave step 5's good loss, and none was written since."""
    bend_losses(monkeypatch, lambda step, loss: loss + 10 * (step >= 6))
    root, recipe = made("max_steps = 20\neval_every = 2\nearly_stopping = false")
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    assert (end.ended, end.kept, end.steps) == ("diverged", "checkpoint", 8)
    assert end.val_loss == vals(run)[4]
    assert end.checked_val_loss == pytest.approx(vals(run)[4], abs=1e-4)
    assert "more than 2 nats above its median" in end.stop_reason


def test_a_resumed_run_knows_what_its_loss_was_before_it_was_cut(made, monkeypatch):
    """Its first losses are bad already: only the journal tells that they are."""
    bend_losses(monkeypatch, lambda step, loss: loss + 10 * (step >= 6))
    root, recipe = made("max_steps = 12\neval_every = 5")
    with monkeypatch.context() as patch:
        cut_at(7, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root)
    end = trainer.train(recipe, root=root, resume=True).record.outcome
    assert (end.ended, end.steps, end.best_step) == ("diverged", 8, 5)


def test_a_loss_that_is_no_number_ends_the_run_at_once(made, monkeypatch):
    bend_losses(monkeypatch, lambda step, loss: math.nan if step == 5 else loss)
    root, recipe = made(PLAIN)
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    assert (end.ended, end.kept, end.steps) == ("diverged", "checkpoint", 5)
    assert end.val_loss == vals(run)[2]  # step 4's weights gave the bad loss
    assert "the training loss became nan at step 5" in end.stop_reason


def test_a_run_that_diverges_with_nothing_worth_keeping_fails(made):
    root, recipe = made("max_steps = 50\neval_every = 50\nlearning_rate = 1e30")
    with pytest.raises(Diverged, match="the training loss became nan at step.*No adapter is kept") as error:
        trainer.train(recipe, root=root)
    assert error.value.exit_code == 1
    run = trainer.open("tale/1", root=root)
    assert (run.record.status, run.record.outcome.kept, run.record.adapter) == ("finished", "none", None)
    assert not (run.path / "adapter").exists()
    with pytest.raises(NotFound, match="tale/1 has no adapter: the run diverged"):
        _ = run.adapter


def test_a_checkpoint_that_is_worse_than_the_base_is_not_kept(made, monkeypatch):
    """Without early stopping nothing was measured best; the checkpoint is measured before it is kept."""
    bend_losses(monkeypatch, lambda step, loss: math.nan if step == 5 else loss)
    root, recipe = made(PLAIN + '\nlearning_rate = 5.0\nwarmup = 0\nschedule = "constant"')
    with pytest.raises(Diverged):
        trainer.train(recipe, root=root)


RUINED = 'max_steps = 1\nlearning_rate = 1e30\nwarmup = 0\nschedule = "constant"\n'


@pytest.mark.parametrize(
    "rule",
    ["false", '{ metric = "train_loss" }', '{ metric = "val_accuracy" }', "{ patience = 1 }"],
)
def test_weights_that_the_last_update_ruined_are_not_kept(made, rule):
    """The only step's own loss was good: it is that of the base."""
    root, recipe = made(f"{RUINED}early_stopping = {rule}")
    with pytest.raises(Diverged, match=r"val loss became (nan|inf) after step 1"):
        trainer.train(recipe, root=root)
    assert not (trainer.open("tale/1", root=root).path / "adapter").exists()


def test_they_are_not_kept_where_there_is_no_val_split_either(made, monkeypatch):
    finish = ending.finish

    def ruined(run, watch, sft, **more):
        next(weight for weight in sft.model.parameters() if weight.requires_grad).data[0, 0] = math.inf
        return finish(run, watch, sft, **more)

    monkeypatch.setattr(ending, "finish", ruined)
    root, recipe = made("max_steps = 1\nearly_stopping = false", val_texts=())
    with pytest.raises(Diverged, match="trained weights were no numbers after step 1"):
        trainer.train(recipe, root=root)


def test_the_checkpoint_before_an_evaluation_that_is_no_number_is_kept(made, monkeypatch):
    """Step 6's update is ruinous; step 5's good loss is that of the weights after step 4."""
    measure = Watch._evaluate

    def evaluate(self, state, step):
        told = self.measure_val
        if step == 6:
            self.measure_val = lambda: dataclasses.replace(told(), loss=math.nan)
        try:
            return measure(self, state, step)
        finally:
            self.measure_val = told

    monkeypatch.setattr(Watch, "_evaluate", evaluate)
    root, recipe = made(PLAIN)
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    assert (end.ended, end.kept, end.steps) == ("diverged", "checkpoint", 6)
    assert end.val_loss == vals(run)[4]


def test_a_best_training_loss_that_no_later_step_proved_is_not_kept(made, monkeypatch):
    bend_losses(monkeypatch, lambda step, loss: math.nan if step == 5 else loss)
    root, recipe = made('max_steps = 8\neval_every = 2\nearly_stopping = { metric = "train_loss" }')
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    assert (end.ended, end.kept, end.val_loss) == ("diverged", "checkpoint", vals(run)[2])
