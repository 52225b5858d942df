"""What a forum engine is to us: how its pages are known, and where in them a post has its author, time and body.

An engine is data: XPath 1.0 expressions over what lxml makes of a page, so that the whole table can be read and checked by eye.
Where two expressions are given for one thing, the first that finds something is taken: engines change their markup with versions.
No rule names a host; a site that uses an engine is read as every other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from lxml import etree  # type: ignore[import-untyped, unused-ignore]

from plugins.scrapers.sites.prose import markdown

MAX_NAME = 120
"""Characters of an author's name or a time at most; what is longer is not one."""
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Post:
    """One post of a thread. `content` is Markdown; `time` is as the page states it, ISO 8601 where the markup has it so."""

    content: str
    author: str | None = None
    time: str | None = None
    answer: bool = False
    """Stands as an answer to the question (question-and-answer engines)."""
    accepted: bool = False
    votes: int | None = None

    @property
    def published(self) -> str | None:
        """Its time, where that is ISO 8601: others are written in the site's own zone and order."""
        return self.time if self.time and _ISO.fullmatch(self.time) else None


@dataclass(frozen=True, slots=True)
class Engine:
    """How one engine writes a thread."""

    name: str
    marks: tuple[str, ...]
    """XPaths on the page, any of which says that it is of this engine."""
    posts: tuple[str, ...]
    """The posts, in order."""
    body: tuple[str, ...]
    """From a post: its text; several elements are joined."""
    author: tuple[str, ...]
    """From a post: the author's name, as an attribute or an element's text."""
    time: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    """From a body: what is not the author's text."""
    quote: tuple[str, ...] = ()
    """From a body: quotes, besides `blockquote`."""
    answer: str | None = None
    """From a post: true where it is an answer."""
    accepted: str | None = None
    """From a post: true where the asker or the site accepted it."""
    votes: tuple[str, ...] = ()
    """From a post: a number."""
    threads: tuple[str, ...] = ()
    """Regular expressions on an address: groups `thread`, and `page` (a number from 1) or `start` (posts before it, from 0)."""
    boards: tuple[str, ...] = ()
    """Regular expressions on an address: a list of threads."""


def has(*names: str) -> str:
    """An XPath condition: the element has one of these classes.

    >>> has("post")
    "contains(concat(' ', normalize-space(@class), ' '), ' post ')"
    """
    return " or ".join(f"contains(concat(' ', normalize-space(@class), ' '), ' {name} ')" for name in names)


def generator(*names: str) -> str:
    """An XPath mark: `<meta name="generator">` begins with one of these."""
    return "//meta[@name='generator'][" + " or ".join(f"starts-with(@content, '{n}')" for n in names) + "]"


@cache
def compiled(expression: str) -> etree.XPath:
    """The expression, compiled once a process. Its strings know the element they come from."""
    return etree.XPath(expression)


def results(node: Any, expression: str) -> list[Any]:
    """What an expression finds, as a list; a number, string or truth value alone in it."""
    result = compiled(expression)(node)
    return result if isinstance(result, list) else [result] if result else []


def every(node: Any, expressions: Iterable[str]) -> set[Any]:
    """All that any of these find."""
    return {element for expression in expressions for element in results(node, expression)}


def short_of(node: Any, expressions: Iterable[str], *, limit: int = MAX_NAME) -> str | None:
    """The first text of at most `limit` characters that these find."""
    return next(
        (text for e in expressions for item in results(node, e) if (text := words(item, limit=limit))), None
    )


def words(item: Any, *, limit: int = MAX_NAME) -> str | None:
    """A name or time on one line; None where it is empty or too long to be one."""
    raw = item if isinstance(item, str) else "".join(item.itertext())
    text = " ".join(raw.split()).strip(" \u200b\u200e\u200f,·•|«»")
    return text if 0 < len(text) <= limit else None


def is_of(engine: Engine, tree: Any) -> bool:
    """Whether a page bears a mark of this engine."""
    return any(compiled(mark)(tree) for mark in engine.marks)


def read(engine: Engine, tree: Any, *, keep_quotes: bool = True) -> list[Post]:
    """The posts of a page that have text, in its order."""
    elements = next((posts for posts in (results(tree, e) for e in engine.posts) if posts), [])
    within = set(elements)
    nested = any(ancestor in within for post in elements for ancestor in post.iterancestors())
    return [
        post
        for element in elements
        if (post := _Reader(engine, element, within if nested else set()).post(keep_quotes=keep_quotes))
    ]


class _Reader:
    """One post of a page; what lies in a post inside it is that one's, not its own."""

    def __init__(self, engine: Engine, element: Any, posts: set[Any]) -> None:
        self.engine, self.element, self.posts = engine, element, posts

    def post(self, *, keep_quotes: bool) -> Post | None:
        """The post, if it has text."""
        engine = self.engine
        bodies = _outermost(next((found for e in engine.body if (found := self.own(e))), []))
        content = "\n\n".join(self._content(body, keep_quotes=keep_quotes) for body in bodies).strip()
        if not content:
            return None
        return Post(
            content,
            author=self.short(engine.author),
            time=self.short(engine.time),
            answer=bool(engine.answer and compiled(engine.answer)(self.element)),
            accepted=bool(engine.accepted and compiled(engine.accepted)(self.element)),
            votes=number(self.short(engine.votes)),
        )

    def own(self, expression: str) -> list[Any]:
        """What an expression finds in this post, those inside it left out."""
        found = results(self.element, expression)
        return [item for item in found if self._is_own(item)] if self.posts else found

    def short(self, expressions: Iterable[str]) -> str | None:
        """The first short text that these find: a name, a time, a number."""
        return next((text for e in expressions for item in self.own(e) if (text := words(item))), None)

    def _is_own(self, item: Any) -> bool:
        node: Any = item
        node = node.getparent() if isinstance(item, str) else node
        while node is not None and node is not self.element:
            if node in self.posts:
                return False
            node = node.getparent()
        return True

    def _content(self, body: Any, *, keep_quotes: bool) -> str:
        drop, quoted = every(body, self.engine.drop), every(body, self.engine.quote)
        return markdown([body], drop=drop | self.posts, quoted=quoted, keep_quotes=keep_quotes)


def _outermost(elements: Sequence[Any]) -> list[Any]:
    """Without those that lie within others of them."""
    if len(elements) < 2:
        return list(elements)
    chosen = set(elements)
    return [e for e in elements if not any(a in chosen for a in e.iterancestors())]


def number(text: str | None) -> int | None:
    """The whole number a count says.

    >>> number("1,204 points"), number("-3"), number("Vote"), number(None)
    (1204, -3, None, None)
    """
    match = re.search(r"[-\u2212+]?\d[\d,. ]{0,12}", text or "")
    digits = re.sub(r"[^\d-]", "", match[0].replace("\u2212", "-").rstrip(".,")) if match else ""
    return int(digits) if digits.strip("-") else None


def byline(author: str | None, time: str | None, style: str) -> str:
    r"""The line above a post, with its line end; empty where there is nothing to say.

    >>> byline("Ann", "2024-05-01", "author-time"), byline(None, None, "author")
    ('Ann, 2024-05-01\n', '')
    """
    said = {"author": (author,), "author-time": (author, time), "none": ()}[style]
    line = ", ".join(item for item in said if item)
    return f"{line}\n" if line else ""
