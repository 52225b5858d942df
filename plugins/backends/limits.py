"""What a backend cannot train here, said before a weight is loaded: the reason, and the line to type.

A setting that a library would quietly drop (half precision without a GPU, 4-bit without its kernels) is refused, not dropped: the run's
record would name numbers that were never computed.
"""

from __future__ import annotations

from importlib.util import find_spec

from schemas.errors import UserError, missing_extra
from schemas.recipe import Train


def check_numbers(train: Train, device: str) -> None:
    """Raise UserError, or MissingExtra, for a precision or quantization that `device` cannot compute."""
    if train.precision == "float16" and device == "cpu":
        raise UserError(
            'train.precision is "float16", which nothing here computes on a CPU: it would be float32 in silence. '
            'Write precision = "float32" (or leave it out), or "bfloat16".'
        )
    if train.quantization != "4bit":
        return
    if not device.startswith("cuda"):
        raise UserError(
            f'train.quantization is "4bit", which needs a CUDA GPU, but this run is on {device}. Take quantization out of [train], '
            "or train where there is a GPU."
        )
    if find_spec("bitsandbytes") is None:
        raise missing_extra("qlora", 'train.quantization = "4bit" (bitsandbytes not installed)')
