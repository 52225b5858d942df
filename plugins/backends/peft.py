"""LoRA by PEFT over plain transformers, and training of whole models: the portable path, on any device torch knows."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from plugins.backends.base import check_weights, load_base
from plugins.backends.limits import check_numbers
from plugins.backends.lora import adapter_options, start_adapter
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

    def prepare(self, device: str = "auto") -> None:
        """Import the libraries, without what they have to say about each other."""
        share_cores()
        with quiet():
            import peft  # noqa: F401
            import trl  # noqa: F401

    def check_run(self, train: Train, device: str) -> None:
        """Raise UserError for what cannot be trained on `device`; called before anything is loaded."""
        check_numbers(train, device)

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
        """The base with a fresh or a saved LoRA, whose own weights are float32 whatever the base has; with `method = "full"` the model itself,
        in float32, all of it trained, its weights taken from the folder `adapter` where one is named."""
        self.check_run(train, device)
        self.prepare(device)
        # Chunked: the head's logits are never held for a whole batch (2048 tokens x 49k words are 400 MB in float32).
        arguments = {"loss_type": "chunked_nll"}
        with quiet():
            if train.method == "full":
                whole, tokenizer = load_base(model, train, device, weights=adapter)
                return Loaded(whole.requires_grad_(trainable), tokenizer, arguments)
            base, tokenizer = load_base(model, train, device)
            wrapped = _wrap(base, train, adapter, trainable=trainable)
        if adapter is None:
            start_adapter(wrapped, train.seed)
        return Loaded(wrapped, tokenizer, arguments)


def _wrap(base: Any, train: Train, adapter: Path | None, *, trainable: bool) -> Any:
    """The base with a fresh LoRA or the one saved in the folder `adapter`."""
    from peft import LoraConfig, PeftModel, get_peft_model

    if adapter is not None:
        check_weights(adapter)  # PEFT would open a pickle, or ask the hub
        wrapped = PeftModel.from_pretrained(base, adapter, is_trainable=trainable)
    else:
        wrapped = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **adapter_options(base, train.lora)))
    if train.quantization == "4bit":
        # What TRL goes by to round the adapter to bfloat16. PEFT has read it by now; the layers themselves stay 4-bit.
        base.is_loaded_in_4bit = False
    return wrapped
