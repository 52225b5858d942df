"""Length in words and characters.

A word is what it is everywhere here (plugins/kernels/alphabet.py): a run of letters, marks and digits. Scripts written without
spaces (Han, kana, Thai, Lao, Khmer, Burmese …) give one word per letter with its marks, as word processors count. The apostrophe
and the underscore separate: "don't" counts two. Counting is one pass over the bytes.

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
from plugins.kernels import WORDS

if TYPE_CHECKING:
    import polars as pl


class Length(Filter):
    """Counts words and characters; keeps texts between the bounds given."""

    name = "length"
    requires: ClassVar[tuple[str, ...]] = ("numba", "polars")
    kernels: ClassVar[tuple[str, ...]] = (*WORDS, "plugins.kernels.symbols")
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
        import numpy as np
        import polars as pl

        from plugins.kernels.buffers import buffers
        from plugins.kernels.symbols import count_words

        texts = texts.cast(pl.String)
        words = [count_words(part) for part in buffers(texts.to_arrow())]
        counts = pl.DataFrame({
            "n_words": np.concatenate(words) if words else np.zeros(0, np.int64),
            "n_chars": texts.str.len_chars().cast(pl.Int64),
        })
        return counts.with_columns(n_words=pl.when(pl.col("n_chars").is_not_null()).then("n_words"))

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
