"""LoRA by PEFT over plain transformers: the portable path, on any device torch knows."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from plugins.backends.lora import precision_of, start_adapter, target_layers
from plugins.backends.quiet import quiet, share_cores
from plugins.contracts import Backend, Loaded
from schemas.errors import missing_extra
from schemas.recipe import Train


class Peft(Backend):
    """transformers, PEFT and TRL as they come."""

    name: ClassVar[str] = "peft"
    requires: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft", "trl")

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used here; None where it can."""
        missing = [
            name
            for name in ("torch", "transformers", "peft", "trl", "datasets", "accelerate")
            if find_spec(name) is None
        ]
        return (
            str(missing_extra("train", f"training ({', '.join(missing)} not installed)")) if missing else None
        )

    def prepare(self) -> None:
        """Import the libraries, without what they have to say about each other."""
        share_cores()
        with quiet():
            import peft  # noqa: F401
            import trl  # noqa: F401

    def load(
        self,
        model: Path,
        train: Train,
        *,
        max_length: int,
        adapter: Path | None = None,
        device: str = "cpu",
        trainable: bool = True,
    ) -> Loaded:
        """The base with a fresh or a saved LoRA; the adapter's own weights are float32 whatever the base has."""
        self.prepare()
        with quiet():
            from peft import LoraConfig, PeftModel, get_peft_model

            base, tokenizer = load_base(model, train, device)
            if adapter is not None:
                return Loaded(PeftModel.from_pretrained(base, adapter, is_trainable=trainable), tokenizer)
            config = LoraConfig(
                r=train.lora.r,
                lora_alpha=train.lora.alpha,
                lora_dropout=train.lora.dropout,
                target_modules=target_layers(base, train.lora),
                task_type="CAUSAL_LM",
            )
            wrapped = get_peft_model(base, config)
        start_adapter(wrapped, train.seed)
        # Chunked: the head's logits are never held for a whole batch (2048 tokens x 49k words are 400 MB in float32).
        return Loaded(wrapped, tokenizer, {"loss_type": "chunked_nll"})


def load_base(model: Path, train: Train, device: str) -> tuple[Any, Any]:
    """The base model on `device`, and its tokenizer, padding with the end-of-text token where it has no other."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=getattr(torch, precision_of(train, device)),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
    )
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False, local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return base.to(device), tokenizer
