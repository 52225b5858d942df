"""GGUF to safetensors: the way in for models that come as one quantised file.

transformers reads GGUF and dequantises it. Two things it gets wrong are mended here: it would save the result as
still quantised, and it gives the tokenizer the class's own special tokens (SmolLM2's `eos_token` became `<|im_start|>`)
instead of those the file names, which it does keep in the model's config.
"""

from __future__ import annotations

import contextlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from plugins.backends.quiet import quiet
from schemas.errors import missing_extra


def require(name: str) -> None:
    """Raise MissingExtra where what reads the file `name` is not installed."""
    if missing := [library for library in ("gguf", "torch", "transformers") if find_spec(library) is None]:
        raise missing_extra("train", f"reading {name} ({', '.join(missing)} not installed)")


def convert(gguf: Path, target: Path, *, tokenizer_only: bool = False) -> None:
    """Write the model in `gguf` to the folder `target` as float32 safetensors, with tokenizer, template and configs.

    Raises MissingExtra where torch, transformers or gguf are not installed.
    """
    require(gguf.name)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    # Its bar for dequantising heeds no setting.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        if tokenizer_only:
            config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
            config.save_pretrained(target)
        else:
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.float32
            )
            _forget_quantisation(model)
            model.save_pretrained(target)
            for file in target.glob("*.safetensors"):
                file.chmod(0o644)  # safetensors writes 0600
            config = model.config
    _name_special_tokens(tokenizer, config)
    tokenizer.save_pretrained(target)


def _forget_quantisation(model: Any) -> None:
    """The weights are plain floats now; without this `save_pretrained` refuses or writes a config that lies."""
    model.is_quantized = False
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _name_special_tokens(tokenizer: Any, config: Any) -> None:
    for role in ("bos", "eos", "pad", "unk"):
        number = getattr(config, f"{role}_token_id", None)
        if isinstance(number, int):
            setattr(tokenizer, f"{role}_token", tokenizer.convert_ids_to_tokens(number))
    # What transformers copied from the GGUF header beside the tokens would contradict them on the next load.
    for key in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id"):
        tokenizer.init_kwargs.pop(key, None)
