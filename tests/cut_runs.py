"""Training runs that are cut off, and what a run told, to be compared.

from cut_runs import Cut, cut_and_resume, cut_at, quick, told
"""

import gc

import pytest

import trainer
from trainer.preflight import machine
from trainer.seeing import plot
from trainer.watching.watch import Watch

CLOCK = {"seconds", "tokens_per_second", "memory"}


class Cut(BaseException):
    """The end of the process, as far as the run can tell."""


def cut_at(step: int, monkeypatch) -> None:
    """Have the process end as soon as a step is noted, before anything is written for it."""
    noted = Watch._note

    def note(self, state, logs):
        noted(self, state, logs)
        if state.global_step == step:
            raise Cut

    monkeypatch.setattr(Watch, "_note", note)


def cut_and_resume(recipe, root, step: int, monkeypatch):
    with monkeypatch.context() as patch:
        cut_at(step, patch)
        with pytest.raises(Cut):
            trainer.train(recipe, root=root, quiet=True)
    return trainer.train(recipe, root=root, resume=True, quiet=True)


def told(run) -> tuple:
    """All that a run learned and saw, without the clock."""
    rows = [
        {key: value for key, value in row.items() if key not in CLOCK} for row in run.metrics().to_pylist()
    ]
    end = run.record.outcome.model_dump(exclude={"seconds", "tokens_per_second", "peak_memory"})
    (weights,) = run.adapter.glob("*.safetensors")
    return rows, end, weights.read_bytes()


def bend_losses(monkeypatch, bend):
    """Have the watch hear `bend(step, loss)` for every training loss; what is trained stays as it is."""
    heard = Watch.on_log

    def on_log(self, args, state, control, logs=None, **more):
        if logs and "loss" in logs:
            logs = logs | {"loss": bend(state.global_step, logs["loss"])}
        heard(self, args, state, control, logs=logs, **more)

    monkeypatch.setattr(Watch, "on_log", on_log)


def vals(run) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in run.metrics().to_pylist() if row["kind"] == "val"}


@pytest.fixture
def quick(monkeypatch) -> None:
    """Leave out what takes longer than a run of nine steps: pictures, the machine's speed, and going through all libraries' objects at its end."""
    monkeypatch.setattr(plot, "draw", lambda story, folder: [])
    monkeypatch.setattr(machine, "TRIAL_SECONDS", 0)
    gc.freeze()
