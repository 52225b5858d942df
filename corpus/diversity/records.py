"""What `measure` comes to: numbers for the whole version and for every part of it, and what they say in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

By = Literal["all", "source", "split", "site", "lang"]
"""What parts a version into; "all" is the whole of it."""


@dataclass(frozen=True, slots=True)
class TextMeasures:
    """Of a sample of the text. None where the sample is too small to mean anything."""

    documents: int
    """Documents in the sample …"""
    characters: int
    """… characters of them that were read …"""
    words: int
    """… and words in the passages that the last six measures are of."""
    compression: float | None
    """Bytes over bytes after gzip; higher means more repetition within 32 KiB (Shaib et al. 2024)."""
    compression_far: float | None
    """The same with zstd, whose window holds the whole sample: repetition across documents counts."""
    distinct: tuple[float | None, float | None, float | None]
    """Different words, 2-grams and 3-grams among 2,000 (Li et al. 2016); mean over windows, since it falls with length."""
    entropy: tuple[float | None, float | None, float | None]
    """Entropy of words, 2-grams and 3-grams, in bits. It grows with `words`."""
    repeated: float | None
    """Share of the 4-grams that stand in another document of the sample too."""
    self_repetition: float | None
    """Mean over documents of log(1 + Σ other documents that have its 4-gram) (Salkar et al. 2022)."""
    spread: float | None
    """Vendi score of the documents' TF-IDF vectors as a share of their number: 1 / n where all are one, 1 where they share no word."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How characters are spread over the sources (sites, authors, groups) that documents name."""

    count: int
    """Different ones."""
    effective: float
    """As many equal ones would be as evenly spread: exp of the entropy (Hill 1973, order 1)."""
    evenness: float | None
    """Entropy over its maximum, 0 to 1; None where there is but one."""
    largest: str
    """The one with most characters …"""
    share: float
    """… its share of the characters that name any …"""
    top: float
    """… and that of the three with most."""
    top_documents: int
    """Documents of those three."""


@dataclass(frozen=True, slots=True)
class Row:
    """One part of a version."""

    by: By
    name: str
    documents: int
    characters: int
    text: TextMeasures
    balance: dict[str, Balance]
    """By source, site, author, group; one that no document names is left out. A group is what [split] keeps together."""
    near: float | None
    """Share of the documents that have another kept one at or above Jaccard 0.5, by the estimate of the published signatures; None
    where there are none."""
    dropped: float | None
    """Share of the documents that dedup dropped, of those it saw; of a split, those that named a survivor in it."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """A version's diversity."""

    version: str
    rows: tuple[Row, ...]
    """The whole version first."""
    remarks: tuple[str, ...]
    """Sentences on what is off."""
    omitted: dict[str, int]
    """Parts that were left out for being many, by what parts them."""
    signatures: int
    """Documents whose signatures were compared; fewer than all where there are very many."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; shares and scores rounded to what is meant."""
        return _rounded(asdict(self))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_rounded(inner) for inner in value]
    return value
