"""How runs end: early, by a budget, by a signal, by a full disk; what they keep and what they say."""

import errno
import signal
import threading

import pytest
from cut_runs import Cut, cut_at, quick, told, vals  # noqa: F401  quick is a fixture
from safetensors.torch import load_file, save_file
from tiny_model import TEXTS

import trainer
from schemas.errors import Interrupted, NotFound, StorageError, UserError
from trainer import runs
from trainer.seeing import journal
from trainer.watching import ending
from trainer.watching.checkpoints import Checkpoints
from trainer.watching.watch import Watch

pytestmark = pytest.mark.usefixtures("quick")

PLAIN = "max_steps = 8\neval_every = 2\nearly_stopping = false"


def at_step(monkeypatch, step, act):
    """Do something as soon as a step is noted."""
    noted = Watch._note

    def note(self, state, logs):
        noted(self, state, logs)
        if state.global_step == step:
            act()

    monkeypatch.setattr(Watch, "_note", note)


# ------------------------------------------------------------------------------------------------ early stopping


def test_an_overfit_run_says_so_and_its_best_adapter_is_measured_again(made, capfd):
    rule = 'epochs = 200\neval_every = 2\nlearning_rate = 2e-2\nwarmup = 0\nschedule = "constant"\nearly_stopping = { patience = 2 }'
    root, recipe = made(rule, train_texts=TEXTS[:4], val_texts=TEXTS[24:30])
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    assert (end.ended, end.kept) == ("early-stopping", "best")
    assert 0 < end.best_step < end.steps
    assert end.checked_val_loss == pytest.approx(vals(run)[end.best_step], abs=1e-4)
    assert end.last_val_loss > end.val_loss + 0.01
    words = f"overfitting: val loss turned up after step {end.best_step} while the training loss fell"
    assert end.verdict.startswith(words)
    assert words in capfd.readouterr().err


def test_a_best_adapter_that_is_not_what_was_measured_is_told(made, monkeypatch, capfd):
    """Its file is emptied between the measurement and the end."""
    root, recipe = made("max_steps = 4\neval_every = 2\nlearning_rate = 3e-2")
    trainer.train(recipe, root=root)
    words = "its file does not hold what was trained"
    assert words not in capfd.readouterr().err
    choose = ending.choose

    def emptied(watch):
        chosen = choose(watch)
        file = chosen.path / "adapter_model.safetensors"
        save_file({name: 0 * tensor for name, tensor in load_file(file).items()}, file)
        return chosen

    monkeypatch.setattr(ending, "choose", emptied)
    end = trainer.train(recipe, root=root).record.outcome
    assert words in capfd.readouterr().err
    assert end.checked_val_loss == pytest.approx(end.first_val_loss)
    assert end.val_loss < end.first_val_loss


# ------------------------------------------------------------------------------------------------ budgets


def test_a_budget_of_tokens_ends_the_run_with_an_evaluation(made):
    root, recipe = made("max_steps = 50\neval_every = 20\nmax_tokens = 900")
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    tokens = [row["tokens"] for row in run.metrics().to_pylist() if row["kind"] == "train"]
    assert tokens[-1] >= 900 > tokens[-2]
    assert (end.ended, end.kept, end.best_step) == ("tokens", "best", end.steps)
    assert list(vals(run)) == [0, end.steps]
    assert end.stop_reason.startswith("max_tokens = 900 is spent")


def test_a_budget_of_minutes_counts_work_and_not_the_pause(made, monkeypatch):
    root, recipe = made("max_steps = 6\neval_every = 2\nmax_minutes = 60")
    with monkeypatch.context() as patch:
        cut_at(3, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root, quiet=True)
    hours = 7200 + journal.time.monotonic()
    monkeypatch.setattr(journal.time, "monotonic", lambda: hours)
    assert trainer.train(recipe, root=root, resume=True).record.outcome.ended == "steps"
    recipe.write_text(recipe.read_text().replace("max_minutes = 60", "max_minutes = 1e-9"))
    monkeypatch.undo()
    end = trainer.train(recipe, root=root).record.outcome
    assert (end.ended, end.steps, end.kept) == ("minutes", 1, "best")


def test_an_end_asked_for_before_the_first_step_is_measured_after_it(made):
    """The base is good enough already; one step is taken, and its adapter has a val loss of its own."""
    root, recipe = made(f'{PLAIN}\n[[train.callback]]\nuse = "target"\nvalue = 100.0')
    run = trainer.train(recipe, root=root)
    end = run.record.outcome
    assert (end.ended, end.steps, list(vals(run))) == ("callback", 1, [0, 1])
    assert end.val_loss == vals(run)[1]


def test_a_run_that_a_callback_ended_and_that_was_killed_while_it_ended_ends_anew(made, monkeypatch):
    target = '[[train.callback]]\nuse = "target"\nmetric = "train_loss"\nvalue = 6.6'
    root, recipe = made(f"max_steps = 8\neval_every = 3\n{target}")
    expected = told(trainer.train(recipe, root=root))
    assert expected[1]["steps"] == 3

    def killed(*args):
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(ending, "_place", killed)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root)
    assert told(trainer.train(recipe, root=root, resume=True)) == expected


# ------------------------------------------------------------------------------------------------ signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_its_step_and_it_goes_on_as_if_nothing_had_been(
    made, monkeypatch, number, code
):
    root, recipe = made("max_steps = 5\neval_every = 4\nlora = { dropout = 0.1 }")
    expected = told(trainer.train(recipe, root=root))
    with monkeypatch.context() as patch:
        at_step(patch, 2, lambda: signal.raise_signal(number))
        with pytest.raises(
            Interrupted, match=r"after step 3; its checkpoint of step 3 stands\. Go on with: "
        ) as end:
            trainer.train(recipe, root=root)
    assert end.value.exit_code == code
    assert f"gristmill train {recipe} --resume --root {root}" in str(end.value)
    assert trainer.listing(root)[1].status == "unfinished"
    assert told(trainer.train(recipe, root=root, resume=True)) == expected


def test_a_second_signal_ends_it_at_once_and_it_can_be_resumed(made, monkeypatch):
    root, recipe = made("max_steps = 5\neval_every = 2")

    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        at_step(patch, 3, twice)
        with pytest.raises(KeyboardInterrupt):
            trainer.train(recipe, root=root)
    run = trainer.train(recipe, root=root, resume=True)
    assert (run.record.status, run.record.outcome.steps) == ("finished", 5)


# ------------------------------------------------------------------------------------------------ disks, folders, others


def full_disk(monkeypatch, when):
    """A disk that takes no file of a checkpoint while `when(step)`."""
    write = Checkpoints.write

    def full(self, step, fill, *best):
        def refuse(folder):
            fill(folder)
            if when(step):
                raise OSError(errno.ENOSPC, "No space left on device")

        write(self, step, refuse, *best)

    monkeypatch.setattr(Checkpoints, "write", full)


def test_a_disk_that_is_full_at_the_first_checkpoint_is_an_error_that_harms_no_other_run(made, monkeypatch):
    root, recipe = made(PLAIN)
    before = told(trainer.train(recipe, root=root))
    with monkeypatch.context() as patch:
        full_disk(patch, lambda step: True)
        with pytest.raises(
            StorageError, match="checkpoint of step 2 cannot be written: the disk is full"
        ) as error:
            trainer.train(recipe, root=root)
    assert error.value.exit_code == 2
    assert told(trainer.open("tale/1", root=root)) == before
    assert told(trainer.train(recipe, root=root, resume=True)) == before


def test_a_disk_that_is_full_later_does_not_end_the_run(made, monkeypatch, capfd):
    root, recipe = made(PLAIN)
    full_disk(monkeypatch, lambda step: step == 4)
    assert trainer.train(recipe, root=root).record.outcome.steps == 8
    assert "The run goes on; it could be resumed from step 2." in capfd.readouterr().err


def test_a_disk_that_is_full_at_the_end_leaves_a_run_that_can_be_ended(made, monkeypatch):
    root, recipe = made("max_steps = 2\neval_every = 2")

    def full(*args, **more):
        raise OSError(errno.ENOSPC, "No space left on device", str(args[-1]))

    with monkeypatch.context() as patch:
        patch.setattr(ending.shutil, "copytree", full)
        with pytest.raises(
            StorageError, match=r"the disk is full.*Free some space, then go on: gristmill train .* --resume"
        ):
            trainer.train(recipe, root=root)
    assert trainer.train(recipe, root=root, resume=True).record.status == "finished"


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_trained(made, monkeypatch):
    root, recipe = made("max_steps = 1")
    (root / "runs").write_text("a file where a folder is needed")
    with pytest.raises(StorageError, match="cannot write .*runs/tale.*--root DIR"):
        trainer.train(recipe, root=root)


def test_a_run_that_may_not_be_written_to_is_not_resumed(made, monkeypatch):
    root, recipe = made("max_steps = 2\neval_every = 2")
    with monkeypatch.context() as patch:
        cut_at(1, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root)
    lock = trainer.open("tale/1", root=root).path / ".lock"
    lock.unlink()
    lock.mkdir()  # root may write everything, so a mode would not stop it
    with pytest.raises(StorageError, match="cannot write in .*tale/1"):
        trainer.train(recipe, root=root, resume=True)


def test_a_run_that_another_process_finishes_meanwhile_is_not_begun_anew(made, monkeypatch):
    root, recipe = made("max_steps = 2\neval_every = 2")
    with monkeypatch.context() as patch:
        cut_at(1, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root)
    find = runs.unfinished

    def slow(*found):
        run = find(*found)
        with monkeypatch.context() as patch:
            patch.setattr(runs, "unfinished", find)
            trainer.train(recipe, root=root, resume=True)
        return run

    monkeypatch.setattr(runs, "unfinished", slow)
    with pytest.raises(NotFound, match="tale/1 was just finished by another process"):
        trainer.train(recipe, root=root, resume=True)
    assert trainer.open("tale/1", root=root).record.status == "finished"


def test_runs_of_one_name_that_begin_at_once_get_numbers_of_their_own(made):
    root, recipe = made("max_steps = 1")
    run = trainer.train(recipe, root=root)
    record, begun = run.record, []
    together = threading.Barrier(8)

    def begin():
        together.wait()
        begun.append(runs.begin(run.store, "tale", record, recipe))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.spec for one in begun) == [f"tale/{n}" for n in range(2, 10)]
    assert all(one.record.run == one.spec for one in begun)


def test_an_empty_val_split_is_refused_where_it_is_watched_and_missed_where_it_is_not(made):
    root, recipe = made("max_steps = 2", val_texts=())
    with pytest.raises(UserError, match="the val split of tale@1 is empty"):
        trainer.train(recipe, root=root)
    recipe.write_text(recipe.read_text() + "early_stopping = false\n")
    end = trainer.train(recipe, root=root).record.outcome
    assert (end.kept, end.val_loss, end.checked_val_loss, end.verdict) == ("last", None, None, None)
