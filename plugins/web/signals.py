"""What a response says may be done with it: robots directives, text-and-data-mining reservation, licence.

    X-Robots-Tag, <meta name="robots">   noindex, nofollow, none, unavailable_after (Google Search Central, "Robots meta tag"), for all or for our
                                         name; noai, noimageai (DeviantArt, 2022; said for all kinds of training, or for that on images only)
    TDM-Reservation, tdm-policy          header and <meta> (W3C TDM Reservation Protocol, 2024, 4 and 5): any "1" reserves, whatever else says 0
    licence, the first of                Link: <…>; rel=license (RFC 8288), rel=license and <meta> as `extractors.head` reads them, rights that are
                                         a licence's name, JSON-LD `license` of what is no picture or film, Creative Commons links if all name one

All that is said for all or for us adds up; "index" takes nothing back. `rel=nofollow` of single links is for `links`.

A page may be hostile, and a tree costs more than time by the length of a page: lexbor's is quadratic in misnested formatting elements (0.8 MB:
6 s). So the tags that matter are cut out in one pass that knows comments and raw text, and only they are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from itertools import islice
from typing import Any

from plugins.extractors.head import metas, stated_license
from plugins.filters.license import code_of

MAX_HEADER = 8192
MAX_TAG = 4096
MAX_TAGS = 2000
MAX_JSON = 1 << 20
"""What is looked at: characters of a header and of a tag, different tags, characters of all JSON-LD of a page."""
MAX_TOLD = 200

_PLAIN = frozenset({"noindex", "nofollow", "none", "noai", "noimageai"})
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_WORD = re.compile(r"[^\s;]+")
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)
_START = re.compile(
    r"<(?:(!--)|(meta|link|a)(?=[\s/])|(script|style|title|textarea|xmp|iframe|noembed|noframes)(?=[\s/>]))",
    re.IGNORECASE,
)
_REST_OF_TAG = re.compile(r"(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+>")
_ATTRIBUTE = re.compile(r"([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]*+)))?")
_COMMENT_END = re.compile("--!?>")
_RAW_ENDS = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
_RIGHTS = ("dc.rights", "dcterms.rights", "rights", "copyright")
_OF_PICTURES = re.compile("image|video|audio|media|photo", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signals:
    """What may be done with a page."""

    noindex: bool = False
    nofollow: bool = False
    noai: bool = False
    tdm_reserved: bool = False
    license: str | None = None
    """A code such as "CC-BY-SA-4.0" (see `filters.license`) where it is recognised, else as stated."""
    told: tuple[str, ...] = ()
    """What said so, such as "X-Robots-Tag: noai", in the order of headers, then page; the licence is not among it."""


def signals_of(
    headers: Sequence[tuple[str, str]], html: str | None, product_token: str, *, now: datetime | None = None
) -> Signals:
    """Signals of one response: its headers in any case, its decoded page if it is HTML. `now`, with its zone, is for `unavailable_after`.

    >>> signals_of(
    ...     [("X-Robots-Tag", "otherbot: noindex, nofollow")],
    ...     '<meta name=robots content="NOAI, nofollow">',
    ...     "gristmill",
    ... )
    Signals(noindex=False, nofollow=True, noai=True, tdm_reserved=False, license=None, told=('meta robots: noai', 'meta robots: nofollow'))
    """
    now = now or datetime.now(UTC)
    token = product_token.lower()
    told: dict[str, None] = {}
    said: set[str] = set()
    license_: str | None = None
    for name, value in headers:
        name, value = name.lower(), value[:MAX_HEADER]  # noqa: PLW2901
        if name == "x-robots-tag":
            _obey("X-Robots-Tag", _directives(value, {token, "*"}, now), said, told)
        elif name in {"tdm-reservation", "tdm-policy"}:
            _reserve("TDM-Reservation" if name == "tdm-reservation" else "TDM-Policy", value, said, told)
        elif name == "link" and license_ is None:
            license_ = _linked(value)
    if html:
        found = _read(html, token, now, said, told)
        license_ = license_ or found
    return Signals(
        noindex=bool(said & {"noindex", "none"}),
        nofollow=bool(said & {"nofollow", "none"}),
        noai="noai" in said,
        tdm_reserved="tdm-reservation" in said,
        license=_code(license_) if license_ else None,
        told=tuple(told),
    )


def _obey(source: str, directives: Iterable[tuple[str, str]], said: set[str], told: dict[str, None]) -> None:
    for directive, text in directives:
        said.add(directive)
        told[f"{source}: {text}"[:MAX_TOLD]] = None


def _reserve(source: str, value: str, said: set[str], told: dict[str, None]) -> None:
    """TDM-Reservation counts where it is 1; a policy is told of, and reserves nothing by itself."""
    value = value.strip()
    policy = source.lower().endswith("policy")
    if value and (policy or value == "1"):
        said.add("tdm-policy" if policy else "tdm-reservation")
        told[f"{source}: {value}"[:MAX_TOLD]] = None


def _directives(text: str, agents: set[str] | None, now: datetime) -> Iterator[tuple[str, str]]:
    """The directives of one header or <meta> that concern us, each as its name and as it was written. `agents`: names of ours that may stand
    before a colon, and then hold up to the next name; None where no names can stand."""
    ours = True
    pieces = iter(text.lower().split(","))
    for piece in pieces:
        name, colon, value = (part.strip() for part in piece.partition(":"))
        if colon and agents is not None and name not in _VALUED and name not in _PLAIN:
            ours = name in agents
            piece = value  # noqa: PLW2901
            name, colon, value = (part.strip() for part in piece.partition(":"))
        if colon and name == "unavailable_after":
            date = _date(value)
            if date is None and (more := next(pieces, None)) is not None:
                value = f"{value},{more}"
                date = _date(value)
            if ours and date is not None and date <= now:
                yield "noindex", f"unavailable_after: {value}"
        elif ours and name not in _VALUED:
            yield from ((word, word) for word in _WORD.findall(name) if word in _PLAIN)


def _date(text: str) -> datetime | None:
    """A date of HTTP, e-mail or ISO 8601; UTC where it names no zone."""
    text = text.strip()[:100]
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            date = read(text.upper())
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


# ------------------------------------------------------------------------------------------------ the page


def _read(html: str, token: str, now: datetime, said: set[str], told: dict[str, None]) -> str | None:
    """Obey the <meta> elements of a page and return its licence as stated."""
    tags, scripts = _cut(html)
    for tag in tags:
        if tag.tag != "meta":
            continue
        name, content = (tag.getattr("name") or "").strip().lower(), (tag.getattr("content") or "")
        if name in {"robots", token}:
            _obey(f"meta {name}", _directives(content, None, now), said, told)
        elif name in {"tdm-reservation", "tdm-policy"}:
            _reserve(f"meta {name}", content, said, told)
    meta = metas(tags)
    rights = (code_of(meta[key]) for key in _RIGHTS if key in meta)
    hrefs = (tag.getattr("href") or "" for tag in tags if tag.tag == "a")
    return (
        stated_license(tags, meta)
        or next((code for code in rights if code and code != "all-rights-reserved"), None)
        or _one(_in_json(scripts))
        or _one(code for href in hrefs if "creativecommons.org/" in href and (code := code_of(href)))
    )


class _Tag:
    """A start tag, as far as it is asked: `extractors.head` reads these and elements alike."""

    __slots__ = ("_attributes", "tag")

    def __init__(self, tag: str, rest: str) -> None:
        self.tag = tag.lower()
        self._attributes: dict[str, str] = {}
        for name, double, single, bare in _ATTRIBUTE.findall(rest):
            self._attributes.setdefault(name.lower(), unescape(double or single or bare))

    def getattr(self, name: str) -> str | None:
        return self._attributes.get(name)


def _cut(html: str) -> tuple[list[_Tag], list[str]]:
    """The tags that may say something, and the contents of JSON-LD scripts; comments and raw text are passed over. Linear in the page."""
    tags: dict[tuple[str, str], None] = {}
    scripts: list[str] = []
    at = 0
    while found := _START.search(html, at):
        comment, plain, raw = found.groups()
        if comment:
            end = _COMMENT_END.search(html, found.start() + 2)
            if end is None:
                break
            at = end.end()
            continue
        rest = _REST_OF_TAG.match(html, found.end(), found.end() + MAX_TAG)
        if rest is None:
            at = found.end() + MAX_TAG
            continue
        at = rest.end()
        tag = html[found.start() : at]
        if plain and (len(plain) > 1 or _may_license(tag)):
            tags[plain, rest[0]] = None
        elif raw and not tag.endswith("/>"):
            close = _RAW_ENDS[raw.lower()].search(html, at)
            if close is None:
                break
            if raw.lower() == "script" and "ld+json" in tag.lower():
                scripts.append(html[at : close.start()])
            at = close.start()
    return [_Tag(*tag) for tag in islice(tags, MAX_TAGS)], scripts


def _may_license(tag: str) -> bool:
    tag = tag.lower()
    return "license" in tag or "creativecommons.org/" in tag


# ------------------------------------------------------------------------------------------------ licences


def _code(stated: str) -> str:
    return code_of(stated) or stated


def _linked(header: str) -> str | None:
    """The first licence that a Link header names (RFC 8288, 3)."""
    for target, parameters in _LINK.findall(header):
        rel = _REL.search(f"{parameters}")
        if rel and "license" in (rel[1] or rel[2]).lower().split() and target.strip():
            return " ".join(target.split())[:MAX_TOLD]
    return None


def _in_json(scripts: Iterable[str]) -> Iterator[str]:
    """Licences that JSON-LD states of what is no picture or film: of the things at the top, or in the @graph."""
    room = MAX_JSON
    for script in scripts:
        room -= len(script)
        if room < 0:
            return
        try:
            things: list[Any] = [json.loads(script)]
        except (ValueError, RecursionError):
            continue
        for thing in things:
            if isinstance(thing, list):
                things += [part for part in thing if isinstance(part, dict)]
            elif isinstance(thing, dict):
                if isinstance(graph := thing.get("@graph"), list):
                    things += [part for part in graph if isinstance(part, dict)]
                if not _OF_PICTURES.search(str(thing.get("@type"))[:MAX_TOLD]):
                    yield from _values(thing.get("license"))


def _values(value: Any) -> Iterator[str]:
    """A licence as a text, as a thing with an address or a name, or a list of these."""
    for one in value if isinstance(value, list) else [value]:
        text = one.get("@id") or one.get("url") or one.get("name") if isinstance(one, dict) else one
        if isinstance(text, str) and 0 < len(text.strip()) <= MAX_TOLD:
            yield text.strip()


def _one(licences: Iterable[str]) -> str | None:
    """The licence, if all name the same: two are those of two things on the page, not of the page."""
    codes = {_code(stated) for stated in licences}
    return codes.pop() if len(codes) == 1 else None
