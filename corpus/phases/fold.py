"""Folding: the pages of a thread, or chapters too short to stand alone, become one document before it is cleaned."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from schemas.fingerprint import identify

Row = dict[str, Any]

PARAGRAPH = "\n\n"
"""Joins the pages of a folded document, and the messages of a dialogue."""

LIGHT = (
    *("page_id", "source", "locator", "url", "title", "author", "published", "license"),
    *("group", "position", "metadata"),
)
"""Columns of a gathered page that a document is made of."""


def units(pages: pl.DataFrame) -> list[list[int]]:
    """The row numbers of each document's pages, documents in the order of their first page."""
    groups: dict[str, list[int]] = {}
    found: list[list[int]] = []
    for n, (fold, group) in enumerate(pages.select("fold", "group").iter_rows()):
        if not fold or group is None:
            found.append([n])
        elif group in groups:
            groups[group].append(n)
        else:
            groups[group] = [n]
            found.append(groups[group])
    position, locator = pages["position"].to_list(), pages["locator"].to_list()
    for unit in found:
        unit.sort(key=lambda n: (position[n] is None, position[n] or 0, natural(locator[n])))
    return sorted(found, key=lambda unit: locator[unit[0]])


def natural(locator: str) -> list[tuple[int, int, str]]:
    """A key that sorts page 2 before page 10.

    >>> sorted(["t/page-10.html", "t/page-2.html", "t/index.html"], key=natural)
    ['t/index.html', 't/page-2.html', 't/page-10.html']
    """
    parts = re.split(r"(\d+)", locator)
    return [(1, int(part), "") if part.isdecimal() and part.isascii() else (0, 0, part) for part in parts]


def fold(rows: Sequence[Row], found: Sequence[Row]) -> Row:
    """One document (a row of DRAFTS in the making) of the pages of a unit, as gathered and as extracted.

    What is known of it is what its first page says, the recipe's columns first.
    """
    first, head = rows[0], found[0]
    # A dialogue only where every page is one: the text of a page that is none would have no place among the messages.
    spoken = all(one["messages"] for one in found)
    messages = [_message(message) for one in found for message in one["messages"]] if spoken else []
    text = PARAGRAPH.join(
        filter(None, ("" if spoken else one["text"] or joined(one["messages"]) for one in found))
    )
    return {
        **first,
        **{name: first[name] or head[name] for name in ("url", "title", "author", "published", "license")},
        "doc_id": identify(first["page_id"], ""),
        "text": text,
        "messages": messages or None,
        "position": first["position"] if len(rows) == 1 else None,
        "metadata": _metadata(head["metadata"], first["metadata"]),
        "stage": None,
        "reason": None,
        "detail": next((one["detail"] for one in found if one["detail"]), None),
    }


def _message(message: Row) -> Row:
    """`edits` shows null as "", and what is restored from it must be what was there: so a name is never "", and a content never null."""
    return {**message, "name": message["name"] or None, "content": message["content"] or ""}


def _metadata(extracted: str | None, gathered: str | None) -> str | None:
    """What a page's content says of it, and what the source said, which counts."""
    if extracted is None or gathered is None:
        return gathered or extracted
    return json.dumps({**json.loads(extracted), **json.loads(gathered)}, sort_keys=True, ensure_ascii=False)


def joined(messages: Sequence[Row] | None) -> str:
    """The text of a dialogue: the messages that say something."""
    return PARAGRAPH.join(message["content"] for message in messages or () if message["content"])
