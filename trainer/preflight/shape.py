"""A base model's shape, without its weights: every parameter's name and size, read in milliseconds.

From the headers of its safetensors, which say names and shapes in the first kilobytes of a file; where no weights are here yet,
from a model that transformers builds on torch's meta device (names and shapes, no numbers), which takes some seconds
and imports transformers. Loading the weights to count them was rejected: a 7B model takes minutes and 15 GB.

A linear layer is a matrix inside a numbered block ("model.layers.0.…"): embeddings and the output head stand outside. Experts
that are fused into one three-dimensional parameter get no adapter from PEFT either, and are not counted as linear layers.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from plugins import models
from schemas.errors import Corruption, UserError, nearest
from schemas.recipe_lora import Lora

BLOCK = re.compile(r"\.\d+\.")
LONGEST_HEADER = 100_000_000
"""Bytes; the format's own bound on a header."""

Linear = tuple[int, int]
"""The two sides of a linear layer's weight: outputs and inputs."""


@dataclass(frozen=True)
class Shape:
    """What memory and time depend on."""

    tensors: dict[str, tuple[int, ...]]
    """Every parameter by name; a tied head only once."""
    hidden: int
    layers: int
    vocab: int
    queries: int
    """Width of what attention compares with: heads times their width."""
    keys: int
    """The same of what is compared, before grouped heads are repeated."""

    @property
    def parameters(self) -> int:
        """Numbers in the model."""
        return sum(math.prod(shape) for shape in self.tensors.values())

    @cached_property
    def linear(self) -> dict[str, Linear]:
        """Linear layers by name, without ".weight"."""
        return {
            name.removesuffix(".weight"): (shape[0], shape[1])
            for name, shape in self.tensors.items()
            if len(shape) == 2 and name.endswith(".weight") and BLOCK.search(name)
        }

    @property
    def linear_parameters(self) -> int:
        """Numbers in the linear layers: what 4-bit loading shrinks."""
        return sum(math.prod(sides) for sides in self.linear.values())

    @property
    def width(self) -> int:
        """Outputs of the widest linear layer: of a feed-forward network's inside."""
        return max((max(sides) for sides in self.linear.values()), default=self.hidden)

    def adapted(self, lora: Lora) -> dict[str, Linear]:
        """The linear layers that get an adapter. Raises UserError for a target the model does not have."""
        kinds = sorted({name.rpartition(".")[2] for name in self.linear})
        if lora.targets == "all-linear":
            return self.linear
        wanted = {lora.targets} if isinstance(lora.targets, str) else set(lora.targets)
        for name in sorted(wanted - set(kinds)):
            raise UserError(
                f'train.lora.targets names "{name}", which is not a linear layer of this model. '
                f'{nearest(name, kinds)} It has: {", ".join(kinds)}; or write "all-linear".'
            )
        return {name: sides for name, sides in self.linear.items() if name.rpartition(".")[2] in wanted}


def read_shape(model: Path) -> Shape:
    """The shape of the model in a folder, from `config.json` and the safetensors' headers, or without weights from the config alone.

    Raises UserError where `config.json` does not name what every decoder has, or where its architecture is unknown; Corruption for a
    file of weights that is none.
    """
    config = models.read_json(model / "config.json")
    files = models.weight_files(model)
    tensors: dict[str, tuple[int, ...]] = {}
    for file in files:
        tensors |= read_header(file)
    if not files:
        tensors = _on_meta_device(model)
    text = config.get("text_config") or config
    if config.get("tie_word_embeddings", text.get("tie_word_embeddings")):
        tensors.pop("lm_head.weight", None)  # some files hold the tied head a second time
    hidden = _number(model, text, "hidden_size", "n_embd", "d_model")
    heads = _number(model, text, "num_attention_heads", "n_head", "num_heads")
    width = int(text.get("head_dim") or hidden // heads)
    return Shape(
        tensors=tensors,
        hidden=hidden,
        layers=_number(model, text, "num_hidden_layers", "n_layer", "num_layers"),
        vocab=_number(model, text, "vocab_size"),
        queries=heads * width,
        keys=int(text.get("num_key_value_heads") or heads) * width,
    )


def read_header(file: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a safetensors file: eight bytes of length, then JSON. Raises Corruption for what is none."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 0 < length <= LONGEST_HEADER:
                raise ValueError(f"its header would have {length:,} bytes")
            header: dict[str, Any] = json.loads(opened.read(length))
        return {name: tuple(one["shape"]) for name, one in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corruption(
            f"{file} is no whole safetensors file: {error}. A download may have broken off; fetch it again: gristmill models pull NAME"
        ) from error


def _number(model: Path, config: dict[str, Any], *names: str) -> int:
    for name in names:
        if isinstance(config.get(name), int):
            return int(config[name])
    raise UserError(
        f"{model / 'config.json'} says no {names[0]}, so what training on it takes cannot be told. "
        "gristmill trains decoder models that transformers knows; put the model's own config.json there."
    )


def _on_meta_device(model: Path) -> dict[str, tuple[int, ...]]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=False, local_files_only=True)
        with torch.device("meta"):
            built = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (ValueError, KeyError, ImportError, OSError) as error:
        raise UserError(
            f"{model / 'config.json'} is of no model that transformers {_version()} knows: {str(error).splitlines()[0]}. "
            "Upgrade transformers, or take another base model."
        ) from error
    return {name: tuple(weight.shape) for name, weight in built.named_parameters()}


def _version() -> str:
    from importlib.metadata import version

    return version("transformers")
