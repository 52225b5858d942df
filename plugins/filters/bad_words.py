"""Words that no document should hold, as C4 uses a list of obscene ones (Raffel et al. 2020, section 2.2).

    rule   drops a text in which
    max    entries of the list stand more than `max` times (0: as C4)

An entry is one word or several in a row, found where those very words stand, whatever their case and whatever separates them. Words are
those of plugins/kernels/alphabet.py; in scripts without spaces every letter is one, so an entry there is found inside longer
words, as in C4 for Chinese, Japanese and Thai. An entry that holds a symbol other than a hyphen, an apostrophe, a full stop, an
ampersand, a slash, a comma or an underscore ("a$$", an emoji) would mean something else without it: it is found as it stands,
anywhere, case folded.

One regular expression of all entries, which C4 and datatrove use, was rejected: this reads a text at the speed of its shingles, once
for every number of words that an entry has. With 400 words, decisions on 2,000 pieces of WCXB's pages differ in 2: here an underscore
separates words. 31,000 against 4,700 documents of 5,000 characters a second, one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from pydantic import Field, model_validator

from plugins.contracts import Beside, Filter, Rule, Threshold
from plugins.filters.lists import Files, entries, paths, stamp
from plugins.kernels import WORDS

if TYPE_CHECKING:
    import polars as pl

    from plugins.kernels.lookup import Lookup

BETWEEN = frozenset("-'’.&/,_")
"""Symbols that merely separate words."""


class BadWords(Filter):
    """Counts words of a list; drops texts that hold more than a few."""

    name = "bad-words"
    requires: ClassVar[tuple[str, ...]] = ("numba", "polars")
    kernels: ClassVar[tuple[str, ...]] = (
        *WORDS,
        "plugins.filters.lists",
        "plugins.kernels.lookup",
        "plugins.kernels.symbols",
    )
    scores: ClassVar[tuple[str, ...]] = ("bad_words", "bad_word")

    words: tuple[str, ...] = ()
    """Words and phrases."""
    files: Annotated[Files, Beside()] = None
    """Files of them, one a line; what follows "#" at the start of a line is a remark."""
    max: Annotated[int, Threshold(), Field(ge=0)] = 0
    """The most that may stand in a text, repeats counted."""

    @model_validator(mode="after")
    def _has_words(self) -> BadWords:
        if not self.words and not self.files:
            raise ValueError('names no words; give words = ["…"] or files = "bad_words.txt"')
        if odd := [word for word in self.words if not word.strip()]:
            raise ValueError(f"words: {odd[0]!r} holds nothing to look for")
        return self

    def check(self) -> None:
        """The lists can be read."""
        for _entry in entries(self.files):
            pass

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """bad_words, how many; bad_word, the first of them as it stands in the list. A null text holds none."""
        import numpy as np
        import polars as pl

        from plugins.kernels.buffers import buffers

        texts = texts.cast(pl.String).fill_null("")
        found = _search(self.words, tuple((path, *stamp(path)) for path in paths(self.files)))
        counts = np.zeros(len(texts), np.int64)
        places = np.full(len(texts), np.iinfo(np.int64).max)
        owners = np.full(len(texts), -1, np.int64)
        for lookup in found.lookups:  # longest entries first, so that of two at one place the longer is told
            parts = [lookup.find(part) for part in buffers(texts.to_arrow())]
            if not parts:
                continue
            place, owner = (
                np.concatenate([getattr(part, name) for part in parts]) for name in ("place", "owner")
            )
            counts += np.concatenate([part.hits for part in parts])
            earlier = (place >= 0) & (place < places)
            places[earlier], owners[earlier] = place[earlier], owner[earlier]
        named = pl.Series(
            [found.entries[owner] if owner >= 0 else None for owner in owners.tolist()], dtype=pl.String
        )
        scores = pl.DataFrame({"bad_words": counts, "bad_word": named})
        if not found.symbols:
            return scores
        standing = texts.str.to_lowercase().str.extract_many([*found.symbols])
        return scores.select(
            (pl.col("bad_words") + standing.list.len().cast(pl.Int64)).alias("bad_words"),
            pl.coalesce("bad_word", standing.list.first()).alias("bad_word"),
        )

    def rules(self) -> Sequence[Rule]:
        """One."""
        import polars as pl

        return [Rule("max", pl.col("bad_words") > self.max, "bad_word", f"more than {self.max}")]


class _Search(NamedTuple):
    entries: tuple[str, ...]
    lookups: tuple[Lookup, ...]
    """One for each number of words that an entry has, the largest first; owners are places in `entries`."""
    symbols: tuple[str, ...]
    """Entries found as they stand, in lower case."""


@lru_cache(maxsize=4)
def _search(words: tuple[str, ...], stamps: tuple[tuple[str, int, int], ...]) -> _Search:
    import numpy as np
    import pyarrow as pa

    from plugins.kernels.buffers import buffers
    from plugins.kernels.lookup import Lookup
    from plugins.kernels.symbols import count_words
    from plugins.kernels.words import MAX_NGRAM, shingles

    listed = tuple(dict.fromkeys([*map(str.strip, words), *entries(tuple(path for path, _, _ in stamps))]))
    whole = tuple(entry for entry in listed if not _is_symbolic(entry))
    lengths = [int(n) for part in buffers(pa.array(whole, pa.large_string())) for n in count_words(part)]
    lookups = []
    for ngram in sorted({n for n in lengths if 0 < n <= MAX_NGRAM}, reverse=True):
        owners = [index for index, n in enumerate(lengths) if n == ngram]
        hashes = shingles(pa.array([whole[index] for index in owners], pa.large_string()), ngram)
        lookups.append(Lookup(np.concatenate(list(hashes)), np.array(owners, np.int32), ngram))
    symbols = dict.fromkeys(entry.lower() for entry in listed if _is_symbolic(entry))
    return _Search(whole, tuple(lookups), tuple(symbols))


def _is_symbolic(entry: str) -> bool:
    """Whether an entry holds a character that is neither part of a word nor merely between words."""
    from plugins.kernels.alphabet import SEPARATOR, SIZE, alphabet

    classes = alphabet().classes
    return any(
        (ord(character) >= SIZE or classes[ord(character)] == SEPARATOR)
        and not character.isspace()
        and character not in BETWEEN
        for character in entry
    )
