"""Known misspellings: codespell's dictionary, read as data, less what is a word after all.

codespell's code is GPL-2.0 and is never imported; its `dictionary.txt` is CC BY-SA 3.0. symspellpy's English frequency list says what is a
word. Both come with the extra `spelling`. Of codespell 2.4.3's 64,980 entries 58,916 have one suggestion; left out are, in this order:

    entries with a reason behind the correction ("disabled because …"), and entries with several suggestions, but for those that say the
    same (doesnt -> doesn't, does not): the first is taken
    words of fewer than four letters but those that swap two neighbours of a word seen a billion times (teh, adn), or with anything but letters, hyphens and apostrophes
    words in the frequency list (Handel, despatch, connexion)
    words that differ from their correction in hyphens alone (co-ordinate, re-use, reenable), in a final g (gettin: speech), in z for s
    (advertized), or in -able, -eable and -ible (gatable, uninterruptable: both are met in print)
    words in `spelling_kept.txt`: accepted variants, words of a trade, speech, slang
    words whose correction holds another known misspelling

Rejected: several suggestions weighed by context, since no rule of ours was right 95 times in 100; codespell's other dictionaries (rare words,
usage, names, British to American), which are right about code and wrong about prose.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import missing_extra

MIN_LETTERS = 4
MOST_FREQUENT = 10**9
"""Times a word was seen in the trillion words that the list was counted in."""
_ABLE = re.compile(r"(?:ea|i)ble\b")
_PLAIN = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")
_FIXED = re.compile(r"[A-Za-z]+(?:[ '-][A-Za-z]+)*")
KEPT = Path(__file__).with_name("spelling_kept.txt")


def data_file(package: str, *path: str) -> Path:
    """A file inside an installed package, which is not imported. Raises MissingExtra where it is not there."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder, *path)).is_file():
            return file
    raise missing_extra("spelling", "the cleaner `spelling`")


def dictionary_file() -> Path:
    """codespell's dictionary."""
    return data_file("codespell_lib", "data", "dictionary.txt")


def frequency_file() -> Path:
    """symspellpy's list of 82,765 English words and how often each was seen."""
    return data_file("symspellpy", "frequency_dictionary_en_82_765.txt")


@cache
def frequencies() -> dict[str, int]:
    """English words and their counts."""
    lines = frequency_file().read_text(encoding="utf-8-sig").splitlines()
    return {word: int(count) for word, count in map(str.split, lines)}


@cache
def kept() -> frozenset[str]:
    """Words that are left alone."""
    lines = KEPT.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _is_variant(wrong: str, right: str) -> bool:
    """Whether two spellings differ as speech and print do.

    >>> (
    ...     _is_variant("nothin", "nothing"),
    ...     _is_variant("gatable", "gateable"),
    ...     _is_variant("recieved", "received"),
    ... )
    (True, True, False)
    """
    return (
        (wrong.endswith("in") and right == f"{wrong}g")
        or wrong.replace("z", "s") == right.replace("z", "s")
        or _ABLE.sub("able", wrong) == _ABLE.sub("able", right)
    )


def is_listed(right: str) -> bool:
    """Whether all words of a correction are in the frequency list, apostrophes aside."""
    return all(word in frequencies() for word in re.findall(r"[a-z]+", re.sub(r"'\w+", "", right.lower())))


@cache
def known() -> dict[str, str]:
    """Misspelling → correction. A misspelling with capitals ("Amercia") counts in those alone; all others are in small letters."""
    words, left_alone = frequencies(), kept()
    found = {}
    for wrong, right in entries(dictionary_file().read_text(encoding="utf-8")):
        low = wrong.lower()
        if (
            not _PLAIN.fullmatch(wrong)
            or not _FIXED.fullmatch(right)
            or (len(wrong) < MIN_LETTERS and not swapped(wrong, right))
        ):
            continue
        if low in words or low in left_alone or _joined(low) == right.lower():
            continue
        if ("-" in right and _joined(right.lower()) == low) or _is_variant(low, right.lower()):
            continue
        found[wrong] = right
    return {
        wrong: right
        for wrong, right in found.items()
        if not any(piece in found or piece.lower() in found for piece in [right, *right.split()])
    }


def entries(text: str) -> list[tuple[str, str]]:
    r"""The entries of a file in codespell's format that have one correction, or one spelt out as well, and no reason against it.

    >>> entries("teh->the\nfo->of, for,\nclas->class, disabled because of C\ndoesnt->doesn't, does not,\n")
    [('teh', 'the'), ('doesnt', "doesn't")]
    """
    pairs = (line.partition("->") for line in text.splitlines() if "->" in line)
    return [(wrong.strip(), right) for wrong, _, told in pairs if (right := _only(told))]


def _only(told: str) -> str | None:
    first, *more = (one.strip() for one in told.split(","))
    if not more or (first.endswith("n't") and more == [first.removesuffix("n't") + " not", ""]):
        return first
    return None


def swapped(wrong: str, right: str) -> bool:
    """Whether a word of three letters is one of the most frequent words with two neighbours swapped.

    >>> swapped("teh", "the"), swapped("nam", "name")
    (True, False)
    """
    swaps = {wrong[:at] + wrong[at + 1] + wrong[at] + wrong[at + 2 :] for at in range(len(wrong) - 1)}
    return len(wrong) == MIN_LETTERS - 1 and right in swaps and frequencies().get(right, 0) >= MOST_FREQUENT


def _joined(word: str) -> str:
    return word.replace("-", "")
