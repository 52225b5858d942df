"""Gradient descent: stochastic, over one batch a step, and true, over all rows.

Robbins & Monro 1951; Sutskever et al. 2013 for momentum. With g the gradient, η the learning rate, λ the decay, μ the momentum:

    g ← g + λ θ        b ← μ b + g  (b = g at the first step)        θ ← θ - η b        nesterov: θ ← θ - η (g + μ b)
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from plugins.contracts import Optimizer


class Sgd(Optimizer):
    """Stochastic gradient descent: straight down the gradient of one batch, with momentum where asked."""

    name: ClassVar[str] = "sgd"
    requires: ClassVar[tuple[str, ...]] = ("torch",)

    momentum: float = Field(0.0, ge=0, lt=1)
    """Share of the last step that the next one keeps; 0.9 is usual."""
    nesterov: bool = False
    """Look ahead by the momentum before stepping (Nesterov 1983)."""

    def check(self) -> None:
        """Nesterov's step is made of momentum."""
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum; write momentum = 0.9 beside it, or take it out")

    @property
    def state_bytes(self) -> float:
        """The last step in float32, where there is momentum."""
        return 4.0 if self.momentum else 0.0

    def make(self, groups: list[dict[str, Any]], *, learning_rate: float, weight_decay: float) -> Any:
        """`torch.optim.SGD`."""
        import torch

        return torch.optim.SGD(
            groups,
            lr=learning_rate,
            momentum=self.momentum,
            weight_decay=weight_decay,
            nesterov=self.nesterov,
        )


class Gd(Optimizer):
    """True gradient descent: one step an epoch, down the gradient of all rows; batch_size is not read."""

    name: ClassVar[str] = "gd"
    requires: ClassVar[tuple[str, ...]] = ("torch",)
    full_batch: ClassVar[bool] = True

    @property
    def state_bytes(self) -> float:
        """It keeps nothing."""
        return 0.0

    def make(self, groups: list[dict[str, Any]], *, learning_rate: float, weight_decay: float) -> Any:
        """`torch.optim.SGD` without momentum."""
        import torch

        return torch.optim.SGD(groups, lr=learning_rate, weight_decay=weight_decay)
