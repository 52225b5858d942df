"""The text of a chapter's page on a fiction site. Runs in the child that may crash.

The text is the element whose own paragraphs (or lines parted by <br>) hold the most words that are not links, with its brothers of the same
class where a page cuts a chapter in pieces. Of what is inside, the following goes: navigation, share bars, comments and the like, by the words
of their class and id, but where nothing else holds a chapter, not those with more than half of the page's words; what the page's own style hides, where some sites put
sentences for those who copy them; blocks at either end that are mostly links; authors' notes, unless they are wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

MIN_TEXT = 200
"""Characters below which the page is no chapter, and the general extractor is asked."""

_FURNITURE = frozenset(
    "ad ads advert advertisement adsense banner breadcrumb breadcrumbs button buttons comment comments cookie disqus donate donation footer jp landmark"  # noqa: SIM905
    " like likes menu modal nav navbar navigation navlinks newsletter pager pagination patreon popup prev print promo rate rating ratings"
    " recommend related report respond review reviews screen share sharedaddy sharing sidebar social subscribe support tags toc toolbar topbar vote"
    " votes widget".split()
)
"""Words of a class or id that name what stands around a text."""
_TAGS = frozenset({
    "aside",
    "button",
    "dialog",
    "footer",
    "form",
    "iframe",
    "input",
    "nav",
    "noscript",
    "script",
    "select",
    "style",
    "svg",
    "template",
})
_NOTE = re.compile(
    r"(?:^|[\s_-])(?:authors?[\s_-]?s?[\s_-]?notes?|(?:pre|post|end|start|foot|chapter|begin(?:ning)?)[\s_-]?notes?|notes?)(?:$|[\s_-])",
    re.IGNORECASE,
)
_NOTE_TEXT = re.compile(r"[\W_]*(?:a\s*/\s*n\b|author[’'`]?s?[’']?\s+notes?\b)", re.IGNORECASE)
_WAY = re.compile(
    r"(?:next|prev|previous|first|last|chapter|chapters|table|of|contents|toc|index|home|back|to|top|←|→|«|»|‹|›|<|>|\||-|·|\d|\s)+\Z",
    re.IGNORECASE,
)


def text_of(html: str, *, notes: bool) -> str | None:
    """The chapter as Markdown, as `plugins.scrapers.sites.prose` writes it; None where no element holds MIN_TEXT characters of it."""
    from lxml import etree  # type: ignore[import-untyped, unused-ignore]

    from plugins.scrapers.sites.prose import markdown

    root = etree.fromstring(
        html.replace("\0", "").encode("utf-8", "replace"), etree.HTMLParser(encoding="utf-8")
    )
    if root is None:
        return None
    nodes = list(root.iter(etree.Element))  # held, so that they keep their ids
    order = {id(element): n for n, element in enumerate(nodes)}
    hidden = _hidden(html)
    for element in nodes:
        if element.tag == "hr":
            element.tag, element.text = "p", "* * *"
    total = sum(_weight(element) for element in nodes if element.tag in _HOLDERS)
    around = [e for e in nodes if _is_furniture(e) or _is_hidden(e, hidden)]
    said = [e for e in nodes if _NOTE.search(_named(e))]
    best, outside, marked = None, dict[int, Any](), dict[int, Any]()
    # Comments may outweigh a chapter; but where nothing else is one, it stands in what only sounds like them.
    for share in (1.0, 0.95, 0.5):
        outside, marked = ({id(e): e for e in some if _inside(e) <= share * total} for some in (around, said))
        holders = (e for e in nodes if e.tag in _HOLDERS and not _under(e, outside, marked))
        best = max(holders, key=_weight, default=None)
        if best is not None and _weight(best) >= MIN_TEXT:
            break
    else:
        return None
    drop = {**outside, **{id(e): e for e in _ends(best)}}
    pieces = _pieces(best)
    if notes:
        inner = {id(piece): piece for piece in pieces}
        pieces += [
            e for e in marked.values() if not _under(e, inner, outside) and not _under(e.getparent(), marked)
        ]
    else:
        drop |= marked
        drop |= {id(e): e for e in best.iter("p") if _NOTE_TEXT.match("".join(e.itertext()))}
    roots = sorted((e for e in pieces if id(e) not in drop), key=lambda e: order[id(e)])
    text = markdown(roots, drop=set(drop.values()))
    return text if len(text) >= MIN_TEXT else None


_STYLE = re.compile(r"<style\b[^<>]{0,500}>([^<]{0,200000})", re.IGNORECASE)
_HIDES = re.compile(r"([^{}]{1,500})\{[^{}]{0,2000}display\s*:\s*none", re.IGNORECASE)
_NONE = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_HOLDERS = ("div", "article", "section", "main", "td", "body", "center", "font", "blockquote", "span")


def _weight(element: Any) -> int:
    """Characters that stand in the element itself or in its paragraphs, links aside."""
    own = len((element.text or "").strip())
    for child in element:
        if child.tag in {"p", "blockquote", "ul", "ol", "pre"} and element.tag != "span":
            own += _length(child) - sum(map(_length, child.iter("a")))
        elif child.tag in {"br", "em", "i", "b", "strong", "span"}:
            own += _length(child) if child.tag != "br" else 0
        own += len((child.tail or "").strip())
    return own


def _length(element: Any) -> int:
    return sum(len(text.strip()) for text in element.itertext() if isinstance(text, str))


def _inside(element: Any) -> int:
    return sum(map(_weight, element.iter(*_HOLDERS))) + (_length(element) if element.tag == "p" else 0)


def _named(element: Any) -> str:
    return f"{element.get('class') or ''} {element.get('id') or ''}"


def _is_furniture(element: Any) -> bool:
    if element.tag in {"html", "body"}:
        return False
    return element.tag in _TAGS or not _FURNITURE.isdisjoint(re.split(r"[\s_-]+", _named(element).lower()))


def _hidden(html: str) -> frozenset[str]:
    """Classes that a <style> of the page hides."""
    styles = " ".join(_STYLE.findall(html))
    return frozenset(
        name for selector in _HIDES.findall(styles) for name in re.findall(r"\.([\w-]+)", selector)
    )


def _is_hidden(element: Any, hidden: frozenset[str]) -> bool:
    shown = not _NONE.search(element.get("style") or "") and element.get("hidden") is None
    return not shown or not hidden.isdisjoint((element.get("class") or "").split())


def _under(element: Any, *groups: dict[int, Any]) -> bool:
    """Whether the element or one above it is in any of the groups."""
    while element is not None:
        if any(id(element) in group for group in groups):
            return True
        element = element.getparent()
    return False


def _pieces(best: Any) -> list[Any]:
    """The element, and its brothers of the same tag and class: a chapter that advertisements cut in pieces."""
    parent = best.getparent()
    named = best.get("class")
    alike = (
        [e for e in parent if e.tag == best.tag and e.get("class") == named]
        if parent is not None and best.tag != "body"
        else [best]
    )
    return (
        [e for e in alike if _weight(e)]
        if len(alike) > 1 and named is not None and not best.get("id")
        else [best]
    )


def _ends(best: Any) -> Iterator[Any]:
    """Blocks at either end that are mostly links, and those anywhere that only show the way."""
    blocks = [e for e in best if isinstance(e.tag, str)]
    for run in (blocks, blocks[::-1]):
        for block in run:
            if not (
                block.tag in {"p", "div", "center", "ul", "table", "span", "a", "h6"} and _is_linky(block)
            ):
                break
            yield block
    for block in blocks:
        text = "".join(block.itertext())
        if (
            block.tag in {"p", "div", "center", "a"}
            and len(text) < 200
            and text.strip()
            and block.find(".//a") is not None
            and _WAY.match(text)
        ):
            yield block


def _is_linky(block: Any) -> bool:
    links: Iterable[Any] = [block] if block.tag == "a" else block.iter("a")
    length = _length(block)
    return 2 * sum(map(_length, links)) >= length and (length > 0 or block.tag in {"p", "div"})
