"""What a model gives back of its training chunks word for word: base against tuned, since a base may know a text already.

Two questions. *Extraction*: does a prompt of k tokens that stand in a chunk bring the `LENGTH` tokens that follow them there, all of them and
greedily (Carlini et al. 2023, "Quantifying Memorization Across Neural Language Models", section 3: extractable with k tokens of context, 50
continued)? Asked with two lengths of prompt, since longer ones draw out more. *Overlap*: how long a stretch of a chunk comes up in answers
to prompts that are not from training (val); see `trainer.evaluation.overlap`.

In dialogue only what the model was trained to say can be extracted, so the tokens to be continued are all trained ones. Chunks are taken in the order of their
hashes: the same every time, and spread over the corpus.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from schemas.fingerprint import identify
from schemas.store import VersionPath
from trainer.evaluation.blocks import Block, blocks
from trainer.evaluation.greedy import continued
from trainer.evaluation.intervals import share
from trainer.evaluation.origins import Origin, origins_of
from trainer.evaluation.overlap import SEED, Overlap, longest_overlaps
from trainer.loading import Readable

PROMPTS = (50, 32)
"""Tokens of context, longest first."""
LENGTH = 50
"""Tokens that must follow."""
Answered = dict[int, list[list[int]]]
"""Length of prompt -> the tokens that followed each passage's."""
SHOWN = 3
"""Passages that `lines` shows; all are in the JSON."""


@dataclass(frozen=True)
class Passage:
    """A place in a training chunk: PROMPTS[0] tokens and the LENGTH that follow."""

    chunk: str
    document: str
    start: int
    """Of the first continued token in the chunk."""
    prompt: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True)
class Asked:
    """The answers to prompts of one length."""

    prompt_tokens: int
    tried: int
    base: int
    """Prompts that the base continued verbatim."""
    tuned: int
    base_matched: float
    """Mean number of leading tokens that were those of the chunk, of LENGTH."""
    tuned_matched: float


@dataclass(frozen=True)
class Verbatim:
    """A passage that was continued verbatim."""

    document: str
    url: str | None
    source: str
    chunk: str
    start: int
    prompt_tokens: int
    """The shortest prompt that brought it."""
    models: tuple[str, ...]
    """Which of base and tuned gave it back."""
    text: str
    """What was given back."""


@dataclass(frozen=True)
class Shared:
    """The longest stretch of a training chunk in one model's answers."""

    tokens: int
    words: int
    text: str
    document: str
    url: str | None
    source: str
    chunk: str
    answer: int
    """The number of the answer it came up in."""


@dataclass(frozen=True)
class Memorisation:
    """All that was asked."""

    asked: tuple[Asked, ...]
    """One a length of prompt; empty where no chunk has a passage long enough."""
    chunks: int
    """Training chunks that hold a passage of PROMPTS[0] + LENGTH tokens, the last LENGTH of them trained."""
    verbatim: tuple[Verbatim, ...]
    answers: int
    """Answers to val prompts that were compared with every chunk."""
    base: Shared | None
    """The longest overlap in the base's answers; None where no SEED tokens are shared."""
    tuned: Shared | None

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the interval that each share of prompts may stand for."""
        found = asdict(self) | {"continued_tokens": LENGTH, "least_overlap": SEED}
        for one in found["asked"]:
            for name in ("base", "tuned"):
                ends = share(one[name], one["tried"])
                one[f"{name}_interval"] = [ends.low, ends.high]
        return found

    def lines(self) -> Iterator[str]:
        """For people."""
        if not self.asked:
            yield (
                f"memorisation: no training chunk has {PROMPTS[0]} tokens and {LENGTH} trained ones after them, so none can be asked for"
            )
        for found in self.asked:
            base, tuned = (_of(hits, found.tried) for hits in (found.base, found.tuned))
            yield (
                f"memorisation: prompts of {found.prompt_tokens} tokens of training, continued verbatim for {LENGTH}: base {base}, tuned {tuned}; "
                f"leading tokens right on average: {found.base_matched:.1f}, {found.tuned_matched:.1f}"
            )
        for one in self.verbatim[:SHOWN]:
            yield f"  by {' and '.join(one.models)}, document {one.document}{f' ({one.url})' if one.url else ''}: {shortened(one.text)}"
        if self.answers:
            told = (
                f"{name} {found.tokens} tokens ({found.words} words) of document {found.document}{f' ({found.url})' if found.url else ''}: {shortened(found.text)}"
                if found
                else f"{name} under {SEED} tokens"
                for name, found in (("base", self.base), ("tuned", self.tuned))
            )
            yield f"longest overlap of {self.answers} answers with training chunks:"
            yield from (f"  {line}" for line in told)


def passages(version: VersionPath, count: int) -> tuple[list[Passage], int]:
    """`count` passages of the train split, one a chunk, and how many chunks hold any."""
    best: list[tuple[str, Passage]] = []
    holding = 0
    for block in blocks(version, "train"):
        places = _places(block)
        rows, firsts, counts = np.unique(block.row_of[places], return_index=True, return_counts=True)
        holding += len(rows)
        found = (
            (identify("passage", block.chunks[row]), places[first : first + many], int(row))
            for row, first, many in zip(rows, firsts, counts, strict=True)
        )
        near = heapq.nsmallest(count, found, key=lambda item: item[0])
        fresh = [(mark, _passage(block, row, int(own[int(mark, 16) % len(own)]))) for mark, own, row in near]
        best = heapq.nsmallest(count, [*best, *fresh], key=lambda item: item[0])
    return [passage for _, passage in best], holding


def _places(block: Block) -> Any:
    """Every token that is the first of LENGTH trained ones with PROMPTS[0] tokens before them, all in one chunk."""
    row, count = block.row_of, len(block.ids) - PROMPTS[0] - LENGTH + 1
    if count < 1:
        return np.zeros(0, np.int64)
    places = np.arange(PROMPTS[0], PROMPTS[0] + count)
    running = np.concatenate([[0], np.cumsum(block.trained)])
    whole = running[places + LENGTH] - running[places] == LENGTH
    return places[whole & (row[places - PROMPTS[0]] == row[places + LENGTH - 1])]


def _passage(block: Block, row: int, place: int) -> Passage:
    tokens = tuple(block.ids[place - PROMPTS[0] : place + LENGTH].tolist())
    start = place - int(block.starts[row])
    return Passage(block.chunks[row], block.documents[row], start, tokens[: PROMPTS[0]], tokens[PROMPTS[0] :])


def memorised(
    readable: Readable,
    version: VersionPath,
    found: Sequence[Passage],
    chunks: int,
    answers: Mapping[str, Sequence[Sequence[int]]],
    *,
    pad: int,
    ends: Sequence[int],
) -> Memorisation:
    """Ask base and tuned for every passage, and compare their `answers` ("base", "tuned") with every training chunk."""
    got: dict[str, Answered] = {}
    for name, open_model in (("base", readable.base), ("tuned", readable.tuned)):
        with open_model() as model:
            got[name] = {
                length: continued(model, [one.prompt[-length:] for one in found], LENGTH, pad=pad, ends=ends)
                for length in PROMPTS
            }
    shared = {
        name: _longest(longest_overlaps(said, blocks(version, "train"))) for name, said in answers.items()
    }
    told = {one.document for one in found} | {one.document for one in shared.values() if one}
    origins = origins_of(version, "train", told)

    def overlap(name: str) -> Shared | None:
        one = shared.get(name)
        if one is None:
            return None
        text = _text(readable, answers[name][one.text][one.start : one.start + one.tokens])
        origin = origins[one.document]
        return Shared(
            one.tokens, len(text.split()), text, one.document, origin.url, origin.source, one.chunk, one.text
        )

    verbatim = _verbatim(readable, found, got, origins)
    asked = tuple(_asked(length, found, got) for length in PROMPTS) if found else ()
    return Memorisation(
        asked, chunks, verbatim, len(answers.get("tuned", ())), overlap("base"), overlap("tuned")
    )


def _verbatim(
    readable: Readable, found: Sequence[Passage], got: Mapping[str, Answered], origins: Mapping[str, Origin]
) -> tuple[Verbatim, ...]:
    """The passages that a model gave back whole, by any length of prompt."""
    told = []
    for n, one in enumerate(found):
        by = {
            name: [length for length in PROMPTS if tuple(each[length][n]) == one.target]
            for name, each in got.items()
        }
        if lengths := [length for each in by.values() for length in each]:
            origin, models = origins[one.document], tuple(name for name, each in by.items() if each)
            told.append(Verbatim(one.document, origin.url, origin.source, one.chunk, one.start, min(lengths), models,
                                 _text(readable, one.target)))  # fmt: skip
    return tuple(told)


def _asked(length: int, found: Sequence[Passage], got: dict[str, Answered]) -> Asked:
    matched = {
        name: [_leading(answer, one.target) for answer, one in zip(each[length], found, strict=True)]
        for name, each in got.items()
    }
    whole = {name: sum(n == LENGTH for n in each) for name, each in matched.items()}
    mean = {name: sum(each) / len(each) for name, each in matched.items()}
    return Asked(length, len(found), whole["base"], whole["tuned"], mean["base"], mean["tuned"])


def _leading(answer: Sequence[int], target: Sequence[int]) -> int:
    """How many tokens agree before the first that does not."""
    pairs = enumerate(zip(answer, target, strict=False))
    return next((n for n, (said, wanted) in pairs if said != wanted), min(len(answer), len(target)))


def _of(hits: int, tried: int) -> str:
    ends = share(hits, tried)
    return f"{hits} of {tried} [{ends.low:.0%}, {ends.high:.0%}]"


def _longest(found: Sequence[Overlap | None]) -> Overlap | None:
    return max((one for one in found if one), key=lambda one: one.tokens, default=None)


def _text(readable: Readable, tokens: Sequence[int]) -> str:
    return str(readable.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


def shortened(text: str, most: int = 120) -> str:
    r"""On one line, cut in the middle of what is too long, quoted; control characters are spelt out.

    >>> print(shortened("She draws\nher blade."))
    'She draws\nher blade.'
    """
    return repr(text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}")
