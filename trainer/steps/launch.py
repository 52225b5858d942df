"""`gristmill train --processes N`: this command line once more, by accelerate's launcher, which starts it N times.

Nothing of it is our own: it is `accelerate launch --multi_gpu --num_processes N gristmill train …`, with its exit code turned
back into the command's. On a CPU the same, over gloo: accelerate's `--cpu` starts one process, whatever the number.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from schemas.errors import UserError
from trainer.steps.processes import count


def launch(processes: int, command: Sequence[str], *, device: str) -> int:
    """Run `command` (a program and its arguments) in so many processes at once; its exit code, of the first that failed.

    `device` is as `plugins.backends.lora.device_of` gives it. Raises UserError where there are fewer GPUs than processes.
    """
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    _check(processes, device)
    options = {"num_processes": processes, "num_machines": 1, "mixed_precision": "no", "dynamo_backend": "no"}
    words = [
        "--multi_gpu",
        "--no_python",
        *(word for key, value in options.items() for word in (f"--{key}", str(value))),
    ]
    os.environ["ACCELERATE_USE_CPU"] = "true" if device == "cpu" else "false"
    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # the process that failed has said why
    try:
        launch_command(launch_command_parser().parse_args([*words, *command]))
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    except SignalException as error:
        return 128 + error.sigval
    return 0


def without(option: str, words: Sequence[str]) -> list[str]:
    """A command line without one option and its value.

    >>> without("--processes", ["gristmill", "train", "--processes", "2", "recipe.toml"])
    ['gristmill', 'train', 'recipe.toml']
    """
    kept, skip = [], False
    for word in words:
        if not skip and word != option and not word.startswith(f"{option}="):
            kept.append(word)
        skip = word == option and not skip
    return kept


def _check(processes: int, device: str) -> None:
    import torch

    if count() > 1:
        raise UserError(
            f"--processes is for a command that is started once, but a launcher has started it {count()} times. Leave --processes out."
        )
    if device == "mps":
        raise UserError(
            "--processes needs several GPUs that CUDA knows, and MPS is one. Leave it out, or say --device cpu."
        )
    if device.startswith("cuda") and torch.cuda.device_count() < processes:
        raise UserError(
            f"--processes is {processes}, but there are {torch.cuda.device_count()} GPUs here, and each process takes one. "
            f"Type --processes {torch.cuda.device_count()}, or leave it out."
        )
