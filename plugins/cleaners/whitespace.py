r"""Whitespace: one kind of space, one kind of line end, no more blank lines than one.

Every run of whitespace (what Unicode calls White_Space, plus U+001C to U+001F, as Python's `\s`) is looked at by itself, so a
text is cleaned in one pass and the result, being made of clean runs, is a fixed point.
"""

from __future__ import annotations

import re
from typing import ClassVar

from plugins.contracts import Cleaner, Edit

# What may need work: a run of two or more, or one that is neither a space nor a newline. A single space or newline never does.
_RUN = re.compile(r"\s{2,}|[^\S \n]|\A\s|\s\Z")
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x85\u2028]|\u2029")
MAX_LINE_ENDS = 2
"""Line ends in a row that are kept: one blank line."""


class Whitespace(Cleaner):
    r"""Tidies whitespace, never anything else.

    Trailing spaces go, runs of spaces inside a line become one, three line ends or more become two, no-break and other
    Unicode spaces become plain ones, and both ends of the text are stripped. Indentation and tabs stay.

    >>> Whitespace().clean("One\u00a0 two. \n\n\n    three")  # One two.\n\n    three
    [Edit(start=3, end=5, after=' '), Edit(start=9, end=17, after='\n\n    ')]
    """

    name = "whitespace"
    requires: ClassVar[tuple[str, ...]] = ()

    def clean(self, text: str) -> list[Edit]:
        """One edit for each run that is not as it should be."""
        edits = []
        for match in _RUN.finditer(text):
            run, start, end = match[0], match.start(), match.end()
            after = "" if start == 0 or end == len(text) else _tidy(run)
            if after != run:
                edits.append(Edit(start, end, after))
        return edits


def _tidy(run: str) -> str:
    """What stands for a run of whitespace between two words."""
    lines = _LINE_END.split(run)
    if len(lines) == 1:
        # A tab aligns a table; beside one, spaces say nothing.
        return "\t" * run.count("\t") or " "
    ends = len(lines) - 1 + run.count("\u2029")
    indentation = "".join(char if char == "\t" else " " for char in lines[-1])
    return "\n" * min(ends, MAX_LINE_ENDS) + indentation
