r"""Boilerplate: lines that repeat over a site's pages, such as cookie banners, share bars and "click to read more".

What is furniture is learned of each site by itself (the host of a page's address; its source where it has none), from the pages as
they were extracted: published lists of phrases know some English sites of some year. How many pages have a line is not enough, since
headings repeat by right; so a line is furniture only where

1. it has `min_words` words, and stands on `min_pages` pages of the site and on `min_share` of them; where it mostly stands neither
   among the first nor the last lines of a page (the two outermost, if it has less than twice `min_words`), on `inside_share` of them
   (forums, where any line may open a post, always need that); or
2. it is one of a run of lines that always follow each other, of which one is furniture by rule 1, or which has three lines and
   `min_words` words and stands at an end of its pages: "Share", "Tweet", "Pin it". The last short line of such a run stays where
   what follows varies: it may be the heading of that.

It is then removed wherever it stands as a whole line, but never in code or tables (`plugins.cleaners.site_lines`), and a document that
would lose more than `max_loss` of its characters is left as it is: it is a copy, or all that its site ever says. What was learned, and
how often it was removed, is the version's table `learned`; where, `edits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from plugins.cleaners.site_lines import Line, key_of, lines
from plugins.contracts import Edit, Learner, Threshold

if TYPE_CHECKING:
    import pyarrow as pa


class Boilerplate(Learner):
    r"""Lines that repeat over a site's pages: cookie banners, share bars, "click to read more". Learned of each site by itself.

    >>> import pyarrow as pa
    >>> site = pa.table({"scope": ["example.org"], "line": ["Click here to read more"]})
    >>> page = "She left before the inn was awake.\n\nclick here to read more\n\nThe end."
    >>> Boilerplate().clean_learned([[page]], ["example.org"], site)  # She left before … awake.\n\nThe end.
    [[[Edit(start=36, end=61, after='')]]]
    """

    name = "boilerplate"
    requires: ClassVar[tuple[str, ...]] = ("xxhash",)
    kernels: ClassVar[tuple[str, ...]] = ("plugins.cleaners.site_lines", "plugins.cleaners.site_learning")

    min_pages: Annotated[int, Threshold(), Field(ge=2)] = 5
    """Pages of a site that have a line, at least; fewer teach nothing."""
    min_share: Annotated[float, Threshold(), Field(gt=0, le=1)] = 0.1
    """Share of the site's pages that have it, where it mostly stands at an end of a page."""
    inside_share: Annotated[float, Threshold(), Field(gt=0, le=1)] = 0.5
    """Share of the site's pages that have it, where it mostly stands elsewhere; and in dialogues, anywhere."""
    min_words: Annotated[int, Threshold(), Field(ge=1)] = 4
    """Words of a line that may go by itself, and of a run of short ones; of a script without spaces, two characters are a word."""
    edge: Annotated[int, Field(ge=1)] = 6
    """Lines that are an end of a page, at most; a quarter of its lines where it has few."""
    fold_digits: bool = False
    """Take "3 comments" and "12 comments" for one line."""
    max_loss: Annotated[float, Threshold(), Field(gt=0, le=1)] = 0.5
    """Share of a document's characters that may go; one that would lose more is left as it is."""

    def key(self, line: str) -> str:
        """The line without what does not count."""
        return key_of(line, fold_digits=self.fold_digits)

    def count(self, pages: Sequence[Sequence[str]], scopes: Sequence[str]) -> pa.Table:
        """Which lines stand on these pages, where, and what follows them."""
        from plugins.cleaners.site_learning import count

        return count(pages, scopes, edge=self.edge, fold_digits=self.fold_digits)

    def learn(self, counts: Iterable[pa.Table], sizes: Mapping[str, int]) -> pa.Table:
        """The lines that are furniture. Memory: 64 MiB, and the pairs of lines that each repeat on `min_pages` pages."""
        from plugins.cleaners.site_learning import Bounds, learn

        bounds = Bounds(self.min_pages, self.min_share, self.inside_share, self.min_words)
        return learn(counts, sizes, bounds)

    def clean_learned(
        self, pages: Sequence[Sequence[str]], scopes: Sequence[str], learned: pa.Table
    ) -> list[list[list[Edit]]]:
        """One edit for each line that goes."""
        known: dict[str, set[str]] = {}
        for scope, line in zip(learned["scope"].to_pylist(), learned["line"].to_pylist(), strict=True):
            known.setdefault(scope, set()).add(self.key(line))
        return [
            self._page(texts, known[scope]) if scope in known else [[] for _ in texts]
            for texts, scope in zip(pages, scopes, strict=True)
        ]

    def _page(self, texts: Sequence[str], known: set[str]) -> list[list[Edit]]:
        found = [lines(text, fold_digits=self.fold_digits) for text in texts]
        gone = [[line.key in known for line in each] for each in found]
        whole = sum(line.end - line.start for each in found for line in each)
        lost = sum(
            line.end - line.start
            for each, goes in zip(found, gone, strict=True)
            for line, out in zip(each, goes, strict=True)
            if out
        )
        if not lost or lost > self.max_loss * whole:
            return [[] for _ in texts]
        return [_edits(*each) for each in zip(texts, found, gone, strict=True)]


def _edits(text: str, found: Sequence[Line], gone: Sequence[bool]) -> list[Edit]:
    """One edit for each line that goes, with the white space on one side; the widest gap of those around a run stays."""
    edits: list[Edit] = []
    n = 0
    while n < len(found):
        if not gone[n]:
            n += 1
            continue
        stop = n
        while stop < len(found) and gone[stop]:
            stop += 1
        edits += _run(text, found, n, stop)
        n = stop
    return edits


def _run(text: str, found: Sequence[Line], first: int, stop: int) -> list[Edit]:
    """Lines [first, stop) go. Gap n is the white space before line n."""
    opens = [found[n - 1].end if n else 0 for n in range(first, stop + 1)]
    closes = [found[n].start if n < len(found) else len(text) for n in range(first, stop + 1)]
    if first == 0:
        kept = -1  # at an end of the text none of the gaps inside stays
    elif stop == len(found):
        kept = stop - first
    else:
        widths = [text.count("\n", a, b) for a, b in zip(opens, closes, strict=True)]
        kept = widths.index(max(widths))
    edits = []
    for k in range(stop - first):
        line = found[first + k]
        # Up to the gap that stays, a line takes the gap before it along; beyond, the one after.
        edits.append(Edit(opens[k], line.end, "") if k < kept else Edit(line.start, closes[k + 1], ""))
    return edits
