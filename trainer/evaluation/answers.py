"""What an evaluation asks both models: val beginnings once for the samples and the overlaps, training passages for extraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.store import VersionPath
from trainer.evaluation.greedy import continued, pace
from trainer.evaluation.memorisation import LENGTH, PROMPTS, Memorisation, Passage, memorised, passages
from trainer.evaluation.side_by_side import ANSWER, Prompt, Sample, answered, end_tokens, val_prompts
from trainer.generate import Speaker
from trainer.loading import Readable
from trainer.record import RunRecord
from trainer.seeing.progress import say

Asked = tuple[Speaker, Sequence[tuple[str, str | None]]]
"""A user's prompts with their system turns, and who answers them."""


@dataclass
class Answers:
    """What was said."""

    memorisation: Memorisation | None = None
    samples: list[Sample] = field(default_factory=list)


def answer(
    readable: Readable,
    record: RunRecord,
    version: VersionPath,
    memorisation: int,
    samples: int,
    asked: Asked | None = None,
    *,
    quiet: bool = False,
) -> Answers:
    """Ask for `memorisation` passages, and for `samples` val beginnings or what a user `asked`. Says before how long it will take."""
    found = Answers()
    if asked is not None:
        speaker, given = asked
        found.samples, samples = answered(speaker, given), 0
    prompts = val_prompts(version, max(memorisation, samples))
    chosen, chunks = passages(version, memorisation) if memorisation else ([], 0)
    if samples and not prompts:
        say("samples: no val row is long enough to begin from", quiet=quiet)
    if not prompts and not chosen:
        if memorisation:
            say(
                "memorisation: neither a val row nor a training passage is long enough to ask for",
                quiet=quiet,
            )
        return found
    pad, ends = readable.tokenizer.pad_token_id or 0, end_tokens(record, readable.tokenizer)
    _foretell(readable, prompts, chosen, pad, quiet=quiet)
    said: dict[str, list[list[int]]] = {}
    for name, open_model in (("base", readable.base), ("tuned", readable.tuned)):
        with open_model() as model:
            said[name] = continued(model, [prompt.ids for prompt in prompts], ANSWER, pad=pad, ends=ends)
    if samples:
        found.samples = [_sample(readable, prompt, said, n) for n, prompt in enumerate(prompts[:samples])]
    if memorisation:
        compared = {name: each[:memorisation] for name, each in said.items()}
        found.memorisation = memorised(readable, version, chosen, chunks, compared, pad=pad, ends=ends)
    return found


def _foretell(
    readable: Readable, prompts: Sequence[Prompt], found: Sequence[Passage], pad: int, *, quiet: bool
) -> None:
    """Say how long the answers will take, by a few tokens of each kind."""
    with readable.tuned() as model:
        seconds = pace(model, [one.ids for one in prompts], pad=pad).seconds(len(prompts), ANSWER)
        reading = pace(model, [one.prompt for one in found], pad=pad)
    seconds += len(PROMPTS) * reading.seconds(len(found), LENGTH)
    say(
        f"asking base and tuned for {len(prompts)} answers of up to {ANSWER} tokens and {len(found)} passages of training: "
        f"about {max(1, round(2 * seconds)):,} s at most; --memorisation 0 leaves the passages out",
        quiet=quiet,
    )


def _sample(readable: Readable, prompt: Prompt, said: dict[str, list[list[int]]], number: int) -> Sample:
    def text(tokens: Any, *, marks: bool) -> str:
        return str(
            readable.tokenizer.decode(
                list(tokens), skip_special_tokens=not marks, clean_up_tokenization_spaces=False
            )
        )

    return Sample(
        text(prompt.ids, marks=True),
        text(said["base"][number], marks=False),
        text(said["tuned"][number], marks=False),
        prompt.document,
    )
