"""A run's adapter as it leaves this machine: its weights byte for byte, and its base by a name that means something elsewhere.

A recipe may name a base by the folder it lies in. Such a path is in PEFT's config and in the record; elsewhere it finds nothing, and it tells how
somebody's disk is laid out, so the folder's name stands in its place.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from plugins.models import KNOWN
from schemas.errors import StorageError
from trainer.card import base_name
from trainer.record import RECORD, RunRecord, adapter_digest, write_json

CONFIG = "adapter_config.json"


def copy_adapter(record: RunRecord, adapter: Path, target: Path) -> None:
    """Copy the folder `adapter` into `target`, with the record. Raises StorageError where the copy is not what was read."""
    shutil.copytree(adapter, target, dirs_exist_ok=True)
    if adapter_digest(target) != (record.adapter or adapter_digest(adapter)):
        raise StorageError(f"the copy of {adapter} is not what was read: the disk changed it. Try again, or name another place.")  # fmt: skip
    config, name = target / CONFIG, base_name(record)
    told = json.loads(config.read_text(encoding="utf-8"))
    if told.get("base_model_name_or_path") == record.base.name != name:
        write_json(config, {**told, "base_model_name_or_path": name})
    found = adapter_digest(target)
    kept = record.model_dump(mode="json")
    if record.base.name not in KNOWN:
        kept["base"]["name"] = name
    kept["base"]["path"], kept["recipe"] = name, Path(record.recipe).name
    if kept["train"].get("model"):
        kept["train"]["model"] = kept["base"]["name"]
    write_json(target / RECORD, kept | {"adapter": found})
