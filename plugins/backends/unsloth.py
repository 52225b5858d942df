"""LoRA by Unsloth: its kernels on a GPU, its CPU path (stock libraries with chunked loss) elsewhere.

The only file that imports unsloth, and inside methods only: it patches transformers, peft and trl at import, so it must
come before them, and whoever does not name it must not get it. It chooses its device at import too: the first GPU, or the CPU where
there is none or where UNSLOTH_FORCE_CPU is 1. Parts of it are AGPL and LGPL; gristmill uses it where it is installed and never bundles it.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from packaging.specifiers import SpecifierSet

from plugins.backends.base import check_weights, complete
from plugins.backends.limits import check_numbers
from plugins.backends.lora import (
    adapter_options,
    precision_of,
    recomputes,
    start_adapter,
)
from plugins.backends.peft import Peft
from plugins.backends.quiet import quiet, share_cores
from plugins.contracts import Backend, Loaded
from schemas.errors import UserError
from schemas.recipe import Train

FITS = ">=2026.10.9,<2027"
"""Releases of unsloth and unsloth_zoo that this file was written to; as in pyproject.toml. The first trains without a GPU."""
PATCHED = ("transformers", "peft", "trl")
"""What it patches, and must therefore be imported before."""


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

    def prepare(self, device: str = "auto") -> None:
        """Import unsloth, once and first, for `device`; it prints to stdout, which belongs to data.

        Raises UserError where its version is another, where a library that it patches is in use already, or where it has chosen another
        device before.
        """
        if reason := _unfit() or _late():
            raise UserError(reason)
        share_cores()
        # It fetches a page from the model hub to count machines, and writes generated code into the working directory.
        os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
        os.environ.setdefault(
            "UNSLOTH_COMPILE_LOCATION", str(Path.home() / ".cache" / "gristmill" / "unsloth")
        )
        # On a CPU for which bfloat16 is slow it would turn autocast off in silence; it only gets it where the recipe asks.
        os.environ.setdefault("UNSLOTH_CPU_BF16", "1")
        if device == "cpu":
            os.environ.setdefault("UNSLOTH_FORCE_CPU", "1")
        with quiet():
            import unsloth
        if device != "auto":
            _check_device(device, unsloth.DEVICE_TYPE)

    def check_run(self, train: Train, device: str) -> None:
        """Raise UserError for what cannot be trained on `device`; called before anything is loaded."""
        check_numbers(train, device)
        if train.method == "full":
            raise UserError(
                'backend "unsloth" trains adapters: its kernels are for LoRA. For method = "full" write backend = "peft", '
                "which trains every weight by transformers itself."
            )
        if train.precision == "float32" and device != "cpu":
            raise UserError(
                'backend "unsloth" computes in bfloat16 or float16 on a GPU, also where it is told float32. Write backend = "peft", '
                'or leave precision at "auto".'
            )

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
        """The base with a fresh or a saved LoRA. A DoRA, or dropout, leaves its fused kernels aside and is computed by PEFT."""
        self.check_run(train, device)
        self.prepare(device)
        for folder in (model, adapter):
            if folder is not None:
                check_weights(folder)
        with quiet():
            base, tokenizer = self._base(model, train, max_length, device)
            if adapter is not None:
                from peft import PeftModel

                return Loaded(PeftModel.from_pretrained(base, adapter, is_trainable=trainable), tokenizer)
            from unsloth import FastLanguageModel

            wrapped = FastLanguageModel.get_peft_model(
                base,
                random_state=train.seed,
                use_gradient_checkpointing=_recomputing(train, device),
                max_seq_length=max_length,
                **adapter_options(base, train.lora),
            )
        start_adapter(wrapped, train.seed)
        # "nll" is what unsloth replaces with its own chunked loss; any other it leaves to TRL. It recomputes by itself.
        return Loaded(wrapped, tokenizer, {"loss_type": "nll", "gradient_checkpointing": False})

    def _base(self, model: Path, train: Train, max_length: int, device: str) -> tuple[Any, Any]:
        import torch
        from unsloth import FastLanguageModel

        base, tokenizer = FastLanguageModel.from_pretrained(
            str(model),
            max_seq_length=max_length,
            dtype=getattr(torch, precision_of(train, device)),
            load_in_4bit=train.quantization == "4bit",
            trust_remote_code=False,
            use_gradient_checkpointing=False,
            local_files_only=True,
        )
        complete(tokenizer, model)
        return base, tokenizer


def _unfit() -> str | None:
    """Which of its two distributions has a version this file was not written to."""
    for name in ("unsloth", "unsloth_zoo"):
        try:
            have = version(name)
        except PackageNotFoundError:
            have = "none"
        if have == "none" or not SpecifierSet(FITS).contains(have, prereleases=True):
            return f"{name} is {have}, wanted {FITS}. Mend it with: pip install 'unsloth{FITS}' 'unsloth_zoo{FITS}'"
    return None


def _late() -> str | None:
    """Why it comes too late in this process; None where it is in it already, or where nothing it patches is."""
    there = [name for name in PATCHED if name in sys.modules]
    if "unsloth" in sys.modules or not there:
        return None
    return (
        f"this process has loaded {', '.join(there)} already, which unsloth must be imported before: half of its patches would be missing. "
        'Train in a process of its own (gristmill train RECIPE), or write backend = "peft".'
    )


def _check_device(wanted: str, chosen: str) -> None:
    """Raise UserError where unsloth, which chooses at import, is on another device than the run."""
    have = "cuda" if chosen == "hip" else chosen
    if have == wanted.partition(":")[0]:
        return
    line = (
        "put UNSLOTH_FORCE_CPU=1 in front of the command, with --device cpu"
        if wanted == "cpu"
        else "leave UNSLOTH_FORCE_CPU out, or type --device cpu"
        if wanted.startswith("cuda")
        else "type --device cpu"
    )
    raise UserError(
        f'backend "unsloth" has chosen {have} in this process, but the run is to be on {wanted}. Either {line}; or write backend = "peft".'
    )


def _recomputing(train: Train, device: str) -> bool | str:
    """Its own kind of checkpointing, which keeps activations in the host's memory, is for GPUs."""
    if not recomputes(train, device):
        return False
    return True if device == "cpu" else "unsloth"
