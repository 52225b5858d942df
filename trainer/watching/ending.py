"""The end of a run: which adapter it keeps, that adapter read back and measured once more, its record, its pictures.

The record is written last but for the clearing up, and by a rename: until then a kill leaves a run that can be resumed, which then only ends anew.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from schemas.errors import Diverged
from trainer import runs
from trainer.record import Outcome, adapter_digest, finite, write_record
from trainer.runs import Run
from trainer.seeing.journal import rate
from trainer.seeing.progress import say
from trainer.watching.resuming import WEIGHTS
from trainer.watching.verdict import verdict
from trainer.watching.watch import Watch

AGREES = {"float32": 1e-4, "bfloat16": 1e-2, "float16": 1e-2}
"""Nats by which val loss may differ when the same adapter is measured again, by the numbers it is computed in."""


@dataclass(frozen=True)
class Choice:
    """The adapter a run keeps."""

    kept: Literal["best", "last", "checkpoint", "none"]
    step: int | None = None
    path: Path | None = None
    """Where its weights lie; None for the last, which the model still holds."""


def choose(watch: Watch) -> Choice:
    """The best by the watched metric, where one is watched, else the last. Of a run that diverged the best if it beat the base, else the
    newest checkpoint that was sound, else none."""
    best = watch.stopper.best_step if watch.stopper else None
    diverged = _diverged(watch)
    if best is not None and not (diverged and not _proven(watch, best)):
        return Choice("best", best, watch.best_path(best))
    if not diverged:
        return Choice("last")
    sound = None if best == 0 else watch.checkpoints.before(watch.divergences.first or 0)
    return Choice("checkpoint", sound.step, sound.path / WEIGHTS) if sound else Choice("none")


def _diverged(watch: Watch) -> bool:
    return watch.end is not None and watch.end.kind == "diverged"


def _by_train_loss(watch: Watch) -> bool:
    return watch.stopper is not None and watch.stopper.rule.metric == "train_loss"


def _proven(watch: Watch, best: int) -> bool:
    """Whether the best of a run that diverged is from before. An evaluation of val measured it itself; a training loss is that of the weights before
    its step, so there the loss of the step after it must have been good."""
    return best > 0 and (not _by_train_loss(watch) or best < (watch.divergences.first or 0) - 1)


def _check_weights(watch: Watch, model: Any) -> None:
    """Where nothing measured the last update, see that it left numbers; else the run diverged."""
    import torch

    steps = [row["step"] for row in watch.journal.of("train")]
    if steps and not _diverged(watch):
        trained = (weight for weight in model.parameters() if weight.requires_grad)
        if not all(bool(torch.isfinite(weight).all()) for weight in trained):
            watch.end = watch.divergences.lost(steps[-1], "trained weights were no numbers")


def finish(run: Run, watch: Watch, trainer: Any, *, steps: int, quiet: bool) -> Run:
    """End a run of `steps` steps, fewer where `watch.end` says so. Raises Diverged, after the record, where nothing is worth keeping."""
    from trainer.seeing.plot import draw, story_of

    _check_weights(watch, trainer.model)
    choice, checked = choose(watch), None
    if choice.path:
        trainer.restore(choice.path)
        checked = watch.measure_val().loss if watch.measure_val else None
    doubted = choice.kept == "checkpoint" or (_diverged(watch) and _by_train_loss(watch))
    if doubted and not _worth(watch, checked):
        choice, checked = Choice("none"), None
    reason = watch.end.reason if watch.end else f"all {steps} steps are done"
    watch.callbacks.end(
        watch.journal.rows[-1]["step"] if watch.journal.rows else 0, reason, watch.journal.rows
    )
    outcome = _outcome(watch, choice, checked, reason, trainer.shrunk_to)
    _place(choice, watch, run.path / runs.ADAPTER)
    watch.journal.write()
    record = run.record
    adapter = adapter_digest(run.path / runs.ADAPTER) if choice.kept != "none" else None
    draw(story_of(record, outcome, watch.journal.rows), run.path)
    end = {"status": "finished", "outcome": outcome, "adapter": adapter}
    write_record(run.path, record.model_copy(update=end))
    if choice.kept != "none":
        write_card(run)
    for name in (runs.CHECKPOINTS, runs.BEST):
        shutil.rmtree(run.path / name, ignore_errors=True)
    _tell(outcome, record.precision, quiet=quiet)
    if choice.kept == "none":
        raise Diverged(
            f"{run.spec}: {outcome.stop_reason}. No adapter is kept, since none was better than the base model. What its losses did: "
            f"gristmill sql --run {run.spec}"
        )
    return run


def write_card(run: Run) -> None:
    """The run's card. It can be written again at any time, so what fails there is told and fails no run."""
    from trainer import card

    try:
        card.write(run)
    except Exception as error:  # noqa: BLE001  whatever it is
        say(f"{run.spec} has no card: {error}. Its record is whole; for the card: trainer.card.write(run)")


def _worth(watch: Watch, checked: float | None) -> bool:
    """Whether a checkpoint from before a divergence is better than the base; where val is not measured, that is not known and it is kept."""
    before = next((row["loss"] for row in watch.journal.of("val") if row["step"] == 0), None)
    if checked is None:
        return True
    return math.isfinite(checked) and (before is None or checked < before)


def _place(choice: Choice, watch: Watch, adapter: Path) -> None:
    """Make the run's adapter folder, whole or not at all."""
    stage = adapter.with_name(".adapter.new")
    shutil.rmtree(stage, ignore_errors=True)
    if choice.path:
        shutil.copytree(choice.path, stage)
    elif choice.kept == "last":
        watch.save(stage)
    shutil.rmtree(adapter, ignore_errors=True)
    if choice.kept != "none":
        stage.rename(adapter)


def _outcome(
    watch: Watch, choice: Choice, checked: float | None, reason: str, shrunk_to: int | None
) -> Outcome:
    rows = watch.journal.rows
    trained, vals = list(watch.journal.of("train")), list(watch.journal.of("val"))
    losses = {row["step"]: row["loss"] for row in vals if math.isfinite(row["loss"])}
    steps = trained[-1]["step"] if trained else 0
    last_val = vals[-1]["loss"] if vals else None
    best_step = choice.step if choice.kept == "best" else min(losses, key=losses.__getitem__, default=None)
    judged = verdict(rows)
    return Outcome(
        steps=steps,
        stop_reason=reason,
        ended=watch.end.kind if watch.end else "steps",
        kept=choice.kept,
        best_step=best_step,
        first_val_loss=finite(vals[0]["loss"]) if vals else None,
        val_loss=_val_loss(choice, losses, steps, checked),
        checked_val_loss=checked,
        last_val_loss=finite(last_val),
        train_loss=finite(trained[-1]["loss"]) if trained else None,
        verdict=judged.sentence if judged else None,
        trained_tokens=watch.tokens,
        seconds=watch.journal.seconds,
        tokens_per_second=rate(rows),
        peak_memory=max((row["memory"] or 0 for row in rows), default=0) or None,
        shrunk_to=shrunk_to,
        failures=watch.failures,
    )


def _val_loss(choice: Choice, losses: dict[int, float], steps: int, checked: float | None) -> float | None:
    if choice.kept == "none":
        return None
    return losses.get(steps if choice.step is None else choice.step, checked)


def _tell(outcome: Outcome, precision: str, *, quiet: bool) -> None:
    if outcome.verdict:
        say(outcome.verdict, quiet=quiet)
    was, now = outcome.val_loss, outcome.checked_val_loss
    if was is not None and now is not None and not abs(was - now) <= AGREES[precision]:  # a NaN differs
        say(
            f"the adapter that was kept has a val loss of {now:.5f} when it is read back, and {was:.5f} in the journal: its file does not hold "
            "what was trained. Both are in the record; measure before you use it: gristmill eval",
            quiet=quiet,
        )
