"""When a run stops: the watched metric, its best value, and how long it has not improved (Prechelt 1998, "Early
Stopping - But When?", the UP criterion with a patience).

Two marks are kept apart: `best` is the best value seen, whose adapter is saved; `mark` is the value that patience is counted
from, which moves only by more than `min_delta`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from schemas.recipe import EarlyStopping

Kind = Literal["steps", "early-stopping", "diverged", "minutes", "tokens", "callback", "interrupted"]


@dataclass(frozen=True)
class End:
    """Why a run ended before its last step."""

    kind: Kind
    reason: str
    """For people."""


@dataclass
class Stopper:
    """Sees one value an evaluation."""

    rule: EarlyStopping
    best: float | None = None
    best_step: int | None = None
    mark: float | None = None
    waited: int = 0
    """Evaluations since the mark moved."""

    def see(self, step: int, value: float) -> bool:
        """Take note of a value; True where it is the best so far. A value that is no number never is."""
        if not math.isfinite(value):
            self.waited += 1
            return False
        if self.mark is None or self._better(value, self.mark, self.rule.min_delta):
            self.mark, self.waited = value, 0
        else:
            self.waited += 1
        if self.best is not None and not self._better(value, self.best, 0.0):
            return False
        self.best, self.best_step = value, step
        return True

    @property
    def spent(self) -> bool:
        """Whether patience is at its end."""
        return self.waited >= self.rule.patience

    def end(self) -> End | None:
        """Why it must stop, once patience is spent."""
        if not self.spent:
            return None
        best = (
            f"the best is {self.best:.4f} at step {self.best_step}"
            if self.best is not None
            else "no value was a number"
        )
        return End(
            "early-stopping",
            f"early stopping: {self.rule.metric} did not improve for {self.waited} evaluations; {best}",
        )

    def _better(self, value: float, than: float, by: float) -> bool:
        gain = value - than if self.rule.metric == "val_accuracy" else than - value
        return gain > by
