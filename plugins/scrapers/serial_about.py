"""What a page of a fiction site says of itself: which chapter of which work it is, and where the next one is.

No rule names a site. All is read from tags by regular expressions with bounded repeats, over the first MiB: this runs where a hostile page must not
crash a parser, outside of the child that reads its text (`serial_text.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote, urljoin, urlsplit

MAX_HEAD = 1 << 20
"""Characters of a page that are searched."""
VOLUME = 100_000
"""Positions of a volume: "Volume 2, Chapter 3" stands at 200 003, since chapters are often counted anew."""
MAX_VOLUME = (1 << 31) // VOLUME - 1
"""A position has 32 bits; "Book 30000" is no volume's number anyway."""


# ------------------------------------------------------------------------------------------------ numbers

_ROMAN = r"(?=[ivxlcdm])m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})"
_ONES = (  # noqa: SIM905  easier to read
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_WORDS = {word: n for n, word in enumerate(_ONES)}
_WORDS |= {ten: 20 + 10 * n for n, ten in enumerate(_TENS)}
_WORDS |= {
    f"{ten}-{one}": 20 + 10 * n + m for n, ten in enumerate(_TENS) for m, one in enumerate(_ONES[1:10], 1)
}
_NUMBER = rf"(?:(?P<{{0}}d>\d{{{{1,5}}}})|(?P<{{0}}w>(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_ONES[1:10])})|{'|'.join(sorted(_WORDS, key=len, reverse=True))})|(?P<{{0}}r>{_ROMAN.replace('{', '{{').replace('}', '}}')}))(?![\w])"
_CHAPTER_WORDS = "chapter|chapt|chap|ch|kapitel|chapitre|cap[ií]tulo|capitolo|hoofdstuk|глава|rozdział"
_GAP = r"\s*[-_.:#№]{0,2}\s*"
_CHAPTER = re.compile(rf"(?<![^\W_])(?:{_CHAPTER_WORDS}){_GAP}{_NUMBER.format('c')}", re.IGNORECASE)
_EPISODE = re.compile(
    rf"(?<![^\W_])(?:episode|ep|part|teil|partie|parte){_GAP}{_NUMBER.format('c')}", re.IGNORECASE
)
_BOOK = re.compile(
    rf"(?<![^\W_])(?:volume|vol|book|arc|band|tome|libro){_GAP}{_NUMBER.format('c')}", re.IGNORECASE
)
_CJK = re.compile(r"第\s*(\d{1,5})\s*[章话話回节節]")
_DOTTED = re.compile(r"(?<![\d.])(\d{1,3})[.](\d{1,3})(?![\d.])\s*\Z")
_SMALL = "(?=[ivx]|l[ivx])(?:xl|l?x{0,3})(?:ix|iv|v?i{0,3})"
_LEADING = re.compile(rf"\s*(?:(?P<d>\d{{1,5}})|(?P<r>{_SMALL}|{_SMALL.upper()}))(?:\s*[.:)–—-]|\s*\Z)")
"""A number that opens a title; a Roman one in one case and below ninety, since "Mix" and "Di" are words."""
_PROLOGUE = re.compile(r"(?<!\w)(?:prologue|prolog|prelude|prólogo|пролог)(?!\w)", re.IGNORECASE)
_IN_URL = re.compile(
    r"(?:^|[^a-z0-9])(?:chapter|chapt|chap|ch|c|episode|ep|part|kapitel)[-_/.]?(\d{1,4})(?![0-9a-z])",
    re.IGNORECASE,
)
_PLACES = "chapter|chapters|chap|ch|episode|episodes|kapitel"
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}


def chapter_of(*titles: str | None, url: str | None = None) -> int | None:
    """The chapter's place in its work, by the first title that says it, else by the address; a prologue is 0, what says nothing None.

    >>> (
    ...     chapter_of("The Long Road - Chapter Twenty-One"),
    ...     chapter_of("Book II, Ch. 3"),
    ...     chapter_of("IV. The Door"),
    ... )
    (21, 200003, 4)
    >>> (
    ...     chapter_of("Home"),
    ...     chapter_of("The Door", url="https://a.example/road/chapter-12-the-door"),
    ...     chapter_of("Gestation 1.3"),
    ... )
    (None, 12, 100003)
    """
    for title in filter(None, titles):
        text = " ".join(title.split())[:500]
        for pattern in (_CHAPTER, _EPISODE):
            if found := pattern.search(text):
                book = _BOOK.search(text)
                return (VOLUME * min(_value(book), MAX_VOLUME) if book else 0) + _value(found)
        if found := _CJK.search(text):
            return int(found[1])
        if _PROLOGUE.search(text):
            return 0
        if found := _DOTTED.search(text):
            return VOLUME * int(found[1]) + int(found[2])
        if found := _LEADING.match(text):
            return int(found["d"]) if found["d"] else _roman(found["r"])
    found = _IN_URL.search(unquote(urlsplit(url).path)) if url else None
    return int(found[1]) if found else None


def _value(found: re.Match[str]) -> int:
    if found["cd"]:
        return min(int(found["cd"]), VOLUME - 1) if len(found["cd"]) < 6 else 0
    return _WORDS[found["cw"].lower().replace(" ", "-")] if found["cw"] else _roman(found["cr"])


def _roman(numeral: str) -> int:
    """The value of a Roman numeral.

    >>> _roman("XLIV")
    44
    """
    values = [_VALUES[letter] for letter in numeral.lower()]
    return sum(-value if value < max(values[n:]) else value for n, value in enumerate(values))


# ------------------------------------------------------------------------------------------------ what a page says of itself


@dataclass(frozen=True, slots=True)
class About:
    """Which chapter of which work a page is."""

    work: str | None
    """A name that all chapters of the work share; None where the page gives none."""
    title: str | None
    number: int | None
    url: str | None
    """The page's own address, where it states it or it was given."""
    following: str | None
    """Address of the next chapter."""


_META = re.compile(r"<(?:meta|link)\b([^<>]{0,2000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_BASE = re.compile(r"<base\b([^<>]{0,2000})>", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^<>]{0,500}>([^<]{0,1000})", re.IGNORECASE)
_HEADING = re.compile(r"<h([123])\b[^<>]{0,500}>(.{0,400}?)</h\1\s*>", re.IGNORECASE | re.DOTALL)
_ANCHOR = re.compile(r"<a\b([^<>]{0,2000})>(.{0,400}?)</a\s*>", re.IGNORECASE | re.DOTALL)
_INLINE = re.compile(r"</?(?:a|abbr|b|em|font|i|small|span|strong|sup|sub|u)\b[^<>]{0,2000}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>|<!--.{0,2000}?-->", re.DOTALL)
_CRUMBS = re.compile(r"<\w+\b[^<>]{0,500}breadcrumb[^<>]{0,500}>(.{0,4000})", re.IGNORECASE | re.DOTALL)
_NEXT = re.compile(
    r"(?:[\W_]*(?:read\s+)?next(?:\s+(?:chapter|part|episode|page|update))?(?:\s*[:»›→>].{0,80})?|nächstes\s+kapitel|chapitre\s+suivant"
    r"|capítulo\s+siguiente|следующая\s+глава|下一[章页頁])[\W_]*\Z",
    re.IGNORECASE,
)
_HOME = re.compile(
    r"(?:home|start|index|browse|fiction|fictions|stories|novels?|library|books?|all|main page|forums?)\Z",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\s+[-–—|»·•:]{1,2}\s+|\s*[|»]\s*|::")
_DATED = re.compile(r"/(?:19|20)\d\d(?:/\d{1,2}){0,2}\Z")


def about(html: str, url: str | None = None) -> About:
    """What a decoded page says of itself; `url` is where it came from."""
    page = html[:MAX_HEAD]
    meta: dict[str, str] = {}
    links: dict[str, str] = {}
    for attributes in map(_attributes, _META.findall(page)):
        key = (attributes.get("property") or attributes.get("name") or "").lower()
        if key and attributes.get("content", "").strip():
            meta.setdefault(key, " ".join(attributes["content"].split()))
        for relation in attributes.get("rel", "").lower().split():
            links.setdefault(relation, attributes.get("href", ""))
    stated = links.get("canonical") or meta.get("og:url") or ""
    own = url or (stated if stated.startswith(("http://", "https://")) else None)
    found = _TITLE.search(page)
    titles = [text for _, inner in _HEADING.findall(page)[:8] if (text := words(inner))]
    page_title = words(found[1]) if found else meta.get("og:title")
    site, shown = meta.get("og:site_name"), [title for title in titles if _marked(title)]
    if (
        len({chapter_of(title) for title in shown}) > 1
    ):  # a whole work on one page, or a list of its chapters beside one
        titles = [title for title in titles if title not in shown]
    told = [title for title in (*titles, meta.get("og:title"), page_title) if title and title != site]
    marked = [title for title in told if _marked(title)]
    number = chapter_of(*marked, *told[:1], page_title, url=own)
    best = (
        next(iter(marked), None)
        or next((title for title in told if _DOTTED.search(title)), None)
        or next(iter(told), site)
    )
    return About(
        _work(page, meta, own, page_title or meta.get("og:title")),
        _without(best, site),
        number,
        own,
        next_of(page, links, own),
    )


def words(markup: str) -> str:
    """The words of a piece of markup, on one line."""
    return " ".join(unescape(_TAG.sub(" ", _INLINE.sub("", markup))).replace("\0", "").split())


def _attributes(tag: str) -> dict[str, str]:
    return {name.lower(): unescape(a or b or c) for name, a, b, c in reversed(_ATTRIBUTE.findall(tag))}


def _marked(title: str) -> bool:
    return any(pattern.search(title) for pattern in (_CHAPTER, _EPISODE, _CJK, _PROLOGUE))


def _without(title: str | None, site: str | None) -> str | None:
    """A title without the name of the site behind it."""
    parts = _BETWEEN.split(title) if title else []
    return (
        title[: -len(parts[-1])].rstrip(" -–—|»·•:")
        if title and site and len(parts) > 1 and parts[-1] == site
        else title
    )


def next_of(page: str, links: dict[str, str], url: str | None) -> str | None:
    """The next chapter: <link rel=next>, <a rel=next>, or the first link that reads "Next", "Next Chapter" or so; absolute where `url` is known."""
    href = links.get("next")
    for attributes, inner in (
        ((_attributes(tag), inner) for tag, inner in _ANCHOR.findall(page)) if not href else ()
    ):
        text = words(inner) or attributes.get("title", "") or attributes.get("aria-label", "")
        if "next" in attributes.get("rel", "").lower().split() or _NEXT.match(text):
            target = attributes.get("href", "").strip()
            if target and not target.startswith("#") and not target.lower().startswith("javascript:"):
                href = target
                break
    if not href:
        return None
    try:
        base = _BASE.search(page)
        above = urljoin(url, _attributes(base[1]).get("href", "")) if url and base else url
        target = urljoin(above, href) if above else href
    except ValueError:
        return None
    return None if url and target.partition("#")[0] == url.partition("#")[0] else target


def _work(page: str, meta: dict[str, str], url: str | None, title: str | None) -> str | None:
    """The work's name in a form that its chapters share: what the site says outright; the address above "chapter"; the last crumb that is
    neither home nor chapter; what the title holds besides the chapter and the site."""
    for key in ("og:novel:novel_name", "og:book:title", "book:title"):
        if key in meta:
            return meta[key]
    if url and (above := _above(url)):
        return above
    if found := _CRUMBS.search(page):
        trail = re.split(r"</(?:nav|ol|ul)\s*>", found[1], maxsplit=1, flags=re.IGNORECASE)[0]
        crumbs = [text for _, inner in _ANCHOR.findall(trail) if (text := words(inner))]
        crumbs = [text for text in crumbs if not _HOME.match(text) and not _marked(text)]
        if crumbs:
            return crumbs[-1]
    site = meta.get("og:site_name")
    parts = [part.strip() for part in _BETWEEN.split(title or "") if part.strip()]
    other = [part for part in parts if not _marked(part) and part != site]
    if any(map(_marked, parts)) and other:
        return other[0]
    return site or (parts[-1] if len(parts) > 1 else None)


def _above(url: str) -> str | None:
    """The address above a segment that says "chapter", without the scheme: "a.example/fiction/12/the-road"; None where it names no work."""
    parts = urlsplit(url)
    segments = [part for part in parts.path.split("/") if part]
    for n, segment in enumerate(segments):
        if n and (re.fullmatch(_PLACES, segment, re.IGNORECASE) or _IN_URL.match(segment)):
            path = "/" + "/".join(segments[:n])
            return (
                None
                if _DATED.search(path) or _HOME.match(segments[n - 1])
                else f"{parts.netloc.lower()}{path}"
            )
    return None
