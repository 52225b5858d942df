"""Adapters on the upper layers only, and an end where a model learns by heart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from plugins.backends.peft import Peft
from plugins.contracts import Callback, Loaded
from schemas.recipe import Train


class UpperLayers(Peft):
    """The backend peft, training the adapters of the upper layers only: the backward pass ends where they begin."""

    name: ClassVar[str] = "upper-layers"

    share: float = Field(0.5, gt=0, le=1)
    """Share of the layers that learn, counted from the top."""

    def load(self, model: Path, train: Train, **more: Any) -> Loaded:
        """As peft loads it; a fresh adapter changes nothing, so a layer whose adapter stays as it is stays the base's."""
        loaded = super().load(model, train, **more)
        lowest = round(loaded.model.config.num_hidden_layers * (1 - self.share))
        for name, weight in loaded.model.named_parameters():
            layer = re.search(r"\.layers\.(\d+)\.", name)
            if layer and int(layer[1]) < lowest:
                weight.requires_grad_(False)
        return loaded


class Gap(Callback):
    """End the run once val is so much worse than train that the model learns rows by heart."""

    name: ClassVar[str] = "gap"

    most: float = Field(1.0, gt=0)
    """Nats per token by which the val loss may lie above the mean training loss since the evaluation before."""

    _since: list[float] = PrivateAttr(default_factory=list)

    def step(self, row: Mapping[str, Any]) -> str | None:
        """Keep the loss."""
        self._since.append(row["loss"])
        return None

    def evaluate(self, row: Mapping[str, Any]) -> str | None:
        """Compare, and begin anew."""
        seen, losses = len(self._since), list(self._since)
        self._since.clear()
        gap = row["loss"] - sum(losses) / seen if seen else 0.0
        if gap > self.most:
            return f"val is {gap:.2f} nats above train at step {row['step']}; {self.most:g} were allowed"
        return None
