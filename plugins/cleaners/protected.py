r"""Spans that no cleaner of words may touch: code, addresses, paths, names of things in programs.

A cleaner that mends words knows prose; what is not prose it must leave as it is. So this errs on the side of protecting: a misspelling left
in a sentence costs little, a changed command line is damage. Protected, in this order:

    fenced code     from ``` or ~~~ to the same fence, or to the end
    inline code     between runs of as many backticks, inside a paragraph, at most 400 characters
    tags            <em>, </p>, <nick>, <user@example.org>
    indented code   lines that begin with a tab or four spaces
    lines of code   lines that end in ";", "{" or "}", begin with a prompt ("$ ", "% ", ">>> ") or a comment ("#!", "//"), or hold three or more of
                    { } = | \ $ and semicolons; extracted pages seldom keep their fences
    tokens          between white space, without the punctuation around them, that hold any of / \ _ @ # $ % & * + = < > | ~ ^ { } [ ] or
                    a bracket, dot or colon inside; that mix letters and digits or capitals after small ones (CamelCase); or begin with a
                    hyphen (options). So URLs, e-mail, paths, host names, identifiers, calls, @names and hashtags
    one-word quotes a single token between quotation marks: what is spoken of, not said

Rejected: Markdown's own rule that indented code needs a blank line before it, since extracted text often lost it; a parser of Markdown, since
most texts are none. Every pattern is linear in the length of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

Spans = list[tuple[int, int]]
"""Characters [start, end), ascending and not overlapping."""

INLINE_CHARS = 400

_FENCE = re.compile(r"^[ \t]{0,12}(`{3,}|~{3,})", re.MULTILINE)
_TICKS = re.compile(r"`+")
_TAG = re.compile(r"<[A-Za-z/!@][^<>\n]{0,300}>")
_INDENTED = re.compile(r"^(?: {4}|\t)[^\n]*", re.MULTILINE)
_CODE_LINE = re.compile(
    r"^(?:[^\n]*[;{}][ \t]*$|[ \t]*(?:[$%] |>>> |#!|//)[^\n]*|"
    r"[^\n{}=|\\$;]*(?:[{}=|\\$;][^\n{}=|\\$;]*){3}[^\n]*)",
    re.MULTILINE,
)
_SUSPECT = re.compile(r"(?<!\S)\S*[/\\_@#$%&*+=<>|~^{}\[\]().:0-9`A-Z-]\S*")
_QUOTED = re.compile(r"(?<![\w'’])[\"'“‘«„‚‹](?!\s)[^\s\"'“”‘’«»„‚‹›]{1,60}[\"'”’»“‘›](?!\w)")
_OUTER = " \"'“”‘’«»„‚‹›()[]{}<>,.;:!?…*—–_"
_INSIDE = re.compile(
    r"[/\\_@#$%&*+=<>|~^{}\[\]`]"
    r"|\w[(:.][^\s.)]|\w\(\)|\)\w"
    r"|[^\W\d_]\d|\d[^\W\d_]"
    r"|[a-zß-öø-ÿ][A-ZÀ-ÖØ-Þ]|[A-Z][A-Z][a-z][a-z]"
)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|s)")
_BEFORE = " \"'“”‘’«»„‚‹›()[]{}<>,.;:!?…*—–"


def protected(text: str) -> Spans:
    """All protected spans of a text, merged.

    >>> text = "See `x y`, me@b.org or /etc/teh and getTeh(); then teh end"
    >>> [text[start:end] for start, end in protected(text)]
    ['`x y`,', 'me@b.org', '/etc/teh', 'getTeh();']
    """
    spans = _fences(text) if "```" in text or "~~~" in text else []
    if "`" in text:
        spans += _inline(text)
    if "<" in text:
        spans += [match.span() for match in _TAG.finditer(text)]
    spans += [match.span() for match in _INDENTED.finditer(text)]
    spans += [match.span() for match in _CODE_LINE.finditer(text)]
    spans += _tokens(text)
    spans += [match.span() for match in _QUOTED.finditer(text)]
    return merged(spans)


def covers(spans: Spans, start: int, end: int) -> bool:
    """Whether any of the merged spans overlaps [start, end)."""
    index = bisect_left(spans, (end, 0))
    return index > 0 and spans[index - 1][1] > start


def _fences(text: str) -> Spans:
    spans: Spans = []
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[1].startswith(opened[1]):
            spans.append((opened.start(), match.end()))
            opened = None
    if opened is not None:
        spans.append((opened.start(), len(text)))
    return spans


def _inline(text: str) -> Iterator[tuple[int, int]]:
    """Between runs of equally many backticks; each run looks no further than the next few."""
    opened: dict[int, int] = {}
    for match in _TICKS.finditer(text):
        length = match.end() - match.start()
        start = opened.pop(length, None)
        near = start is not None and match.end() - start <= INLINE_CHARS
        if start is not None and near and "\n\n" not in text[start : match.end()]:
            yield start, match.end()
        else:
            opened[length] = match.start()


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    for match in _SUSPECT.finditer(text):
        token = match[0]
        bare = token.strip(_OUTER)
        if not bare:
            continue
        begins = token.lstrip(_BEFORE)
        option = len(begins) > 1 and begins[0] == "-" and begins.lstrip("-")[:1].isalpha()
        marked = token.strip(_BEFORE)[:1] == "_" or token.strip(_BEFORE)[-1:] == "_"
        called = token.rstrip("\"'”’»,.;:!?…").endswith("()")
        if option or marked or called or (_INSIDE.search(bare) and not _ORDINAL.fullmatch(bare)):
            yield match.span()


def merged(spans: Spans) -> Spans:
    """Spans in any order, made ascending and not overlapping."""
    found: Spans = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif start < end:
            found.append((start, end))
    return found
