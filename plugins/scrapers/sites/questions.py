"""A page's question and what it calls answers, from an engine's markup or from schema.org's QAPage (JSON-LD, microdata).

schema.org/QAPage: `mainEntity` is a Question with `name`, `text`, `acceptedAnswer` and `suggestedAnswer`, each one or a list of Answers with
`text` (plain or HTML), `author`, `upvoteCount`, `dateCreated` or `datePublished`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

from plugins.scrapers.sites.engine import Post, is_of, number, read, results, short_of, words
from plugins.scrapers.sites.microdata import MICRODATA, typed
from plugins.scrapers.sites.prose import markdown
from plugins.scrapers.sites.stack_exchange import STACK_EXCHANGE
from plugins.scrapers.sites.tree import cleaned, parsed

MAX_JSON = 4 << 20
"""Characters of JSON-LD looked at."""
_CUT = re.compile(r"(?:\u2026|\.\.\.)\s*\Z")
_TAG = re.compile(r"<(?:p|br|a|div|ul|ol|li|pre|code|blockquote|strong|em|span|h\d)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its title, and its answers in the order of the page."""

    title: str | None
    question: Post
    answers: list[Post]


def question_of(tree: Any) -> Asked | None:
    """The page's question with its answers; None where it asks none."""
    stated = _linked(tree)
    for engine in (STACK_EXCHANGE, None, MICRODATA):
        if engine is None:
            if stated and stated.answers:
                return stated
        elif is_of(engine, tree):
            posts = read(engine, tree)
            if engine is MICRODATA:
                posts = _items(tree)
            questions = [post for post in posts if not post.answer]
            if questions and (engine is STACK_EXCHANGE or any(post.answer for post in posts)):
                return Asked(_title(tree), questions[0], [post for post in posts if post.answer])
    return stated


def _items(tree: Any) -> list[Post]:
    """The Question and the Answers of microdata, comments on them left out."""

    def outside(expressions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"({expression})[not(ancestor::*[{typed('Comment')}])]" for expression in expressions)

    engine = replace(
        MICRODATA,
        posts=(f"//*[@itemscope][{typed('Question', 'Answer')}]",),
        body=outside(MICRODATA.body),
        author=outside(MICRODATA.author),
        time=outside(MICRODATA.time),
        votes=outside(MICRODATA.votes),
        drop=(f".//*[@itemscope][{typed('Comment')}]",),
    )
    return read(engine, tree)


def _title(tree: Any) -> str | None:
    return short_of(
        tree,
        (
            f"//*[@itemscope][{typed('Question')}]/meta[@itemprop='name']/@content",
            "//*[@id='question-header']//h1",
            f"//*[@itemscope][{typed('Question')}]//*[@itemprop='name'][not(ancestor::*[@itemprop='author'])][self::h1 or self::h2 or self::a]",
            "//h1",
        ),
        limit=300,
    )


# ------------------------------------------------------------------------------------------------ JSON-LD


def _linked(tree: Any) -> Asked | None:
    """The QAPage that a page states in JSON-LD."""
    for script in results(tree, "//script[contains(@type, 'ld+json')]"):
        for node in _nodes(_json(script.text or "")):
            question = _first(node.get("mainEntity")) if _is(node, "QAPage") else node
            if not isinstance(question, dict) or not _is(question, "Question"):
                continue
            asked = _answer(question)
            answers = [
                replace(post, answer=True, accepted=key == "acceptedAnswer")
                for key in ("acceptedAnswer", "suggestedAnswer")
                for item in _list(question.get(key))
                if isinstance(item, dict) and (post := _answer(item))
            ]
            if asked:
                return _whole(
                    tree, Asked(words(unescape(_text(question.get("name"))), limit=300), asked, answers)
                )
    return None


def _json(text: str) -> Any:
    try:
        return json.loads(text[:MAX_JSON].strip().rstrip(";"), strict=False)
    except (ValueError, RecursionError):  # what a site writes wrong states nothing
        return None


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """The objects at the top, in lists and under @graph."""
    for item in _list(value):
        if isinstance(item, dict):
            yield item
            yield from (inner for inner in _list(item.get("@graph")) if isinstance(inner, dict))


def _answer(item: dict[str, Any]) -> Post | None:
    content = _prose(_text(item.get("text")) or _text(item.get("articleBody")))
    author = _first(item.get("author"))
    name = _text(author.get("name")) if isinstance(author, dict) else _text(author)
    time = _text(item.get("dateCreated")) or _text(item.get("datePublished"))
    votes = number(_text(item.get("upvoteCount")))
    return Post(content, author=words(name), time=words(time), votes=votes) if content else None


def _prose(text: str) -> str:
    """A text that may be HTML, and may be HTML with plain line ends, as Markdown."""
    if not _TAG.search(text):
        return "\n\n".join(p.strip() for p in re.split(r"\n\s*\n", unescape(text)) if p.strip())
    tree = parsed(
        text if re.search(r"<(?:p|br|div|ul|ol|pre)\b", text, re.IGNORECASE) else text.replace("\n", "<br>")
    )
    return "" if tree is None else markdown([tree])


def _whole(tree: Any, asked: Asked) -> Asked:
    """The same with texts from the page's posts, where JSON-LD cut them short."""
    from plugins.scrapers.sites import posts_of

    if not any(_CUT.search(post.content) for post in (asked.question, *asked.answers)):
        return asked
    shown = {(post.author, (post.time or "")[:19]): post.content for post in posts_of(tree)[1] if post.time}

    def full(post: Post) -> Post | None:
        content = shown.get((post.author, (post.time or "")[:19]))
        return replace(post, content=content) if content else None if _CUT.search(post.content) else post

    answers = [whole for post in asked.answers if (whole := full(post))]
    return Asked(asked.title, full(asked.question) or asked.question, answers)


def _is(node: dict[str, Any], kind: str) -> bool:
    return kind in [str(t).rpartition("/")[2] for t in _list(node.get("@type"))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _first(value: Any) -> Any:
    return next(iter(_list(value)), None)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return cleaned(value)
    return str(value) if isinstance(value, int | float) else ""
