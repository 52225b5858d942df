"""What a run learned, as files: whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from plugins.contracts import Loaded
from plugins.models import KNOWN
from trainer.record import write_json


def saver(loaded: Loaded, base: str) -> Callable[[Path], None]:
    """Writes the adapter to a folder, whole or not at all. It names its base by the hub's name, not by a path on this machine."""

    def save(path: Path) -> None:
        stage = path.with_name(f".{path.name}")
        shutil.rmtree(stage, ignore_errors=True)
        # "auto" would ask the model hub for the base's vocabulary; no embedding is trained.
        loaded.model.save_pretrained(stage, safe_serialization=True, save_embedding_layers=False)
        (stage / "README.md").unlink(missing_ok=True)  # PEFT's empty form
        config = json.loads((stage / "adapter_config.json").read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = KNOWN[base].hub if base in KNOWN else base
        write_json(stage / "adapter_config.json", config)
        shutil.rmtree(path, ignore_errors=True)
        stage.rename(path)

    return save
