"""The golden check: fixed prompts, answered by the run's own model, by the merged one, and by what was written, read again by transformers.

An export is kept only if all of this holds; `golden.json` says so beside it, with the prompts and the tokens.

    what          merged   float32  float16  bfloat16  f16    q8_0   q4_0
    answers       1e-3     1e-3     .02      .1        .02                   each token of an answer is the first choice, or within so many nats of it
    first choice                                              90 %   50 %    of all positions have the first choice of the run, at least
    divergence    1e-5     1e-5     1e-3     .01       1e-3   .02    .5      mean KL(run ‖ this) in nats over all positions, at most
    change        .5 to 1.5 of what the run changed in the weights is in the file; bfloat16 held 98 % of SmolLM2's, and less of a shorter run's

Measured: llama.cpp's own figures for Llama 3 8B are .0014 (q8_0) and .072 (q4_0) nats (tools/perplexity/README.md of its repository). SmolLM2-135M has
.0013 and 98 %, .33 and 66 %: four bits are hard on a small model. The bounds leave room beyond that, and are far below what a broken
file has: permuted heads stand at 2.3 nats and 23 %, a shifted output head at 7.1 and 4 %. An adapter that was left out can hide under the noise of q4_0, so the change of
the weights is measured too: it is the slope of (file - base) over (run - base), which rounding leaves at 1 and a lost adapter
brings to 0. Its standard error says whether it can be told from noise: SmolLM2's at q4_0 is .002.

Prompts are from val and constants; the test split is never read (law 9).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.errors import LedgerError

if TYPE_CHECKING:
    import torch

ANSWER = 24
"""Tokens of an answer."""


@dataclass(frozen=True)
class Bounds:
    """What a kind of weights must hold."""

    divergence: float
    tie: float | None
    """Nats by which a golden token may miss the first place; None: `agreement` counts."""
    agreement: float = 0.0


BOUNDS = {
    "merged": Bounds(1e-5, 1e-3),
    "float32": Bounds(1e-5, 1e-3),
    "float16": Bounds(1e-3, 0.02),
    "bfloat16": Bounds(1e-2, 0.1),
    "f16": Bounds(1e-3, 0.02),
    "q8_0": Bounds(0.02, None, 0.9),
    "q4_0": Bounds(0.5, None, 0.5),
}
CHANGE = (0.5, 1.5)
BLIND = 0.2
"""A standard error of the change above this tells nothing: the run changed less than rounding does."""


@dataclass(frozen=True)
class Question:
    """A prompt as tokens, and what the run's model answered, greedily, up to and with the token that ends it."""

    source: str
    """val | fixed."""
    prompt: tuple[int, ...]
    answer: tuple[int, ...] = ()


@dataclass
class Agreement:
    """How one model stands to the run's own on the golden prompts."""

    what: str
    """A key of BOUNDS, or "base"."""
    positions: int
    divergence: float
    """Mean KL(run ‖ this), nats."""
    agreement: float
    """Share of positions with the same first choice."""
    answers: int
    """Prompts whose answer is the run's token by token."""
    worst: float
    """Nats by which a golden token misses this model's first place, at most."""
    change: float | None = None
    """Share of the run's change that the weights hold; None where it was not measured, or rounding hides it."""
    change_error: float | None = None
    """Its standard error."""


@dataclass
class Golden:
    """The whole of `golden.json`."""

    run: str
    prompts: list[dict[str, Any]] = field(default_factory=list)
    models: list[Agreement] = field(default_factory=list)
    bounds: dict[str, Any] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)
    """What else was compared and found equal."""

    def to_json(self) -> dict[str, Any]:
        """For `golden.json`."""
        return asdict(self)


def answered(model: Any, question: Question, ends: Sequence[int], pad: int | None) -> Question:
    """The question with the model's greedy answer of at most ANSWER tokens."""
    import torch

    ids = torch.tensor([question.prompt], device=_device(model))
    with torch.no_grad():
        done = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=ANSWER,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=1.0,
            eos_token_id=list(ends) or None,
            pad_token_id=pad,
        )
    return Question(question.source, question.prompt, tuple(done[0, ids.shape[1] :].tolist()))


def logits_of(model: Any, question: Question) -> torch.Tensor:
    """Log-probabilities of what comes next at each position of prompt and answer: float32 on the CPU, [tokens - 1, vocabulary]."""
    import torch

    ids = torch.tensor([[*question.prompt, *question.answer]], device=_device(model))
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0, :-1]
    return torch.log_softmax(logits.float(), dim=-1).cpu()


def _device(model: Any) -> Any:
    return next(model.parameters()).device


def compare(
    what: str, model: Any, questions: Sequence[Question], reference: Sequence[torch.Tensor]
) -> Agreement:
    """The agreement of a model with the reference log-probabilities, taken along the golden answers.

    Token by token along the answer is the same as greedy generation: while each first choice is the golden token, both have read the same.
    """
    divergence = same = positions = answers = 0.0
    worst = 0.0
    for question, true in zip(questions, reference, strict=True):
        found = logits_of(model, question)
        found = found[:, : true.shape[1]]  # llama.cpp's reader may pad the vocabulary
        divergence += float((true.exp() * (true - found)).sum(-1).clamp(min=0).sum())
        same += int((true.argmax(-1) == found.argmax(-1)).sum())
        positions += len(true)
        start = len(question.prompt) - 1
        misses = [
            float(found[start + n].max() - found[start + n, token]) for n, token in enumerate(question.answer)
        ]
        answers += all(miss == 0 for miss in misses)
        worst = max([worst, *misses])
    if not math.isfinite(divergence):
        divergence = math.inf
    return Agreement(what, int(positions), divergence / positions, same / positions, int(answers), worst)


def change_held(
    exported: Any, tuned: Any, base: Iterator[tuple[str, torch.Tensor]]
) -> tuple[float | None, float | None]:
    """Slope of (exported - base) over (tuned - base) over all weights the run changed, and its standard error; None where it changed none.

    `exported` and `tuned` are models with the same parameter names, `base` yields the base's tensors by those names.
    """
    theirs, ours = exported.state_dict(), tuned.state_dict()
    along = change = noise = count = 0.0
    for name, weight in base:
        if name not in ours or name not in theirs:
            continue
        want = ours[name].detach().double().cpu() - weight.double()
        size = float((want * want).sum())
        if size == 0:
            continue
        rest = theirs[name].detach().double().cpu() - weight.double() - want
        change += size
        along += float((rest * want).sum())
        noise += float((rest * rest).sum())
        count += want.numel()
    if change == 0:
        return None, None
    return 1 + along / change, math.sqrt(noise / count / change)


def faults(found: Agreement, questions: int, *, base: Agreement | None = None) -> list[str]:
    """In words, what of a model's agreement is out of bounds; empty where it is good."""
    bounds = BOUNDS[found.what]
    told = []
    if not found.divergence <= bounds.divergence:
        told.append(
            f"its mean divergence from the run's model is {found.divergence:.3g} nats, at most {bounds.divergence:g} is allowed"
        )
    if bounds.tie is not None and not found.worst <= bounds.tie:
        told.append(
            f"{questions - found.answers} of {questions} answers differ, by up to {found.worst:.3g} nats ({bounds.tie:g} allowed)"
        )
    if not found.agreement >= bounds.agreement:
        told.append(
            f"it agrees on {found.agreement:.1%} of first choices, at least {bounds.agreement:.0%} are needed"
        )
    if found.change is not None and found.change_error is not None and found.change_error <= BLIND:
        low, high = CHANGE[0] - 4 * found.change_error, CHANGE[1] + 4 * found.change_error
        if not low <= found.change <= high:
            told.append(
                f"it holds {found.change:.0%} of what the run changed in the weights; the rest was lost in rounding or left out"
            )
    if (
        base is not None
        and base.divergence > 10 * bounds.divergence
        and found.divergence > base.divergence / 2
    ):
        told.append("it is nearer to the base than to the run's model")
    return told


def require(what: str, told: Sequence[str], run: str) -> None:
    """Raise LedgerError where there are faults."""
    if told:
        raise LedgerError(
            f"golden check of {run}: the {what} model is not the run's: {'; '.join(told)}. Whoever loaded it would get other answers than "
            f"`gristmill chat {run}` gives, so nothing was written. Ways out: --to adapter, or --dtype float32, or --quantize f16"
        )
