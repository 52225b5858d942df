"""Several processes at one run, as `accelerate launch` or torchrun starts them: what they share, and what only the main one does.

Every process holds the model and takes its share of each step's rows. The main one alone has the run's folder, the
journal, the evaluations and the last word on when to save and stop; the others follow. A step's passes touch no other
process; once they are done the gradients are added up, so a process may make more and smaller passes than the others
where its memory is short. torch's DistributedDataParallel adds up within the last backward pass instead: memory that
ends there would leave the others waiting for good. Only its wrapper is used, which hands out the first weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from schemas.errors import GristmillError, UserError

SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Where launchers say how many processes they started; the names accelerate reads."""
PATIENCE = 24 * 3600
"""Seconds the others wait for the main process, which may be measuring a long val split."""

Value = TypeVar("Value")


def count() -> int:
    """How many processes work at this run."""
    return next((int(os.environ[name]) for name in SIZES if os.environ.get(name)), 1)


def is_main() -> bool:
    """Whether this process is the only one, or the first of several that have met (`join`)."""
    if count() == 1:
        return True
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def join(device: str) -> bool:
    """Meet the other processes, if there are any; whether this is the main one. Once a process, before anything touches a GPU.

    Raises UserError where the launcher's settings ask for what is not done here: sharding a model over processes.
    """
    if count() == 1:
        return True
    from datetime import timedelta

    from accelerate import PartialState
    from accelerate.utils import DistributedType

    state = PartialState(cpu=device == "cpu", timeout=timedelta(seconds=PATIENCE))
    if (
        os.environ.get("ACCELERATE_USE_FSDP") == "true"
        or os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true"
    ):
        raise UserError(
            "accelerate is set to cut the model into parts (FSDP or DeepSpeed), but gristmill gives every process a whole one. "
            "Choose MULTI_GPU with: accelerate config. A model too large for one GPU fits more easily with "
            'quantization = "4bit" in [train].'
        )
    if state.distributed_type == DistributedType.NO:
        raise UserError(
            f"the launcher speaks of {count()} processes, but they cannot find each other. Start them with: "
            "gristmill train RECIPE --processes N"
        )
    return bool(state.is_main_process)


def told(value: Value) -> Value:
    """The main process' value, in every process."""
    if count() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def made_by_main(make: Callable[[], Value]) -> Value:
    """What the main process alone makes, told to all. Where it raises a GristmillError the others leave without a word: it says it."""
    if count() == 1:
        return make()
    made: Value | None = None
    failed: GristmillError | None = None
    if is_main():
        try:
            made = make()
        except GristmillError as error:
            failed = error
    made, failed = told((made, failed))
    if failed is not None:
        raise failed if is_main() else SystemExit(failed.exit_code)
    return made  # type: ignore[return-value]


def add_up(model: Any, *more: Any) -> None:
    """Add up the gradients of a model's trained weights, and the tensors `more`, over all processes, in place.

    A weight without a gradient in this process gets zeros: it may have one in another.
    """
    if count() == 1:
        return
    import torch
    from torch import distributed

    tensors = list(more)
    for weight in model.parameters():
        if weight.requires_grad:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            tensors.append(weight.grad)
    for wait in [distributed.all_reduce(tensor, async_op=True) for tensor in tensors]:
        wait.wait()
