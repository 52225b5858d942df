"""Where a document that is longer than a row is cut: as structure allows, never inside a token or a character.

The rule, for rows of at most M tokens. While what is left of the document, with its EOS, does not fit into one row, the next
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

Rejected: cutting the text first and encoding the pieces. Tokens then differ at every seam from those of the whole text, and
a piece's length in tokens is known only after encoding it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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


def cuts(text: str, tokens: Alignment, turns: Sequence[int], max_tokens: int) -> list[int]:
    """How many tokens of the document lie before the end of each row: ascending, the last is all of them.

    `turns` are the characters at which a message begins. Each row has at most `max_tokens` tokens, the last at most one fewer,
    since EOS is added to it. At least one row, so a document without tokens gives [0].
    """
    count = len(tokens.ends)
    borders = np.concatenate([np.zeros(1, np.int64), tokens.ends])
    whole = np.ones(count + 1, np.bool_)
    whole[1:count] = tokens.starts[1:] >= tokens.ends[:-1]
    found: list[int] = []
    start = 0
    while count - start >= max_tokens:
        low, high = start + (max_tokens + 1) // 2, min(start + max_tokens, count - 1)
        start = _structural(text, borders, whole, turns, low, high) or _between_characters(
            whole, start, low, high
        )
        found.append(start)
    return [*found, count]


def _structural(
    text: str, borders: Ints, whole: np.ndarray, turns: Sequence[int], low: int, high: int
) -> int | None:
    """The last border from `low` to `high` of the coarsest level that has one there."""
    window = borders[low : high + 1]
    begin, end = max(0, int(window[0]) - AROUND), int(window[-1]) + AROUND
    for gaps in _levels(text, turns, begin, end):
        for first, last in reversed(gaps):
            index = int(np.searchsorted(window, first))
            if index < len(window) and window[index] <= last:
                # The pieces of a split character share one border position; the last of them ends it.
                index = int(np.searchsorted(window, window[index], "right")) - 1
                if whole[low + index]:
                    return low + index
    return None


def _levels(text: str, turns: Sequence[int], begin: int, end: int) -> Iterator[list[Gap]]:
    """The gaps between `begin` and `end`, coarsest level first; a finer level is looked for only when it is asked for."""
    first, last = np.searchsorted(turns, [begin, end]) if len(turns) else (0, 0)
    yield [(turn, turn) for turn in turns[first:last]]
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


def _between_characters(whole: np.ndarray, start: int, low: int, high: int) -> int:
    """The last border from `low` to `high` that splits no character, else the last one after `start`, else `high`."""
    for first in (low, start + 1):
        found = np.flatnonzero(whole[first : high + 1])
        if len(found):
            return first + int(found[-1])
    return high
