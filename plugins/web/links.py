"""The links of an HTML page, for following: what a browser would let one click on, and what the page says of them.

A page is cut into tags by one regular expression after the tokenizer of WHATWG HTML (section 13.2.5), without building a tree. So a
hostile page cannot crash a parser written in C within the crawler, nesting costs nothing, and time is linear: every quantifier is
possessive and every alternative ends at the end of the text too. What a tree would add (links inside <template>, misnested tags)
changes no address. Rejected: lxml and resiliparse, which read the same links (tests/plugins/web/test_links.py compares them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from urllib.parse import urljoin

MAX_LINKS = 10_000
"""Of one page; the rest is not followed. No page for readers has as many."""
CACHED = 1 << 15
"""Addresses the resolver remembers; it forgets them all when there are more."""

# Whitespace of HTML, not of Unicode.
_SPACE = r"[\t\n\f\r ]"
_ATTRIBUTES = (
    r"(?>[\t\n\f\r /]++|[^\t\n\f\r />][^\t\n\f\r />=]*+"
    r"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >]*+))?+)*+"
)
_END = r"(?:>|\Z)"
_WANTED = r"(?:area|a|base|frame|iframe|link|meta)(?=[\t\n\f\r />]|\Z)"
# Spelled out one by one: a group captured inside an atomic one and referred to is a bug of Python 3.11's `re` (SystemError).
_RAW = "".join(
    rf"|<{name}(?=[\t\n\f\r />]|\Z){_ATTRIBUTES}{_END}(?>[^<]++|<(?!/{name}[\t\n\f\r />]))*+"
    for name in ("script", "style", "textarea", "title", "xmp", "noembed", "noframes")
)
_SKIPPED = (
    r"[^<]++"
    r"|<!--(?>-?>|(?>[^-]++|-(?!-!?>))*+(?:--!?>|\Z))"
    rf"|<[!?/][^>]*+{_END}"
    rf"{_RAW}"
    rf"|<(?!{_WANTED})[a-zA-Z][^\t\n\f\r />]*+{_ATTRIBUTES}{_END}"
    r"|<(?![a-zA-Z!?/])"
)
_NEXT = re.compile(
    rf"(?>{_SKIPPED})*+(?:<(?P<tag>{_WANTED})(?P<attributes>{_ATTRIBUTES})(?:(?P<closed>>)|\Z)|\Z)",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    r"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"([^\"]*+)\"?|'([^']*+)'?|([^\t\n\f\r >]*+)))?"
)
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]*(?:;|(?![a-zA-Z0-9=])))")
_REFRESH = re.compile(
    rf"{_SPACE}*[0-9.]*{_SPACE}*[;,]?{_SPACE}*url{_SPACE}*={_SPACE}*['\"]?([^'\"]+)", re.IGNORECASE
)
_FOLLOWED = frozenset({"next", "prev", "canonical"})
"""Relations of <link> that name a page to read; the others name style sheets, icons, translations and feeds."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address as the page spells it, and whether the page asks not to follow it (rel=nofollow)."""

    href: str
    nofollow: bool = False


def links_of(html: str, *, limit: int = MAX_LINKS) -> tuple[str | None, list[Link]]:
    """The first <base href> of a decoded page, and its links in order: <a>, <area>, <frame>, <iframe>, <link rel=next|prev|canonical>
    and <meta http-equiv=refresh>. Never raises.

    >>> links_of('<a href="/b?x=1&amp;y=2">b</a> <!-- <a href=no> --> <a rel="ugc nofollow" href=c>')
    (None, [Link(href='/b?x=1&y=2', nofollow=False), Link(href='c', nofollow=True)])
    """
    base: str | None = None
    found: list[Link] = []
    position, end, match = 0, len(html), _NEXT.match
    while position < end and len(found) < limit:
        token = match(html, position)
        if token is None or token["closed"] is None:
            break  # the end, or a tag cut off by it, which is none (13.2.5.32, "EOF in tag")
        position = token.end()
        tag, attributes = token["tag"].lower(), _attributes(token["attributes"])
        if tag == "base":
            base = attributes.get("href") if base is None else base
        elif href := _href(tag, attributes):
            rel = attributes.get("rel")
            found.append(Link(href, rel is not None and "nofollow" in rel.lower().split()))
    return base, found


def _attributes(text: str) -> dict[str, str]:
    """Attributes of a tag by name in lower case; the first of a name counts."""
    attributes: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        value = double or single or bare
        attributes.setdefault(name.lower(), _REFERENCE.sub(_character, value) if "&" in value else value)
    return attributes


def _href(tag: str, attributes: dict[str, str]) -> str | None:
    """The address a tag leads to."""
    if tag in {"a", "area"}:
        return attributes.get("href")
    if tag == "link":
        followed = not _FOLLOWED.isdisjoint(attributes.get("rel", "").lower().split())
        return attributes.get("href") if followed else None
    if tag == "meta":
        refresh = attributes.get("http-equiv", "").strip().lower() == "refresh"
        target = _REFRESH.match(attributes.get("content", "")) if refresh else None
        return target[1] if target else None
    return attributes.get("src")  # of a frame


def _character(reference: re.Match[str]) -> str:
    """A character reference in an attribute. `&copy=1` and `&region;` are not read as "©=1" and "®ion;" there (13.2.5.73)."""
    name = reference[0][1:]
    return unescape(reference[0]) if name[0] == "#" else html5.get(name, reference[0])


class Resolver:
    """Makes canonical addresses of what pages spell, and remembers: the pages of a site spell the same few hundred over and over.

    An address that begins with one "/" depends on the origin of its base alone, most others on the base's folder.
    """

    def __init__(self, canonical: Callable[[str, str], str | None], *, cached: int = CACHED) -> None:
        """`canonical(href, base)` gives an absolute address or None."""
        self._canonical = canonical
        self._cached = cached
        self._known: dict[str, dict[str, str | None]] = {}
        self._size = 0

    def resolve(self, links: Iterable[Link], base: str) -> Iterator[tuple[str, bool]]:
        """Canonical address and nofollow of each link that can be fetched, in order."""
        if self._size >= self._cached:
            self._known.clear()
            self._size = 0
        root = self._known.setdefault("/".join(base.split("/", 3)[:3]), {})
        folder = self._known.setdefault(base.partition("?")[0].rpartition("/")[0] + "/", {})
        for link in links:
            href = link.href
            if href[:1] in _OWN:
                url = self._canonical(href, base)
            else:
                known = root if href[0] == "/" and href[1:2] not in _SLASHES else folder
                if href in known:
                    url = known[href]
                else:
                    url = known[href] = self._canonical(href, base)
                    self._size += 1
            if url is not None:
                yield url, link.nofollow


_OWN = frozenset(("", "?", "#", *map(chr, range(33))))
"""How addresses begin that depend on the whole of their base; and blanks, behind which such a one may stand."""
_SLASHES = frozenset("/\\\t\n\r")
"""What makes a host of what follows "/"; line ends are taken out of addresses first."""


def base_of(url: str, href: str | None) -> str:
    """What links are relative to: <base href> if it is a web address, else the page's own (WHATWG HTML, 4.2.3)."""
    if href:
        try:
            joined = urljoin(url, href.strip())
        except ValueError:
            return url
        if joined.lower().startswith(("http://", "https://")):
            return joined
    return url
