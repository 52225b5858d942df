"""Which blocks of a page are main content: those whose words trafilatura takes.

Trafilatura chooses well and writes badly: it loses code's blank lines and indentation, and flattens lists. So its text serves as a judgement only: the
page is cut into runs of text between block elements, and a run stays where the words of trafilatura's text hold its words, three in a row.

    a run of         stays where
    3 words or more  at least 60 % of its word trigrams stand in trafilatura's text
    1 or 2 words     a trigram with the words before or behind it does
    code             60 % of its trigrams do, or the run before it or behind it stays, or it stands in the element that holds main content: trafilatura
                     drops blocks that are all symbols
    a heading        what follows it stays; and so does a line of 12 words at most before code

Rejected: marking elements before trafilatura and finding the marks in its output (it rewrites, moves and merges elements); resiliparse's rules on the
tree (F1 lower by .05); a copy of trafilatura's rules (they are 3,000 lines, and the fallbacks as many).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_WORD = re.compile(r"\w+")
SHARE = 0.6
"""Of the trigrams of a run, which trafilatura's text must hold."""
REGION = 0.9
"""Of the words that stay, which the smallest element around the main content must hold."""
LEAD_WORDS = 12
"""The most words of a line that leads over to code."""
BLOCKS = frozenset([
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
])
SILENT = frozenset([
    "script",
    "style",
    "noscript",
    "template",
    "head",
    "iframe",
    "object",
    "embed",
    "canvas",
    "svg",
    "select",
    "textarea",
    "button",
    "input",
    "datalist",
    "audio",
    "video",
    "map",
])


@dataclass(slots=True)
class Run:
    """Text between two block boundaries, or a code block."""

    places: list[tuple[Any, str]] = field(default_factory=list)
    """Where its text stands: an element, and "text" or "tail"."""
    words: list[str] = field(default_factory=list)
    code: Any = None
    """The element of a code block."""
    main: bool = False


def runs(body: Any, blocks: set[Any], text_of: Any) -> list[Run]:
    """The runs of a page in order; `blocks` are its code blocks, whose text `text_of` gives."""
    made: list[Run] = []
    run = Run()

    def add(element: Any, place: str, text: str | None) -> None:
        if text and text.strip():
            run.places.append((element, place))
            run.words += words_of(text)

    def close() -> None:
        nonlocal run
        if run.places:
            made.append(run)
        run = Run()

    waiting: list[tuple[Any, bool]] = [(body, False)]
    while waiting:
        element, leaving = waiting.pop()
        named = isinstance(element.tag, str)
        if not leaving and element in blocks:
            close()
            made.append(Run(code=element, words=words_of(text_of(element))))
        elif not leaving and named and element.tag not in SILENT:
            if element.tag in BLOCKS:
                close()
            add(element, "text", element.text)
            waiting.append((element, True))
            waiting += [(child, False) for child in reversed(element)]
            continue
        if leaving and element.tag in BLOCKS:
            close()
        if element is not body:
            add(element, "tail", element.tail)
    close()
    return made


def words_of(text: str) -> list[str]:
    """Words in lower case."""
    return _WORD.findall(text.lower())


def choose(made: list[Run], judgement: str) -> None:
    """Set `main` of every run, by trafilatura's text of the page."""
    spoken = words_of(judgement)
    known = set(zip(spoken, spoken[1:], spoken[2:], strict=False))
    if len(spoken) < 3:
        known.add(tuple(spoken))  # type: ignore[arg-type]
    for run in made:
        run.main = len(run.words) > 2 and _share(run.words, known) >= SHARE
    for place, run in enumerate(made):
        if 0 < len(run.words) <= 2 and run.code is None:
            run.main = _in_context(made, place, known)
    region = main_element(made)
    said = [run for run in made if run.code is None]
    beside = [other.main for other in said]
    at = 0
    for run in made:
        if run.code is None:
            at += 1
        else:
            run.main = run.main or any(beside[max(0, at - 1) : at + 1]) or _lies_in(run, region)
    for place, run in enumerate(made[:-1]):
        if _leads(run, made[place + 1]) and _lies_in(run, region):
            run.main = True


def main_element(made: list[Run]) -> Any:
    """The smallest element that holds REGION of the words of main runs; None where there are none."""
    weight: dict[Any, int] = {}
    total = 0
    for run in made:
        if run.main:
            total += len(run.words)
            start = run.code if run.code is not None else run.places[0][0]
            for element in (start, *start.iterancestors()):
                weight[element] = weight.get(element, 0) + len(run.words)
    heavy = [element for element, words in weight.items() if words >= REGION * total]
    return max(heavy, key=lambda element: sum(1 for _ in element.iterancestors()), default=None)


def _leads(run: Run, following: Run) -> bool:
    """Whether a run is a heading or the short line before something that stays."""
    if run.main or run.code is not None or not following.main:
        return False
    element = run.places[0][0]
    names = [element.tag, *(above.tag for above in _first(element, 3))]
    return any(re.fullmatch("h[1-6]", str(name)) for name in names) or (
        following.code is not None and len(run.words) <= LEAD_WORDS
    )


def _first(element: Any, levels: int) -> list[Any]:
    return [above for above, _ in zip(element.iterancestors(), range(levels), strict=False)]


def _lies_in(run: Run, region: Any) -> bool:
    element = run.code if run.code is not None else run.places[0][0]
    return region is not None and any(above is region for above in element.iterancestors())


def _share(words: list[str], known: set[tuple[str, str, str]]) -> float:
    grams = list(zip(words, words[1:], words[2:], strict=False))
    return sum(gram in known for gram in grams) / len(grams)


def _in_context(made: list[Run], place: int, known: set[tuple[str, str, str]]) -> bool:
    """Whether a short run stands in the judgement between the words around it."""
    words = made[place].words
    before = [word for run in made[max(0, place - 2) : place] for word in run.words][-2:]
    behind = [word for run in made[place + 1 : place + 3] for word in run.words[:2]][:2]
    line = [*before, *words, *behind]
    start, stop = max(0, len(before) - 2), len(before) + len(words)
    grams = [tuple(line[at : at + 3]) for at in range(start, stop) if at + 3 <= len(line)]
    return any(gram in known for gram in grams)
