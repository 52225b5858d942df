r"""Length in words and characters.

A word is a run of letters, digits, marks and underscores (Unicode's `\w`). In scripts
written without spaces a run is no word: every Han, Hiragana and Katakana character counts as one, as word processors count. Thai, Lao,
Khmer and Burmese runs count as they stand, so texts in them look shorter than they are: bound those by `min_chars`.

    rule        drops a text with
    min_words   fewer words than `min_words`
    max_words   more words than `max_words`
    min_chars   fewer characters (code points) than `min_chars`
    max_chars   more characters than `max_chars`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from plugins.contracts import Filter, Rule, Threshold

if TYPE_CHECKING:
    import polars as pl

WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\w--\p{Han}--\p{Hiragana}--\p{Katakana}]+"
"""One word, in the syntax of Rust's regex crate."""


class Length(Filter):
    """Counts words and characters; keeps texts between the bounds given."""

    name = "length"
    requires: ClassVar[tuple[str, ...]] = ("polars",)
    scores: ClassVar[tuple[str, ...]] = ("n_words", "n_chars")

    min_words: Annotated[int, Threshold(), Field(ge=0)] = 1
    """The fewest words."""
    max_words: Annotated[int | None, Threshold(), Field(ge=1)] = None
    """The most words."""
    min_chars: Annotated[int, Threshold(), Field(ge=0)] = 0
    """The fewest characters."""
    max_chars: Annotated[int | None, Threshold(), Field(ge=1)] = None
    """The most characters."""

    @model_validator(mode="after")
    def _leaves_room(self) -> Length:
        for unit, low, high in (
            ("words", self.min_words, self.max_words),
            ("chars", self.min_chars, self.max_chars),
        ):
            if high is not None and low > high:
                raise ValueError(f"min_{unit}: {low} is above max_{unit} = {high}; no text could pass")
        return self

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """n_words and n_chars; null for a null text."""
        import polars as pl

        text = pl.col("text").cast(pl.String)
        return (
            texts
            .alias("text")
            .to_frame()
            .select(
                n_words=text.str.count_matches(WORD).cast(pl.Int64),
                n_chars=text.str.len_chars().cast(pl.Int64),
            )
        )

    def rules(self) -> Sequence[Rule]:
        """Those that can fail, words first."""
        import polars as pl

        words, chars = pl.col("n_words"), pl.col("n_chars")
        rules = [Rule("min_words", words < self.min_words, "n_words", f"< {self.min_words}")]
        if self.max_words is not None:
            rules.append(Rule("max_words", words > self.max_words, "n_words", f"> {self.max_words}"))
        if self.min_chars:
            rules.append(Rule("min_chars", chars < self.min_chars, "n_chars", f"< {self.min_chars}"))
        if self.max_chars is not None:
            rules.append(Rule("max_chars", chars > self.max_chars, "n_chars", f"> {self.max_chars}"))
        return rules
