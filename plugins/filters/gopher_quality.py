"""Quality of a text by its words and lines, after Rae et al. 2021, Scaling Language Models (Gopher), section A1.1.

    rule                  drops a text
    short_doc             of fewer words than min_words, 50
    long_doc              of more words than max_words, 100,000
    below_avg_threshold   whose words have fewer characters, in the mean, than min_mean_word_length, 3
    above_avg_threshold   ... or more than max_mean_word_length, 10
    too_many_hashes       with more "#" a word than max_symbol_ratio, 0.1
    too_many_ellipsis     with more "..." and "…" a word than that
    too_many_bullets      more than max_bullet_lines, 0.9, of whose lines begin with "•" or "-"
    too_many_end_ellipsis more than max_ellipsis_lines, 0.3, of whose lines end with an ellipsis
    below_alpha_threshold less than min_alpha_words, 0.8, of whose words have a letter
    enough_stop_words     in which fewer than min_stop_words, 2, of the stop words occur

Given the same words each score is the very number that datatrove's GopherQualityFilter compares, and reasons have its names and order.
Words are those of `plugins.kernels.tokens`, much as spaCy finds them, punctuation among them; those of punctuation alone count neither
for the length of a text nor of its words. A text without words (empty, null, white space) has null ratios, and fails: datatrove
divides by zero there, unless its short_doc came first. Without a word that is more than punctuation there is no mean length, and none fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from plugins.contracts import Filter, Rule, Threshold
from plugins.kernels import TOKENS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from plugins.kernels.buffers import Texts
    from plugins.kernels.tokens import Spans

Count = Annotated[int | None, Threshold(), Field(gt=0)]
Bound = Annotated[float | None, Threshold(), Field(gt=0)]


class GopherQuality(Filter):
    """Scores words and lines; keeps texts within every bound. A bound that is null does not decide."""

    name = "gopher-quality"
    requires: ClassVar[tuple[str, ...]] = ("numba",)
    kernels: ClassVar[tuple[str, ...]] = (*TOKENS, "plugins.kernels.lines")
    scores: ClassVar[tuple[str, ...]] = (
        "gopher_n_words",
        "gopher_mean_word_length",
        "gopher_hash_ratio",
        "gopher_ellipsis_ratio",
        "gopher_bullet_lines",
        "gopher_ellipsis_lines",
        "gopher_alpha_words",
        "gopher_stop_words",
    )

    min_words: Count = 50
    """The fewest words that are more than punctuation."""
    max_words: Count = 100_000
    """The most such words."""
    min_mean_word_length: Bound = 3
    """The least mean length of such words in characters."""
    max_mean_word_length: Bound = 10
    """The greatest mean length."""
    max_symbol_ratio: Bound = 0.1
    """The most hashes, and the most ellipses, per word."""
    max_bullet_lines: Bound = 0.9
    """The largest fraction of lines that begin with a bullet."""
    max_ellipsis_lines: Bound = 0.3
    """The largest fraction of lines that end with an ellipsis."""
    min_alpha_words: Bound = 0.8
    """The least fraction of words with a letter."""
    min_stop_words: Count = 2
    """The fewest stop words that occur."""
    stop_words: tuple[str, ...] = ("the", "be", "to", "of", "and", "that", "have", "with")
    """What is counted as a stop word, as it is written here: capitals differ."""

    @model_validator(mode="after")
    def _can_be_met(self) -> GopherQuality:
        if self.min_stop_words and self.min_stop_words > len(set(self.stop_words)):
            raise ValueError(
                f"min_stop_words: {self.min_stop_words} is more than there are stop_words; no text could pass"
            )
        return self

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """gopher_n_words and gopher_stop_words in Int64, the rest in Float64; all null for a null text."""
        import polars as pl

        from plugins.kernels.buffers import buffers
        from plugins.kernels.token_memo import remembered

        parts = [self.score_words(part, remembered(part)) for part in buffers(texts.to_arrow())]
        if not parts:
            return self.table(_none())
        scored = pl.concat(parts)
        if not texts.null_count():
            return scored
        known = texts.is_not_null()
        return scored.select(pl.when(known).then(pl.col(name)).alias(name) for name in self.scores)

    def score_words(self, texts: Texts, words: Spans) -> pl.DataFrame:
        """The scores of texts whose words are given."""
        from plugins.kernels.lines import word_quality

        return self.table(word_quality(texts, words, self.stop_words))

    @classmethod
    def table(cls, counts: npt.NDArray[np.int64]) -> pl.DataFrame:
        """The scores as a frame, from the counts of `plugins.kernels.lines.word_quality`."""
        import numpy as np
        import polars as pl

        words, plain, chars, alphas, stops, hashes, ellipses, lines, bullets, opened = counts.T.astype(
            np.float64
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = [
                chars / plain,
                hashes / words,
                ellipses / words,
                bullets / lines,
                opened / lines,
                alphas / words,
            ]
        ratios = [np.where((words > 0) & np.isfinite(ratio), ratio, np.nan) for ratio in ratios]
        columns = [plain.astype(np.int64), *ratios, stops.astype(np.int64)]
        return pl.DataFrame(dict(zip(cls.scores, columns, strict=True))).fill_nan(None)

    def rules(self) -> Sequence[Rule]:
        """Each bound that is given."""
        import polars as pl

        words, mean, hashes, ellipses, bullets, opened, alphas, stops = self.scores
        bounds = (
            ("short_doc", words, "<", self.min_words),
            ("long_doc", words, ">", self.max_words),
            ("below_avg_threshold", mean, "<", self.min_mean_word_length),
            ("above_avg_threshold", mean, ">", self.max_mean_word_length),
            ("too_many_hashes", hashes, ">", self.max_symbol_ratio),
            ("too_many_ellipsis", ellipses, ">", self.max_symbol_ratio),
            ("too_many_bullets", bullets, ">", self.max_bullet_lines),
            ("too_many_end_ellipsis", opened, ">", self.max_ellipsis_lines),
            ("below_alpha_threshold", alphas, "<", self.min_alpha_words),
            ("enough_stop_words", stops, "<", self.min_stop_words),
        )
        rules = []
        for reason, column, sign, bound in bounds:
            if bound is not None:
                fails = pl.col(column) < bound if sign == "<" else pl.col(column) > bound
                if column == mean:
                    fails = (
                        fails.fill_null(value=False) | pl.col(words).is_null()
                    )  # no mean fails none, no text does
                rules.append(Rule(reason, fails, column, f"{sign} {bound:g}"))
        return rules


def _none() -> npt.NDArray[np.int64]:
    import numpy as np

    return np.zeros((0, 10), np.int64)
