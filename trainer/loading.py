"""A finished run's model, ready to read and speak: the base, and what the run learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.errors import MissingExtra
from schemas.recipe import Train
from trainer.record import RunRecord, check_adapter


def read_model(record: RunRecord, model: Path, adapter: Path, device: str) -> tuple[Any, str]:
    """Base and adapter for reading, and their precision. By PEFT whatever trained it: both backends write PEFT's format.

    Raises Mismatch where the adapter is not the one the run saved.
    """
    from plugins.backends.lora import device_of, precision_of
    from plugins.backends.peft import Peft

    if reason := Peft.unavailable():
        raise MissingExtra(reason)
    check_adapter(record, adapter)
    train, where = Train.model_validate(record.train), device_of(device)
    loaded = Peft().load(
        model, train, max_length=record.max_length, adapter=adapter, device=where, trainable=False
    )
    loaded.model.eval()
    return loaded, precision_of(train, where)
