"""C4's rules for a page, after Raffel et al. 2020, Exploring the Limits of Transfer Learning (T5), section 2.2.

    a page is dropped as   when
    lorem_ipsum            a line that stands up to the rules before says "lorem ipsum"
    curly_bracket          the same for "{"
    too_few_sentences      the lines that stay hold fewer than 5 sentences

    a line goes            without . ? ! " or ' at its end, or with "..." there
                           with fewer than 3 words, or one of more than 1000 characters
                           that says "javascript", or names a policy, terms of use or cookies in one of six phrases

The line rules apply while scoring, in the order of datatrove's C4QualityFilter (a word that is too long, end, words, lorem ipsum, javascript,
bracket, policy), so that the decision is the same whether or not the cleaner `c4-lines` came before. The cleaner is what changes the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from plugins.c4_rules import C4Rules
from plugins.contracts import Filter, Rule, Threshold
from plugins.kernels import TOKENS

if TYPE_CHECKING:
    import polars as pl

    from plugins.kernels.buffers import Texts
    from plugins.kernels.c4_lines import Ints, Lines


class C4(C4Rules, Filter):
    """Scores a page by the sentences in the lines that C4 would keep, and by what made it drop pages whole."""

    name = "c4"
    requires: ClassVar[tuple[str, ...]] = ("numba",)
    kernels: ClassVar[tuple[str, ...]] = (
        *TOKENS,
        "plugins.c4_rules",
        "plugins.kernels.c4_lines",
        "plugins.kernels.c4_phrases",
        "plugins.kernels.line_sentences",
        "plugins.kernels.sentences",
    )
    scores: ClassVar[tuple[str, ...]] = ("c4_lorem_ipsum", "c4_curly_bracket", "c4_sentences")

    min_sentences: Annotated[int, Threshold(), Field(ge=0)] = 5
    """The fewest sentences in lines that stay; 0 asks for none."""

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Two booleans, of which one at most is true: what dropped the page first; and the sentences of lines that stay."""
        import polars as pl

        from plugins.kernels.buffers import buffers
        from plugins.kernels.line_sentences import line_sentences

        empty = pl.DataFrame(schema=dict(zip(self.scores, (pl.Boolean, pl.Boolean, pl.Int64), strict=True)))
        parts = buffers(texts.to_arrow())
        return pl.concat([
            empty,
            *(self.score_lines(part, partial(line_sentences, part)) for part in parts),
        ])

    def score_lines(self, texts: Texts, sentences: Callable[[Lines], Ints]) -> pl.DataFrame:
        """As `score`, by another count of the sentences in each line."""
        import numpy as np
        import polars as pl

        from plugins.kernels.c4_lines import CURLY_BRACKET, LOREM_IPSUM, kept_lines

        lines = kept_lines(texts, self.line_rules())
        fatal = np.flatnonzero(lines.kinds >= LOREM_IPSUM)
        pages, first = np.unique(lines.owners[fatal], return_index=True)
        fates = np.zeros(len(texts), np.uint8)
        fates[pages] = lines.kinds[fatal[first]]
        counts = np.maximum(sentences(lines), 1)  # datatrove counts one in an empty line
        counts[fatal] = 0
        counted = np.bincount(lines.owners, weights=counts, minlength=len(texts)).astype(np.int64)
        return pl.DataFrame({
            "c4_lorem_ipsum": fates == LOREM_IPSUM,
            "c4_curly_bracket": fates == CURLY_BRACKET,
            "c4_sentences": counted,
        })

    def rules(self) -> Sequence[Rule]:
        """What drops a page whole, then its sentences."""
        import polars as pl

        return [
            Rule("lorem_ipsum", pl.col("c4_lorem_ipsum"), "c4_lorem_ipsum", 'has "lorem ipsum"'),
            Rule("curly_bracket", pl.col("c4_curly_bracket"), "c4_curly_bracket", 'has "{"'),
            Rule(
                "too_few_sentences",
                pl.col("c4_sentences") < self.min_sentences,
                "c4_sentences",
                f"< {self.min_sentences}",
            ),
        ]
