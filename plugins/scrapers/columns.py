"""From the cells of a row to a page: which column means what, and values that every table of ours can hold."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from plugins.contracts import Page

INT32 = 1 << 31
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns that become fields of a page; all others become its `metadata`."""

    text: str
    named: Mapping[str, str]
    """Field of Page → column: url, title, author, published, license, group, position, id."""
    content_type: str

    @property
    def wanted(self) -> list[str]:
        """All columns a table must have."""
        return list(dict.fromkeys([self.text, *self.named.values()]))

    def fill(self, page: Page, cells: dict[str, Any]) -> Page:
        """The page with the row's text and what is known of it. Raises RecursionError for nesting that is too deep."""
        page.content_type = self.content_type
        for field in ("url", "title", "author", "published", "license", "group"):
            if field in self.named:
                setattr(page, field, as_text(cells.get(self.named[field])) or getattr(page, field))
        position = as_position(cells.get(self.named["position"])) if "position" in self.named else None
        page.position = position
        used = {self.text, *self.named.values()}
        if "position" in self.named and position is None:
            used.discard(self.named["position"])  # not a place we can hold: kept as it stands
        page.metadata = {
            plain(str(key)): plain(value)
            for key, value in cells.items()
            if key not in used and value is not None
        }
        value = cells.get(self.text)
        if value is None:
            known = ", ".join(sorted(map(str, cells)))[:200]
            page.error, page.detail = (
                "no-text",
                f'"{self.text}" is null' if self.text in cells else f'no "{self.text}" among: {known}',
            )
        elif not isinstance(value, str):
            page.error, page.detail = "not-text", f'"{self.text}" is a {type(value).__name__}, not a text'
        else:
            page.content = plain(value).encode()
        return page


def as_text(value: Any) -> str | None:
    """A cell as text: lists of texts joined by ", ", dates in ISO 8601, other structures as JSON; empty is null."""
    value = plain(value)
    if value is None or isinstance(value, str):
        return value.strip() or None if value else None
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value) or None
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def as_position(value: Any) -> int | None:
    """A place in a thread: a whole number that fits 32 bits, also as text or as 3.0."""
    try:
        number = None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if number is None or (isinstance(value, float) and value != number):
        return None
    return number if -INT32 <= number < INT32 else None


def plain(value: Any) -> Any:
    """A value as JSON can hold it: lone surrogates become U+FFFD, bytes Base64, dates ISO 8601, what is no number null."""
    match value:
        case str():
            made: Any = value if value.isascii() else _SURROGATES.sub("\ufffd", value)
        case None | bool() | int():
            made = value
        case float():
            made = value if math.isfinite(value) else None
        case Mapping():
            made = {plain(str(key)): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            made = [plain(inner) for inner in value]
        case datetime() | date() | time():
            made = value.isoformat()
        case bytes() | bytearray():
            made = base64.b64encode(value).decode("ascii")
        case timedelta():
            made = value.total_seconds()
        case _:
            made = plain(str(value))
    return made
