"""A text on a terminal: escapes in it made harmless, removed and added spans told apart by colour, or by [-…-]{+…+} where there is none.

A page's text is a stranger's: printed as it is, it could move the cursor, retitle the window, or turn the direction of what follows.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["same", "removed", "added", "quiet", "strong"]
STYLES: dict[Kind, str] = {"same": "", "removed": "31;9", "added": "32", "quiet": "2", "strong": "1"}
MARKS: dict[Kind, tuple[str, str]] = {"removed": ("[-", "-]"), "added": ("{+", "+}")}

HANGING = "  "

# Control characters, line and paragraph separators, what turns the direction of writing, and what cannot be seen.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SHOWN = {"\n": "⏎", "\t": "⇥", "\u202f": " "}


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text in one style, safe to print."""

    text: str
    kind: Kind = "same"


def visible(text: str) -> str:
    r"""The text with nothing in it that a terminal obeys or that cannot be seen.

    >>> visible("a\x1b[31mb\u200b\n\tc")
    'a\\x1b[31mb\\u200b⏎⇥c'
    """
    return _UNSAFE.sub(lambda match: _SHOWN.get(match[0]) or ascii(match[0])[1:-1], text)


def blank(text: str) -> str:
    """A span of nothing but white space, so that it is seen: each space as a dot, a no-break space by its number."""
    return visible(text).replace("\u00a0", "\\xa0").replace(" ", "·") if not text.strip() else visible(text)


def coloured() -> bool:
    """Whether stdout is a terminal that shows colours, and NO_COLOR is not set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def lines(pieces: Iterable[Piece], *, indent: str, width: int | None, colour: bool) -> Iterator[str]:
    """The pieces as lines of at most `width` characters (None: one line), styled; all but the first stand two further in."""
    marked = [(piece, *(("", "") if colour else MARKS.get(piece.kind, ("", "")))) for piece in pieces]
    whole = "".join(before + piece.text + after for piece, before, after in marked)
    kinds: list[Kind] = []
    for piece, before, after in marked:
        kinds += [piece.kind] * len(before + piece.text + after)
    at = 0
    for line in _wrapped(whole, width - len(indent) - len(HANGING) if width else None):
        yield indent + (HANGING if at else "") + _styled(line, kinds[at : at + len(line)], colour=colour)
        at += len(line)


def _wrapped(text: str, width: int | None) -> list[str]:
    """The text cut at spaces; joined, the lines are the text."""
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(
        text,
        max(width, 20),
        drop_whitespace=False,
        replace_whitespace=False,
        expand_tabs=False,
        break_on_hyphens=False,
    )


def _styled(line: str, kinds: list[Kind], *, colour: bool) -> str:
    if not colour:
        return line.rstrip()
    made, at = [], 0
    while at < len(line):
        stop = at
        while stop < len(line) and kinds[stop] == kinds[at]:
            stop += 1
        style = STYLES[kinds[at]]
        made.append(f"\x1b[{style}m{line[at:stop]}\x1b[0m" if style else line[at:stop])
        at = stop
    return "".join(made)
