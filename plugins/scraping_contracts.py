"""What a scraper is, and what it yields; `plugins/contracts.py` has all kinds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from plugins.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scraper stands: paths in its options are relative to `base`; `work` is its own folder to keep state in."""

    base: Path
    work: Path
    tell: Callable[[str], None] = lambda _line: None
    """Shows how far long work has come, each line in place of the one before."""
    say: Callable[[str], None] = lambda _line: None
    """Says something that stays."""
    refresh: bool = False
    """Ask again for what is already in `work` (`gristmill crawl --refresh`)."""
    retry: bool = False
    """Ask again for what could not be had for a reason that may have passed (`gristmill crawl`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """An independent piece of a source, fetched by one task: whatever `fetch` needs to find it again, as JSON values."""

    where: dict[str, Any]
    digest: str | None = None
    """Identity of the content, if it is known: then the part is fetched once and remembered. None: fetched at every build."""


@dataclass(slots=True)
class Page:
    """One record a scraper yields (columns of `schemas.tables.GATHERED`). Give `content`, or the `path` of a file that
    holds the page and nothing else, or `error`."""

    locator: str
    """Path or record position relative to the source: the page's identity within it, and its place in every table."""
    content: bytes | None = None
    content_type: str | None = None
    """Media type, with `charset=` if the sender stated one. text/html goes to the extractor, other text/* passes through."""
    url: str | None = None
    status: int | None = None
    fetched_at: datetime | None = None
    license: str | None = None
    raw_path: str | None = None
    """The file it lies in, relative to the source; and where that is on this machine: `path`."""
    path: str | None = None
    raw_offset: int | None = None
    size: int | None = None
    content_hash: str | None = None
    title: str | None = None
    author: str | None = None
    published: str | None = None
    group: str | None = None
    """The thread or work this page is a piece of."""
    position: int | None = None
    fold: bool = False
    """The pages of this group make one document, in the order of `position`."""
    metadata: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    """Why the page could not be had, as one word: its reason in `fates`."""
    detail: str | None = None


class Scraper(Plugin):
    """Brings pages. May also define `parse(html: str) -> Extracted` where it knows its pages better than an extractor."""

    @property
    def gathers(self) -> bool:
        """Whether `parts` first brings something from elsewhere into `place.work`: then `gristmill crawl` runs it."""
        return False

    def parts(self, place: Place) -> Sequence[Part]:
        """Cut the source into independent pieces, in order; called once, in the build's own process. What must come first, such as a
        crawl, is done here, and goes on where it was stopped. Raises SourceError for what is not there."""
        return [Part({})]

    @abstractmethod
    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """Yield the pages of a part. A page that cannot be had is a Page with `error`, not an exception."""
