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

    def line(self) -> str:
        """In words, for a person who waits."""
        left = "" if self.eta is None else f", {_span(self.eta)} left if nothing more is found"
        return (
            f"{self.pages:,} pages, {self.queued + self.flying:,} to go, {self.hosts} hosts, {self.errors:,} errors, {self.bytes / 1e6:,.1f} MB, "
            f"{self.rate:,.1f}/s{left}"
        )


def _span(seconds: float) -> str:
    """A time as a person says it.

    >>> [_span(seconds) for seconds in (9.4, 600, 9000)]
    ['9 s', '10 min', '2.5 h']
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


LEFT_OUT = {
    "denied": "`allow` and `deny`",
    "depth": "`max_depth`",
    "budget": "`max_pages` and `max_bytes`",
    "media": "their ending (`media`)",
}
"""Fates that the recipe gave, and the options that did."""


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

    def left_out(self) -> str:
        """What the options left out, in words; "" for nothing.

        >>> Summary({"fetched": 9, "denied": 1200, "depth": 3}).left_out()
        '1,200 addresses by `allow` and `deny`, 3 by `max_depth`'
        """
        told: list[str] = []
        for fate, words in LEFT_OUT.items():
            if number := self.fates.get(fate, 0) + self.tallies.get(fate, 0):
                told.append(f"{number:,} {'addresses ' if not told else ''}by {words}")
        return ", ".join(told)
