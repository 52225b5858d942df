"""Where a document that is longer than a row is cut: as structure allows, never inside a token or a character.

The rule, for rows with room for M tokens of the document. While what is left of it, with its EOS, does not fit into one row, the next
row takes between M/2 and M tokens, and ends at the *last* border, among those, of the coarsest level that has any:

    turn        where a message begins
    chapter     after a blank line, before a heading (Markdown's #, or "Chapter 3", "ACT II", "第三章" …)
    paragraph   after a blank line
    line        after a line's end
    sentence    after . ! ? … (with the quotes or brackets that close it) and before white space, and after 。！？
    word        before white space
    token       any border that does not split a character

So every row but a document's last is at least half full, and a coarser border is worth up to half a row, which packing
fills again. White space between two paragraphs or lines stays with the former, so that a row starts with a word or an indent.
Only when not even M tokens reach the end of a character (a normaliser can make 18 tokens of one) is that character split.

Two options move this. With `overlap`, a row begins with the last tokens of the one before, from the *first* border of the coarsest level in the
half of the overlap that reaches back farthest: M is then smaller by as many. With `least`, a last row that would be shorter takes
from the one before: that is cut again where `least` tokens or more follow, and keeps as many itself.

Rejected: cutting the text first and encoding the pieces. Tokens then differ at every seam from those of the whole text, and
a piece's length in tokens is known only after encoding it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from corpus.phases.alignment import Alignment, Ints

Gap = tuple[int, int]
"""A place to cut: at the first token border in characters [from, to], both included."""

AROUND = 64
"""Characters looked at on either side of the window, so that a gap that begins or ends outside it is seen for what it is."""

NEWLINES = re.compile(r"\n(?:[^\S\n]*+\n)*+(?P<indent>[^\S\n]*+)")
SENTENCE = re.compile(
    r"""(?:
        (?<!\b[A-Z]) (?<!\bMr) (?<!\bDr) (?<!\bSt) (?<!\bMrs)     # initials and the commonest titles end no sentence
        [.!?…]++ ["'”’»)\]]*+ (?=(?P<after>\s++) [^\sa-z])        # nor does a stop before a small letter
      | [。！？]++ [」』”’）]*+ \s*+
    )""",
    re.VERBOSE,
)
WORD = re.compile(r"\s++")
NUMBER = (
    r"(?:\d+|[ivxlcdm]+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|(?:the[ \t]+)?(?:first|second|third|fourth|fifth|last))\b"
)
HEADING = re.compile(
    r"\#{1,6}[ \t]+\S"
    rf"|(?:chapter|book|part|act|scene|canto|volume|letter|kapitel|teil|chapitre|acte|cap[ií]tulo|capitolo|глава)[ \t]+{NUMBER}"
    r"|(?:prologue|epilogue|prolog|epilog|interlude)[ \t.:]*(?:\n|\Z)"
    r"|第[0-9〇一二三四五六七八九十百千]{1,6}[章回話话節节幕]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Borders:
    """Where a document may be cut: border i lies before its token i. `turns` are the characters at which a message begins."""

    text: str
    tokens: Alignment
    turns: Sequence[int] | Ints = ()

    @cached_property
    def characters(self) -> Ints:
        """Characters before each border."""
        return np.concatenate([np.zeros(1, np.int64), self.tokens.ends])

    @cached_property
    def whole(self) -> np.ndarray:
        """Whether a border splits no character."""
        whole = np.ones(len(self.characters), np.bool_)
        whole[1:-1] = self.tokens.starts[1:] >= self.tokens.ends[:-1]
        return whole

    def last(self, low: int, high: int, above: int) -> tuple[int, str]:
        """The last border from `low` to `high` of the coarsest level that has one there, and that level; where even characters are longer
        than that, the last one after `above` that splits none, else `high`."""
        return self._structural(low, high, last=True) or self._between_characters(low, high, above)

    def first(self, low: int, high: int) -> tuple[int, str]:
        """The first border from `low` to `high` of the coarsest level that has one there, and that level."""
        found = self._structural(low, high, last=False)
        if found is None:
            whole = np.flatnonzero(self.whole[low : high + 1])
            found = (low + int(whole[0]) if len(whole) else high), "token"
        return found

    def _structural(self, low: int, high: int, *, last: bool) -> tuple[int, str] | None:
        window = self.characters[low : high + 1]
        begin, end = max(0, int(window[0]) - AROUND), int(window[-1]) + AROUND
        for level, gaps in zip(STRUCTURE, _levels(self.text, self.turns, begin, end), strict=True):
            for start, stop in reversed(gaps) if last else gaps:
                index = int(np.searchsorted(window, start))
                if index < len(window) and window[index] <= stop:
                    # The pieces of a split character share one border position; the last of them ends it.
                    index = int(np.searchsorted(window, window[index], "right")) - 1
                    if self.whole[low + index]:
                        return low + index, level
        return None

    def _between_characters(self, low: int, high: int, above: int) -> tuple[int, str]:
        for first in (low, above + 1):
            found = np.flatnonzero(self.whole[first : high + 1])
            if len(found):
                return first + int(found[-1]), "token"
        return high, "token"


STRUCTURE = ("turn", "chapter", "paragraph", "line", "sentence", "word")
"""The levels of `_levels`, coarsest first."""


@dataclass(frozen=True, slots=True)
class Run:
    """Tokens [start, stop) of a document, as a row shows them; those of [start - back, start) stand before them, repeated."""

    start: int
    stop: int
    level: str
    """What it begins with."""
    back: int = 0


def runs(
    borders: Borders,
    start: int,
    stop: int,
    room: int,
    *,
    end: int = 0,
    overlap: int = 0,
    least: int = 1,
    level: str = "document",
) -> list[Run]:
    """Cut tokens [start, stop) into runs of at most `room`, what they repeat included, and the `end` tokens that come after the last.

    At least one run, so no tokens give an empty one. `overlap` takes at most half of `room`, `least` at most half of what that leaves.
    """
    overlap = min(overlap, room // 2)
    least = min(least, (room - overlap) // 2)
    found: list[Run] = []
    back = 0
    while stop - start + end > room - back:
        most = room - back
        cut, after = borders.last(start + (most + 1) // 2, min(start + most, stop - 1), start)
        if stop - cut + end < least:
            low = max(start + least, stop + end - room + overlap)
            cut, after = borders.last(low, stop + end - least, low - 1)
        found.append(Run(start, cut, level, back))
        if overlap:
            low = max(start, cut - overlap)
            back = cut - borders.first(low, max(low, cut - (overlap + 1) // 2))[0]
        start, level = cut, after
    return [*found, Run(start, stop, level, back)]


def _levels(text: str, turns: Sequence[int] | Ints, begin: int, end: int) -> Iterator[list[Gap]]:
    """The gaps between `begin` and `end`, coarsest level first; a finer level is looked for only when it is asked for."""
    first, last = np.searchsorted(turns, [begin, end]) if len(turns) else (0, 0)
    yield [(int(turn), int(turn)) for turn in turns[first:last]]
    chapters: list[Gap] = []
    paragraphs: list[Gap] = []
    lines: list[Gap] = []
    for match in NEWLINES.finditer(text, begin, end):
        gap = match.start("indent"), match.end()
        if text.count("\n", match.start(), gap[0]) < 2:
            lines.append(gap)
            continue
        paragraphs.append(gap)
        if HEADING.match(text, match.end()):
            chapters.append(gap)
    yield chapters
    yield paragraphs
    yield lines
    yield [
        (match.end(), max(match.end("after"), match.end())) for match in SENTENCE.finditer(text, begin, end)
    ]
    yield [match.span() for match in WORD.finditer(text, begin, end)]
