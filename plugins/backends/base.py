"""The base model as transformers reads it: from a folder of safetensors, whole, and with a tokenizer that can end and pad a row.

Nothing is fetched, no pickle is opened and no code of the model's own is run. A weight that the files lack would be filled with
random numbers by transformers, with a warning at most; here that is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins import models
from plugins.backends.lora import precision_of
from schemas.errors import Corruption, Mismatch, NotFound, UserError
from schemas.recipe import Train


def load_base(model: Path, train: Train, device: str, *, weights: Path | None = None) -> tuple[Any, Any]:
    """The base model in the folder `model` on `device`, and its tokenizer; see `load_weights` and `load_tokenizer`.

    `weights` is another folder to take the weights from: a model that was trained whole. Raises Mismatch where the tokenizer has
    tokens that the model has no embedding for.
    """
    base = load_weights(weights or model, train, device)
    tokenizer = load_tokenizer(model)
    rows = base.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise Mismatch(
            f"the tokenizer in {model} has {len(tokenizer):,} tokens, but the model only {rows:,} embeddings, so the last ones, such as "
            f'"{tokenizer.convert_ids_to_tokens(len(tokenizer) - 1)}", have none and would end the run where a row holds one. Take them out of '
            "tokenizer.json and tokenizer_config.json, or take the tokenizer that the model came with; then build again."
        )
    return base, tokenizer


def load_weights(model: Path, train: Train, device: str) -> Any:
    """The weights on `device`: in the run's precision where they are frozen, in float32 where they are trained, in 4-bit NF4 where asked.

    Raises NotFound where there are none, UserError where transformers cannot read them, Corruption where some are missing.
    """
    import torch
    from transformers import AutoModelForCausalLM

    check_weights(model)
    # Half precision keeps 8 or 11 bits: most steps of an optimiser would be rounded away from a weight that has no more.
    kind = "float32" if train.method == "full" else precision_of(train, device)
    options: dict[str, Any] = {"dtype": getattr(torch, kind)}
    if train.quantization == "4bit":
        options |= {"quantization_config": nf4(kind), "device_map": {"": device}}
    try:
        base, read = AutoModelForCausalLM.from_pretrained(
            model,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except torch.OutOfMemoryError:
        raise
    except (
        Exception
    ) as error:  # transformers, safetensors and torch raise a dozen kinds for what a folder may hold
        raise UserError(
            f"{model} cannot be loaded: {_first_line(error)}. gristmill reads safetensors of the architectures that the installed "
            "transformers has, and runs no code of a model's own. Fetch it anew, or name another: gristmill models"
        ) from error
    if lacking := sorted(read["missing_keys"]):
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise Corruption(
            f"{model} lacks the weights {lacking[0]}{more}: they would be random numbers. A file of it is missing or broken off; "
            "fetch it anew: gristmill models pull NAME"
        )
    return base if train.quantization == "4bit" else base.to(device)


def nf4(compute: str) -> Any:
    """How QLoRA holds the frozen base (Dettmers et al. 2023, 3): NF4, its scales quantised too, products in the dtype `compute`."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, compute),
    )


def check_weights(model: Path) -> None:
    """Raise NotFound where a folder holds no safetensors, or only pickled weights, which can run code when they are opened."""
    if models.weight_files(model):
        return
    models.refuse_pickles(model)
    raise NotFound(
        f"no weights at {model}: a model is a folder that holds config.json, tokenizer.json and *.safetensors; an adapter's holds "
        "adapter_config.json and adapter_model.safetensors."
    )


def load_tokenizer(model: Path) -> Any:
    """The tokenizer, with the end-of-text token that the corpus was cut with where it names none, padding with that where it has no other.

    Raises NotFound where nothing names an end-of-text token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the same
        raise UserError(
            f"the tokenizer in {model} cannot be loaded: {_first_line(error)}. Fetch the model anew: gristmill models pull NAME"
        ) from error
    complete(tokenizer, model)
    return tokenizer


def complete(tokenizer: Any, model: Path) -> None:
    """Name the end and padding tokens of a tokenizer that lacks them. Raises NotFound where nothing names an end."""
    if tokenizer.eos_token is None:
        number = models.eos_token_id(model)
        token = tokenizer.convert_ids_to_tokens(number)
        if token is None:
            raise NotFound(
                f"{model} ends a text with token {number}, which its tokenizer does not have. "
                f'Set "eos_token" in {model / "tokenizer_config.json"}.'
            )
        tokenizer.eos_token = token
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
