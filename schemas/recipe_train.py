"""The recipe's [train] section: which adapter is trained, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from schemas.recipe_section import Section, Step, switch


class EarlyStopping(Section):
    """When to stop before overfitting."""

    patience: int = Field(3, ge=1)
    """Evaluations without improvement that are borne."""
    metric: Literal["val_loss", "val_accuracy", "train_loss"] = "val_loss"
    min_delta: float = Field(0.0, ge=0)
    """What counts as improvement."""


class Lora(Section):
    """The adapter's shape (Hu et al. 2021, LoRA)."""

    r: int = Field(16, ge=1)
    alpha: float = Field(16, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    """"all-linear", or the names of the layers that get an adapter."""


class Train(Section):
    """Which adapter is trained, and how. Never part of a corpus' identity."""

    model: str | None = None
    """The base model; by default the one of [tokens]."""
    backend: Annotated[
        Step, BeforeValidator(lambda value: {"use": value} if isinstance(value, str) else value)
    ] = Step(use="auto")
    """auto (unsloth where it is installed, else peft) | unsloth | peft | any backend plugin."""
    optimizer: str = "adamw"
    """adamw | adam | sgd | gd | any optimiser transformers knows."""
    learning_rate: float = Field(2e-4, gt=0)
    schedule: str = "cosine"
    """constant | linear | cosine | any schedule transformers knows."""
    warmup: float = Field(0.03, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    batch_size: int = Field(32, ge=1)
    """Rows per optimiser step."""
    micro_batch_size: int = Field(4, ge=1)
    """Rows per forward and backward pass."""
    eval_batch_size: int | None = Field(None, ge=1)
    """Rows per evaluation pass; by default the micro-batch."""
    epochs: float = Field(3, gt=0)
    max_steps: int | None = Field(None, ge=1)
    """Stops after so many optimiser steps, whatever `epochs` says."""
    packing: bool = True
    """Join short rows into full ones; the loss stays the same."""
    max_length: int | None = Field(None, ge=8)
    """Length of a packed row in tokens; by default the longest chunk [tokens] allows."""
    eval_every: int = Field(20, ge=1)
    """Steps between evaluations of the val split."""
    early_stopping: Annotated[
        EarlyStopping | None, BeforeValidator(switch, json_schema_input_type=EarlyStopping | bool)
    ] = EarlyStopping()
    """`true` is the default, `false` turns it off."""
    lora: Lora = Lora()
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: bfloat16 on a GPU that has it, else float32."""
    seed: int = 7

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Train:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size is {self.batch_size} and micro_batch_size {self.micro_batch_size}; "
                "the first must be a multiple of the second"
            )
        return self
