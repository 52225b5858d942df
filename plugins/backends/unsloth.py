"""LoRA by Unsloth: its kernels on a GPU, its CPU path (stock libraries with chunked loss) elsewhere.

The only file that imports unsloth, and inside methods only: it patches transformers, peft and trl at import, so it must
come before them, and whoever does not name it must not get it. Parts of it are AGPL and LGPL; gristmill uses it where it
is installed and never bundles it.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from plugins.backends.lora import precision_of, start_adapter, target_layers
from plugins.backends.peft import Peft
from plugins.backends.quiet import quiet, share_cores
from plugins.contracts import Backend, Loaded
from schemas.recipe import Train


class Unsloth(Backend):
    """FastLanguageModel, set up to compute what `peft` computes."""

    name: ClassVar[str] = "unsloth"
    requires: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft", "trl", "unsloth", "unsloth_zoo")

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used here; None where it can."""
        if reason := Peft.unavailable():
            return reason
        if find_spec("unsloth") is None:
            return "unsloth is not installed. Install it with: pip install 'gristmill[unsloth]'"
        return None

    def prepare(self) -> None:
        """Import unsloth, once and first; it prints to stdout, which belongs to data."""
        share_cores()
        # It fetches a page from the model hub to count machines, and writes generated code into the working directory.
        os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
        os.environ.setdefault(
            "UNSLOTH_COMPILE_LOCATION", str(Path.home() / ".cache" / "gristmill" / "unsloth")
        )
        with quiet():
            import unsloth  # noqa: F401

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
        """The base with a fresh or a saved LoRA. 4-bit loading is off: it would change the losses."""
        self.prepare()
        with quiet():
            import torch
            from peft import PeftModel
            from unsloth import FastLanguageModel

            base, tokenizer = FastLanguageModel.from_pretrained(
                str(model),
                max_seq_length=max_length,
                dtype=getattr(torch, precision_of(train, device)),
                load_in_4bit=False,
                trust_remote_code=False,
                use_gradient_checkpointing=False,
                local_files_only=True,
            )
            if adapter is not None:
                return Loaded(PeftModel.from_pretrained(base, adapter, is_trainable=trainable), tokenizer)
            wrapped = FastLanguageModel.get_peft_model(
                base,
                r=train.lora.r,
                lora_alpha=train.lora.alpha,
                lora_dropout=train.lora.dropout,
                target_modules=target_layers(base, train.lora),
                random_state=train.seed,
                use_gradient_checkpointing=False if device == "cpu" else "unsloth",
                max_seq_length=max_length,
            )
        start_adapter(wrapped, train.seed)
        # "nll" is what unsloth replaces with its own chunked loss; any other it leaves to TRL.
        return Loaded(wrapped, tokenizer, {"loss_type": "nll", "gradient_checkpointing": False})
