"""Loss and token accuracy over a set of rows, weighted by token.

`Trainer.evaluate` averages the losses of batches, so a batch of three tokens counts like one of two thousand and the
result depends on the batch size and on packing. Here sums are taken and divided once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError
from trainer.data import MASKED

if TYPE_CHECKING:
    import torch

SLICE = 1024
"""Token positions whose logits are turned to float32 at a time."""


@dataclass(frozen=True)
class Measure:
    """How well a model predicts some rows."""

    loss: float
    """Mean negative log-likelihood in nats, over `tokens`."""
    accuracy: float
    """Share of tokens that were the likeliest."""
    tokens: int

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite where that passes a float."""
        return math.exp(self.loss) if self.loss < 700 else math.inf


def measure(
    model: Any,
    rows: Any,
    collator: Any,
    *,
    batch_size: int,
    precision: str = "float32",
    tick: Callable[[int], None] = lambda done: None,
) -> Measure:
    """Measure `model` on `rows` (a sequence of dicts as `packing.dataset` gives), in eval mode, restoring its mode.

    `tick` hears how many rows are done. Raises UserError where there is no token to measure on.
    """
    import torch

    device = next(model.parameters()).device
    total, right, tokens = 0.0, 0, 0
    with _evaluating(model), torch.no_grad(), _autocast(device.type, precision):
        for start in range(0, len(rows), batch_size):
            chosen = [rows[n] for n in range(start, min(start + batch_size, len(rows)))]
            batch = {name: values.to(device) for name, values in collator(chosen).items()}
            targets = batch.pop("labels")[:, 1:]
            logits = model(**batch, use_cache=False).logits[:, :-1]
            kept = targets != MASKED
            loss, hits = _sums(logits[kept], targets[kept])
            total, right, tokens = total + loss, right + hits, tokens + int(kept.sum())
            tick(start + len(chosen))
    if not tokens:
        raise UserError("there is no trained token in these rows, so there is no loss to measure.")
    return Measure(total / tokens, right / tokens, tokens)


def _sums(logits: torch.Tensor, targets: torch.Tensor) -> tuple[float, int]:
    """Summed loss and number of right guesses for logits (tokens, words) and targets (tokens)."""
    import torch

    loss, hits = 0.0, 0
    for start in range(0, len(targets), SLICE):
        part, wanted = logits[start : start + SLICE].float(), targets[start : start + SLICE]
        loss += float(torch.nn.functional.cross_entropy(part, wanted, reduction="sum"))
        hits += int((part.argmax(-1) == wanted).sum())
    return loss, hits


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _autocast(device: str, precision: str) -> contextlib.AbstractContextManager[Any]:
    """The mixed precision training uses: adapters are float32 beside a base that may not be."""
    import torch

    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=getattr(torch, precision))
