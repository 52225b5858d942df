"""A document's rows of `edits`, replayed: forward from what was extracted, backwards from what was published.

Every row is held against the text it is applied to, so that a wrong one is an error and never a wrong text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from corpus.phases.edits import apply
from corpus.phases.fold import joined
from plugins.contracts import Edit

Row = Mapping[str, Any]
"""A row of EDITS."""

_FLAGS = {"true": True, "false": False, "": None}


@dataclass(frozen=True, slots=True)
class Said:
    """What a document says: its text, and its messages where it is a dialogue; then the text is what the messages say."""

    text: str
    messages: list[dict[str, Any]] | None = None


def replay(said: Said, rows: Iterable[Row]) -> Said:
    """The document after the steps of `rows`, in row order. Raises ValueError for a row that does not fit."""
    for group in _groups(rows):
        said = _changed(said, group)
    return _settled(said)


def restore(said: Said, rows: Iterable[Row]) -> Said:
    """The document before the steps of `rows`, which are in row order. Raises ValueError for a row that does not fit."""
    for group in reversed(list(_groups(rows))):
        said = _changed(said, _inverse(group))
    return _settled(said)


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows of each step on each text or field, in order."""
    for _, group in groupby(rows, lambda row: (row["step"], row["turn"], row["field"])):
        yield list(group)


def _inverse(group: Sequence[Row]) -> list[Row]:
    """The rows that lead back."""
    back: list[Row] = []
    shift = 0
    for row in group:
        start = row["start"] + shift
        end = start + len(row["after"])
        back.append({**row, "start": start, "end": end, "before": row["after"], "after": row["before"]})
        shift += len(row["after"]) - len(row["before"])
    return back


def _changed(said: Said, group: Sequence[Row]) -> Said:
    """With the rows of one step on one text or field made."""
    turn, field = group[0]["turn"], group[0]["field"]
    if turn is None:
        return replace(said, text=_edited(said.text, group))
    if said.messages is None or not 0 <= turn < len(said.messages):
        raise ValueError(f"edit of {group[0]['step']} names turn {turn}, which the document does not have")
    message = said.messages[turn]
    value = _value(field, _edited(shown(message[field or "content"]), group))
    messages = [*said.messages[:turn], {**message, (field or "content"): value}, *said.messages[turn + 1 :]]
    return replace(said, messages=messages)


def _edited(text: str, group: Sequence[Row]) -> str:
    for row in group:
        if (found := text[row["start"] : row["end"]]) != row["before"]:
            raise ValueError(
                f"edit of {row['step']} at {row['start']} expects {row['before'][:40]!r}; {found[:40]!r} stands there"
            )
    return apply(text, [Edit(row["start"], row["end"], row["after"]) for row in group])


def shown(value: object) -> str:
    """A content, name or flag as `edits` shows it."""
    return "" if value is None else value if isinstance(value, str) else str(value).lower()


def _value(field: str | None, text: str) -> object:
    """What `shown` showed."""
    if field == "train":
        return _FLAGS[text]
    return (text or None) if field == "name" else text


def _settled(said: Said) -> Said:
    """With the text that the messages make."""
    return replace(said, text=joined(said.messages)) if said.messages else said
