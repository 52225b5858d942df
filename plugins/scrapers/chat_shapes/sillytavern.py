"""SillyTavern: a `.jsonl` file is one chat, its first line a header (`user_name`, `character_name`, `create_date`, `chat_metadata`), then a message
a line: `{"name": …, "is_user": …, "is_system": …, "send_date": …, "mes": …, "swipes": […]}`.

`mes` is the answer that was chosen; the others of `swipes` are counted in `metadata.swipes`. What `is_system` marks SillyTavern hides from the model:
it is left out and counted in `metadata.dropped`. A broken line is a page of its own with fate `malformed`; the chat goes on without it.
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

UNUSED = "unused"
"""What newer versions write where the header had names."""


class SillyTavern:
    """One file a conversation."""

    name = "sillytavern"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """The whole file, its lines one by one; a broken line is lost alone."""
        lines = []
        for record in file.lines():
            if record.cells is None:
                yield Raw(f"line-{record.number + 1}", error=record.error, detail=record.detail)
            else:
                lines.append(written(record.cells))
        if lines:
            yield Raw(numbered(0), "\n".join(lines))

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """The header's names, then the messages."""
        rows: list[dict[str, Any]] = [json.loads(line) for line in record.split("\n")]
        head = rows.pop(0) if "mes" not in rows[0] else {}
        messages, hidden, swipes = [], 0, 0
        for number, row in enumerate(rows):
            said, name = row.get("mes"), row.get("name")
            if not isinstance(said, str):
                raise Malformed(f'message {number + 1} has no text "mes"')
            if row.get("is_system"):
                hidden += 1
                continue
            alternatives = row.get("swipes")
            swipes += max(0, len(alternatives) - 1) if isinstance(alternatives, list) else 0
            role = "user" if row.get("is_user") else "assistant"
            messages.append(message(role, said, name=name if isinstance(name, str) else None))
        names = {
            key: head[key]
            for key in ("user_name", "character_name")
            if head.get(key) not in {None, "", UNUSED}
        }
        counts = {
            **({"swipes": swipes} if swipes else {}),
            **({"dropped": {"hidden": hidden}} if hidden else {}),
        }
        title = names.get("character_name")
        dates = (head.get("create_date"), rows[0].get("send_date") if rows else None)
        begun = next((str(date) for date in dates if date), None)
        return Conversation(messages, title if isinstance(title, str) else None, begun, {**names, **counts})
