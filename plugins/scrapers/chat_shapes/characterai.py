"""Character.AI as browser exporters save it: JSON of one character's chats. Three layouts are known.

- CAI Tools' and other scripts' history dump: `{"info": {"character": …}, "histories": {"histories": [{"msgs": [{"src": {"is_human": …, "name": …},
  "text": …}]}]}}`; SillyTavern's importer reads the same. `histories` may be the list itself.
- Turns of the newer service, newest first as it answers: `{"chats": [{"turns": [{"author": {"name": …, "is_human": …}, "candidates": [{"candidate_id": …,
  "raw_content": …}], "primary_candidate_id": …, "create_time": …}]}]}`, or one `{"turns": […]}`. They are put in order of `create_time`; of several
  candidates the primary one is taken, the others counted in `metadata.swipes`.
- Flat messages: `{"chats": [{"messages": [{"name": …, "is_human": …, "text": …}]}]}`, with `content` or `message` for `text`, `role` for `is_human`.

A file is read whole: some six times its size in memory, at most 128 MiB of file. Who made the file is not stated in it; a field that is not named here is left out.
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
    message,
    numbered,
    written,
)
from plugins.scrapers.media import MAX_PAGE_BYTES


class CharacterAi:
    """One record a chat, with the character's name beside it."""

    name = "characterai"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """Each chat of the file."""
        with file.text() as text:
            whole = text.read(MAX_PAGE_BYTES + 1)
        if len(whole) > MAX_PAGE_BYTES:
            yield Raw(numbered(0), error="too-large", detail=f"more than {MAX_PAGE_BYTES} characters")
            return
        try:
            cells = json.loads(whole)
        except RecursionError:
            raise Malformed("the JSON is nested too deep") from None
        del whole
        character = _character(cells)
        for number, chat in enumerate(_chats(cells)):
            yield Raw(numbered(number), written({"character": character, "chat": chat}))

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """The chat's messages, oldest first."""
        cells = json.loads(record)
        chat, character = cells["chat"], cells["character"]
        listed = _listed(chat)
        if listed is None:
            raise Malformed('the chat has none of the lists "msgs", "turns", "messages"')
        if "turns" in chat:
            listed = (
                sorted(listed, key=lambda turn: str(turn.get("create_time") or ""))
                if _dated(listed)
                else listed
            )
        messages, swipes = [], 0
        for number, turn in enumerate(listed):
            human, name, said, others = _said(turn, number)
            swipes += others
            messages.append(
                message("user" if human else "assistant", said, name=name or (None if human else character))
            )
        begun = next((str(chat[key]) for key in ("created", "create_time") if chat.get(key)), None)
        metadata = {
            **({"swipes": swipes} if swipes else {}),
            **({"character": character} if character else {}),
        }
        return Conversation(messages, character, begun, metadata)


def _chats(cells: Any) -> list[Any]:
    found = cells.get("histories", cells.get("chats")) if isinstance(cells, dict) else None
    if isinstance(found, dict):
        found = found.get("histories", found.get("chats"))
    if isinstance(found, list):
        return found
    if isinstance(cells, dict) and _listed(cells) is not None:
        return [cells]
    raise Malformed('the file has neither "histories" nor "chats" nor "turns"')


def _listed(chat: Any) -> list[Any] | None:
    if isinstance(chat, dict):
        for key in ("msgs", "turns", "messages"):
            if isinstance(chat.get(key), list):
                return list(chat[key])
    return None


def _dated(turns: list[Any]) -> bool:
    return all(isinstance(turn, dict) and isinstance(turn.get("create_time"), str) for turn in turns)


def _character(cells: Any) -> str | None:
    """The character's name, where the file tells it."""
    info = cells.get("info", cells) if isinstance(cells, dict) else None
    character = info.get("character", info) if isinstance(info, dict) else None
    name = (
        (character.get("name") or character.get("character_name"))
        if isinstance(character, dict)
        else character
    )
    return name if isinstance(name, str) and name else None


def _said(turn: Any, number: int) -> tuple[bool, str | None, str, int]:
    """(by a human, name, text, answers not chosen) of a message in any layout."""
    if not isinstance(turn, dict):
        raise Malformed(f"message {number + 1} is a {type(turn).__name__}, not an object")
    by = next((turn[key] for key in ("src", "author") if isinstance(turn.get(key), dict)), turn)
    human, role = by.get("is_human"), turn.get("role")
    if human is None and isinstance(role, str):
        human = role.lower() in {"user", "human"}
    text = next((turn[key] for key in ("text", "content", "message") if isinstance(turn.get(key), str)), None)
    candidates = [one for one in turn.get("candidates") or [] if isinstance(one, dict)]
    if candidates:
        wanted = turn.get("primary_candidate_id")
        chosen = next((one for one in candidates if one.get("candidate_id") == wanted), candidates[0])
        text = chosen.get("raw_content", chosen.get("text"))
    if not isinstance(text, str):
        raise Malformed(f"message {number + 1} has no text")
    # Turns of a human lack the mark where the service leaves out what is false for the character, so absent means not human.
    name = by.get("name")
    return bool(human), name if isinstance(name, str) else None, text, max(0, len(candidates) - 1)
