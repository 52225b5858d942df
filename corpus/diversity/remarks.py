"""Sentences on what is off: a measure far outside what ordinary text shows, and what to type.

| measure | ordinary text | said |
|---|---|---|
| compression (gzip) | 2.5 to 4.0; source code most | above 5 |
| repeated 4-grams | 0.006 to 0.14; spoken role-play most | above 0.25 |
| spread | 0.51 to 0.91; the chapters of four novels least | below 0.35 |
| near | 0 to 0.002, after dedup at 0.8 | above 0.10 |
| share of the three largest groups | | above 0.4, of ten times as many or more |
| share of one site, or one author | | above 0.5, of ten or more |
| share of one source | | above 0.95, of two or more |

The ordinary ranges were measured on the corpora that docs/diversity.md lists; bounds lie well outside them, so that a sentence means
something. The shares are conventions: nobody has measured what share is too much. One sentence a rule and source; a split or
site is named only where neither a source nor the whole shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from corpus.diversity.records import Row

COMPRESSION = 5.0
REPEATED = 0.25
SPREAD = 0.35
NEAR = 0.10
TOP_SHARE = 0.4
TOP_AMONG = 30
ONE_SHARE = 0.5
ONE_AMONG = 10
SOURCE_SHARE = 0.95
CAP_OVER_MEAN = 3
"""A cap that is proposed is so many times the mean number of documents."""


def remarks(rows: Sequence[Row], group: str) -> tuple[str, ...]:
    """The sentences, in a fixed order; `group` is what the recipe's [split] keeps together."""
    groups = "thread" if group in {"auto", "thread", "work"} else group
    rules: list[Callable[[Row], str | None]] = [
        _compression,
        _repeated,
        _spread,
        _near,
        lambda row: _largest_groups(row, groups),
        lambda row: _largest(row, "site"),
        lambda row: _largest(row, "author"),
        _largest_source,
    ]
    return tuple(sentence for rule in rules for sentence in _told(rows, rule))


def _told(rows: Sequence[Row], rule: Callable[[Row], str | None]) -> list[str]:
    """What a rule says: of sources if of any, else of the whole, else of other parts."""
    said = [(row, sentence) for row in rows if (sentence := rule(row))]
    for kinds in (("source",), ("all",), ("split", "site", "lang")):
        if found := [f"{_subject(row)} {sentence}" for row, sentence in said if row.by in kinds]:
            return found
    return []


def _subject(row: Row) -> str:
    return "the corpus" if row.by == "all" else f"{row.by} `{row.name}`"


def _compression(row: Row) -> str | None:
    value = row.text.compression
    if value is None or value <= COMPRESSION:
        return None
    return (
        f"says the same over and over: gzip makes it {value:.1f} times smaller, ordinary text 2.5 to 4 times. Read a few documents: "
        f'gristmill sql … "select text from documents limit 5"; [[filter]] use = "gopher-repetition" drops such ones.'
    )


def _repeated(row: Row) -> str | None:
    value = row.text.repeated
    if value is None or value <= REPEATED:
        return None
    return (
        f"repeats itself: {_one_in(value)} stands in another document too, in ordinary text one in 7 at most. What a site "
        f'repeats goes with [[clean]] use = "boilerplate", documents that are alike with [dedup] fuzzy = {{ threshold = 0.6 }}.'
    )


def _one_in(value: float) -> str:
    """A share as a person says it.

    >>> _one_in(0.26), _one_in(0.9)
    ('one 4-gram in 4', '90 % of its 4-grams')
    """
    return (
        f"one 4-gram in {round(1 / value)}"
        if value <= ONE_SHARE
        else f"{value:.0%} of its 4-grams".replace("%", " %")
    )


def _spread(row: Row) -> str | None:
    value, compared = row.text.spread, row.text.documents
    if value is None or value >= SPREAD:
        return None
    return (
        f"is about few things: in the words they use, its documents are worth {value:.0%} of their number, ordinary text half or more "
        f"({compared} documents sampled). Add sources on other subjects."
    )


def _near(row: Row) -> str | None:
    if row.near is None or row.near <= NEAR:
        return None
    return (
        f"has near-duplicates left: {row.near:.0%} of its documents are alike by half or more with another one. "
        f"Drop them with [dedup] fuzzy = {{ threshold = 0.5 }}."
    )


def _largest_groups(row: Row, groups: str) -> str | None:
    """Few threads that hold much, where there are many and a cap can reach them."""
    found = row.balance.get("group")
    if found is None or found.count < TOP_AMONG or found.top <= TOP_SHARE or found.count >= row.documents:
        return None
    cap = _cap(row.documents, found.count)
    key = groups if groups in {"thread", "site", "author"} else None
    advice = (
        f"Try [mix] cap = {{ {key} = {cap} }}." if key and found.top_documents > 3 * cap else "Add others."
    )
    name = f"{groups}s" if key else "groups"
    return f"leans on few {name}: 3 of {found.count:,} hold {found.top:.0%} of its text. {advice}"


def _largest(row: Row, kind: str) -> str | None:
    found = row.balance.get(kind)
    if found is None or found.count < ONE_AMONG or found.share <= ONE_SHARE:
        return None
    return (
        f"leans on one {kind}: {found.largest} holds {found.share:.0%} of its text, of {found.count:,} {kind}s. "
        f"Try [mix] cap = {{ {kind} = {_cap(row.documents, found.count)} }}."
    )


def _cap(documents: int, count: int) -> int:
    return ceil(CAP_OVER_MEAN * documents / count)


def _largest_source(row: Row) -> str | None:
    found = row.balance.get("source")
    if row.by != "all" or found is None or found.count < 2 or found.share <= SOURCE_SHARE:
        return None
    return (
        f"is one source: `{found.largest}` holds {found.share:.1%} of the text, so that what the others hold hardly counts. "
        f"Try [mix] temperature = 3.0."
    )
