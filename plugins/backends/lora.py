"""What both backends share: an adapter's shape and start, and what numbers it is computed in."""

from __future__ import annotations

import math
from typing import Any

from schemas.errors import UserError, nearest
from schemas.recipe import Lora, Train


def device_of(name: str) -> str:
    """`auto` as a torch device: the first GPU, Apple's, else the CPU.

    Raises UserError where a named device is not there.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    there = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{n}" for n in gpus)]
    there += ["mps"] if torch.backends.mps.is_available() else []
    if name not in there:
        have = ", ".join(there)
        raise UserError(
            f'there is no device "{name}" here; there is: {have}. Type --device auto to take the best of them.'
        )
    return name


def precision_of(train: Train, device: str) -> str:
    """The numbers of the base's weights and of the forward pass: float32, bfloat16 or float16."""
    import torch

    if train.precision != "auto":
        return train.precision
    return "bfloat16" if device.startswith("cuda") and torch.cuda.is_bf16_supported() else "float32"


def target_layers(model: Any, lora: Lora) -> list[str]:
    """The names of the layers that get an adapter: every linear one but the output head, or those the recipe names.

    PEFT's own "all-linear" says the same; it is spelt out because unsloth wants names. Raises UserError for a name
    the model does not have.
    """
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    linear = sorted({
        name.rpartition(".")[2]
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Linear, Conv1D)) and layer is not head
    })
    if lora.targets == "all-linear":
        return linear
    wanted = [lora.targets] if isinstance(lora.targets, str) else list(lora.targets)
    for name in wanted:
        if name not in linear:
            raise UserError(
                f'train.lora.targets names "{name}", which is not a linear layer of {type(model).__name__}. '
                f'{nearest(name, linear)} It has: {", ".join(linear)}; or write "all-linear".'
            )
    return wanted


def adapter_options(model: Any, lora: Lora) -> dict[str, Any]:
    """The recipe's [train.lora] as keyword arguments of PEFT's LoraConfig, which unsloth's get_peft_model takes too.

    `use_rslora` scales by alpha / sqrt(r) (Kalajdzievski 2023); `use_dora` adds a magnitude a layer (Liu et al. 2024).
    """
    return {
        "r": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": target_layers(model, lora),
        "use_rslora": lora.rank_stabilized,
        "use_dora": lora.dora,
    }


def start_adapter(model: Any, seed: int) -> None:
    """Set a fresh LoRA to its start: A uniform within 1 / sqrt(inputs), as PEFT does it, B zero (Hu et al. 2021, 4.1); of a DoRA, also the
    magnitudes, to the norms of the base's weights (Liu et al. 2024, 4.1).

    Drawn on the CPU, layer by layer in order of name, from `seed` alone: so that every backend and device starts alike,
    whatever drew random numbers before. In float32, whatever the base has: norms rounded to bfloat16 would start a DoRA up to 0.4 % off
    its base.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    for name, weight in sorted(model.named_parameters()):
        if not weight.requires_grad:
            continue
        weight.data = weight.data.float()
        if ".lora_A." in name:
            bound = 1 / math.sqrt(weight.shape[1])
            values = torch.empty(weight.shape).uniform_(-bound, bound, generator=generator)
            weight.data.copy_(values)
        elif ".lora_B." in name:
            weight.data.zero_()
    for layer in model.modules():
        for magnitude in getattr(layer, "lora_magnitude_vector", {}).values():
            magnitude.weight.data.copy_(_norms(layer.get_base_layer()))


def _norms(layer: Any) -> Any:
    """The length of each output's row of a linear layer's weight, float32; 4-bit weights are unfolded first."""
    from peft.utils.integrations import dequantize_module_weight
    from transformers.pytorch_utils import Conv1D

    weight = dequantize_module_weight(layer).detach().float()
    return (weight.T if isinstance(layer, Conv1D) else weight).norm(dim=1)


def recomputes(train: Train, device: str) -> bool:
    """Whether activations are computed again in the backward pass. auto: on a GPU; a CPU has memory to spare and no time."""
    return device != "cpu" if train.gradient_checkpointing == "auto" else train.gradient_checkpointing
