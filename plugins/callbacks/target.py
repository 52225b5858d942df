"""An end at what is good enough: convergence in the guide's sense, a number one asked for and has reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from plugins.contracts import Callback


class Target(Callback):
    """End the run once a measured value is as good as asked for."""

    name: ClassVar[str] = "target"

    metric: Literal["val_loss", "val_accuracy", "train_loss"] = "val_loss"
    """What must reach the value; the training loss is that of one step's batch."""
    value: float
    """Losses must fall to it, an accuracy must rise to it."""

    def step(self, row: Mapping[str, Any]) -> str | None:
        return self._reason(row["loss"]) if self.metric == "train_loss" else None

    def evaluate(self, row: Mapping[str, Any]) -> str | None:
        if self.metric == "train_loss":
            return None
        return self._reason(row["accuracy"] if self.metric == "val_accuracy" else row["loss"])

    def _reason(self, seen: float | None) -> str | None:
        if seen is None:
            return None
        reached = seen >= self.value if self.metric == "val_accuracy" else seen <= self.value
        return f"{self.metric} is {seen:.4f}; {self.value:g} was asked for" if reached else None
