"""Overlap with evaluation sets: word n-grams of a document that stand in an item of theirs.

    rule         drops a document                                             source
    max_ngrams   with more than `max_ngrams` of them (0), n-grams of 13 words  GPT-3: Brown et al. 2020, appendix C
    max_share    of whose n-grams more than `max_share` are among them (unset) compare Llama 2: Touvron et al. 2023, A.6

GPT-3 drops what collides in 13 words and takes fewer, never below 8, for sets of short items. So here: an item of 8 (`min_words`) to 12
words is looked for whole, and one with fewer not at all, because what is so short stands everywhere. Words are those of
plugins/kernels/alphabet.py: case, punctuation and line breaks do not matter, and in scripts without spaces every letter is one word.

A text file (.txt, .md) is cut into items at blank lines; a row of a JSON Lines or Parquet file is an item, each of its columns a text
of its own. Memory follows the evaluation sets, about 60 bytes a word, and not the corpus.

Bloom filters, which others use, were rejected: a false positive drops a document for nothing, and the item met could not be named.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, model_validator

from plugins.contracts import Beside, Filter, Rule, Threshold
from plugins.filters.lists import paths, stamp
from plugins.kernels import WORDS
from schemas.errors import nearest

if TYPE_CHECKING:
    import polars as pl

    from plugins.kernels.lookup import Lookup

TABLES = (".jsonl", ".ndjson", ".parquet")
PROSE = (".txt", ".md")


class Decontaminate(Filter):
    """Finds word n-grams of evaluation sets; drops documents that hold any."""

    name = "decontaminate"
    requires: ClassVar[tuple[str, ...]] = ("numba", "polars")
    kernels: ClassVar[tuple[str, ...]] = (
        *WORDS,
        "plugins.filters.lists",
        "plugins.kernels.lookup",
        "plugins.kernels.symbols",
    )
    scores: ClassVar[tuple[str, ...]] = ("eval_ngrams", "eval_share", "eval_match")

    files: Annotated[str | tuple[str, ...], Beside()]
    """The evaluation sets: .txt and .md (an item is a paragraph), .jsonl, .ndjson and .parquet (an item is a row)."""
    fields: tuple[str, ...] = ()
    """Columns of those tables to look at; by default all that hold text or lists of it."""
    ngram: Annotated[int, Field(ge=2, le=64)] = 13
    """Words in an n-gram."""
    min_words: Annotated[int, Field(ge=1)] = 8
    """Items with fewer words are not looked for; those with fewer than `ngram` are looked for whole."""
    max_ngrams: Annotated[int, Threshold(), Field(ge=0)] = 0
    """The most different n-grams of evaluation sets that a document may hold."""
    max_share: Annotated[float | None, Threshold(), Field(ge=0, le=1)] = None
    """The greatest share of its n-grams that may be among them."""

    @model_validator(mode="after")
    def _can_be_read(self) -> Decontaminate:
        for path in paths(self.files):
            kind = Path(path).suffix.lower()
            if kind not in TABLES + PROSE:
                raise ValueError(f"files: {path} is no {', '.join(PROSE + TABLES)} file")
            if self.fields and kind in TABLES and Path(path).is_file():
                known = list(_first_rows(path).columns)
                for field in self.fields:
                    if field not in known:
                        hint = nearest(field, known) or f"It has {', '.join(known)}."
                        raise ValueError(f'fields: {path} has no column "{field}". {hint}')
        return self

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """eval_ngrams, different ones; eval_share of the document's own, repeats counted; eval_match, "file#row" of the first item
        met, rows and paragraphs counted from 0; null where none is. A null text holds none."""
        import numpy as np
        import polars as pl

        from plugins.kernels.buffers import buffers

        column = texts.cast(pl.String).fill_null("").to_arrow()
        sets = _sets(
            tuple((path, *stamp(path)) for path in paths(self.files)), self.fields, self.ngram, self.min_words
        )
        distinct, hits, totals = (np.zeros(len(texts), np.int64) for _ in range(3))
        places = np.full(len(texts), np.iinfo(np.int64).max)
        owners = np.full(len(texts), -1, np.int64)
        for lookup in sets.lookups:
            parts = [lookup.find(part) for part in buffers(column)]
            if not parts:
                continue
            total, hit, met, place, owner = map(np.concatenate, zip(*parts, strict=True))
            if lookup.ngram == self.ngram:
                totals, hits = total, hit
            distinct += met
            earlier = (place >= 0) & (place < places)
            places[earlier], owners[earlier] = place[earlier], owner[earlier]
        share = np.where(totals > 0, hits / np.maximum(totals, 1), 0).astype(np.float32)
        match = pl.Series([sets.label(owner) for owner in owners.tolist()], dtype=pl.String)
        return pl.DataFrame({"eval_ngrams": distinct, "eval_share": share, "eval_match": match})

    def rules(self) -> Sequence[Rule]:
        """First any, then too much."""
        import polars as pl

        most = f"more than {self.max_ngrams} n-grams"
        rules = [Rule("max_ngrams", pl.col("eval_ngrams") > self.max_ngrams, "eval_match", most)]
        if self.max_share is not None:
            over = pl.col("eval_share") > pl.lit(self.max_share, dtype=pl.Float32)
            rules.append(Rule("max_share", over, "eval_share", f"> {self.max_share:g}"))
        return rules


class _Sets(NamedTuple):
    files: tuple[str, ...]
    first: tuple[int, ...]
    """The number of each file's first item; items are numbered through all files."""
    lookups: tuple[Lookup, ...]
    """The one for whole n-grams first, even where it is empty."""

    def label(self, item: int) -> str | None:
        if item < 0:
            return None
        at = bisect_right(self.first, item) - 1
        return f"{self.files[at]}#{item - self.first[at]}"


@lru_cache(maxsize=4)
def _sets(
    stamps: tuple[tuple[str, int, int], ...], fields: tuple[str, ...], ngram: int, min_words: int
) -> _Sets:
    import numpy as np
    import pyarrow as pa

    from plugins.kernels.buffers import buffers
    from plugins.kernels.lookup import Lookup
    from plugins.kernels.symbols import count_words
    from plugins.kernels.words import shingles

    first: list[int] = []
    hashes: dict[int, list[Any]] = {ngram: []}
    owners: dict[int, list[Any]] = {ngram: []}
    items = 0
    for path, _, _ in stamps:
        first.append(items)
        rows_here = 0
        for texts in _columns(path, fields):
            rows_here = len(texts)
            column = pa.array(texts, pa.large_string())
            words = [int(count) for part in buffers(column) for count in count_words(part)]
            for length in sorted({min(count, ngram) for count in words if count >= min(min_words, ngram)}):
                rows = [row for row, count in enumerate(words) if min(count, ngram) == length]
                found = list(shingles(column.take(pa.array(rows)), length))
                hashes.setdefault(length, []).extend(found)
                owners.setdefault(length, []).extend(
                    np.full(len(each), items + row, np.int32) for row, each in zip(rows, found, strict=True)
                )
        items += rows_here
    lookups = tuple(
        Lookup(_joined(hashes[length], np.uint64), _joined(owners[length], np.int32), length)
        for length in sorted(hashes, reverse=True)
    )
    return _Sets(_labels([path for path, _, _ in stamps]), tuple(first), lookups)


def _labels(files: Sequence[str]) -> tuple[str, ...]:
    """Names of files, numbered where they would else be alike: where a file lies is no part of what is made."""
    names = [Path(file).name for file in files]
    alike = len(set(names)) < len(names)
    return tuple(f"{number}:{name}" if alike else name for number, name in enumerate(names, 1))


def _joined(arrays: Sequence[Any], kind: Any) -> Any:
    import numpy as np

    return np.concatenate(arrays) if arrays else np.zeros(0, kind)


def _columns(path: str, fields: tuple[str, ...]) -> Iterator[list[str | None]]:
    """The texts of a file, one list a column; all lists of one file are of one length, that of its items."""
    import polars as pl

    if Path(path).suffix.lower() in PROSE:
        text = Path(path).read_text(encoding="utf-8-sig")
        yield [paragraph for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]
        return
    table = (
        pl.read_parquet(path)
        if path.lower().endswith(".parquet")
        else pl.read_ndjson(path, infer_schema_length=None)
    )
    read = fields or [name for name, kind in table.schema.items() if kind in (pl.String, pl.List(pl.String))]
    for name in read:
        column = table[name]
        yield (column.list.join("\n") if column.dtype == pl.List else column.cast(pl.String)).to_list()


def _first_rows(path: str) -> pl.DataFrame:
    import polars as pl

    return (
        pl.read_parquet(path, n_rows=1)
        if path.lower().endswith(".parquet")
        else pl.read_ndjson(path, n_rows=1)
    )
