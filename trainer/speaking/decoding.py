"""Prompts of token numbers answered at once by transformers' `generate`, each as it would be alone, and told as it grows.

Padded on the left, so that every prompt ends where its answer begins; padding is neither attended to nor counted as a position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from trainer.speaking.sampling import Draw, Sampling, options

if TYPE_CHECKING:
    import torch

OnStep = Callable[[list[list[int]]], None]
"""Hears the answers' tokens after each step."""


def decode(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    sampling: Sampling,
    *,
    ends: Sequence[int],
    occurrences: Sequence[int] | None = None,
    on_step: OnStep | None = None,
) -> list[list[int]]:
    """The answers' tokens, up to the token that ends each, that one left out. `occurrences` tells prompts apart that are the same."""
    import torch

    width = max(len(prompt) for prompt in prompts)
    pad = tokenizer.pad_token_id or 0
    ids = torch.tensor([[*[pad] * (width - len(prompt)), *prompt] for prompt in prompts])
    seen = torch.tensor([[*[0] * (width - len(prompt)), *[1] * len(prompt)] for prompt in prompts])
    times = list(occurrences) if occurrences is not None else [0] * len(prompts)
    draw = None if sampling.plain else Draw(list(prompts), width, sampling, times)
    device = next(model.parameters()).device
    with torch.no_grad():
        done = model.generate(
            input_ids=ids.to(device),
            attention_mask=seen.to(device),
            pad_token_id=pad,
            eos_token_id=list(ends) or None,
            stopping_criteria=[_Ear(tokenizer, width, sampling.stop, ends, on_step)],
            **options(sampling, draw),
        )
    return [_until(row, ends) for row in done[:, width:].tolist()]


class _Ear:
    """A stopping criterion of transformers that hears every step, and ends a row whose text says a stop mark."""

    def __init__(
        self, tokenizer: Any, width: int, stop: tuple[str, ...], ends: Sequence[int], on_step: OnStep | None
    ) -> None:
        self.tokenizer, self.width, self.stop, self.ends, self.on_step = tokenizer, width, stop, ends, on_step
        # A mark's letters are at most as many tokens as they have bytes; the last one may begin before the mark.
        self.window = max((len(mark.encode()) for mark in stop), default=0) + 4

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **more: Any) -> torch.Tensor:
        """Which rows are done."""
        import torch

        answers = input_ids[:, self.width :].tolist()
        if self.on_step is not None:
            self.on_step([_until(answer, self.ends) for answer in answers])
        done = [bool(self.stop) and self._said(answer) for answer in answers]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)

    def _said(self, answer: list[int]) -> bool:
        text = self.tokenizer.decode(answer[-self.window :], skip_special_tokens=False)
        return any(mark in text for mark in self.stop)


def _until(tokens: list[int], ends: Sequence[int]) -> list[int]:
    first = next((n for n, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[:first]


def cut(text: str, stop: Sequence[str]) -> str:
    """The text up to the first stop mark.

    >>> cut("Yes. User: and", ["User:", "yes"])
    'Yes. '
    """
    return text[: min((place for mark in stop if (place := text.find(mark)) >= 0), default=len(text))]


class Growing:
    """An answer's text as it grows: what is sure goes out; what may still become a stop mark, a letter or the white space at its end waits."""

    def __init__(
        self, tell: Callable[[str], None], text_of: Callable[[list[int]], str], stop: Sequence[str]
    ) -> None:
        self.tell, self.text_of, self.stop = tell, text_of, stop
        self.told = ""
        self.tokens: list[int] = []

    def hear(self, tokens: list[int]) -> None:
        """All tokens so far."""
        self.tokens = tokens
        text = self.text_of(tokens).rstrip().rstrip("\ufffd")
        waits = (n for mark in self.stop for n in range(1, len(mark)) if text.endswith(mark[:n]))
        self._out(text[: len(text) - max(waits, default=0)])

    def finish(self) -> str:
        """No more will come: what waited goes out; returns the whole."""
        text = self.text_of(self.tokens)
        self._out(text)
        return text

    def _out(self, text: str) -> None:
        if text.startswith(self.told) and len(text) > len(self.told):
            self.tell(text[len(self.told) :])
            self.told = text
