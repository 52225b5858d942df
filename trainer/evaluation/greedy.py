"""Many prompts of token numbers continued at once, each time by the likeliest token.

For measuring, not for talk (that is `trainer.generate`): nothing is drawn, penalised or templated, so the same model and prompts give the same
tokens. Whatever a base model's own generation settings say of sampling or repetition is overruled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainer.evaluation.measure import RowTooLarge
from trainer.steps.memory import out_of_memory, release

BATCH = 16
"""Prompts continued at once, where memory allows."""
PROBE = 4
"""Tokens that `pace` spends."""


def continued(
    model: Any,
    prompts: Sequence[Sequence[int]],
    length: int,
    *,
    pad: int,
    ends: Sequence[int] = (),
    batch_size: int = BATCH,
) -> list[list[int]]:
    """At most `length` new tokens after each prompt, the end token included where one of `ends` came.

    Prompts of like length go together, padded on the left. Memory that ends halves the batch; raises RowTooLarge where it does not hold one prompt.
    """
    order = sorted(range(len(prompts)), key=lambda n: -len(prompts[n]))
    found: list[list[int]] = [[] for _ in prompts]
    start, size = 0, batch_size
    while start < len(order):
        chosen = order[start : start + size]
        answers = _pass(model, [prompts[n] for n in chosen], length, pad, ends)
        if answers is None:
            release()
            if len(chosen) == 1:
                raise RowTooLarge(
                    f"memory does not hold the continuation of one prompt of {len(prompts[chosen[0]]):,} tokens by {length:,}. Free memory "
                    "that other programs hold, or leave it out: --memorisation 0 --samples 0"
                )
            size = len(chosen) // 2
            continue
        for n, answer in zip(chosen, answers, strict=True):
            found[n] = answer
        start += len(chosen)
    return found


@dataclass(frozen=True)
class Pace:
    """How long one batch of prompts takes."""

    first: float
    """Seconds to its first new token: the prompts are read."""
    more: float
    """Seconds to each further one."""

    def seconds(self, prompts: int, length: int, *, batch_size: int = BATCH) -> float:
        """Of `prompts` prompts continued by `length` tokens each, none of which ends before."""
        return -(-prompts // batch_size) * (self.first + self.more * (length - 1))


def pace(model: Any, prompts: Sequence[Sequence[int]], *, pad: int, batch_size: int = BATCH) -> Pace:
    """Measured on the longest batch and a few tokens; nothing where there are no prompts."""
    tried = sorted(prompts, key=len)[-batch_size:]
    if not tried:
        return Pace(0, 0)
    times = []
    for length in (1, 1 + PROBE):
        began = time.monotonic()
        continued(model, tried, length, pad=pad, batch_size=batch_size)
        times.append(time.monotonic() - began)
    return Pace(times[0], max(0.0, times[1] - times[0]) / PROBE)


def _pass(
    model: Any, prompts: Sequence[Sequence[int]], length: int, pad: int, ends: Sequence[int]
) -> list[list[int]] | None:
    """One batch; None where memory ran out. The error goes no further: its traceback holds the pass's tensors."""
    import torch

    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[*[pad] * (longest - len(prompt)), *prompt] for prompt in prompts])
    seen = torch.tensor([[*[0] * (longest - len(prompt)), *[1] * len(prompt)] for prompt in prompts])
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            done = model.generate(
                input_ids=ids.to(device),
                attention_mask=seen.to(device),
                max_new_tokens=length,
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
                no_repeat_ngram_size=0,
                pad_token_id=pad,
                **({"eos_token_id": sorted(set(ends))} if ends else {}),
            )
    except Exception as error:
        if not out_of_memory(error):
            raise
        return None
    return [_until(row, ends) for row in done[:, longest:].tolist()]


def _until(tokens: list[int], ends: Sequence[int]) -> list[int]:
    """The tokens up to the first that ends an answer, that one included."""
    first = next((n for n, token in enumerate(tokens) if token in ends), None)
    return tokens if first is None else tokens[: first + 1]
