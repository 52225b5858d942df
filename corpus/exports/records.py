"""A document as a record of ShareGPT, OpenAI or Alpaca: what each can hold, and what it cannot, counted by name.

| | ShareGPT | OpenAI | Alpaca |
|---|---|---|---|
| roles | human, gpt, system, tool; others as human, counted in `roles_as_user` | as they are | system, user, assistant; a document with others is left out (`unfit_roles`) |
| names | lost (`names`) | `name` | lost (`names`) |
| `train` of the model's messages | `"weight": 0 or 1` | `"weight": 0 or 1` | lost where false (`train_flags`) |
| order | as it is | as it is | user and model in turn: posts of one side are joined (`joined_messages`), what follows the last answer is lost (`unanswered_messages`) |
| no message of the model | as it is (`without_model`) | as it is (`without_model`) | left out (`without_answer`) |
| no messages at all | the text as one message of the model (`texts_as_answers`) | the same | the text as output to an empty instruction (the same count) |

A text becomes an answer to nothing, since that is what training on it means: no question is invented.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

Row = Mapping[str, Any]
Record = dict[str, Any]
Losses = Counter[str]

BETWEEN = "\n\n"
MODEL = "assistant"
_FROM = {"user": "human", "assistant": "gpt", "system": "system", "tool": "tool"}
_ALPACA_ROLES = frozenset({"system", "user", MODEL})


def sharegpt(row: Row, losses: Losses) -> Record | None:
    """A document as `{"conversations": […]}`."""
    messages = _messages(row, losses)
    losses["names"] += sum(bool(message["name"]) for message in messages)
    losses["roles_as_user"] += sum(message["role"] not in _FROM for message in messages)
    turns = [
        {"from": _FROM.get(message["role"], "human"), "value": message["content"], **_weight(message)}
        for message in messages
    ]
    return {"conversations": turns}


def openai(row: Row, losses: Losses) -> Record | None:
    """A document as `{"messages": […]}`. OpenAI's own service takes names without spaces only; they are written as they are."""
    messages = _messages(row, losses)
    return {
        "messages": [
            {
                "role": message["role"],
                "content": message["content"],
                **({"name": message["name"]} if message["name"] else {}),
                **_weight(message),
            }
            for message in messages
        ]
    }


def alpaca(row: Row, losses: Losses) -> Record | None:
    """A document as instruction, input and output, with `system` and `history` where there is more; None where it is no such thing."""
    messages = _messages(row, losses)
    if any(message["role"] not in _ALPACA_ROLES for message in messages):
        losses["unfit_roles"] += 1
        return None
    system, turns = _turns(messages)
    answered = len(turns) // 2 * 2
    if not answered:
        losses["without_answer"] += 1
        return None
    kept, left = turns[:answered], turns[answered:]
    losses["unanswered_messages"] += sum(len(turn) for turn in left)
    losses["joined_messages"] += sum(len(turn) - 1 for turn in [*kept, system] if turn)
    losses["names"] += sum(bool(message["name"]) for turn in [system, *kept] for message in turn)
    losses["train_flags"] += sum(
        message["train"] is False for turn in kept for message in turn if message["role"] == MODEL
    )
    said = [BETWEEN.join(message["content"] for message in turn) for turn in kept]
    instruction, given = _parted(said[-2], row.get("metadata"))
    record: Record = {"instruction": instruction, "input": given, "output": said[-1]}
    if system:
        record["system"] = BETWEEN.join(message["content"] for message in system)
    if said[:-2]:
        record["history"] = [[said[n], said[n + 1]] for n in range(0, len(said) - 2, 2)]
    return record


RECORDS: dict[str, Callable[[Row, Losses], Record | None]] = {
    "sharegpt": sharegpt,
    "alpaca": alpaca,
    "openai": openai,
}


def _messages(row: Row, losses: Losses) -> list[Record]:
    """The document's messages, or its text as the model's only one; `without_model` counts conversations nothing is learned from."""
    messages = row.get("messages")
    if not messages:
        losses["texts_as_answers"] += 1
        return [{"role": MODEL, "name": None, "content": row.get("text") or "", "train": None}]
    found = [
        {**message, "role": message["role"] or "user", "content": message["content"]}
        for message in messages
        if (message["content"] or "").strip()  # a cleaner empties what should go
    ]
    losses["empty_messages"] += len(messages) - len(found)
    losses["without_model"] += all(message["role"] != MODEL for message in found)
    return found


def _weight(message: Record) -> Record:
    """Whether the model's message is trained, where that is said; no other message is."""
    return (
        {"weight": int(message["train"])} if message["role"] == MODEL and message["train"] is not None else {}
    )


def _turns(messages: list[Record]) -> tuple[list[Record], list[list[Record]]]:
    """(system messages at the head, turns of user and model alternating from a user's on, which may be empty)."""
    head = 0
    while head < len(messages) and messages[head]["role"] == "system":
        head += 1
    turns: list[list[Record]] = []
    for message in messages[head:]:
        model = message["role"] == MODEL
        if not turns and model:
            turns.append([])  # the model begins: an answer to nothing
        if not turns or model != (len(turns) % 2 == 0):
            turns.append([])
        turns[-1].append(message)
    return messages[:head], turns


def _parted(asked: str, metadata: str | None) -> tuple[str, str]:
    """(instruction, input), where an Alpaca record said how long its input was and that still fits."""
    try:
        chars = json.loads(metadata or "{}").get("input_chars")
    except (ValueError, AttributeError):
        chars = None
    if not isinstance(chars, int) or not 0 < chars < len(asked) - len(BETWEEN):
        return asked, ""
    instruction, given = asked[:-chars], asked[-chars:]
    return (instruction.removesuffix(BETWEEN), given) if instruction.endswith(BETWEEN) else (asked, "")
