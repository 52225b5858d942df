"""DiscordChatExporter's JSON: one channel, `{"guild": …, "channel": …, "dateRange": …, "messages": [{"id", "type", "timestamp", "content", "author",
"attachments", "reference", …}], "messageCount": …}`.

A channel is cut into conversations. By silence (`split = "gap"`, what "auto" means here): a new one begins after more than `gap`. By replies
(`split = "links"`): messages joined by replies are one, and a message that is no reply and that nobody replies to goes on with the conversation
last spoken in, or begins one after a silence. Or not at all ("file").

Left out and counted in `metadata.dropped`: what Discord itself says (joins, pins, calls; `system`) and messages without a text
(`empty`: a picture alone). Attachments of messages that stay are counted in `metadata.attachments`. Of a bot's messages `metadata.bots` counts how many.

Read as a stream: memory is that of one conversation, or of those that are open at a time and some 200 bytes a message where replies are followed (the file is read twice then).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from plugins.scrapers.chat_shapes.json_members import members
from plugins.scrapers.chat_shapes.shape import (
    ChatOptions,
    Conversation,
    Raw,
    SourceFile,
    message,
    numbered,
    written,
)
from plugins.scrapers.chat_shapes.weaving import Joined, by_silence, untangle

SPOKEN = frozenset({
    "Default",
    "Reply",
    "ChatInputCommand",
    "ContextMenuCommand",
    "ThreadStarterMessage",
    "0",
    "19",
    "20",
    "21",
    "23",
})
"""Types of messages that someone wrote, as names and as the numbers of Discord's API; an absent type is one of them."""


class Discord:
    """Runs of a channel's messages."""

    name = "discord"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """The channel's conversations; one is numbered by its place among those that begin before it."""
        channel: dict[str, Any] = {}
        if options.split == "links":
            labels = _labels(file, options.gap)
            runs = untangle(_messages(file, channel), labels)
            order = {label: number for number, label in enumerate(dict.fromkeys(labels))}
            for label, run in runs:
                yield _raw(order[label], channel, run)
            return
        gap = float("inf") if options.split == "file" else options.gap
        for number, run in enumerate(by_silence(_messages(file, channel), _Clock().pause, gap)):
            yield _raw(number, channel, run)

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """Who said what, with the name Discord showed."""
        cells = json.loads(record)
        channel, rows = cells["channel"], cells["messages"]
        messages, attached, bots, begun = [], 0, 0, None
        dropped = {"system": 0, "empty": 0}
        for row in rows:
            content, author = row.get("content"), row.get("author")
            author = author if isinstance(author, dict) else {}
            if str(row.get("type", "Default")) not in SPOKEN:
                dropped["system"] += 1
                continue
            if not isinstance(content, str) or not content.strip():
                dropped["empty"] += 1
                continue
            begun = begun or row.get("timestamp")
            attached += len(row.get("attachments") or [])
            bots += bool(author.get("isBot"))
            name = author.get("nickname") or author.get("name")
            model = options.assistant is not None and options.assistant in {name, author.get("name")}
            messages.append(
                message(
                    "assistant" if model else "user", content, name=name if isinstance(name, str) else None
                )
            )
        counts: dict[str, Any] = {
            key: value for key, value in (("attachments", attached), ("bots", bots)) if value
        }
        if any(dropped.values()):
            counts["dropped"] = {key: value for key, value in dropped.items() if value}
        title = channel.get("channel")
        return Conversation(messages, title, begun if isinstance(begun, str) else None, {**channel, **counts})


def _raw(number: int, channel: dict[str, Any], run: list[dict[str, Any]]) -> Raw:
    return Raw(numbered(number), written({"channel": channel, "messages": run}))


def _messages(file: SourceFile, channel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The messages, one by one; names of guild and channel, which stand before them, are put into `channel`."""
    with file.text() as text:
        for key, value in members(text, "messages"):
            if key == "messages":
                # What is no object was written by no exporter; as an empty one it is counted as `empty`.
                yield value if isinstance(value, dict) else {}
            elif key in {"guild", "channel"} and isinstance(value, dict):
                channel.update({
                    name: value[field]
                    for name, field in ((key, "name"), *([("topic", "topic")] if key == "channel" else []))
                    if isinstance(value.get(field), str) and value[field]
                })


class _Clock:
    """Seconds from one message to the next."""

    def __init__(self) -> None:
        self.before: float | None = None

    def pause(self, row: dict[str, Any]) -> float | None:
        """Since the message before; None where one of them has no time."""
        now = _seconds(row.get("timestamp"))
        pause = now - self.before if now is not None and self.before is not None else None
        self.before = now if now is not None else self.before
        return pause


def _seconds(stamp: Any) -> float | None:
    try:
        told = datetime.fromisoformat(stamp)
    except (TypeError, ValueError):
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _whole(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The messages before a break, which is told when they are read again."""
    try:
        yield from rows
    except ValueError:
        return


def _labels(file: SourceFile, gap: float) -> list[int]:
    """For each message the number of its conversation's first: replies joined, the others put where talk was last."""
    numbers: dict[str, int] = {}
    replies: list[tuple[int, str]] = []
    times: list[float | None] = []
    for number, row in enumerate(_whole(_messages(file, {}))):
        numbers[str(row.get("id"))] = number
        times.append(_seconds(row.get("timestamp")))
        reference = row.get("reference")
        if str(row.get("type", "")) in {"Reply", "19"} and isinstance(reference, dict):
            replies.append((number, str(reference.get("messageId"))))
    joined, linked = Joined(len(times)), set[int]()
    for number, target in replies:
        if target in numbers:
            joined.join(number, numbers[target])
            linked |= {number, numbers[target]}
    before: float | None = None
    for number, now in enumerate(times):
        silent = now is not None and before is not None and now - before > gap
        if number and number not in linked and not silent:
            joined.join(number, number - 1)
        before = now if now is not None else before
    return joined.names()
