r"""Where asides may stand in a post: brackets matched in one pass, and lines that begin with a mark.

A candidate is a span of characters with a form (see `ooc_score.FORMS`). It never begins or ends inside a sentence of the story, unless it says of itself
that it is out of character, as in "He took (ooc: brb) the sword", where what is left is the sentence. So a bracket within a sentence is none, nor
one inside quotation marks, nor one in code.

Brackets are matched by kind, outermost only, inside a paragraph; double ones may run over several. One that never closes reaches to the end of
its line, and counts only at the beginning of one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

SPAN_CHARS = 3000
"""The longest bracket that is looked at."""
COMMENTS = 4
"""So many lines that begin with "//" are a program."""

_MARK = r"(?:/?(?:ooc|0oc)(?:ly)?\d?\b|o[.-]o[.-]c\b\.?|out of char(?:acter)?\b|(?:off[- ]?topic|mun|irl|writer)\s*(?=[\])}:–—-])|[o0]t\s*(?=[\])}:–—-])|(?:mod|admin|gm|dm|st|staff|host|player'?s?|mun'?s?|writer'?s?|author'?s?) ?(?:notes?|edit|hat)\b|(?:mod|cw|tw|a/n|content warnings?|trigger warnings?)\s*:)"
_MARKED = re.compile(r"[\s([{*_~/.|<>-]{0,12}" + _MARK, re.IGNORECASE)
_LINE = re.compile(
    r"^[ \t]*[*_~]{0,3}(?:"
    r"(?P<marked>(?:-#|[/|>~-]{0,2})[ \t]?(?:ooc|0oc)\d?\b(?!\s+(?:\w+\s+(?:of|and)|is|was|means|chat|forum|section)\b)|o[.-]o[.-]c\b|out of char(?:acter)?\s*[:–—-]|(?:off[- ]?topic|mun(?: here)?)\s*[:–—-]\s|ot\s*[:–—-]\s|[\[(]ot[\])]|(?:mod|admin|gm|dm|staff|player|writer'?s|author'?s) note\b|(?:mod|cw|tw|a/n|content (?:warning|note)s?|trigger warnings?|player'?s note)[*_~]{0,3}\s*:|[ct]w for\b|edited to\b)"
    r"|(?P<slashes>//(?![/\w])|>>(?!>)(?=[^\n]*<<[ \t]*$|[ \t]?(?:brb|afk|sorry|lol|omg|btw|haha|ok so)\b))"
    r"|(?P<footer>(?:tags?|tagg(?:ed|ing)|word ?count|wc|words|muse|gm|dm)[*_~]{0,3}\s*:|tag(?:s|ging)? (?=@)|tag(?:s|ging|ged)? (?=(?-i:[A-Z])\w+(?:(?:,| and| &) \w+){0,4}[!.]?[ \t]*$)|🎲)"
    r"|(?P<edit>edit(?:ed)?\d?[*_~]{0,3}\s*:)"
    r")",
    re.IGNORECASE | re.MULTILINE,
)
_TAIL = re.compile(
    r"(?<=[.!?…\"”*])[ \t]+(?:(?P<marked>[/|]{0,2}[ \t]?[*_~]{0,2}(?:ooc|0oc)\d?\b(?!\s+(?:is|was|means|and|of)\b)[*_~]{0,2})|(?P<slashes>//? ?(?=[\w(])))",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[:;=8][-'^o]?[()\[\]]|\(\(+|\)\)+|\[\[+|\]\]+|\{\{+|\}\}+|[()\[\]{}]|\n[ \t]*\n")
_TAGGED = re.compile(r"<ooc>[^<]{0,3000}</ooc>|\[ooc\][^\[]{0,3000}\[/ooc\]", re.IGNORECASE)
_COMMENT = re.compile(r"^[ \t]*//", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,}(?!~)(?![^\n]*~{3}))", re.MULTILINE)
_INLINE = re.compile(r"`[^`\n]{1,300}`")
_CODE = re.compile(r"[;{}][ \t]*$|==|&&|\|\||::|->|\w\(\)|\w[\[(]\w*[\])]\s*=|[$#]\{|</| \| |https?://\S+$")
_THOUGHT = re.compile(
    r"\)\)[,.]?[ \t]+(?:[a-z]+ly )?(?:he|she|they|it|i|I|the \w+|[A-Z]\w+)? ?(?:asked|said|thought|sent|answered|replied|told|says|thinks|sends|asks|answers)\b"
)
"""Double parentheses in which a character speaks without a voice: `((Can you hear me?)) she asked`."""
_CLOSES = {")": "(", "]": "[", "}": "{"}
_ENDS = frozenset(".!?…\"”'’*_)]}>~—")


class Candidate(NamedTuple):
    """Characters [start, end) of a text and how they are set apart."""

    start: int
    end: int
    form: str


def candidates(text: str) -> Iterator[Candidate]:
    """What may be an aside by its form, in no order, some inside others."""
    code = code_spans(text)
    tagged = (Candidate(*match.span(), "marked") for match in _TAGGED.finditer(text))
    for found in (*_brackets(text), *_lines(text), *_tails(text), *tagged):
        if not _inside(found.start, code):
            yield found


def code_spans(text: str) -> list[tuple[int, int]]:
    """Fenced code, to its fence or to the end, and inline code."""
    spans: list[tuple[int, int]] = []
    opened: tuple[int, str] | None = None
    for match in _FENCE.finditer(text) if "```" in text or "~~~" in text else ():
        if opened is None:
            opened = (match.start(), match[1])
        elif match[1].startswith(opened[1]):
            spans.append((opened[0], match.end()))
            opened = None
    if opened:
        spans.append((opened[0], len(text)))
    if "`" in text:
        spans += [match.span() for match in _INLINE.finditer(text)]
    return sorted(spans)


def _inside(place: int, spans: list[tuple[int, int]]) -> bool:
    at = bisect_right(spans, (place, len(spans) and spans[-1][1] + 1)) - 1
    return at >= 0 and place < spans[at][1]


def line_of(text: str, place: int) -> tuple[int, int]:
    """Characters [start, end) of the line that `place` is in, without its end."""
    end = text.find("\n", place)
    return text.rfind("\n", 0, place) + 1, len(text) if end < 0 else end


# ------------------------------------------------------------------------------------------------ lines


def _lines(text: str) -> Iterator[Candidate]:
    """Lines that begin with a mark, "//" or "Edit:"."""
    done = -1
    comments = len(_COMMENT.findall(text)) >= COMMENTS if "//" in text else False
    for match in _LINE.finditer(text):
        form = match.lastgroup or ""
        if match.start() < done or (form == "slashes" and comments):
            continue
        start, end = line_of(text, match.end())
        start += len(text[start:end]) - len(text[start:end].lstrip())
        bare = not any(letter.isalnum() for letter in text[match.end() : end])
        if form == "marked" and bare:
            end = _paragraph_below(text, end)
        elif form == "marked":
            end = _wrapped(text, end)
        if form == "slashes" and _CODE.search(text[start:end]):
            continue
        done = end
        yield Candidate(start, end, form)


def _paragraph_below(text: str, end: int) -> int:
    """The end of the paragraph that a heading stands over."""
    rest = re.compile(r"\s*").match(text, end)
    begin = rest.end() if rest else end
    stop = re.compile(r"\n[ \t]*\n").search(text, begin)
    return stop.start() if stop else len(text.rstrip())


def _wrapped(text: str, end: int) -> int:
    """The end of a sentence that runs over the end of its line."""
    while end < len(text) and text[end - 1] not in _ENDS:
        start, stop = line_of(text, end + 1)
        if not text[start:stop].lstrip()[:1].islower():
            break
        end = stop
    return end


def _tails(text: str) -> Iterator[Candidate]:
    """A mark behind the end of a sentence, to the end of its line."""
    done = -1
    for match in _TAIL.finditer(text):
        start = match.start(match.lastgroup or 0)
        if start < done:
            continue
        begin, end = line_of(text, start)
        if _CODE.search(text[begin:end]):
            done = end  # a line is asked once
            continue
        if _quoted(text, begin, start):
            continue
        done = end
        yield Candidate(start, end, "marked" if match.lastgroup == "marked" else "slashes-inside")


# ------------------------------------------------------------------------------------------------ brackets


def _brackets(text: str) -> Iterator[Candidate]:
    for start, end, closed in _pairs(text):
        found = _bracket(text, start, end, closed=closed)
        if found:
            yield found


def _pairs(text: str) -> Iterator[tuple[int, int, bool]]:
    """Outermost brackets, and whether they close."""
    stacks: dict[str, list[tuple[int, bool]]] = {"(": [], "[": [], "{": []}
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] == "\n":
            for stack in stacks.values():
                if stack and not (stack[0][1] and match.start() - stack[0][0] < SPAN_CHARS):
                    yield stack[0][0], line_of(text, stack[0][0])[1], False
                    stack.clear()
        elif token[0] in stacks:
            stacks[token[0]].append((match.start(), len(token) > 1))
        elif token[0] in _CLOSES:
            yield from _closed(stacks[_CLOSES[token[0]]], match)
    for stack in stacks.values():
        if stack:
            yield stack[0][0], line_of(text, stack[0][0])[1], False


def _closed(stack: list[tuple[int, bool]], match: re.Match[str]) -> Iterator[tuple[int, int, bool]]:
    """Take from the stack what a closing token closes."""
    double = len(match[0]) > 1
    if not stack or (not double and stack[-1][1]):
        return  # nothing is open, or a lone ")" inside "((…))", a smile perhaps
    start, opened = stack.pop()
    if double and not opened and stack:
        start, opened = stack.pop()
    if not stack:
        yield start, match.end(), True


def _bracket(text: str, start: int, end: int, *, closed: bool) -> Candidate | None:
    """The candidate that a bracket is, if it is one."""
    if end - start < 5 or end - start > SPAN_CHARS:
        return None
    marked = _MARKED.match(text, start, min(end, start + 40)) is not None
    double = text[start + 1] == text[start]
    while start and text[start - 1] in "*_~" and end < len(text) and text[end] == text[start - 1]:
        start, end = start - 1, end + 1  # the emphasis around it
    begins = not text[line_of(text, start)[0] : start].strip()
    ends = not text[end : line_of(text, end)[1]].strip()
    if marked and (closed or begins):
        return Candidate(start, end, "marked")
    if not closed and not (double and begins):
        return None
    inner = text[start:end].strip("*_~([{}]) ")
    if _CODE.search(inner) or (" " not in inner and not (double and begins and ends and inner)):
        return None
    if not (begins and ends) and not _between_sentences(text, start, end):
        return None
    form = (
        "bracket"
        if not double
        else "double"
        if text[start] == "(" and not _THOUGHT.search(text)
        else "double-square"
    )
    return Candidate(start, end, form if begins and ends else f"{form}-inside")


def _between_sentences(text: str, start: int, end: int) -> bool:
    """Whether what is before and behind are whole sentences, outside quotation marks, and it is one itself."""
    line, stop = line_of(text, start)[0], line_of(text, end)[1]
    before, behind = text[max(line, start - 300) : start].rstrip(), text[end : end + 20].lstrip(" \t")
    if before and (before[-1] not in _ENDS or before[-1] in ")]}>'’"):
        return False
    if end < stop and behind and not (behind[0].isupper() or behind[0] in '"“*'):
        return False
    return not _quoted(text, line, start)


def _quoted(text: str, line: int, place: int) -> bool:
    """Whether `place` lies between quotation marks that opened on its line."""
    line = max(line, place - SPAN_CHARS)
    return text.count('"', line, place) % 2 == 1 or text.rfind("“", line, place) > text.rfind(
        "”", line, place
    )
