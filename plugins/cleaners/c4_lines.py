r"""The lines that C4 keeps (Raffel et al. 2020, section 2.2); the filter `c4` lists the rules, and decides on the page.

Lines go that do not end a sentence, have too few words or one too long, or speak of javascript, cookies and the like. Those that
stay lose white space at their ends and citations such as "[1]", and stand one under another without blank lines. A line for which the
filter drops the whole page stays as it is, so that the filter still sees it when it comes after.

The text of a page that is kept is that of datatrove's C4QualityFilter, less two marks that its single pass leaves and a second pass
would act upon: the space behind a citation at the start of a line goes too, and a line keeps its citations when the rules would
judge it otherwise without ("[7] Ibid, 34." has two words then) or when removing them uncovers another ("[[1]2]").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from plugins.c4_rules import C4Rules
from plugins.contracts import Cleaner, Edit

_CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")

Line = tuple[int, int, bool]
"""Characters [start, end) of a text, and whether citations in it go."""


class C4Lines(C4Rules, Cleaner):
    r"""Drops lines that are no prose, and citations.

    >>> C4Lines().clean(
    ...     "Home | About\n\nThe inn is old.[1] It leans.\nWe use cookies, as all do."
    ... )  # The inn is old. It leans.
    [Edit(start=0, end=14, after=''), Edit(start=29, end=32, after=''), Edit(start=42, end=69, after='')]
    """

    name = "c4-lines"
    requires: ClassVar[tuple[str, ...]] = ("numba", "pyarrow")
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.c4_rules",
        "plugins.kernels.alphabet",
        "plugins.kernels.buffers",
        "plugins.kernels.c4_lines",
        "plugins.kernels.c4_phrases",
        "plugins.kernels.raw",
        "plugins.kernels.scan",
    )

    def clean(self, text: str) -> list[Edit]:
        """One edit for each run of dropped lines and each citation."""
        return self.clean_column([text])[0]

    def clean_column(self, texts: Sequence[str]) -> list[list[Edit]]:
        """As `clean`, with one pass of the kernel over all texts."""
        import pyarrow as pa

        from plugins.kernels.buffers import TEXT, buffers
        from plugins.kernels.c4_lines import CITED, kept_lines

        by_text: list[list[Line]] = [[] for _ in texts]
        done = 0
        for part in buffers(pa.array(texts, TEXT)):
            kept = kept_lines(part, self.line_rules())
            lines = zip(kept.starts.tolist(), kept.ends.tolist(), (kept.kinds == CITED).tolist(), strict=True)
            for owner, group in groupby(zip(kept.owners.tolist(), lines, strict=True), itemgetter(0)):
                by_text[done + owner] = [line for _, line in group]
            done += len(part)
        return [_edits(text, lines) for text, lines in zip(texts, by_text, strict=True)]


def _edits(text: str, lines: list[Line]) -> list[Edit]:
    """What makes `lines`, one under another, of the text."""
    filled = [index for index, (start, end, _) in enumerate(lines) if start < end]
    lines = lines[filled[0] : filled[-1] + 1] if filled else []
    edits, at, between = [], 0, ""
    for start, end, cited in lines:
        for piece_start, piece_end in _pieces(text, start, end) if cited else ((start, end),):
            if text[at:piece_start] != between:
                edits.append(Edit(at, piece_start, between))
            at, between = piece_end, ""
        between = "\n"
    if at < len(text):
        edits.append(Edit(at, len(text), ""))
    return edits


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A line without its citations, nor white space at the ends of what is left; something is."""
    cuts = [match.span() for match in _CITATION.finditer(text, start, end)]
    pieces = list(zip([start, *(stop for _, stop in cuts)], [*(cut for cut, _ in cuts), end], strict=True))
    filled = [index for index, (first, last) in enumerate(pieces) if text[first:last].strip()]
    for index in range(filled[0], filled[-1] + 1):
        first, last = pieces[index]
        if index == filled[0]:
            first = last - len(text[first:last].lstrip())
        if index == filled[-1]:
            last = first + len(text[first:last].rstrip())
        yield first, last
