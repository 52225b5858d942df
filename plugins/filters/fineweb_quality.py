r"""Quality of a text by its lines, after Penedo et al. 2024, The FineWeb Datasets, section 3.6 (the custom filters).

    rule              drops a text
    empty             without a line that is more than white space
    line_punct_ratio  less than min_line_punct, 0.12, of whose lines end with a mark that ends sentences
    short_line_ratio  more than max_short_lines, 0.67, of whose lines have at most short_line_length, 30, characters
    char_dup_ratio    more than max_char_dup, 0.01, of whose characters are in lines that stood before
    list_ratio        with more newlines a word than max_newlines, 0.3

Given the same words each score is the very number that datatrove's FineWebQualityFilter compares, and reasons have its names and order.
Lines part at "\n" alone, those of only white space are left out, and a line that ends with white space ends with no mark. Words are
those of `plugins.kernels.tokens`, much as spaCy finds them. Where a text has lines and no words (zero-width spaces), datatrove divides by
zero; here the score is null, which fails as list_ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator

from plugins.contracts import Filter, Rule, Threshold
from plugins.kernels import TOKENS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from plugins.kernels.buffers import Texts
    from plugins.kernels.tokens import Spans

Bound = Annotated[float, Threshold(), Field(ge=0)]


class FineWebQuality(Filter):
    """Scores lines; keeps texts within every bound."""

    name = "fineweb-quality"
    requires: ClassVar[tuple[str, ...]] = ("numba",)
    kernels: ClassVar[tuple[str, ...]] = (*TOKENS, "plugins.kernels.lines")
    scores: ClassVar[tuple[str, ...]] = (
        "fineweb_line_punct",
        "fineweb_short_lines",
        "fineweb_char_dup",
        "fineweb_newlines",
    )

    min_line_punct: Bound = 0.12
    """The least fraction of lines that end with one of `stop_chars`."""
    allow_no_line_punct: Annotated[bool, Threshold()] = False
    """Pass a text none of whose lines does, such as one in a script without such marks."""
    stop_chars: tuple[str, ...] | None = None
    """Characters that end a line well; null: the full stop, question and exclamation marks of all scripts."""
    max_short_lines: Bound = 0.67
    """The largest fraction of short lines."""
    short_line_length: Annotated[int, Field(ge=0)] = 30
    """The most characters of a line that is short."""
    max_char_dup: Bound = 0.01
    """The largest fraction of characters in lines that stood before."""
    max_newlines: Bound = 0.3
    """The most newlines per word."""

    @field_validator("stop_chars")
    @classmethod
    def _characters(cls, stop_chars: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if odd := [text for text in stop_chars or () if len(text) != 1]:
            raise ValueError(f'"{odd[0]}" is not one character')
        return stop_chars

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Four ratios in Float64; null where there is nothing to divide by, in an empty or null text."""
        import polars as pl

        from plugins.kernels.buffers import buffers
        from plugins.kernels.token_memo import remembered

        parts = [self.score_words(part, remembered(part)) for part in buffers(texts.to_arrow())]
        return pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(self.scores, pl.Float64))

    def score_words(self, texts: Texts, words: Spans) -> pl.DataFrame:
        """The scores of texts whose words are given."""
        from plugins.kernels.lines import line_quality

        return self.table(line_quality(texts, words, self.stop_chars, self.short_line_length))

    @classmethod
    def table(cls, counts: npt.NDArray[np.int64]) -> pl.DataFrame:
        """The scores as a frame, from the counts of `plugins.kernels.lines.line_quality`."""
        import numpy as np
        import polars as pl

        words, chars, newlines, lines, ended, short, duplicate = counts.T.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = [ended / lines, short / lines, duplicate / chars, newlines / words]
        known = lines > 0
        ratios = [np.where(known & np.isfinite(ratio), ratio, np.nan) for ratio in ratios]
        return pl.DataFrame(dict(zip(cls.scores, ratios, strict=True))).fill_nan(None)

    def rules(self) -> Sequence[Rule]:
        """Empty texts, then each bound."""
        import polars as pl

        punct, short, dup, newlines = self.scores
        low = pl.col(punct) < self.min_line_punct
        if self.allow_no_line_punct:
            low &= pl.col(punct) != 0
        return [
            Rule("empty", pl.col(punct).is_null(), punct, "without lines"),
            Rule("line_punct_ratio", low, punct, f"< {self.min_line_punct:g}"),
            Rule(
                "short_line_ratio", pl.col(short) > self.max_short_lines, short, f"> {self.max_short_lines:g}"
            ),
            Rule("char_dup_ratio", pl.col(dup) > self.max_char_dup, dup, f"> {self.max_char_dup:g}"),
            Rule("list_ratio", pl.col(newlines) > self.max_newlines, newlines, f"> {self.max_newlines:g}"),
        ]
