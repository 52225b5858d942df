"""How much a text swears: a flag to look at, and a rule only where a limit is given.

    rule        drops a text in which
    max_share   more than this share of the words are of the list; unset: none is dropped

`profanity_words.txt`, short and of English, is our own: the lists at hand are either large and full of words that mostly mean something else, so that they
flag medicine and geography, or under no stated licence. Words are found as by `bad-words`, whole and whatever their case. Dialogue is full of swearing that a
character does by right, which is why nothing is dropped unasked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from plugins.contracts import Beside, Brings, Filter, Locates, Rule, Threshold
from plugins.filters.bad_words import BadWords
from plugins.filters.lists import Files, paths
from schemas.fingerprint import digest_file

if TYPE_CHECKING:
    import polars as pl

_LIST = Path(__file__).with_name("profanity_words.txt")


class Profanity(Filter):
    """Counts swear words and their share of all words. Drops nothing unless `max_share` is given."""

    name = "profanity"
    requires: ClassVar[tuple[str, ...]] = BadWords.requires
    kernels: ClassVar[tuple[str, ...]] = (*BadWords.kernels, "plugins.filters.bad_words")
    scores: ClassVar[tuple[str, ...]] = ("profanity", "profanity_share", "profanity_word")

    words: tuple[str, ...] = ()
    """Words and phrases besides those of the built-in list."""
    files: Annotated[Files, Beside()] = None
    """Files of them, one a line; what follows "#" at the start of a line is a remark."""
    builtin: bool = True
    """Use the built-in list, which is English."""
    max_share: Annotated[float | None, Threshold(), Field(ge=0, le=1)] = None
    """The largest share of a text's words that may be of the list, 0 to 1; unset, no text is dropped."""

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """Its options, and the content of the list."""
        told = super().identity(without=without)
        return {**told, "list": digest_file(_LIST)} if self.builtin else told

    def check(self) -> None:
        """There are words, and the lists can be read."""
        self._counter().check()

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """profanity, how many; profanity_share, of all words (0 for a text without any); profanity_word, the first. A null text holds none."""
        import numpy as np
        import polars as pl

        from plugins.kernels.buffers import buffers
        from plugins.kernels.symbols import count_words

        texts = texts.cast(pl.String).fill_null("")
        found = self._counter().score(texts)
        counts = [count_words(part) for part in buffers(texts.to_arrow())]
        words = np.concatenate(counts) if counts else np.zeros(0, np.int64)
        return found.select(
            pl.col("bad_words").alias("profanity"),
            (pl.col("bad_words") / pl.Series(np.maximum(words, 1))).alias("profanity_share"),
            pl.col("bad_word").alias("profanity_word"),
        )

    def rules(self) -> Sequence[Rule]:
        """One, or none."""
        import polars as pl

        if self.max_share is None:
            return []
        bound = f"> {self.max_share}"
        return [Rule("max_share", pl.col("profanity_share") > self.max_share, "profanity_share", bound)]

    def _counter(self) -> BadWords:
        files = (*([str(_LIST)] if self.builtin else []), *paths(self.files))
        return BadWords(words=self.words, files=files or None)
