"""A model's tensors as llama.cpp names, orders and packs them.

Two things are easily wrong, and silent: llama.cpp turns neighbouring pairs of a head's dimensions (the rotary embedding as Su et al. 2021
wrote it), transformers turns the first half against the second, so the rows of Q and K are reordered; and Llama 3 stretches its
rotary frequencies, which llama.cpp reads as a tensor of factors.

Rejected: quantising the embeddings and the head to q4_0 like the rest. llama.cpp's own tool holds the head at more bits (q6_K, which gguf-py
cannot write); here both stand at q8_0, which costs SmolLM2-135M 14 MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError

if TYPE_CHECKING:
    import numpy as np

HEADS = ("token_embd.weight", "output.weight")
ROTARY = ("default", "linear", "llama3")
"""Rotary embeddings that can be written."""


@dataclass(frozen=True)
class Architecture:
    """What llama.cpp calls a model class, and whether it reorders the rows of its Q and K."""

    name: str
    permuted: bool


ARCHITECTURES = {
    "LlamaForCausalLM": Architecture("llama", permuted=True),
    "MistralForCausalLM": Architecture("llama", permuted=True),
    "Qwen2ForCausalLM": Architecture("qwen2", permuted=False),
}
TYPES = {"f16": "F16", "q8_0": "Q8_0", "q4_0": "Q4_0"}
"""What --quantize names, as gguf-py names it."""


def architecture_of(config: Any) -> Architecture:
    """How llama.cpp calls the model of a transformers config. Raises UserError, with what to type, where it cannot be written here."""
    names = list(config.architectures or ())
    name = names[0] if names else config.model_type
    found = ARCHITECTURES.get(name)
    if found is None:
        raise UserError(
            f"{name} cannot be written as GGUF by the built-in converter, which knows {', '.join(ARCHITECTURES)}. With llama.cpp at "
            "hand, type: --converter llama.cpp --llama-cpp FOLDER; or take the merged model home as it is: --to safetensors"
        )
    faults = [f"{key} = true" for key in ("attention_bias", "mlp_bias") if getattr(config, key, False)]
    if (rope := rope_type(config)) not in ROTARY:
        faults.append(f"rope_type {rope!r}")
    if faults:
        raise UserError(
            f"this {name} has {' and '.join(faults)}, which the built-in converter does not write: the file would say other things than the "
            "model. Type: --converter llama.cpp --llama-cpp FOLDER"
        )
    return found


def rope_type(config: Any) -> str:
    """The kind of rotary embedding: default, linear, llama3, yarn and others."""
    return str((getattr(config, "rope_parameters", None) or {}).get("rope_type", "default"))


def head_dim(config: Any) -> int:
    """Dimensions of one attention head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def permute(weights: np.ndarray, heads: int) -> np.ndarray:
    """Rows of Q or K, `heads` heads of them, from transformers' order (first halves, second halves) to llama.cpp's (pairs).

    >>> import numpy as np
    >>> permute(np.arange(8), 2).tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    rest = weights.shape[1:]
    return (
        weights.reshape(heads, 2, weights.shape[0] // heads // 2, *rest).swapaxes(1, 2).reshape(weights.shape)
    )


@dataclass(frozen=True)
class Packed:
    """One tensor, ready to be written: its shape in rows and columns, and its bytes in llama.cpp's blocks."""

    name: str
    shape: tuple[int, ...]
    type: Any
    """A gguf.GGMLQuantizationType."""
    weight: Any
    """The torch tensor it is made of, None for factors."""
    heads: int | None
    values: np.ndarray | None = None

    def pack(self) -> np.ndarray:
        """The bytes, made when they are written, so that only one tensor is held twice."""
        from gguf import quants

        if self.values is not None:
            return quants.quantize(self.values, self.type)
        array = self.weight.detach().float().cpu().numpy()
        return quants.quantize(permute(array, self.heads) if self.heads else array, self.type)


def packed(model: Any, quantize: str) -> Iterator[Packed]:
    """The tensors of a merged model in the order they are written; a tied head is left out, as llama.cpp expects.

    Raises UserError for a tensor without a name in llama.cpp.
    """
    import gguf

    config = model.config
    kind = architecture_of(config)
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == kind.name)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    head = model.get_output_embeddings().weight
    tied = head.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    if rope_type(config) == "llama3":
        yield Packed(
            "rope_freqs.weight",
            (head_dim(config) // 2,),
            gguf.GGMLQuantizationType.F32,
            None,
            None,
            rope_factors(config),
        )
    for key, weight in model.state_dict().items():
        if tied and key == "lm_head.weight":
            continue
        name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise UserError(
                f"llama.cpp has no name for the tensor {key} of {type(model).__name__}. Type: --converter llama.cpp --llama-cpp FOLDER"
            )
        yield Packed(
            name,
            tuple(weight.shape),
            _type(name, weight.shape, quantize),
            weight,
            _heads(name, config) if kind.permuted else None,
        )


def _heads(name: str, config: Any) -> int | None:
    if ".attn_q." in name:
        return int(config.num_attention_heads)
    if ".attn_k." in name:
        return int(config.num_key_value_heads)
    return None


def _type(name: str, shape: Any, quantize: str) -> Any:
    """Vectors stay float32; rows that do not divide into blocks of 32 are float16, as llama.cpp does it."""
    import gguf

    types = gguf.GGMLQuantizationType
    if len(shape) == 1:
        return types.F32
    wanted = types[TYPES["q8_0" if quantize == "q4_0" and name in HEADS else quantize]]
    return wanted if shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0] == 0 else types.F16


def rope_factors(config: Any) -> np.ndarray:
    """By what each rotary frequency of a Llama 3 is divided, float32 [head_dim / 2] (Dubey et al. 2024, section 3.2; the rule is transformers')."""
    import numpy as np

    told = config.rope_parameters
    dim, base = head_dim(config), told["rope_theta"]
    factor, low, high = told["factor"], told["low_freq_factor"], told["high_freq_factor"]
    old = told["original_max_position_embeddings"]
    factors = []
    for n in range(0, dim, 2):
        wavelength = 2 * math.pi * base ** (n / dim)
        if wavelength < old / high:
            factors.append(1.0)
        elif wavelength > old / low:
            factors.append(float(factor))
        else:
            smooth = (old / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)
