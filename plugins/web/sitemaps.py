"""What a site lists of itself: sitemaps (sitemaps.org, protocol 0.9), sitemap indexes, plain lists of addresses, RSS 2.0 and Atom feeds.

Entities are not resolved, no DTD is loaded and nothing is fetched by the parser, so neither an entity bomb nor an external entity does
anything. Elements are thrown away as they are read: 50 MB of XML take a few MB of memory. A document that breaks off gives what
stands before the break.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Literal

MAX_BYTES = 50 << 20
"""Of a sitemap, unpacked: the protocol's own limit."""
MAX_ENTRIES = 50_000
"""Of a sitemap or an index: the protocol's own limit. What comes after is not read."""
MAX_NESTING = 3
"""Indexes within indexes. The protocol allows none; sites have one or two."""

Kind = Literal["sitemap", "index", "feed", "text", "unknown"]


@dataclass(slots=True)
class Listing:
    """What a document lists."""

    kind: Kind
    pages: list[str] = field(default_factory=list)
    """Addresses as spelt, in order."""
    sitemaps: list[str] = field(default_factory=list)
    """Addresses of further sitemaps, where it is an index."""
    fault: str | None = None
    """Why it is not read to its end."""


def listing_of(data: bytes) -> Listing:
    """Read an unpacked document. Never raises.

    >>> listing_of(b"<urlset><url><loc> https://a.example/1 </loc></url></urlset>")
    Listing(kind='sitemap', pages=['https://a.example/1'], sitemaps=[], fault=None)
    """
    if len(data) > MAX_BYTES:
        return Listing("unknown", fault=f"more than {MAX_BYTES >> 20} MiB")
    head = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"<" or head[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in head[:4]:
        return _xml(data)
    return _text(data)


def _text(data: bytes) -> Listing:
    """One address a line; in a document without any, nothing is a fault worth more than its name."""
    listing = Listing("text")
    for line in io.BytesIO(data):
        address = line.decode("utf-8", "replace").removeprefix("\ufeff").strip()
        if not address.lower().startswith(("http://", "https://")):
            continue
        if len(listing.pages) == MAX_ENTRIES:
            listing.fault = f"more than {MAX_ENTRIES} entries"
            break
        listing.pages.append(address)
    return listing if listing.pages else Listing("unknown", fault="no addresses in it")


def _xml(data: bytes) -> Listing:
    from lxml import etree  # type: ignore[import-untyped]

    listing = Listing("unknown")
    names: list[str] = []
    try:
        for event, element in etree.iterparse(
            io.BytesIO(data),
            events=("start", "end"),
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        ):
            name = element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""
            if event == "start":
                names.append(name)
                if len(names) == 1:
                    listing.kind = _ROOTS.get(name, "unknown")
                    if listing.kind == "unknown":
                        return Listing("unknown", fault=f"<{name[:40]}> is no sitemap or feed")
                continue
            names.pop()
            parent = names[-1] if names else ""
            _take(
                listing, parent, name, (element.text or "").strip(), element.get("href"), element.get("rel")
            )
            if len(listing.pages) + len(listing.sitemaps) >= MAX_ENTRIES:
                listing.fault = f"more than {MAX_ENTRIES} entries"
                break
            # An entry is done: drop it and what stands before it.
            if parent in _CONTAINERS:
                element.clear()
                above = element.getparent()
                while above is not None and element.getprevious() is not None:
                    del above[0]
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        listing.fault = " ".join(str(error).split())[:200]
    return listing


_ROOTS: dict[str, Kind] = {
    "urlset": "sitemap",
    "sitemapindex": "index",
    "rss": "feed",
    "rdf": "feed",
    "feed": "feed",
}
_CONTAINERS = frozenset({"urlset", "sitemapindex", "channel", "feed", "rdf"})


def _take(listing: Listing, parent: str, name: str, text: str, href: str | None, rel: str | None) -> None:
    """Note the address an element gives, if it gives one."""
    if parent == "url" and name == "loc" and text:
        listing.pages.append(text)
    elif parent == "sitemap" and name == "loc" and text:
        listing.sitemaps.append(text)
    elif parent == "item" and name == "link" and text:  # RSS
        listing.pages.append(text)
    elif (
        parent == "entry" and name == "link" and href and (rel or "alternate") == "alternate"
    ):  # Atom, RFC 4287 4.2.7.2
        listing.pages.append(href.strip())
