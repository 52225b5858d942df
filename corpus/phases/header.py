"""What a recipe wants to stand at the head of every row: `[tokens] header = ["title", "author", "speakers", "url"]`.

    Title: The Ford
    Author: Ada
    Speakers: Ada, Brom
    URL: https://example.org/ford

A line for each that the document has, in the recipe's order, and a blank line after the last. It is read and never trained. Lines that would take
more than a quarter of a row are left out, the later ones first, so that a long list of speakers cannot crowd out what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LABELS = {"title": "Title", "author": "Author", "speakers": "Speakers", "url": "URL"}


def header_lines(
    fields: Sequence[str], document: dict[str, Any], messages: Sequence[dict[str, Any]] | None
) -> list[str]:
    r"""The lines of a document's header, each ending in a newline.

    >>> header_lines(["title", "speakers"], {"title": "The  Ford"}, [{"name": "Ada"}, {"name": "Brom"}])
    ['Title: The Ford\n', 'Speakers: Ada, Brom\n']
    """
    names = dict.fromkeys(" ".join((message.get("name") or "").split()) for message in messages or [])
    known = {**document, "speakers": ", ".join(name for name in names if name)}
    values = {field: " ".join((known.get(field) or "").split()) for field in fields}
    return [f"{LABELS[field]}: {value}\n" for field, value in values.items() if value]
