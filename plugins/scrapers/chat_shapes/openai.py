"""OpenAI's chat lines: `{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…", "weight": 1}]}`.

- `content` as a list of parts: the text parts, joined by line ends; other parts (images, sound, files) are left out and counted in `metadata.dropped`.
- `tool_calls` and the older `function_call` become text, each as `<tool_call>{"name": …, "arguments": …}</tool_call>` on a line of its own below the
  content (Hermes' way, which many templates read), since a message of ours is text; the result's message has role tool.
- `developer` is what newer models call system, and `function` what older ones call tool.
- `weight` (0 or 1) says whether the message is trained. What else the record says, such as `tools`, goes to `metadata`.
"""

from __future__ import annotations

import json
from collections import Counter
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

RENAMED = {"developer": "system", "function": "tool"}


class OpenAi:
    """One line a conversation."""

    name = "openai"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """Each object."""
        return json_raws(file)

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """Its messages. Raises ValueError for a record without `messages`."""
        cells = json.loads(record)
        turns = cells.get("messages") if isinstance(cells, dict) else None
        if not isinstance(turns, list):
            raise Malformed('the record has no list "messages"')
        dropped: Counter[str] = Counter()
        messages = [_message(turn, number, dropped) for number, turn in enumerate(turns)]
        metadata = others(cells, "messages", "title")
        if dropped:
            metadata["dropped"] = dict(sorted(dropped.items()))
        title = cells.get("title")
        return Conversation(messages, title if isinstance(title, str) and title else None, metadata=metadata)


def _message(turn: Any, number: int, dropped: Counter[str]) -> dict[str, Any]:
    role = turn.get("role") if isinstance(turn, dict) else None
    if not isinstance(role, str):
        raise Malformed(f'message {number + 1} has no "role"')
    weight, name = turn.get("weight"), turn.get("name")
    lines = [_content(turn.get("content"), number, dropped), *map(_call, _calls(turn))]
    return message(
        RENAMED.get(role, role),
        "\n".join(line for line in lines if line),
        name=name if isinstance(name, str) else None,
        train=bool(weight) if isinstance(weight, (int, float)) else None,
    )


def _content(content: Any, number: int, dropped: Counter[str]) -> str:
    """The text of a content, which may be a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Malformed(f'message {number + 1} has a "content" that is neither a text nor a list of parts')
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(text := part.get("text", part.get("refusal")), str):
            texts.append(text)
        else:
            dropped[str(part.get("type", "part")) if isinstance(part, dict) else "part"] += 1
    return "\n".join(texts)


def _calls(turn: dict[str, Any]) -> Iterator[dict[str, Any]]:
    calls = turn.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict) and isinstance(call.get("function"), dict):
            yield call["function"]
    if isinstance(turn.get("function_call"), dict):
        yield turn["function_call"]


def _call(function: dict[str, Any]) -> str:
    """A call as text; its arguments are JSON within JSON, read where they can be."""
    arguments = function.get("arguments")
    try:
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        pass  # a model's own words: kept as they are
    told = json.dumps({"name": function.get("name"), "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>{told}</tool_call>"
