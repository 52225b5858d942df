"""Adam, and AdamW: what weight decay means is all that differs.

Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2. With g the gradient, t the step from 1, η the learning rate, λ the decay:

    m ← β₁ m + (1 - β₁) g                  v ← β₂ v + (1 - β₂) g²
    θ ← θ - η (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)

adam adds λ θ to g first, so that decay is scaled by the moments like any gradient; adamw takes η λ θ from θ instead.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from plugins.contracts import Optimizer


class Moments(Optimizer):
    """What Adam and AdamW share."""

    requires: ClassVar[tuple[str, ...]] = ("torch",)

    beta1: float = Field(0.9, ge=0, lt=1)
    """Share of the mean gradient that a step keeps."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Share of the mean squared gradient that a step keeps."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of the latter, so that nothing is divided by zero."""

    def options(self, learning_rate: float, weight_decay: float) -> dict[str, Any]:
        """What every implementation of the two is told, by the names they all give it."""
        betas = (self.beta1, self.beta2)
        return {"lr": learning_rate, "betas": betas, "eps": self.eps, "weight_decay": weight_decay}


class Adam(Moments):
    """Adam: steps scaled by each weight's own mean and mean square of gradients; weight decay enters the gradient."""

    name: ClassVar[str] = "adam"

    def make(self, groups: list[dict[str, Any]], *, learning_rate: float, weight_decay: float) -> Any:
        """`torch.optim.Adam`."""
        import torch

        return torch.optim.Adam(groups, **self.options(learning_rate, weight_decay), fused=fused(groups))


class AdamW(Moments):
    """AdamW: Adam whose weight decay pulls at the weights themselves, not at the gradient; the usual choice."""

    name: ClassVar[str] = "adamw"

    def make(self, groups: list[dict[str, Any]], *, learning_rate: float, weight_decay: float) -> Any:
        """`torch.optim.AdamW`."""
        import torch

        return torch.optim.AdamW(groups, **self.options(learning_rate, weight_decay), fused=fused(groups))


def fused(groups: list[dict[str, Any]]) -> bool | None:
    """True on a GPU: one kernel for all weights, where a LoRA has hundreds of small ones; elsewhere torch's own choice."""
    return True if all(weight.is_cuda for group in groups for weight in group["params"]) else None
