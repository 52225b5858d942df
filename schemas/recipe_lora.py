"""The recipe's [train.lora] table: the adapter's shape, and its variants."""

from __future__ import annotations

from pydantic import Field

from schemas.recipe_section import Section


class Lora(Section):
    """The adapter's shape (Hu et al. 2021, LoRA)."""

    r: int = Field(16, ge=1)
    """Rank: the width of the bottleneck beside each layer."""
    alpha: float = Field(16, gt=0)
    """The adapter's output is scaled by alpha / r."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the adapter's inputs that are dropped at random while training."""
    targets: str | tuple[str, ...] = "all-linear"
    """"all-linear", or the names of the layers that get an adapter."""
    rank_stabilized: bool = False
    """Scale by alpha / sqrt(r) instead, so that a large r learns as fast as a small one (Kalajdzievski 2023, rsLoRA)."""
    dora: bool = False
    """Train the length of each weight column apart from its direction (Liu et al. 2024, DoRA); slower, and often a little better at low r."""
    plus_ratio: float | None = Field(None, gt=0)
    """The learning rate of the B matrices over that of the A matrices (Hayou et al. 2024, LoRA+); 16 is the paper's. By default both learn alike."""
