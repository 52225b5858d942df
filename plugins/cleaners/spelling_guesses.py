"""Words that no list knows, guessed by symspellpy: those near one English word and no other.

A guess is made for a word in small ASCII letters, seven or more, that stands neither in the frequency list nor among known misspellings. Its
nearest words are asked for; the most frequent of them is taken where it was seen a million times or more (in the trillion words the list was counted
in) and `min_ratio` times as often as the next, and where both begin with the same letter and end in the same three: endings are grammar. No letter
is replaced by another (semver, server): one is missing, one too many, or letters are swapped. A
word is known, too, where codespell's dictionaries correct or translate something to it (American spellings), or where it is a listed one with a prefix or an
ending, or two listed ones written as one (manpage). What a list of 82,765 words lacks (names of
things in a trade, new words) is the danger, so this is off by default.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from plugins.cleaners.spelling_dictionary import (
    dictionary_file,
    entries,
    frequencies,
    frequency_file,
    kept,
    known,
)

MIN_LETTERS = 7
MIN_COUNT = 1_000_000
MIN_ROOT = 3
_PREFIXES = ("re", "un", "pre", "non", "micro", "auto", "multi", "sub", "inter", "anti", "de", "over", "out")
_ENDINGS = (
    "s",
    "es",
    "d",
    "ed",
    "ing",
    "r",
    "er",
    "ers",
    "ly",
    "ness",
    "ment",
    "able",
    "ize",
    "ized",
    "y",
    "like",
    "less",
    "th",
)
_PLAIN = re.compile(r"[a-z]+")


@lru_cache(maxsize=2)
def _speller(distance: int) -> Any:
    from symspellpy import SymSpell  # type: ignore[import-untyped]

    speller = SymSpell(max_dictionary_edit_distance=distance, prefix_length=7)
    speller.load_dictionary(str(frequency_file()), term_index=0, count_index=1, encoding="utf-8-sig")
    return speller


@lru_cache(maxsize=200_000)
def guess(word: str, distance: int, ratio: float) -> str | None:
    """What a word was meant to be; None where that is in doubt."""
    if len(word) < MIN_LETTERS or not _PLAIN.fullmatch(word):
        return None
    if word in known() or _compound(word) or any(root in words() for root in _roots(word)):
        return None
    from symspellpy import Verbosity

    near = _speller(distance).lookup(word, Verbosity.CLOSEST, max_edit_distance=distance)
    if not near or near[0].count < MIN_COUNT or not _framed(word, near[0].term):
        return None
    if len(near) > 1 and near[0].count < ratio * near[1].count:
        return None
    return str(near[0].term)


@cache
def words() -> frozenset[str]:
    """All words that are taken for English."""
    american = dictionary_file().with_name("dictionary_en-GB_to_en-US.txt").read_text(encoding="utf-8")
    return kept().union(
        frequencies(),
        (piece.lower() for right in known().values() for piece in right.split()),
        (right.lower() for _, right in entries(american)),
    )


def _roots(word: str) -> list[str]:
    """The word, and what it may be made of.

    >>> _roots("rebases")
    ['rebases', 'rebase', 'rebas', 'bases', 'base', 'bas']
    """
    bare = [word, *(word[len(prefix) :] for prefix in _PREFIXES if word.startswith(prefix))]
    return [
        root
        for whole in bare
        for root in (whole, *(whole[: -len(end)] for end in _ENDINGS if whole.endswith(end)))
        if len(root) >= MIN_ROOT
    ]


def _compound(word: str) -> bool:
    cuts = range(MIN_ROOT, len(word) - MIN_ROOT + 1)
    return any(word[:at] in frequencies() and word[at:] in frequencies() for at in cuts)


def _framed(word: str, right: str) -> bool:
    replaced = len(word) == len(right) and sorted(word) != sorted(right)
    return word[0] == right[0] and word[-3:] == right[-3:] and not replaced
