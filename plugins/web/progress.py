"""What a crawl tells while it runs, and when it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a crawl is."""

    pages: int
    """Fetched, in all runs."""
    queued: int
    flying: int
    hosts: int
    """Being asked now."""
    errors: int
    """URLs of this run that gave neither a page nor a redirect."""
    bytes: int
    """Of all bodies, as sent."""
    seconds: float
    """This run's."""
    rate: float
    """Answers a second, this run."""
    eta: float | None
    """Seconds left, if nothing more is found; None where that cannot be told."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a crawl came to."""

    fates: dict[str, int]
    tallies: dict[str, int] = field(default_factory=dict)
    """Links refused and only counted, by reason: see `crawl_tables.REFUSED_ROWS`."""
    ignored: list[str] = field(default_factory=list)
    """Wishes of sites that the options switched off."""
    recovered: int = 0
    """Answers that an earlier run had received and not accounted for."""
    answers: int = 0
    """Requests for pages in this run; 0 where the crawl had ended already."""
