"""ShareGPT: `{"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}`, as JSON lines or a JSON array.

`from` is human, gpt, system, tool, or a synonym in ROLES; an unknown one is kept as a user's of that name. `system` at the top is the first message,
of role system. `"weight": 0` on a turn, as Axolotl reads it, keeps it from being trained.
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

ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "function_call": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
}


class ShareGpt:
    """One record a conversation."""

    name = "sharegpt"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """Each object."""
        return json_raws(file)

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """Its turns. Raises ValueError for a record without `conversations`."""
        cells = json.loads(record)
        turns = cells.get("conversations") if isinstance(cells, dict) else None
        if not isinstance(turns, list):
            raise Malformed('the record has no list "conversations"')
        messages = (
            [message("system", system)] if isinstance(system := cells.get("system"), str) and system else []
        )
        messages += [_turn(turn, number) for number, turn in enumerate(turns)]
        return Conversation(
            messages, _title(cells), metadata=others(cells, "conversations", "system", "title")
        )


def _title(cells: dict[str, Any]) -> str | None:
    title = cells.get("title")
    return title if isinstance(title, str) and title else None


def _turn(turn: Any, number: int) -> dict[str, Any]:
    speaker = turn.get("from", turn.get("role")) if isinstance(turn, dict) else None
    said = turn.get("value", turn.get("content")) if isinstance(turn, dict) else None
    if not isinstance(speaker, str) or not isinstance(said, str):
        raise Malformed(f'turn {number + 1} has no texts "from" and "value"')
    role, weight = ROLES.get(speaker.strip().lower()), turn.get("weight")
    name = turn.get("name") if isinstance(turn.get("name"), str) else None
    train = bool(weight) if isinstance(weight, (int, float)) else None
    return message(role or "user", said, name=name or (None if role else speaker), train=train)
