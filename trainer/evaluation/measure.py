"""Loss and token accuracy over a set of rows, weighted by token.

`Trainer.evaluate` averages the losses of batches, so a batch of three tokens counts like one of two thousand and the
result depends on the batch size and on packing. Here sums are taken, part by part of every row, and divided once: so
a packed row gives the same numbers as its parts, and whoever needs a document's share of them has it for nothing.

Memory that runs out halves the batch, and the pass is done again; a single row that does not fit is an error with what to
change, for the caller to end an evaluation by and not a run.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import GristmillError, UserError
from trainer.data import MASKED, Vector
from trainer.steps.memory import out_of_memory, release

if TYPE_CHECKING:
    import torch

SLICE = 1024
"""Token positions whose logits are turned to float32 at a time."""


class RowTooLarge(GristmillError):
    """Memory does not hold the evaluation of a single row."""


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


@dataclass(frozen=True)
class Sums:
    """What every part of the rows adds, in order: a row is one part, a packed row as many as were joined in it."""

    loss: Vector
    """Summed negative log-likelihood in nats, float64."""
    hits: Vector
    """Tokens that were the likeliest, int64."""
    tokens: Vector
    """Tokens a loss is taken on, int64."""

    def total(self) -> Measure:
        """All of it as one measure. Raises UserError where there is no token to measure on."""
        tokens = int(self.tokens.sum())
        if not tokens:
            raise UserError("there is no trained token in these rows, so there is no loss to measure.")
        return Measure(float(self.loss.sum()) / tokens, int(self.hits.sum()) / tokens, tokens)

    def take(self, parts: Vector) -> Sums:
        """Some of the parts: by their numbers, or by a mask."""
        return Sums(self.loss[parts], self.hits[parts], self.tokens[parts])


def measure(
    model: Any,
    rows: Any,
    collator: Any,
    *,
    batch_size: int,
    precision: str = "float32",
    tick: Callable[[int], None] = lambda done: None,
    halved: Callable[[int], None] = lambda size: None,
) -> Measure:
    """Measure `model` on `rows` as one number; see `measure_parts`. Raises UserError where there is no token to measure on."""
    return measure_parts(
        model, rows, collator, batch_size=batch_size, precision=precision, tick=tick, halved=halved
    ).total()


def measure_parts(
    model: Any,
    rows: Any,
    collator: Any,
    *,
    batch_size: int,
    precision: str = "float32",
    tick: Callable[[int], None] = lambda done: None,
    halved: Callable[[int], None] = lambda size: None,
) -> Sums:
    """Measure `model` on `rows` (a sequence of dicts as `packing.dataset` gives), in eval mode, restoring its mode.

    `tick` hears how many rows are done; `halved` the batch size that memory allowed, each time it had to be halved. Raises
    RowTooLarge where memory does not hold one row.
    """
    import torch

    found: list[Sums] = []
    start, size = 0, batch_size
    with _evaluating(model), torch.no_grad(), _autocast(next(model.parameters()).device.type, precision):
        while start < len(rows):
            chosen = [rows[n] for n in range(start, min(start + size, len(rows)))]
            sums = _pass(model, chosen, collator)
            if sums is None:
                release()
                if len(chosen) == 1:
                    raise RowTooLarge(_too_large(chosen[0]))
                size = len(chosen) // 2
                halved(size)
                continue
            found.append(sums)
            start += len(chosen)
            tick(start)
    return Sums(
        np.concatenate([sums.loss for sums in found] or [np.zeros(0)]),
        np.concatenate([sums.hits for sums in found] or [np.zeros(0, np.int64)]),
        np.concatenate([sums.tokens for sums in found] or [np.zeros(0, np.int64)]),
    )


def _pass(model: Any, chosen: Sequence[dict[str, Any]], collator: Any) -> Sums | None:
    """One forward pass; None where memory ran out. The error goes no further, since its traceback holds the pass's tensors."""
    try:
        device = next(model.parameters()).device
        batch = {name: values.to(device) for name, values in collator(chosen).items()}
        targets = batch.pop("labels")[:, 1:]
        logits = model(**batch, use_cache=False).logits[:, :-1]
        kept = targets != MASKED
        losses, hits = _tokens(logits[kept], targets[kept])
    except Exception as error:
        if not out_of_memory(error):
            raise
        return None
    part, parts = _parts(chosen, targets.shape[1] + 1)
    part = part[:, 1:][kept.cpu().numpy()]
    return Sums(
        np.bincount(part, losses, parts),
        np.bincount(part[hits], minlength=parts).astype(np.int64),
        np.bincount(part, minlength=parts).astype(np.int64),
    )


def _tokens(logits: torch.Tensor, targets: torch.Tensor) -> tuple[Vector, Vector]:
    """The loss of each token (float64), and whether it was the likeliest, for logits (tokens, words) and targets (tokens)."""
    import torch

    losses, hits = [np.zeros(0)], [np.zeros(0, np.bool_)]
    for start in range(0, len(targets), SLICE):
        part, wanted = logits[start : start + SLICE].float(), targets[start : start + SLICE]
        loss = torch.nn.functional.cross_entropy(part, wanted, reduction="none")
        losses.append(loss.cpu().numpy().astype(np.float64))
        hits.append((part.argmax(-1) == wanted).cpu().numpy())
    return np.concatenate(losses), np.concatenate(hits)


def _parts(chosen: Sequence[dict[str, Any]], longest: int) -> tuple[Vector, int]:
    """The part that each token place of a batch belongs to, of shape (rows, longest), and how many parts there are."""
    places, count = np.zeros((len(chosen), longest), np.int64), 0
    for place, row in zip(places, chosen, strict=True):
        lengths = row.get("seq_lengths") or [len(row["input_ids"])]
        place[: sum(lengths)] = np.repeat(np.arange(count, count + len(lengths)), lengths)
        count += len(lengths)
    return places, count


def _too_large(row: dict[str, Any]) -> str:
    length = len(row["input_ids"])
    return (
        f"memory does not hold the evaluation of one row of {length:,} tokens, the smallest pass there is. Give it a shorter row: lower "
        f"[train] max_length (packed rows) or [tokens] max_tokens (chunks) below {length:,}; or free memory that other programs hold."
    )


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
