"""What a page says of itself in its head: title, author, date, canonical address, licence. One parse, no heuristics on the body.

Trafilatura's own metadata costs more than its text; this takes some milliseconds: the tree is walked once, since each element taken from a
query's result costs time by the length of the result (resiliparse 2.0.1: 5 s for 1,000 links with `rel`, against 20 ms). What is not stated is null: a guess would be
taken for a fact later. JSON-LD is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from plugins.contracts import Extracted

MAX_CHARS = 500
"""No title or name is longer; what is, is a mistake in the page."""

# Properties and names of <meta> elements, best first: Open Graph, Dublin Core, HTML's own, schema.org microdata.
_TITLE = ("og:title", "dc.title", "dcterms.title", "twitter:title", "title")
_AUTHOR = (
    "author",
    "article:author",
    "dc.creator",
    "dcterms.creator",
    "byl",
    "parsely-author",
    "citation_author",
)
_PUBLISHED = (
    "article:published_time", "og:published_time", "datepublished", "dc.date.issued", "dcterms.issued", "dc.date",
    "dcterms.date", "citation_publication_date", "parsely-pub-date", "pubdate", "date",
)  # fmt: skip
_LICENSE = ("license", "dc.rights.license", "dcterms.license", "og:license")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
_COMMONS = re.compile(r"https?://creativecommons\.org/(?:licenses|publicdomain)/[a-z0-9+-]+/", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://\S+\Z", re.IGNORECASE)


def read_head(html: str) -> Extracted:
    """Title, author, published (ISO 8601), canonical url and license of a decoded page; `text` is always None.

    >>> read_head(
    ...     '<title>A &amp; B</title><link rel=canonical href="https://a.example/b"><meta name=author content=Ann>'
    ... ).author
    'Ann'
    """
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(html)
    document = tree.document
    if document is None:
        return Extracted(text=None)
    elements = [node for node in document if node.tag in {"meta", "link", "a"}]
    meta = metas(elements)
    return Extracted(
        text=None,
        title=_first(meta, _TITLE) or _short(tree.title),
        author=next((name for key in _AUTHOR if (name := meta.get(key)) and not _ADDRESS.match(name)), None),
        published=next((date for key in _PUBLISHED if (date := _date(meta.get(key)))), None),
        url=_address(_related(elements, "canonical")) or _address(meta.get("og:url")),
        license=stated_license(elements, meta) or _commons(elements),
    )


def stated_license(elements: Iterable[Any], meta: dict[str, str]) -> str | None:
    """What a page's <link> and <a> elements or `metas` name as its licence, as stated. An element has `tag` and `getattr(name)`."""
    return _related(elements, "license") or _first(meta, _LICENSE)


def metas(elements: Iterable[Any]) -> dict[str, str]:
    """Lower-case name or property → first content that is not empty, of the <meta> among the elements."""
    found: dict[str, str] = {}
    for element in elements:
        if element.tag != "meta":
            continue
        for attribute in ("property", "name", "itemprop"):
            key = (element.getattr(attribute) or "").strip().lower()
            value = _short(element.getattr("content"))
            if key and value:
                found.setdefault(key, value)
    return found


def _related(elements: Iterable[Any], relation: str) -> str | None:
    """The address of the first link with this relation."""
    for element in elements:
        if (
            element.tag != "meta"
            and relation in (element.getattr("rel") or "").lower().split()
            and element.getattr("href") is not None
        ):
            return _short(element.getattr("href"))
    return None


def _commons(elements: Iterable[Any]) -> str | None:
    """The Creative Commons licence linked to, if it is one only: two are those of two pictures, not of the page."""
    hrefs = (element.getattr("href") or "" for element in elements if element.tag == "a")
    names = {found[0] for href in hrefs if (found := _COMMONS.match(href.strip()))}
    linked = sorted({name.lower().replace("http:", "https:") for name in names})
    return linked[0] if len(linked) == 1 else None


def _first(meta: dict[str, str], keys: tuple[str, ...]) -> str | None:
    return next((meta[key] for key in keys if key in meta), None)


def _short(value: str | None) -> str | None:
    """The text on one line, null where it is empty or absurdly long."""
    text = " ".join((value or "").replace("\0", "").split())
    return text if 0 < len(text) <= MAX_CHARS else None


def _address(value: str | None) -> str | None:
    return value if value and _ADDRESS.match(value) else None


def _date(value: str | None) -> str | None:
    """The date in ISO 8601; RFC 2822 dates are turned into it, what is neither is not believed."""
    if not value:
        return None
    if found := _ISO.match(value):
        try:
            datetime.fromisoformat(found[0])
        except ValueError:
            return None
        return found[0]
    try:
        return parsedate_to_datetime(value).isoformat()
    except (ValueError, TypeError, IndexError):
        return None
