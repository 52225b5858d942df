"""What a model is asked, and files of it.

A file of prompts is text, one a line, or JSON lines: `prompt`, and where wanted `system`, `history` (pairs of said and answered), and what a
system prompt can be filled in with (`name`, `names`, `length`, `style`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import NotFound, UserError, nearest

FIELDS = ("name", "names", "length", "style")
"""What fills in a recipe's system prompt; `name` is who the model speaks for, `names` who it speaks with."""
KEYS = ("prompt", "system", "history", *FIELDS)


@dataclass(frozen=True)
class Question:
    """One prompt with what stands before it."""

    prompt: str
    history: tuple[tuple[str, str], ...] = ()
    """Exchanges of (said, answered), oldest first."""
    system: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values; what is not there is left out."""
        told = {
            "prompt": self.prompt,
            "system": self.system,
            "history": [list(pair) for pair in self.history],
        }
        return {key: value for key, value in {**told, **self.fields}.items() if value}


def read_questions(
    path: Path, *, system: str | None = None, fields: Mapping[str, str] | None = None
) -> list[Question]:
    """The prompts of a file; `system` and `fields` hold where a line says nothing of them. Raises NotFound and UserError, which name the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise NotFound(
            f"{path} cannot be read: {error.strerror}. Name a file with a prompt on each line, or of JSON lines."
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}. Save it as UTF-8.") from None
    read = _from_json if path.suffix in {".jsonl", ".ndjson"} else _from_text
    found = [
        read(line.removesuffix("\r"), f"{path}, line {n}", system, fields or {})
        for n, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not found:
        raise UserError(f"{path} holds no prompt; the model needs at least one to answer.")
    return found


def _from_text(line: str, _where: str, system: str | None, fields: Mapping[str, str]) -> Question:
    return Question(line, system=system, fields=fields)


def _from_json(line: str, where: str, system: str | None, fields: Mapping[str, str]) -> Question:
    try:
        told = json.loads(line)
    except ValueError as error:
        raise UserError(
            f'{where} is not JSON: {error}. Write {{"prompt": "…"}}, or name a .txt file.'
        ) from None
    if not isinstance(told, dict) or not isinstance(told.get("prompt"), str) or not told["prompt"].strip():
        raise UserError(f'{where} says no prompt. Write {{"prompt": "…"}}.')
    for key in told:
        if key not in KEYS:
            raise UserError(
                f'{where} has the key "{key}", which means nothing here. {nearest(key, KEYS)} Keys are {", ".join(KEYS)}.'
            )
    own = {key: told[key] for key in FIELDS if key in told}
    texts = [told.get("system", ""), *own.values()]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise UserError(f"{where}: system, {', '.join(FIELDS)} must be texts.")
    return Question(
        told["prompt"],
        _history(told.get("history") or [], where),
        told.get("system") or system,
        {**fields, **{key: text for key, text in own.items() if text}},
    )


def _history(told: Any, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(told, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        for pair in told
    ):
        raise UserError(f'{where}: history must be a list of pairs, [["said", "answered"], …].')
    return tuple((said, answered) for said, answered in told)
