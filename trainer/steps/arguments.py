"""The recipe's [train] in TRL's words: batch arithmetic, names of optimisers, and every setting of its trainer.

The optimiser and the learning rate's schedule are made by `trainer.steps.optimizers` and handed over; what stands here of them is for the
record that transformers writes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugins.backends.lora import recomputes
from plugins.contracts import Optimizer
from plugins.entries import entries
from plugins.specs import PluginSpec
from schemas.errors import UserError, nearest
from schemas.recipe import Train
from trainer.steps.schedules import check_schedule

OFTEN = ("adamw", "adam", "adamw-8bit", "sgd", "gd")
"""Optimisers an error names where nothing is near to what was written."""


@dataclass(frozen=True)
class Steps:
    """The arithmetic of one run."""

    micro: int
    """Rows per forward pass, at most."""
    accumulate: int
    """Forward passes per optimiser step, at most: the last one of a step may hold fewer rows."""
    per_epoch: int
    total: int
    warmup: int
    """Steps over which the learning rate rises; one at least is left after them."""
    batch: int = 0
    """Rows per optimiser step; the last step of an epoch may have fewer."""


def count_steps(train: Train, rows: int, *, full_batch: bool | None = None) -> Steps:
    """How `rows` training rows become optimiser steps, for any pair of batch_size and micro_batch_size.

    `full_batch` says that a step takes all rows (`Optimizer.full_batch`); by default as the installed optimiser of that name has it.

    >>> count_steps(Train(batch_size=8, micro_batch_size=4, epochs=2, warmup=0.1), 21)
    Steps(micro=4, accumulate=2, per_epoch=3, total=6, warmup=1, batch=8)
    >>> count_steps(Train(batch_size=8, micro_batch_size=3), 21).accumulate
    3
    """
    rows = max(1, rows)
    full = takes_all_rows(train.optimizer.use) if full_batch is None else full_batch
    batch = rows if full else train.batch_size
    micro = min(train.micro_batch_size, batch)
    per_epoch = math.ceil(rows / batch)
    total = train.max_steps or max(1, math.ceil(train.epochs * per_epoch))
    # Rounded, not up: the first step of a warm-up has rate 0, which of three steps of `gd` would be a third of the run.
    warmup = min(round(train.warmup * total), total - 1)
    return Steps(micro, math.ceil(batch / micro), per_epoch, total, warmup, batch)


def takes_all_rows(name: str) -> bool:
    """Whether the installed optimiser of that name takes one step an epoch."""
    entry = entries("optimizer").get(name)
    found = entry.load() if entry else None
    return found is not None and issubclass(found, Optimizer) and found.full_batch


def check_names(train: Train, optimizer: PluginSpec | None = None) -> None:
    """Raise UserError for an optimiser or schedule that does not exist, with the nearest match, or for what the two cannot do.

    `optimizer` is the plugin of that name, `ResolvedRecipe.optimizer`; raises MissingExtra for what it lacks. Only where it is None
    is transformers asked, and imported.
    """
    from trainer.steps.optimizers import plugin_of

    check_schedule(train.schedule)
    if train.method == "full" and train.lora.plus_ratio is not None:
        raise UserError(
            'train.lora.plus_ratio is the learning rate of a LoRA\'s B matrices, and method = "full" trains no LoRA; take one of the two out'
        )
    if optimizer is not None:
        plugin_of(optimizer)
        return
    installed = entries("optimizer")
    if train.optimizer.use in installed:
        return
    from transformers.training_args import OptimizerNames

    theirs = [name.value for name in OptimizerNames]
    if train.optimizer.use not in theirs:
        hint = nearest(train.optimizer.use, [*installed, *theirs]) or f"Often used: {', '.join(OFTEN)}."
        raise UserError(
            f'train.optimizer is "{train.optimizer.use}", which is no optimiser. {hint} `gristmill plugins optimizers` lists those that come '
            "with gristmill; transformers' own names work too."
        )
    optimizer_options(train)


def optimizer_options(train: Train) -> str | None:
    """The options of an optimiser of transformers' own, as its `optim_args`: "key=value,…". Raises UserError for what that cannot say."""
    for key, value in train.optimizer.options.items():
        if not isinstance(value, int | float | str | bool) or set(str(value)) & set(",= "):
            raise UserError(
                f"train.optimizer.{key} is {value!r}; transformers' own optimisers take numbers, true, false and single words"
            )
    return ",".join(f"{key}={value}" for key, value in train.optimizer.options.items()) or None


def sft_arguments(train: Train, steps: Steps, output: Path, *, device: str, precision: str) -> dict[str, Any]:
    """Keyword arguments of `trl.SFTConfig`. Rows come tokenized, packed and checked, so TRL prepares nothing."""
    return {
        "output_dir": str(output),
        "per_device_train_batch_size": steps.micro,
        "gradient_accumulation_steps": steps.accumulate,
        "max_steps": steps.total,
        **_optimizer(train),
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "weight_decay": train.weight_decay,
        # Without a bound the norm would not be measured either: none that matters is infinite.
        "max_grad_norm": train.max_grad_norm or math.inf,
        "neftune_noise_alpha": train.neftune_alpha,
        "seed": train.seed,
        "data_seed": train.seed,
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "use_cpu": device == "cpu",
        "gradient_checkpointing": recomputes(train, device),
        # The other way needs inputs that require gradients, which a frozen base has not, and forgets random numbers of dropout.
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
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


def _optimizer(train: Train) -> dict[str, Any]:
    """The name transformers is told: its own, or any for a plugin, which `trainer.steps.optimizers.make` makes."""
    if train.optimizer.use in entries("optimizer"):
        return {"optim": "adamw_torch"}
    return {"optim": train.optimizer.use, "optim_args": optimizer_options(train)}
