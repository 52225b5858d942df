"""Exact Jaccard similarities, by NumPy and the standard library alone: none of gristmill's kernels, none of its signatures.

A document is the set of its word 5-grams; what a word is, is gristmill's rule (`plugins.kernels.alphabet`), read here anew as a regular
expression. All documents that share a shingle with one of the sample are met through an inverted index, so nothing is missed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from plugins.kernels.alphabet import CASED, SIZE, UNSPACED, ZERO_WIDTH_SPACE

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

FACTOR = 0x9FB21C651E98DF25
"""Odd; joins the numbers of a shingle's words to 64 bits."""
SHIFT = np.uint64(32)


@cache
def patterns() -> tuple[re.Pattern[str], re.Pattern[str], dict[int, str]]:
    """What is a word, what is as if it were not there, and how letters fold."""
    kinds: dict[str, list[int]] = {"alone": [], "run": [], "mark": [], "ignored": []}
    for point in range(SIZE):
        category = unicodedata.category(chr(point))
        if category[0] in "LN":
            alone = any(first <= point <= last for first, last in UNSPACED)
            kinds["alone" if alone else "run"].append(point)
        elif category[0] == "M":
            kinds["mark"].append(point)
        elif category == "Cf" and point != ZERO_WIDTH_SPACE:
            kinds["ignored"].append(point)
    classes = {name: "".join(_ranges(points)) for name, points in kinds.items()}
    word = f"[{classes['alone']}][{classes['mark']}]*|[{classes['run']}{classes['mark']}]+"
    folds = {point: folded for point in range(CASED) if (folded := _fold(chr(point))) != chr(point)}
    return re.compile(word), re.compile(f"[{classes['ignored']}]"), folds


def _ranges(points: Sequence[int]) -> Iterator[str]:
    """Code points as the inside of a character class."""
    start = 0
    for place in range(1, len(points) + 1):
        if place == len(points) or points[place] != points[place - 1] + 1:
            yield f"\\U{points[start]:08x}-\\U{points[place - 1]:08x}"
            start = place


def _fold(character: str) -> str:
    folded = character.casefold()
    folded = folded if len(folded) == 1 else character.lower()
    return folded if len(folded) == 1 else character


def words(text: str) -> list[str]:
    """The words of a text.

    >>> words("Don't — naïve 茶ABC")
    ['don', 't', 'naïve', '茶', 'abc']
    """
    word, ignored, folds = patterns()
    if text.isascii():
        return word.findall(text.lower())
    return word.findall(ignored.sub("", text).translate(folds))


class Shingler:
    """Numbers words as it meets them, and hashes their n-grams: two that differ are told apart but for 2^-64."""

    def __init__(self, ngram: int = 5) -> None:
        self._ngram = ngram
        self._numbers: dict[str, int] = {}

    def shingles(self, text: str) -> Hashes:
        """The distinct n-grams of a text, ascending; one of all its words where it has fewer, none where it has none."""
        numbers = self._numbers
        found = np.array([numbers.setdefault(word, len(numbers) + 1) for word in words(text)], np.uint64)
        if len(found) == 0:
            return found
        width = min(self._ngram, len(found))
        hashes = np.zeros(len(found) - width + 1, np.uint64)
        for place in range(width):
            hashes = (hashes ^ found[place : place + len(hashes)]) * np.uint64(FACTOR)
            hashes ^= hashes >> SHIFT
        return np.unique(hashes)


@dataclass(frozen=True)
class Index:
    """The shingle sets of a corpus, and where each shingle occurs."""

    sizes: Numbers
    shingles: Numbers
    """Numbers of the shingles, document by document …"""
    bounds: Numbers
    """… document i's are `shingles[bounds[i]:bounds[i + 1]]`."""
    postings: Numbers
    """Documents, shingle by shingle …"""
    starts: Numbers
    """… those of shingle k are `postings[starts[k]:starts[k + 1]]`."""


def index(texts: Iterable[str], ngram: int = 5) -> Index:
    """Shingle all texts."""
    shingler = Shingler(ngram)
    sets = [shingler.shingles(text) for text in texts]
    sizes = np.array([len(one) for one in sets], np.int64)
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    values, numbers = np.unique(np.concatenate([np.zeros(0, np.uint64), *sets]), return_inverse=True)
    owners = np.repeat(np.arange(len(sets)), sizes)
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers, minlength=len(values))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Index(sizes, numbers.astype(np.int64), bounds, owners[order], starts)


@dataclass(frozen=True)
class Pairs:
    """The neighbours of the documents of a sample, itself left out."""

    one: Numbers
    other: Numbers
    similarity: npt.NDArray[np.float64]


def pairs(found: Index, sample: Sequence[int], threshold: float) -> Pairs:
    """Every (document of the sample, any document) whose Jaccard similarity reaches `threshold`."""
    total = len(found.sizes)
    ones, others, likeness = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for document in sample:
        mine = found.shingles[found.bounds[document] : found.bounds[document + 1]]
        shared = np.bincount(_gather(found, mine), minlength=total)
        similarity = shared / np.maximum(found.sizes + found.sizes[document] - shared, 1)
        similarity[document] = 0
        near = np.flatnonzero(similarity >= threshold)
        ones.append(np.full(len(near), document))
        others.append(near)
        likeness.append(similarity[near])
    return Pairs(np.concatenate(ones), np.concatenate(others), np.concatenate(likeness))


def _gather(found: Index, shingles: Numbers) -> Numbers:
    """The postings of all these shingles, one after the other."""
    begins, lengths = found.starts[shingles], found.starts[shingles + 1] - found.starts[shingles]
    ends = np.cumsum(lengths)
    if len(ends) == 0:
        return np.zeros(0, np.int64)
    return found.postings[np.arange(ends[-1]) + np.repeat(begins - (ends - lengths), lengths)]


def judge(near: Pairs, removed: npt.NDArray[np.bool_], sample: Sequence[int]) -> dict[str, float | int]:
    """What a tool's decisions come to on the sample; `removed` has one entry a document of the corpus.

    `residual_80`, `residual_85`: share of true pairs of that similarity of which both were kept. `no_neighbour`: documents of the sample that
    were removed and resemble nothing; `no_kept_neighbour`: removed ones that resemble nothing which was kept.
    """
    both = ~removed[near.one] & ~removed[near.other]
    figures: dict[str, float | int] = {}
    for name, least in (("80", 0.80), ("85", 0.85)):
        true = near.similarity >= least
        figures[f"pairs_{name}"] = int(true.sum())
        figures[f"residual_{name}"] = round(float(both[true].mean()), 5) if true.any() else 0.0
    true = near.similarity >= 0.80
    neighbours, kept = np.zeros(len(removed), np.bool_), np.zeros(len(removed), np.bool_)
    neighbours[near.one[true]] = True
    kept[near.one[true & ~removed[near.other]]] = True
    mine = np.zeros(len(removed), np.bool_)
    mine[np.asarray(sample, np.int64)] = True
    figures["removed"] = int((mine & removed).sum())
    figures["no_neighbour"] = int((mine & removed & ~neighbours).sum())
    figures["no_kept_neighbour"] = int((mine & removed & ~kept).sum())
    return figures
