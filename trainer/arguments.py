"""The recipe's [train] in TRL's words: batch arithmetic, optimisers, schedules, precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError, nearest
from schemas.recipe import Train

OPTIMIZERS = {"adamw": "adamw_torch", "adam": "adamw_torch", "sgd": "sgd", "gd": "sgd"}
"""The guide's names. `adam` is torch's Adam, whose weight decay enters the gradient (see `optimizer_class`); `gd` is
`sgd` with one step an epoch over all rows."""
SCHEDULES = ("constant", "linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt")
"""Schedules that need neither settings of their own nor transformers' evaluation loop."""


@dataclass(frozen=True)
class Steps:
    """The arithmetic of one run."""

    micro: int
    """Rows per forward pass."""
    accumulate: int
    """Forward passes per optimiser step."""
    per_epoch: int
    total: int
    warmup: int


def count_steps(train: Train, rows: int) -> Steps:
    """How `rows` training rows become optimiser steps; the last step of an epoch may have fewer rows.

    >>> count_steps(Train(batch_size=8, micro_batch_size=4, epochs=2, warmup=0.1), 21)
    Steps(micro=4, accumulate=2, per_epoch=3, total=6, warmup=1)
    """
    passes = max(1, math.ceil(rows / train.micro))
    accumulate = passes if train.optimizer.use == "gd" else math.ceil(train.batch_size / train.micro)
    per_epoch = math.ceil(passes / accumulate)
    total = train.max_steps or max(1, math.ceil(train.epochs * per_epoch))
    return Steps(train.micro, accumulate, per_epoch, total, math.ceil(train.warmup * total))


def check_names(train: Train) -> None:
    """Raise UserError for an optimiser or schedule that does not exist, with the nearest match."""
    from transformers.training_args import OptimizerNames

    optimizers = [*OPTIMIZERS, *(name.value for name in OptimizerNames)]
    if train.optimizer.use not in optimizers:
        hint = nearest(train.optimizer.use, optimizers) or f"Known: {', '.join(optimizers)}."
        raise UserError(f'train.optimizer is "{train.optimizer.use}", which is no optimiser. {hint}')
    if train.schedule.use not in SCHEDULES:
        hint = nearest(train.schedule.use, SCHEDULES) or f"Known: {', '.join(SCHEDULES)}."
        raise UserError(
            f'train.schedule is "{train.schedule.use}", which is no schedule that can be used here. {hint}'
        )


def optimizer_class(train: Train) -> tuple[type, dict[str, Any]] | None:
    """torch's Adam for `adam`, which no name of transformers means; None for every other."""
    if train.optimizer.use != "adam":
        return None
    import torch

    return torch.optim.Adam, {"lr": train.learning_rate}


def sft_arguments(train: Train, steps: Steps, output: Path, *, device: str, precision: str) -> dict[str, Any]:
    """Keyword arguments of `trl.SFTConfig`. Rows come tokenized, packed and checked, so TRL prepares nothing."""
    # transformers' "constant" ignores warm-up; with one the recipe means this.
    schedule = (
        "constant_with_warmup" if train.schedule.use == "constant" and steps.warmup else train.schedule.use
    )
    return {
        "output_dir": str(output),
        "per_device_train_batch_size": steps.micro,
        "gradient_accumulation_steps": steps.accumulate,
        "max_steps": steps.total,
        "optim": OPTIMIZERS.get(train.optimizer.use, train.optimizer.use),
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": schedule,
        "warmup_steps": steps.warmup,
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "seed": train.seed,
        "data_seed": train.seed,
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "use_cpu": device == "cpu",
        # Recomputing activations saves a GPU's memory; on a CPU memory is plenty and time is not.
        "gradient_checkpointing": device != "cpu",
        "dataloader_pin_memory": device.startswith("cuda"),
        "max_length": None,
        "packing": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "remove_unused_columns": False,
        "eval_strategy": "no",
        "save_strategy": "steps",
        "save_steps": train.eval_every,
        "save_total_limit": 2,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
    }
