"""The recipe's [train] section: which adapter is trained, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from schemas.recipe_lora import Lora
from schemas.recipe_section import Section, Step, switch


def _named(value: Any) -> Any:
    """A bare name for a table that says only `use`."""
    return {"use": value} if isinstance(value, str) else value


class EarlyStopping(Section):
    """When to stop before overfitting."""

    patience: int = Field(3, ge=1)
    """Evaluations without improvement that are borne."""
    metric: Literal["val_loss", "val_accuracy", "train_loss"] = "val_loss"
    min_delta: float = Field(0.0, ge=0)
    """What counts as improvement."""


class Divergence(Section):
    """When a run is beyond saving: its loss is no number, or stays far above what it was."""

    spike: float = Field(2.0, gt=0)
    """Nats by which the training loss must pass its median of the last `window` steps."""
    patience: int = Field(3, ge=1)
    """Steps in a row that are that bad; one bad batch is no divergence."""
    window: int = Field(20, ge=2)
    """Steps the median is taken over."""


class Schedule(Section):
    """How the learning rate moves after the warm-up."""

    use: str = "cosine"
    """constant | linear | cosine | cosine-with-restarts | wsd | inverse-sqrt | polynomial."""
    restarts: int = Field(2, ge=1)
    """cosine-with-restarts: how many waves (Loshchilov & Hutter 2017, SGDR)."""
    decay: float = Field(0.2, gt=0, lt=1)
    """wsd: share of the steps over which the rate falls at the end (Hu et al. 2024, MiniCPM: warm-up, stable, decay)."""
    power: float = Field(1.0, gt=0)
    """polynomial: 1 falls in a straight line, 2 steeply first."""
    floor: float = Field(0.0, ge=0, lt=1)
    """Share of learning_rate that a falling schedule ends at."""


class Train(Section):
    """Which adapter is trained, and how. Never part of a corpus' identity."""

    model: str | None = None
    """The base model; by default the one of [tokens]."""
    backend: Annotated[Step, BeforeValidator(_named)] = Step(use="auto")
    """auto (unsloth where it is installed, else peft) | unsloth | peft | any backend plugin."""
    method: Literal["lora", "full"] = "lora"
    """lora trains an adapter beside the frozen base; full trains every weight, for which memory for four copies of the model is needed."""
    quantization: Literal["none", "4bit"] = "none"
    """4bit holds the frozen base in 4-bit NF4 (Dettmers et al. 2023, QLoRA): a quarter of the memory. Needs a GPU and bitsandbytes."""
    optimizer: Annotated[Step, BeforeValidator(_named)] = Step(use="adamw")
    """adamw | adam | adamw-8bit | sgd | gd, a plugin, or any optimiser transformers knows; as a name, or as a table with its options: { use = "sgd", momentum = 0.9 }."""
    learning_rate: float = Field(2e-4, gt=0)
    schedule: Annotated[Schedule, BeforeValidator(_named, json_schema_input_type=Schedule | str)] = Schedule()
    """As a name, or as a table with its options: { use = "wsd", decay = 0.1 }."""
    warmup: float = Field(0.03, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(0.0, ge=0)
    """How strongly weights are pulled to zero."""
    max_grad_norm: float = Field(1.0, ge=0)
    """Gradients are clipped to this norm; 0 leaves them as they are."""
    neftune_alpha: float | None = Field(None, gt=0)
    """Noise on the embeddings while training (Jain et al. 2023, NEFTune); 5 is usual. By default none."""
    batch_size: int = Field(32, ge=1)
    """Rows per optimiser step, over all processes."""
    micro_batch_size: int = Field(4, ge=1)
    """Rows per forward and backward pass; any number: the last pass of a step may hold fewer. More of them do not change the loss."""
    eval_batch_size: int | None = Field(None, ge=1)
    """Rows per evaluation pass; by default the micro-batch."""
    epochs: float = Field(3, gt=0)
    """How often every row is read."""
    max_steps: int | None = Field(None, ge=1)
    """Stops after so many optimiser steps, whatever `epochs` says."""
    max_minutes: float | None = Field(None, gt=0)
    """Stops after so many minutes at work, with the best adapter so far."""
    max_tokens: int | None = Field(None, ge=1)
    """Stops after so many trained tokens."""
    packing: bool = True
    """Join short rows into full ones; the loss stays the same."""
    max_length: int | None = Field(None, ge=8)
    """Length of a packed row in tokens; by default the longest chunk [tokens] allows."""
    gradient_checkpointing: Literal["auto"] | bool = "auto"
    """Recompute activations in the backward pass instead of keeping them: a third slower, a fraction of the memory. auto: on a GPU."""
    eval_every: int = Field(20, ge=1)
    """Steps between evaluations of the val split, and between checkpoints."""
    eval_tokens: int | None = Field(None, ge=1)
    """Measure about so many tokens of val at each evaluation, rows taken evenly from all of it; by default all."""
    early_stopping: Annotated[
        EarlyStopping | None, BeforeValidator(switch, json_schema_input_type=EarlyStopping | bool)
    ] = EarlyStopping()
    """`true` is the default, `false` turns it off."""
    divergence: Annotated[
        Divergence | None, BeforeValidator(switch, json_schema_input_type=Divergence | bool)
    ] = Divergence()
    """`false` lets a run go on whatever its loss does, as long as it is a number."""
    lora: Lora = Lora()
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: bfloat16 on a GPU that has it, else float32."""
    callback: tuple[Step, ...] = ()
    """[[train.callback]]: plugins that are told of every step and evaluation, and may end the run."""
    trackers: tuple[str, ...] = ()
    """tensorboard | wandb | trackio, where installed: the journal is sent there too."""
    seed: int = Field(7, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _full_needs_weights(self) -> Train:
        if self.method == "full" and self.quantization == "4bit":
            raise ValueError(
                'quantization: "4bit" freezes the base, and method = "full" trains it; write method = "lora", or take quantization out'
            )
        return self

    @property
    def micro(self) -> int:
        """Rows per pass: never more than a step has."""
        return min(self.micro_batch_size, self.batch_size)
