"""A finished run's models, ready to read and speak: what the run learned, and the base it learned from.

An adapter is taken off for the base's turn. A run of `method = "full"` has nothing to take off, so there the base is a second model,
loaded when it is first asked for and kept: training held four copies of these weights, so a machine that trained them holds two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import MissingExtra
from schemas.recipe import Train
from trainer.record import RunRecord, check_adapter
from trainer.seeing.progress import say


@dataclass
class Readable:
    """The two models of a run, on one device, in eval mode. They may be one object: use each only within its `with`."""

    tokenizer: Any
    precision: str
    """What the forward pass is computed in: float32, bfloat16 or float16; see `trainer.evaluation.measure`."""
    device: str
    _tuned: Any
    _load_base: Callable[[], Any] | None = None
    """None where the base is the tuned model with its adapter off."""
    _base: Any = field(default=None, init=False)

    @contextmanager
    def tuned(self) -> Iterator[Any]:
        """The model as the run left it."""
        yield self._tuned

    @contextmanager
    def base(self) -> Iterator[Any]:
        """The model as it was before the run."""
        if self._load_base is None:
            with self._tuned.disable_adapter():
                yield self._tuned
            return
        if self._base is None:
            self._base = self._load_base()
        yield self._base


def read_model(record: RunRecord, model: Path, adapter: Path, device: str) -> Readable:
    """Load what a run saved in the folder `adapter`, over the base in the folder `model`. By PEFT whatever trained it: every backend writes its format.

    A base that was trained on in 4-bit is read in 4-bit where there is a GPU, and else in full numbers, which is said: losses differ a little then.
    Raises Mismatch where the folder does not hold what the run saved.
    """
    from plugins.backends.lora import device_of, precision_of
    from plugins.backends.peft import Peft

    if reason := Peft.unavailable():
        raise MissingExtra(reason)
    check_adapter(record, adapter)
    train, where = Train.model_validate(record.train), device_of(device)
    if train.quantization == "4bit" and not where.startswith("cuda"):
        say(
            f"{record.run} was trained over a 4-bit base, which needs a GPU; it is read over the whole one here"
        )
        train = train.model_copy(update={"quantization": "none"})

    def load(saved: Path | None) -> Any:
        loaded = Peft().load(
            model, train, max_length=record.max_length, adapter=saved, device=where, trainable=False
        )
        loaded.model.eval()
        return loaded

    loaded = load(adapter)
    full = (lambda: load(None).model) if train.method == "full" else None
    return Readable(loaded.tokenizer, precision_of(train, where), where, loaded.model, full)
