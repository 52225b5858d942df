"""Repetition inside a text, after Rae et al. 2021, Scaling Language Models (Gopher), table A1.

    measurement                                  dropped above
    dup_line_frac       lines that stood before             0.30
    dup_para_frac       paragraphs that stood before        0.30
    dup_line_char_frac  characters in such lines            0.20
    dup_para_char_frac  characters in such paragraphs       0.20
    top_2_gram          characters in the most              0.20
    top_3_gram            frequent n-gram                   0.18
    top_4_gram                                              0.16
    dup_5_gram          characters in n-grams               0.15
    dup_6_gram            that stood before                 0.14
    dup_7_gram                                              0.13
    dup_8_gram                                              0.12
    dup_9_gram                                              0.11
    dup_10_gram                                             0.10

Each score is the very float64 that datatrove's GopherRepetitionFilter compares, and reasons come in its order: paragraphs, lines,
n-grams. Lines part at line ends in a row, paragraphs at two or more; characters are code points of the whole text, its white space too. The
most frequent n-gram counts even when it occurs once, so a text of very few words fails on it. An empty text fails as `empty`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from plugins.contracts import Filter, Rule, Threshold
from plugins.kernels import TOKENS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

Bound = Annotated[float | None, Threshold(), Field(ge=0)]

MEASURES = (
    "dup_para_frac",
    "dup_para_char_frac",
    "dup_line_frac",
    "dup_line_char_frac",
    "top_2_gram",
    "top_3_gram",
    "top_4_gram",
    "dup_5_gram",
    "dup_6_gram",
    "dup_7_gram",
    "dup_8_gram",
    "dup_9_gram",
    "dup_10_gram",
)
"""In the order of reasons: the options, and with `gopher_` before them the scores."""


class GopherRepetition(Filter):
    """Scores how much of a text repeats itself; keeps texts at or below every bound. A bound that is not given does not decide."""

    name = "gopher-repetition"
    requires: ClassVar[tuple[str, ...]] = ("numba",)
    kernels: ClassVar[tuple[str, ...]] = (
        *TOKENS,
        "plugins.kernels.ngrams",
        "plugins.kernels.repetition",
    )
    scores: ClassVar[tuple[str, ...]] = tuple(f"gopher_{measure}" for measure in MEASURES)

    dup_line_frac: Bound = 0.30
    """The largest fraction of lines that stood before."""
    dup_para_frac: Bound = 0.30
    """The largest fraction of paragraphs that stood before."""
    dup_line_char_frac: Bound = 0.20
    """The largest fraction of characters in lines that stood before."""
    dup_para_char_frac: Bound = 0.20
    """The largest fraction of characters in paragraphs that stood before."""
    top_2_gram: Bound = 0.20
    """The largest fraction of characters in the most frequent pair of words."""
    top_3_gram: Bound = 0.18
    """The same for three words."""
    top_4_gram: Bound = 0.16
    """The same for four words."""
    dup_5_gram: Bound = 0.15
    """The largest fraction of characters in runs of five words that stood before."""
    dup_6_gram: Bound = 0.14
    """The same for six words."""
    dup_7_gram: Bound = 0.13
    """The same for seven words."""
    dup_8_gram: Bound = 0.12
    """The same for eight words."""
    dup_9_gram: Bound = 0.11
    """The same for nine words."""
    dup_10_gram: Bound = 0.10
    """The same for ten words."""

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Thirteen fractions in Float64; null for a text that is empty or null."""
        import numpy as np

        from plugins.kernels.buffers import buffers
        from plugins.kernels.repetition import repetition
        from plugins.kernels.token_memo import remembered

        parts = [repetition(part, remembered(part)) for part in buffers(texts.to_arrow())]
        return self.table(np.concatenate(parts) if parts else np.zeros((0, len(MEASURES))))

    @classmethod
    def table(cls, fractions: npt.NDArray[np.float64]) -> pl.DataFrame:
        """The scores as a frame, from what `plugins.kernels.repetition` measured."""
        import polars as pl

        return pl.DataFrame(fractions, schema=dict.fromkeys(cls.scores, pl.Float64)).fill_nan(None)

    def rules(self) -> Sequence[Rule]:
        """Empty texts, then each bound that is given."""
        import polars as pl

        first = self.scores[0]
        rules = [Rule("empty", pl.col(first).is_null(), first, "without text")]
        for measure, column in zip(MEASURES, self.scores, strict=True):
            bound = getattr(self, measure)
            if bound is not None:
                rules.append(Rule(measure, pl.col(column) > bound, column, f"> {bound:g}"))
        return rules
