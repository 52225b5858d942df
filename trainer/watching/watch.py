"""What happens around the optimiser's steps: the journal, evaluations, the best adapter, checkpoints, and the end.

A callback rather than `Trainer.evaluate`, because that weighs batches instead of tokens (see `trainer.evaluation.measure`). The
order within a step is transformers': the step's end, log, then save. Evaluations happen in `on_log`, so a checkpoint always lies
behind its evaluation, and resuming from it replays the journal up to its step and nothing else: what stops a run (patience,
divergence, a budget of tokens) is a function of the journal's rows.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from schemas.errors import Corruption
from schemas.recipe import Train
from trainer.evaluation.measure import Measure, RowTooLarge
from trainer.record import adapter_digest
from trainer.seeing.journal import Journal
from trainer.seeing.progress import Progress
from trainer.seeing.trackers import Trackers
from trainer.watching.budget import Budget
from trainer.watching.callbacks import Callbacks
from trainer.watching.checkpoints import Checkpoint, Checkpoints, unwritable
from trainer.watching.divergence import Divergences
from trainer.watching.interrupt import Interrupt
from trainer.watching.stopping import End, Stopper


class Watch(TrainerCallback):
    """One run's eyes. Of several processes only the main one has them; `trainer.steps.loop` tells the others what it decides."""

    def __init__(
        self,
        journal: Journal,
        progress: Progress,
        *,
        train: Train,
        measure_val: Callable[[], Measure] | None,
        save: Callable[[Path], None],
        best: Path,
        checkpoints: Checkpoints,
        interrupt: Interrupt,
        callbacks: Callbacks,
        trackers: Trackers,
    ) -> None:
        self.journal = journal
        self.progress = progress
        self.every = train.eval_every
        self.stopper = Stopper(train.early_stopping) if train.early_stopping else None
        self.divergences = Divergences(train.divergence)
        self.budget = Budget.of(train)
        self.measure_val = measure_val
        self.save = save
        self.best = best
        self.checkpoints = checkpoints
        self.interrupt = interrupt
        self.callbacks = callbacks
        self.trackers = trackers
        self.end: End | None = None
        self._best_digest: str | None = None
        self.tokens = 0
        """Trained tokens, counted by the training step."""

    # ------------------------------------------------------------------------------------------------ resuming

    def take_up(self, checkpoint: Checkpoint, last: int) -> None:
        """Replay the journal of an interrupted run of `last` steps up to a checkpoint, as if it had been watched. Raises Corruption."""
        step = checkpoint.step
        self._take_up_best(checkpoint)
        self.journal.take_up(step)
        trained = list(self.journal.of("train"))
        if [row["step"] for row in trained] != list(range(1, step + 1)):
            raise Corruption(
                f"{self.journal.path} does not hold every step up to {step}, from which the run would go on: its losses would have a gap. "
                "Leave out --resume to start a new run."
            )
        self.tokens = self.journal.tokens
        for row in trained:
            self.divergences.see(row["step"], row["loss"])
        for done in sorted({row["step"] for row in self.journal.rows if self._due(row["step"], last)}):
            value = self._value(done)
            if self.stopper and value is not None:
                self.stopper.see(done, value)
        if step < last:
            patience = self.stopper.end() if self.stopper else None
            spent = self.budget.end(step, self.journal.seconds, self.tokens)
            self.end = _called(checkpoint.ended) or patience or spent

    def _take_up_best(self, checkpoint: Checkpoint) -> None:
        """The best adapter must be the one that stood when the checkpoint was written: it may be what the run keeps."""
        if checkpoint.best is None:
            return
        path = self.best_path(checkpoint.best)
        if adapter_digest(path) != checkpoint.best_digest:
            raise Corruption(
                f"{path}, the best adapter when {checkpoint.path.name} was written, is gone or was changed, and the run may have to keep it. Put "
                "it back, or leave out --resume to start a new run."
            )
        self._best_digest = checkpoint.best_digest

    def begin(self, run: str, folder: Path, steps: int, step: int) -> None:
        """Tell the callbacks that the run begins, or goes on after `step`; one of them may end it there."""
        reason = self.callbacks.begin(run, folder, steps=steps, step=step, rows=self.journal.rows)
        self.end = self.end or _called(reason)

    # ------------------------------------------------------------------------------------------------ transformers calls

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Measure the base before step 0, so that a fall can be seen."""
        if state.global_step == 0:
            self._evaluate(state, 0)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Where the run was interrupted, have this step be its last, and a checkpoint written behind it."""
        if self.interrupt.signal is not None:
            control.should_save = control.should_training_stop = True
            self.end = End("interrupted", f"interrupted after step {state.global_step}")

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Note a step; evaluate where one is due; end the run where it must."""
        if not logs or "loss" not in logs:
            return  # the summary at the end
        step, last = state.global_step, state.global_step >= state.max_steps
        self._note(state, logs)
        diverged = self.divergences.see(step, float(logs["loss"]))
        # Before the first step nothing can be ended, so a callback's wish from there is heard here.
        before = self.end is not None and self.end.kind == "callback"
        asked = _called(self.callbacks.step(self.journal.rows[-1]))
        spent = asked or (None if last else self.budget.end(step, self.journal.seconds, self.tokens))
        if not diverged and (spent or before or self._due(step, state.max_steps)):
            diverged = self._evaluate(state, step)
        if self.divergences.doubtful:
            control.should_save = False  # those that stand are from before
        patience = self.stopper.end() if self.stopper and not last else None
        self.end = diverged or self.end or patience or spent
        if self.end:
            control.should_training_stop = True

    @property
    def failures(self) -> tuple[str, ...]:
        """What callbacks and trackers raised, each once, for the record."""
        called = (f'callback "{name}": {fault}' for name, fault in self.callbacks.faults.items())
        return (*called, *self.trackers.failures)

    # ------------------------------------------------------------------------------------------------ writing

    def checkpoint(self, step: int, fill: Callable[[Path], None]) -> None:
        """Write one; where the disk will not take it and an older one stands, say so and go on. Raises StorageError."""
        try:
            self.journal.write()
            best = self.stopper.best_step if self.stopper else None
            ended = self.end.reason if self.end and self.end.kind == "callback" else None
            self.checkpoints.write(step, fill, best, self._best_digest, ended)
        except Exception as error:
            standing = self.checkpoints.standing()
            refused = unwritable(
                error, f"the checkpoint of step {step}", "Free some space, then start the run again."
            )
            if refused is None:
                raise
            if not standing:
                raise refused from error
            self.progress.say(f"{refused} The run goes on; it could be resumed from step {standing[0].step}.")
        self._forget()

    def _forget(self) -> None:
        """Drop the best adapters that no checkpoint refers to and that are not the present one."""
        needed = {one.best for one in self.checkpoints.standing()}
        if self.stopper:
            needed.add(self.stopper.best_step)
        for path in self.best.glob("step-*"):
            step = path.name.removeprefix("step-")
            if step.isdecimal() and int(step) not in needed:
                shutil.rmtree(path)

    def best_path(self, step: int) -> Path:
        """Where the adapter of a best evaluation lies."""
        return self.best / f"step-{step}"

    # ------------------------------------------------------------------------------------------------ evaluating

    def _due(self, step: int, last: int) -> bool:
        return step % self.every == 0 or step == last

    def _note(self, state: Any, logs: dict[str, Any]) -> None:
        rates = {"learning_rate": logs.get("learning_rate"), "grad_norm": logs.get("grad_norm")}
        self.journal.add(
            "train",
            state.global_step,
            state.epoch or 0.0,
            float(logs["loss"]),
            self.tokens,
            **{key: None if value is None else float(value) for key, value in rates.items()},
        )

    def _evaluate(self, state: Any, step: int) -> End | None:
        """Measure, note, and save the adapter where it is the best; why the run must end where val loss is a number no more."""
        lost = None
        if self.measure_val:
            try:
                found = self.measure_val()
            except RowTooLarge as error:
                self.progress.say(f"step {step} is not evaluated: {error}")
            else:
                self.journal.add(
                    "val", step, state.epoch or 0.0, found.loss, self.tokens, accuracy=found.accuracy
                )
                lost = self._lost(step, found.loss)
                self.end = self.end or _called(self.callbacks.evaluate(self.journal.rows[-1]))
        value = self._value(step)
        if self.stopper and value is not None and self.stopper.see(step, value):
            self.save(self.best_path(step))
            self._best_digest = adapter_digest(self.best_path(step))
        self.journal.write()
        self.progress.say(self.progress.line())
        return lost

    def _lost(self, step: int, loss: float) -> End | None:
        """The divergence where an update ruined the weights, which no training loss tells after the last step. Of a base whose own val loss is
        no number it tells nothing."""
        if math.isfinite(loss) or not any(math.isfinite(row["loss"]) for row in self.journal.of("val")):
            return None
        return self.divergences.lost(step, f"val loss became {loss}")

    def _value(self, step: int) -> float | None:
        """The watched metric at an evaluation: from its val row, or the mean train loss since the evaluation before."""
        if self.stopper is None:
            return None
        if self.stopper.rule.metric == "train_loss":
            since = max(
                (
                    row["step"]
                    for row in self.journal.rows
                    if row["step"] < step and self._due(row["step"], -1)
                ),
                default=0,
            )
            losses = [row["loss"] for row in self.journal.of("train") if since < row["step"] <= step]
            return sum(losses) / len(losses) if losses else None
        found = next((row for row in self.journal.of("val") if row["step"] == step), None)
        if found is None:
            return None
        # Weights that are no numbers have an accuracy all the same: the first word's.
        by_loss = self.stopper.rule.metric != "val_accuracy" or not math.isfinite(found["loss"])
        value: float | None = found["loss" if by_loss else "accuracy"]
        return value


def _called(reason: str | None) -> End | None:
    """A callback's wish to end the run."""
    return End("callback", reason) if reason else None
