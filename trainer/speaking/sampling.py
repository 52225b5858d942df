"""How the next token is chosen: penalised, filtered, and drawn with a number of the prompt's own.

transformers draws a whole batch from one stream of random numbers, so there an answer depends on what else is in its batch, and its
penalty sees the padding. Here every prompt has its own stream and sees only its own tokens: the same prompt, options and seed give the same
answer alone, in a batch, and after a break. The filters are transformers' own, in their order (temperature, top_k, top_p, min_p); a test compares
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError
from schemas.fingerprint import identify

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Sampling:
    """The options of an answer."""

    max_new_tokens: int = 200
    temperature: float = 0.0
    """0 takes the likeliest token each time; above it tokens are drawn, the likely ones less often the higher it is."""
    top_p: float = 1.0
    """Draw from the likeliest tokens that sum to this (Holtzman et al. 2020, nucleus sampling)."""
    top_k: int = 0
    """Draw from so many of the likeliest tokens (Fan et al. 2018); 0 from all."""
    min_p: float = 0.0
    """Draw from tokens at least this share as likely as the likeliest (Nguyen et al. 2024)."""
    repetition_penalty: float = 1.0
    """Above 1 makes tokens that stand in prompt or answer already less likely (Keskar et al. 2019, CTRL)."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Texts that end an answer and are no part of it."""

    def __post_init__(self) -> None:
        """Raise UserError for what cannot be meant."""
        allowed = (
            ("max_new_tokens", self.max_new_tokens >= 1, "1 or more"),
            ("temperature", 0 <= self.temperature < float("inf"), "0 or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("top_k", self.top_k >= 0, "0 (all) or more"),
            ("min_p", 0 <= self.min_p <= 1, "between 0 and 1"),
            ("repetition_penalty", self.repetition_penalty > 0, "above 0; 1 does nothing"),
            ("stop", all(self.stop), "texts of at least one character"),
        )
        for name, fits, told in allowed:
            if not fits:
                raise UserError(f"{name} is {getattr(self, name)!r}; it must be {told}.")

    @property
    def plain(self) -> bool:
        """Whether the likeliest token is always taken, as the model has it."""
        return self.temperature == 0 and self.repetition_penalty == 1


def stream(seed: int, tokens: list[int], occurrence: int = 0) -> torch.Generator:
    """The random numbers of one prompt: of its tokens, the seed, and how often it was asked before. On the CPU, so alike for every device."""
    import torch

    key = identify(str(seed), str(occurrence), " ".join(map(str, tokens)))
    return torch.Generator().manual_seed(int(key[:15], 16))


def choose(scores: torch.Tensor, seen: torch.Tensor, sampling: Sampling, number: float) -> int:
    """The next token for scores (vocabulary,), after the tokens `seen` (int64), by a number drawn evenly from [0, 1)."""
    import torch

    scores = scores.float()
    if sampling.repetition_penalty != 1:
        scores = scores.clone()
        told = scores[seen]
        scores[seen] = torch.where(
            told < 0, told * sampling.repetition_penalty, told / sampling.repetition_penalty
        )
    if sampling.temperature == 0:
        return int(scores.argmax())
    likely, tokens = (scores / sampling.temperature).sort(descending=True, stable=True)
    kept = filtered(likely, sampling)
    summed = kept.double().cumsum(0)
    place = int(torch.searchsorted(summed, summed.new_tensor([number]) * summed[-1], right=True))
    return int(tokens[min(place, int((kept > 0).sum()) - 1)])


def filtered(likely: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Probabilities for descending scores, those of tokens that are not to be drawn 0."""
    import torch

    places = torch.arange(len(likely), device=likely.device)
    if sampling.top_k:
        likely = likely.masked_fill(places >= sampling.top_k, -torch.inf)
    if sampling.top_p < 1:
        shares = likely.softmax(0)
        before = shares.cumsum(0) - shares
        likely = likely.masked_fill((before >= sampling.top_p) & (places > 0), -torch.inf)
    if sampling.min_p > 0:
        shares = likely.softmax(0)
        likely = likely.masked_fill(shares < sampling.min_p * shares[0], -torch.inf)
    return likely.softmax(0)


class Draw:
    """A logits processor of transformers that leaves one token of each row: the chosen one."""

    def __init__(
        self, prompts: list[list[int]], width: int, sampling: Sampling, occurrences: list[int]
    ) -> None:
        self.starts = [width - len(prompt) for prompt in prompts]
        self.streams = [
            stream(sampling.seed, prompt, n) for prompt, n in zip(prompts, occurrences, strict=True)
        ]
        self.sampling = sampling

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows, vocabulary) with all but the chosen token of each row at minus infinity."""
        import torch

        chosen = torch.full_like(scores, -torch.inf)
        for row, (start, numbers) in enumerate(zip(self.starts, self.streams, strict=True)):
            number = float(torch.rand(1, generator=numbers, dtype=torch.float64))
            chosen[row, choose(scores[row], input_ids[row, start:], self.sampling, number)] = 0
        return chosen


def options(sampling: Sampling, draw: Draw | None) -> dict[str, Any]:
    """Arguments of transformers' `generate` that leave nothing to the base model's own settings."""
    told: dict[str, Any] = {
        "max_new_tokens": sampling.max_new_tokens,
        "do_sample": False,
        "num_beams": 1,
        "repetition_penalty": 1.0,
        "no_repeat_ngram_size": 0,
    }
    return told if draw is None else {**told, "logits_processor": [draw]}
