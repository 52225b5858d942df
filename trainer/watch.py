"""What happens around the optimiser's steps: the journal, evaluations, the best adapter, and the end of patience.

A callback rather than `Trainer.evaluate`, because that weighs batches instead of tokens (see `trainer.measure`). The
order within a step is transformers': log, then save. Evaluations happen in `on_log`, so a checkpoint always lies behind
its evaluation, and resuming from it replays the journal up to its step and nothing else.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from schemas.recipe import EarlyStopping
from trainer.journal import Journal
from trainer.measure import Measure
from trainer.progress import Progress
from trainer.stopping import Stopper


class Watch(TrainerCallback):
    """One run's eyes."""

    def __init__(
        self,
        journal: Journal,
        progress: Progress,
        *,
        every: int,
        rule: EarlyStopping | None,
        measure_val: Callable[[], Measure] | None,
        save: Callable[[Path], None],
        best: Path,
    ) -> None:
        self.journal = journal
        self.progress = progress
        self.every = every
        self.stopper = Stopper(rule) if rule else None
        self.measure_val = measure_val
        self.save = save
        self.best = best
        self.reason: str | None = None
        self.tokens = 0
        """Trained tokens, counted by the training step."""

    def take_up(self, step: int, last: int) -> None:
        """Replay the journal of an interrupted run of `last` steps up to `step`, as if it had been watched."""
        self.journal.take_up(step)
        self.tokens = self.journal.tokens
        for done in sorted({row["step"] for row in self.journal.rows if self._due(row["step"], last)}):
            value = self._value(done)
            if self.stopper and value is not None:
                self.stopper.see(done, value)
        if self.stopper and self.stopper.spent:
            self.reason = self.stopper.reason()

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Measure the base before step 0, so that a fall can be seen."""
        if state.global_step == 0:
            self._evaluate(state, 0)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Note a step; evaluate where one is due; end the run where it must."""
        if not logs or "loss" not in logs:
            return  # the summary at the end
        step, loss = state.global_step, float(logs["loss"])
        rates = {"learning_rate": logs.get("learning_rate"), "grad_norm": logs.get("grad_norm")}
        self.journal.add(
            "train",
            step,
            state.epoch or 0.0,
            loss,
            self.tokens,
            **{k: None if v is None else float(v) for k, v in rates.items()},
        )
        self.progress.step(step, loss)
        if not math.isfinite(loss):
            self.reason = f"the training loss became {loss} at step {step}; a lower learning_rate may help"
            control.should_training_stop = True
        elif self._due(step, state.max_steps):
            self._evaluate(state, step)
            if self.stopper and self.stopper.spent and step < state.max_steps:
                self.reason = self.stopper.reason()
                control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A whole checkpoint stands: best adapters older than the present one are no longer needed to resume."""
        for path in self.best.glob("step-*"):
            if self.stopper is None or path.name != f"step-{self.stopper.best_step}":
                shutil.rmtree(path)

    def _due(self, step: int, last: int) -> bool:
        return step % self.every == 0 or step == last

    def _evaluate(self, state: Any, step: int) -> None:
        if self.measure_val:
            found = self.measure_val()
            self.journal.add(
                "val", step, state.epoch or 0.0, found.loss, self.tokens, accuracy=found.accuracy
            )
        value = self._value(step)
        if self.stopper and value is not None and self.stopper.see(step, value):
            self.save(self.best / f"step-{step}")
        self.journal.write()
        self.progress.say(self._line(step, state.max_steps))

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
        column = "accuracy" if self.stopper.rule.metric == "val_accuracy" else "loss"
        return next((row[column] for row in self.journal.of("val") if row["step"] == step), None)

    def _line(self, step: int, steps: int) -> str:
        rows = {row["kind"]: row for row in self.journal.rows if row["step"] == step}
        shown = [f"{kind} loss {rows[kind]['loss']:.4f}" for kind in ("train", "val") if kind in rows]
        left = ""
        if step:
            seconds = self.journal.seconds / step * (steps - step)
            left = f"  {self.tokens / self.journal.seconds:,.0f} tok/s  {int(seconds // 60)}:{int(seconds % 60):02d} left"
        return f"step {step:>{len(str(steps))}}/{steps}  {'  '.join(shown)}{left}"
