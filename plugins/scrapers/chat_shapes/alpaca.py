r"""Alpaca: `{"instruction": "…", "input": "…", "output": "…"}`, a JSON array or JSON lines; with LLaMA-Factory's `system` and `history`.

The user's message is the instruction and, after a blank line, the input; `metadata.input_chars` remembers how long the input was, so that an
export can part the two again (its text is not kept twice: what a cleaner took out must not live on there). `history` is a list of [said, answered].
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from plugins.scrapers.chat_shapes.shape import (
    ChatOptions,
    Conversation,
    Malformed,
    Raw,
    SourceFile,
    json_raws,
    message,
    others,
)

BETWEEN = "\n\n"
"""Between instruction and input."""


class Alpaca:
    """One record an instruction and its answer, with what was said before."""

    name = "alpaca"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """Each object."""
        return json_raws(file)

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """System, history, instruction and output. Raises ValueError for a record without instruction or output."""
        cells = json.loads(record)
        if not isinstance(cells, dict) or not isinstance(cells.get("output"), str):
            raise Malformed('the record has no text "output"')
        instruction, given, system = (_text(cells, name) for name in ("instruction", "input", "system"))
        messages = [message("system", system)] if system else []
        for number, pair in enumerate(cells.get("history") or []):
            if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)):
                raise Malformed(f"turn {number + 1} of the history is not a pair of texts")
            messages += [message("user", pair[0]), message("assistant", pair[1])]
        asked = BETWEEN.join(part for part in (instruction, given) if part)
        messages += [message("user", asked)] if asked else []
        messages.append(message("assistant", cells["output"]))
        metadata = others(cells, "instruction", "input", "output", "system", "history")
        if instruction and given:
            metadata["input_chars"] = len(given)
        return Conversation(messages, metadata=metadata)


def _text(cells: dict[str, Any], name: str) -> str:
    value = cells.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(f'"{name}" is not a text')
    return value or ""
