"""A page's elements in document order, with what tells posts: words, names, times, and which elements are alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from plugins.scrapers.sites.landmarks import is_author, is_time
from plugins.scrapers.sites.prose import SKIPPED

MAX_ELEMENTS = 60_000
"""A page of more is not looked at: the work grows with elements times classes."""
MAX_SHORT = 80
"""Characters of a text that may be a name or a time."""
MAX_PIECES = 40
"""Pieces of it."""

DIGITS = re.compile(r"\d+")
_APART = frozenset({"nav", "footer", "menu"})
# Banners of consent, which may hold more words than the page; signatures and marks of editing.
_NO_POSTS = re.compile(
    r"cookie|consent|gdpr|privacy-|(?:^|[\s_-])(?:sig|signature|usersig|postsig|last-?edit(?:ed)?|edited)(?:$|[\s_-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Outline:
    """Of each element by its number in document order; `ends` is the number after its subtree.

    `words`, `times` and `authors` are running sums: what a subtree has of them is one subtraction.
    """

    elements: list[Any]
    parents: list[int]
    ends: list[int]
    keys: list[list[str]]
    """What it may be alike in with others."""
    texts: list[str]
    """Its own text, that of its children aside; empty within links."""
    words: list[int]
    times: list[int]
    authors: list[int]
    apart: list[Any]
    """Elements that hold no part of a post, and have no number."""

    def within(self, sums: list[int], number: int) -> int:
        """The total of a subtree."""
        return sums[self.ends[number]] - sums[number]

    def at(self, sums: list[int], number: int) -> int:
        """The value of one element."""
        return sums[number + 1] - sums[number]

    def has_landmark(self, number: int) -> bool:
        """Whether a subtree names an author or a time."""
        return bool(self.within(self.times, number) or self.within(self.authors, number))


def outline(tree: Any) -> Outline | None:
    """The outline of a page's body; None where it has none, or too many elements."""
    body = tree.find("body") if tree.tag == "html" else tree
    if body is None:
        return None
    elements: list[Any] = []
    parents: list[int] = []
    keys: list[list[str]] = []
    texts: list[str] = []
    numbers: dict[Any, int] = {}
    apart: list[Any] = []
    for element, linked in _visible(body, apart):
        if len(elements) >= MAX_ELEMENTS:
            return None
        parent = numbers.get(element.getparent(), -1)
        numbers[element] = len(elements)
        elements.append(element)
        parents.append(parent)
        keys.append(_keys(element, keys[parent][0] if parent >= 0 else ""))
        texts.append("" if linked else _own_text(element))
    ends, times, authors = _landmarks(elements, parents)
    words, timed, named = (
        list(accumulate(values, initial=0)) for values in (map(len, texts), times, authors)
    )
    return Outline(elements, parents, ends, keys, texts, words, timed, named, apart)


def _landmarks(elements: list[Any], parents: list[int]) -> tuple[list[int], list[int], list[int]]:
    """The end of each subtree, and 1 for each time and each author; of a landmark within another, the inner one counts."""
    ends = [number + 1 for number in range(len(elements))]
    times, authors = [0] * len(elements), [0] * len(elements)
    timed, named = [False] * len(elements), [False] * len(elements)
    for number in range(len(elements) - 1, -1, -1):
        text = _short_text(elements[number])
        if is_time(elements[number], text):
            times[number] = int(not timed[number])
        elif is_author(elements[number], text):
            authors[number] = int(not named[number])
        if (parent := parents[number]) >= 0:
            ends[parent] = max(ends[parent], ends[number])
            timed[parent] |= timed[number] or bool(times[number])
            named[parent] |= named[number] or bool(authors[number])
    return ends, times, authors


def _is_apart(element: Any) -> bool:
    """Whether an element holds no part of a post, by its tag or its names."""
    return element.tag in _APART or bool(_NO_POSTS.search(f"{element.get('id')} {element.get('class')}"))


def _visible(body: Any, apart: list[Any]) -> Iterator[tuple[Any, bool]]:
    """Elements in order, and whether they lie in a link; those that hold no posts go to `apart`."""
    stack = [(body, False)]
    while stack:
        element, linked = stack.pop()
        yield element, linked
        for child in reversed(element):
            if not isinstance(child.tag, str) or child.tag in SKIPPED:
                continue
            if _is_apart(child):
                apart.append(child)
            else:
                stack.append((child, linked or child.tag == "a"))


def _own_text(element: Any) -> str:
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    return " ".join(" ".join(pieces).split())


def _short_text(element: Any) -> str:
    """The element's whole text if it is short, else nothing."""
    pieces: list[str] = []
    size = 0
    for text in element.itertext():
        pieces.append(text)
        size += len(text.strip())
        if size > MAX_SHORT or len(pieces) > MAX_PIECES:
            return ""
    return " ".join("".join(pieces).split())


def _keys(element: Any, parent: str) -> list[str]:
    tag = element.tag
    keys = [f"{tag}.{DIGITS.sub('#', name)}" for name in (element.get("class") or "").split()[:8]]
    identity = element.get("id") or ""
    if any(character.isdigit() for character in identity):
        keys.append(f"{tag}#{DIGITS.sub('#', identity)}")
    if role := element.get("component") or element.get("data-testid"):
        keys.append(f"{tag}@{DIGITS.sub('#', role)}")
    return keys or [f"{parent if len(parent) < 80 else ''}>{tag}"]
