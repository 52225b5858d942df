"""A file of prompts answered into a file of answers, written as they come, and gone on with after a break.

Answers grow in `FILE.part`, a line each, and become FILE when all are there: so a file of that name is whole. Each line carries the identity of
its question, options and model; what is found in `FILE.part` counts only as far as that is what would be written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.fingerprint import fingerprint
from trainer.generate import Speaker, repeats
from trainer.seeing.progress import say
from trainer.speaking.question import Question
from trainer.speaking.sampling import Sampling


@dataclass(frozen=True)
class Job:
    """What is to be answered, and how."""

    speaker: Speaker
    model: str
    """Identity of base and adapter."""
    questions: Sequence[Question]
    sampling: Sampling
    base: bool = False
    """Also by the base."""
    batch_size: int = 8

    def ids(self) -> list[str]:
        """The identity of each answer."""
        how = [self.model, asdict(self.sampling), self.base]
        asked = [one.to_json() for one in self.questions]
        times = repeats([fingerprint(one) for one in asked])
        return [fingerprint([how, one, n]) for one, n in zip(asked, times, strict=True)]

    def rows(self, done: int = 0) -> Iterator[dict[str, Any]]:
        """The answers from number `done` on, as they come. Raises UserError, before any, for a prompt that cannot be asked."""
        asked, ids = self.questions[done:], self.ids()[done:]
        times = repeats([fingerprint(one.to_json()) for one in self.questions])[done:]

        def answers(*, base: bool) -> Iterator[str]:
            return self.speaker.generate(
                asked, base=base, batch_size=self.batch_size, occurrences=times, **asdict(self.sampling)
            )

        tuned = answers(base=False)
        others: Iterable[str | None] = answers(base=True) if self.base else [None] * len(asked)
        for question, number, answer, other in zip(asked, ids, tuned, others, strict=True):
            told = {"id": number, **question.to_json(), "answer": answer}
            yield told if other is None else {**told, "base": other}


def answer_file(job: Job, out: Path) -> int:
    """Answer into `out`; returns how many answers were there already. Raises UserError where it holds others, or cannot be written."""
    ids = job.ids()
    if out.is_dir():
        raise UserError(f"{out} is a folder. Name a file in it: --out {out / 'answers.jsonl'}")
    if out.exists():
        if _ids(out) == ids:
            say(f"{out} holds all {len(ids):,} answers already")
            return len(ids)
        raise UserError(
            f"{out} holds answers to other prompts, or of another model or other options. Name another --out, or take that file away."
        )
    part = out.with_name(f"{out.name}.part")
    done = _taken_up(part, ids)
    if done:
        say(f"{part} holds {done:,} of {len(ids):,} answers; going on")
    try:
        with part.open("a", encoding="utf-8") as file:
            for row in job.rows(done):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
            os.fsync(file.fileno())
        part.rename(out)
    except OSError as error:
        raise UserError(
            f"{part} cannot be written: {error.strerror}. Make room or name another --out; what is written is kept, and the same line goes on."
        ) from error
    return done


def _taken_up(part: Path, ids: Sequence[str]) -> int:
    """How many answers of an earlier call hold; what a kill left of a line is cut off."""
    if not part.exists():
        return 0
    data = part.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    found = _ids(part, whole)
    if found != list(ids[: len(found)]):
        raise UserError(
            f"{part} holds the beginning of answers to other prompts, or of another model or other options. Name another --out, or take that file away."
        )
    if len(whole) < len(data):
        os.truncate(part, len(whole))
    return len(found)


def _ids(path: Path, data: bytes | None = None) -> list[str | None]:
    """The identities of a file's lines; None for a line that has none."""
    found: list[str | None] = []
    for line in (path.read_bytes() if data is None else data).splitlines():
        try:
            found.append(json.loads(line)["id"])
        except (ValueError, KeyError, TypeError):
            found.append(None)
    return found
