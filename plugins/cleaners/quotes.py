r"""What a forum post or a mail repeats of an earlier one, so that a thread says everything once.

Taken out are BBCode quotes; blocks of lines that begin with ">" where an attribution says whom they quote ("Bob said:", "On Monday, Bob wrote:") or where they open a post that
goes on; what stands between an attribution and "Click to expand…"; and, in a dialogue, words at the head of a post that an earlier post by somebody else has verbatim.

Quoting inside a story stays: "He wrote: …", a letter or a message in a block of its own further down, lines of ">>>", code. A post that is nothing but a quotation stays too. Rejected: every
">" block, since writers set messages and letters in them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from plugins.cleaners.removal import Spans, in_rounds
from plugins.contracts import Cleaner, Edit, Turn

WORDS = 12
"""So many words in a row are no chance."""
EXPAND_CHARS = 5000
"""The farthest that "Click to expand…" stands from its attribution."""

_TAG = re.compile(r"\[quote(?:=\"?(?P<name>[^\]\"\n;,]{0,60})[^\]\n]{0,80})?\]|\[/quote\]", re.IGNORECASE)
_BLOCK = re.compile(r"^ {0,3}>(?:(?!>>)[^\n]*)(?:\n {0,3}>[^\n]*)*", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_NOBODY = r"(?!(?:he|she|they|i|we|you|it|who|one|someone|somebody)\s)"
_SAID = (
    rf"(?:(?:originally )?(?:posted|written) by:?\s[^\n]{{1,80}}|(?:on|am|le|el)\s[^\n]{{5,160}}(?:\n[^\n]{{0,60}})?(?:wrote|said|schrieb|écrit|escribió)[^\n]{{0,40}}:|"
    rf"{_NOBODY}[^\n:>]{{1,60}}\s(?:(?:wrote|said|schrieb|escribió)(?:\sin\s[^\n]{{1,120}})?\s?:[^\n]{{0,60}}|posted(?:\.\.\.|:)))"
)
_ATTRIBUTION = re.compile(rf"^[ \t]*{_SAID}[ \t]*$", re.IGNORECASE | re.MULTILINE)
_WITHIN = re.compile(rf"^\s*>\s*(?:{_SAID}|[\w.-]{{2,30}}:)\s*$", re.IGNORECASE | re.MULTILINE)
_EXPAND = re.compile(r"^[ \t>]*Click to expand ?(?:…|\.{2,3})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"\S+")
_MARKS = ("[quote", "[/quote", "[QUOTE", "[/QUOTE", "[Quote", "[/Quote")


class Quotes(Cleaner):
    r"""Removes quotations of earlier posts.

    >>> Quotes().clean("> Bob said:\n>\n> Is it far?\n\nTwo days.")  # Two days.
    [Edit(start=0, end=28, after='')]
    """

    name = "quotes"
    kernels: ClassVar[tuple[str, ...]] = ("plugins.cleaners.removal",)
    keep_attribution: bool = False
    """Leave the line that says who is quoted, of BBCode the name."""
    repeats: bool = True
    """Also remove what the head of a post repeats of an earlier one of the same dialogue, 12 words or more, unmarked."""

    def clean(self, text: str) -> list[Edit]:
        """One edit for each quotation, with the white space that it leaves."""
        return in_rounds(text, self._marked) if _may_quote(text) else []

    def clean_messages(self, messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
        """As `clean`, and what posts repeat at their head."""
        seen = _Seen()
        turns = []
        for message in messages:
            text, name = message["content"] or "", message["name"]
            edits = in_rounds(text, partial(self._quoted, seen, name)) if self.repeats else self.clean(text)
            turns.append(Turn(content=edits))
            seen.add(_left(text, edits), name)
        return turns

    def _quoted(self, seen: _Seen, name: str | None, text: str) -> Spans:
        return self._marked(text) or seen.repeated(text, name)

    def _marked(self, text: str) -> Spans:
        if not _may_quote(text):
            return []
        return [*self._tags(text), *self._blocks(text), *self._expanded(text)]

    def _tags(self, text: str) -> Iterator[tuple[int, int]]:
        """BBCode, outermost; one that never closes stays, a close without an opening goes where it stands alone."""
        if not any(mark in text for mark in _MARKS):
            return
        opened: list[re.Match[str]] = []
        for match in _TAG.finditer(text):
            if match[0][1] != "/":
                opened.append(match)
            elif not opened:
                if match.start() == 0 or text[match.start() - 1] == "\n":
                    yield match.span()
            else:
                first = opened.pop()
                if not opened and self.keep_attribution and first["name"]:
                    yield first.start(), first.start("name")
                    yield first.end("name"), match.end()
                elif not opened:
                    yield first.start(), match.end()

    def _blocks(self, text: str) -> Iterator[tuple[int, int]]:
        """Blocks of ">" lines: all of a post that opens with one or attributes one."""
        if ">" not in text:
            return
        fences = [match.start() for match in _FENCE.finditer(text)]
        head = len(text) - len(text.lstrip())
        quoting = False
        at = 0
        said = {match.end(): match.start() for match in _ATTRIBUTION.finditer(text)}
        for block in _BLOCK.finditer(text):
            while at < len(fences) and fences[at] < block.start():
                at += 1
            start, end = block.span()
            before = (
                start - len(text[max(0, start - 4) : start]) + len(text[max(0, start - 4) : start].rstrip())
            )
            above, within = said.get(before), _WITHIN.match(text, start, end)
            begins = start <= head + 3 and bool(text[end:].strip())
            if at % 2 == 0 and (
                quoting
                or begins
                or within
                or (above is not None and (above <= head or _is_sure(text, above)))
            ):
                quoting = True
                if self.keep_attribution:
                    yield (within.end() if within else start), end
                else:
                    yield (start if above is None else above), end

    def _expanded(self, text: str) -> Iterator[tuple[int, int]]:
        """From an attribution to "Click to expand…"; without one, those words alone."""
        ends = [match.span() for match in _EXPAND.finditer(text)]
        if not ends:
            return
        said = [match.span() for match in _ATTRIBUTION.finditer(text)]
        floor = 0
        for start, end in ends:
            at = bisect_left(said, (max(floor, start - EXPAND_CHARS), 0))
            opening = said[at] if at < len(said) and said[at][0] < start else None
            if opening:
                yield (opening[1] if self.keep_attribution else opening[0]), end
            else:
                yield start, end
            floor = end


def _may_quote(text: str) -> bool:
    return ">" in text or any(mark in text for mark in _MARKS) or "lick to expand" in text


def _is_sure(text: str, start: int) -> bool:
    """Whether an attribution is one that no story has."""
    return text[start : start + 40].lstrip()[:3].lower() in {"on ", "ori"}


def _left(text: str, edits: Sequence[Edit]) -> str:
    pieces, at = [], 0
    for edit in edits:
        pieces.append(text[at : edit.start])
        at = edit.end
    return "".join([*pieces, text[at:]])


class _Seen:
    """The posts so far, found by any WORDS words of theirs in a row."""

    def __init__(self) -> None:
        self.posts: list[tuple[str | None, list[str]]] = []
        self.where: dict[tuple[str, ...], tuple[int, int]] = {}

    def add(self, text: str, name: str | None) -> None:
        words = text.split()
        for at in range(len(words) - WORDS + 1):
            self.where.setdefault(tuple(words[at : at + WORDS]), (len(self.posts), at))
        self.posts.append((name, words))

    def repeated(self, text: str, name: str | None) -> Spans:
        """The head of a post that an earlier one by another has, to the end of a line; nothing where that is all there is, or where it is not
        known who speaks."""
        spans = [match.span() for match in _WORD.finditer(text)]
        words = [text[start:end] for start, end in spans]
        found = self.where.get(tuple(words[:WORDS])) if len(words) > WORDS else None
        if not found or name is None or self.posts[found[0]][0] in {None, name}:
            return []
        theirs, length = self.posts[found[0]][1][found[1] :], 0
        while length < min(len(words), len(theirs)) and words[length] == theirs[length]:
            length += 1
        while WORDS <= length < len(words) and "\n" not in text[spans[length - 1][1] : spans[length][0]]:
            length -= 1
        return [(spans[0][0], spans[length - 1][1])] if WORDS <= length < len(words) else []
