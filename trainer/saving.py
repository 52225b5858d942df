"""What a run learned, as files: whole or not at all.

An adapter's folder holds PEFT's two files. That of a run with `method = "full"` is a model as transformers writes it, in float32, with the
base's tokenizer beside it: a folder that `from_pretrained` reads, and that a recipe can name as its `model`. Both stand in the same place of
a run, and both begin with their weights in safetensors, so that digest, tampering and restoring mean the same for both.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugins.backends.quiet import quiet
from plugins.contracts import Loaded
from plugins.models import KNOWN
from trainer.record import write_json

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)


def saver(loaded: Loaded, base: str) -> Callable[[Path], None]:
    """Writes an adapter, or a model trained whole, to a folder, whole or not at all. An adapter names its base by the hub's name, not by a
    path on this machine."""

    def save(path: Path) -> None:
        stage = path.with_name(f".{path.name}")
        shutil.rmtree(stage, ignore_errors=True)
        if hasattr(loaded.model, "peft_config"):
            _write_adapter(loaded.model, stage, KNOWN[base].hub if base in KNOWN else base)
        else:
            _write_model(loaded.model, stage, Path(loaded.tokenizer.name_or_path))
        for file in stage.glob("*.safetensors"):
            file.chmod(0o644)  # safetensors writes 0600
        shutil.rmtree(path, ignore_errors=True)
        stage.rename(path)

    return save


def _write_adapter(model: Any, stage: Path, base: str) -> None:
    # "auto" would ask the model hub for the base's vocabulary; no embedding is trained.
    model.save_pretrained(stage, safe_serialization=True, save_embedding_layers=False)
    (stage / "README.md").unlink(missing_ok=True)  # PEFT's empty form
    config = json.loads((stage / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    write_json(stage / "adapter_config.json", config)


def _write_model(model: Any, stage: Path, base: Path) -> None:
    with quiet():  # its bar over shards
        model.save_pretrained(stage, safe_serialization=True)
    # Copied, not written by transformers: it would add the padding token it was given, and the tokenizer's digest would be another.
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, stage / name)
