"""CSV and TSV: a turn a row (columns conversation, speaker, role, text, time), or a pair a row (columns prompt and response).

Which of the two follows from the columns that are there; options of the same names say what they are called. Of a turn only the text is needed,
and one of conversation, speaker and role, without which it would be a table like any other (`files` reads those). Rows of one conversation may lie apart.
Rows are in order of time where every row of the conversation states one (ISO 8601, or a number), else as the file has them. Without a role, a speaker that is called
user, assistant, system or the like has that role; everyone else is a user. A row without text is left out and counted in `metadata.dropped`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from plugins.scrapers import records
from plugins.scrapers.chat_shapes.shape import (
    ChatOptions,
    Conversation,
    Raw,
    SourceFile,
    message,
    numbered,
    others,
    written,
)
from plugins.scrapers.chat_shapes.sharegpt import ROLES
from plugins.scrapers.chat_shapes.weaving import untangle

APART = ("conversation", "speaker", "role")
"""Columns that tell turns from the rows of any table."""


class CsvTurns:
    """Rows of one conversation, or one row that is one."""

    name = "csv"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """The conversations; a row that cannot be read is lost alone."""
        names, delimiter = header(file, options)
        columns = options.columns
        if columns["prompt"] in names and columns["response"] in names:
            for record in _rows(file, delimiter):
                broken = Raw(numbered(record.number), error=record.error, detail=record.detail)
                yield (
                    broken if record.cells is None else Raw(numbered(record.number), written([record.cells]))
                )
            return
        labels: dict[str | None, int] = {}
        numbers: list[int] = []
        for record in _rows(file, delimiter):
            if record.cells is None:
                yield Raw(f"row-{record.number + 1}", error=record.error, detail=record.detail)
                numbers.append(-1)
                continue
            key = record.cells.get(columns["conversation"])
            numbers.append(labels.setdefault(key, len(labels)))
        for label, run in untangle(_rows(file, delimiter), numbers):
            yield Raw(numbered(label), written([record.cells for record in run]))

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """Its messages."""
        rows, columns = json.loads(record), options.columns
        if columns["prompt"] in rows[0] and columns["response"] in rows[0]:
            return _pair(rows[0], options)
        said = [row for row in _in_time(rows, columns["time"]) if (row.get(columns["text"]) or "").strip()]
        dropped = len(rows) - len(said)
        first = rows[0].get(columns["conversation"])
        metadata = {"conversation": first} if first else {}
        return Conversation(
            [_turn(row, options) for row in said],
            published=rows[0].get(columns["time"]) or None,
            metadata={**metadata, **({"dropped": {"empty": dropped}} if dropped else {})},
        )


def header(file: SourceFile, options: ChatOptions) -> tuple[list[str], str]:
    """The names of the columns, and what parts them. Raises ValueError where they make no conversation."""
    columns = options.columns
    wanted = [[columns["prompt"], columns["response"]], *([columns["text"], columns[name]] for name in APART)]
    for pair in wanted:
        with file.text() as text:
            names, delimiter = records.csv_header(text, pair)
        if set(pair) <= set(names):
            return names, delimiter
    with file.text() as text:
        names, _ = records.csv_header(text, [columns["text"]])
    raise ValueError(
        f"its columns are {', '.join(names[:12]) or 'none'}; a conversation needs {columns['prompt']} and {columns['response']}, or "
        f"{columns['text']} and one of {', '.join(columns[name] for name in APART)}. Name them by options, such as "
        f'text = "{names[-1] if names else "body"}" and speaker = "{names[0] if names else "who"}"'
    )


def _rows(file: SourceFile, delimiter: str) -> Iterator[records.Record]:
    with file.text() as text:
        yield from records.csv_rows(text, delimiter)


def _pair(row: dict[str, Any], options: ChatOptions) -> Conversation:
    columns = options.columns
    roles = (("system", "system"), ("prompt", "user"), ("response", "assistant"))
    messages = [message(role, text) for name, role in roles if (text := row.get(columns[name]))]
    return Conversation(messages, metadata=others(row, *(columns[name] for name, _ in roles)))


def _turn(row: dict[str, Any], options: ChatOptions) -> dict[str, Any]:
    speaker, role = (row.get(options.columns[name]) for name in ("speaker", "role"))
    if role:
        role, name = ROLES.get(role.strip().lower(), role), speaker
    else:
        role = ROLES.get((speaker or "").strip().lower())
        name = None if role else speaker
        role = role or "user"
    if options.assistant is not None and speaker == options.assistant:
        role, name = "assistant", speaker
    return message(role, row[options.columns["text"]], name=name)


def _in_time(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    times = [_time(row.get(column)) for row in rows]
    known = [time for time in times if time is not None]
    if len(known) < len(rows):
        return rows
    return [rows[number] for number in sorted(range(len(rows)), key=known.__getitem__)]


def _time(told: Any) -> float | None:
    try:
        return float(told)
    except (TypeError, ValueError):
        pass
    try:
        moment = datetime.fromisoformat(told)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
