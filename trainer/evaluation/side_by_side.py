"""The same prompts answered by base and tuned model, beside each other: numbers say how much was learned, this shows what.

By default the beginnings of a few val rows, never of test ones, which would be an opening; never of training ones, whose continuation
the model has seen. They are asked as tokens, exactly as training saw them: what stands before the first trained token (in dialogue, all up
to the first answer), or, where all of a row is trained, its first words.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import NotFound, UserError
from schemas.fingerprint import identify
from schemas.store import VersionPath
from trainer.evaluation.blocks import blocks
from trainer.evaluation.evaluations import write_text
from trainer.record import RunRecord

if TYPE_CHECKING:
    from trainer.generate import Speaker

BEGINNING = 32
"""Tokens of a row that is trained from its start; half of it where it is shorter."""
ANSWER = 100
"""Tokens of an answer at most."""


@dataclass(frozen=True)
class Prompt:
    """The beginning of a val row."""

    chunk: str
    document: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One prompt, two answers."""

    prompt: str
    base: str
    tuned: str
    document: str | None = None
    """The val document it is from; None where a user gave it."""
    system: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people; what a terminal would obey is spelt out."""
        shown = self.prompt if self.system is None else f"({self.system}) {self.prompt}"
        for name, text in (("prompt", shown), ("base", self.base), ("tuned", self.tuned)):
            yield from (
                f"{name if n == 0 else '':8}{line}" for n, line in enumerate(printable(text).split("\n"))
            )
        yield ""


def val_prompts(version: VersionPath, count: int) -> list[Prompt]:
    """The beginnings of `count` val rows, in the order of their hashes; fewer where there are fewer."""
    best: list[tuple[str, Prompt]] = []
    for block in blocks(version, "val"):
        cuts = block.starts[1:-1]
        rows = zip(
            block.chunks,
            block.documents,
            np.split(block.ids, cuts),
            np.split(block.trained, cuts),
            strict=True,
        )
        each = [
            (identify("sample", chunk), Prompt(chunk, document, _beginning(ids, trained)))
            for chunk, document, ids, trained in rows
            if len(ids) > 1
        ]
        best = heapq.nsmallest(count, [*best, *each], key=lambda item: item[0])
    return [prompt for _, prompt in best]


def _beginning(ids: Any, trained: Any) -> tuple[int, ...]:
    """What stands before the first trained token; the row's first words where that is nothing."""
    first = int(np.flatnonzero(trained)[0]) if trained.any() else len(ids)
    end = first if first > 1 else max(1, min(BEGINNING, len(ids) // 2))
    return tuple(ids[:end].tolist())


def read_prompts(path: Path) -> list[tuple[str, str | None]]:
    """Prompts and their system turns: a `.jsonl` file's `prompt` and `system`, or else one prompt a line. Raises NotFound, UserError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path} with prompts. Name one: --prompts prompts.txt") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read as UTF-8 text: {error}. Save it as UTF-8, one prompt a line."
        ) from None
    found = [_prompt(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise UserError(f"{path} holds no prompt. Write one a line.")
    return found


def _prompt(path: Path, number: int, line: str) -> tuple[str, str | None]:
    if path.suffix != ".jsonl":
        return line.strip(), None
    try:
        row = json.loads(line)
        prompt, system = row["prompt"], row.get("system")
    except (ValueError, TypeError, KeyError, AttributeError):
        prompt, system = None, None
    if not isinstance(prompt, str) or not prompt.strip() or not isinstance(system, str | None):
        raise UserError(
            f'line {number} of {path} is not a prompt. Write {{"prompt": "…"}}, with "system": "…" where one is wanted.'
        )
    return prompt, system


def answered(
    speaker: Speaker, prompts: Sequence[tuple[str, str | None]], length: int = ANSWER
) -> list[Sample]:
    """A user's prompts, wrapped as the run's format wraps them, answered greedily by both."""
    return [
        Sample(
            prompt,
            speaker.answer(prompt, system=system, base=True, max_new_tokens=length),
            speaker.answer(prompt, system=system, max_new_tokens=length),
            system=system,
        )
        for prompt, system in prompts
    ]


def end_tokens(record: RunRecord, tokenizer: Any) -> list[int]:
    """What ends an answer: the tokenizer's end, the corpus', and the template's."""
    found = {record.tokenizer.eos_token_id, tokenizer.eos_token_id}
    taken = record.tokenizer.options.get("taken")
    if taken:
        found.add(tokenizer(taken["end"], add_special_tokens=False)["input_ids"][-1])
    return sorted(int(token) for token in found if token is not None)


def write_samples(run: Path, title: str, samples: Sequence[Sample]) -> None:
    """`samples.jsonl` and `samples.md` in the run's folder."""
    write_text(
        run / "samples.jsonl",
        "".join(f"{json.dumps(one.to_json(), ensure_ascii=False)}\n" for one in samples),
    )
    parts = [f"# {title}\n"]
    for n, one in enumerate(samples, 1):
        told = f", from val document {one.document}" if one.document else ""
        parts.append(f"\n## Prompt {n}{told}\n")
        parts += [
            f"\n{name}:\n\n{_fenced(text)}\n"
            for name, text in (
                ("System", one.system),
                ("Prompt", one.prompt),
                ("Base", one.base),
                ("Tuned", one.tuned),
            )
            if text is not None
        ]
    write_text(run / "samples.md", "".join(parts))


def _fenced(text: str) -> str:
    """As a block that shows a text as it is, whatever Markdown is in it: its fence is longer than any in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{printable(text)}\n{fence}"


def printable(text: str) -> str:
    r"""The text with control characters spelt out, all but line breaks and tabs: an answer must not move a terminal's cursor.

    >>> print(printable("red \x1b[31malert"))
    red \x1b[31malert
    """
    return re.sub(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", lambda found: ascii(found[0])[1:-1], text
    )
