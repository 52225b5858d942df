"""Serial fiction: sites on which one chapter leads to the next.

    [[source]]
    use = "serial"
    seeds = ["https://fiction.example/the-long-road/chapter-1"]
    crawl = { contact = "mailto:you@example.org" }

    [[source]]
    use = "serial"
    path = "saved/**/*.html"             # pages that lie on this machine already

From a seed it follows nothing but the way to the next chapter: `rel=next`, or a link that reads "Next", "Next Chapter" and the like. All that
`crawl` does for a site's wishes and its peace holds here, and its options stand in `crawl`. A chapter is a document of its own. Its group is the
work, by what the site says outright, the address above "chapter", the breadcrumbs or the title, in this order; its position is
its number ("Chapter 12", "Ch. XII", "Chapter Twelve", "Book 2, Chapter 3" at 200 003, the address), or else, in a crawl, the number of links
from the seed. So a work stays in one split, and `fold = true` makes one document of it: do that where chapters are too short to stand alone.

How the text is found on a page: `serial_text.py`; what a page says of itself: `serial_about.py`. A page on which no text is found
by these rules goes to the extractor of the recipe.

Unproven on live sites, none of which can be reached from where it was written: the tests hold pages in the shapes of four kinds of site.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from plugins.contracts import Brings, Extracted, Page, Part, Place
from plugins.extractors.encoding import NotText, decode
from plugins.scrapers.saved_or_live import SavedOrLive
from plugins.scrapers.serial_about import About, about
from plugins.scrapers.serial_text import text_of

if TYPE_CHECKING:
    from plugins.scrapers.crawl import Crawl

HTML = frozenset({"text/html", "application/xhtml+xml"})


class Serial(SavedOrLive):
    """Chapters of fiction sites, from a first chapter on or from saved pages."""

    name = "serial"
    kernels: ClassVar[tuple[str, ...]] = (
        *SavedOrLive.kernels,
        "plugins.scrapers.serial_about",
        "plugins.scrapers.serial_crawl",
        "plugins.scrapers.serial_text",
        "plugins.scrapers.sites.prose",
    )

    notes: Literal["drop", "keep"] = "drop"
    """Authors' notes before, within and after a chapter."""
    fold: Annotated[bool, Brings()] = False
    """Make one document of all chapters of a work."""
    license_value: str | None = None
    """The licence of every page that states none of its own."""
    encoding: str | None = None
    """The encoding of saved pages, where what they say of themselves is wrong."""

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The pages, each with its work and its place there."""
        return map(self._chapter, super().fetch(place, part))

    def files_options(self) -> dict[str, Any]:
        """What saved pages are read with."""
        return {"encoding": self.encoding, "license_value": self.license_value}

    def crawl_class(self) -> type[Crawl]:
        """A crawl along the chapters."""
        from plugins.scrapers.serial_crawl import ChapterCrawl

        return ChapterCrawl

    def _chapter(self, page: Page) -> Page:
        page.license = page.license or self.license_value
        html = None if page.error else _html(page)
        if html is None:
            return page
        told = about(html, page.url)
        page.url, page.title, page.group = told.url, told.title, told.work
        page.position = told.number if told.number is not None else page.metadata.get("depth")
        page.fold = self.fold and page.group is not None
        return page

    def parse(self, html: str) -> Extracted:
        """The chapter's text and title."""
        told: About = about(html)
        return Extracted(text_of(html, notes=self.notes == "keep"), title=told.title)


def _html(page: Page) -> str | None:
    """The decoded page; None where it is not HTML, or its bytes cannot be had, which extraction will say."""
    if (page.content_type or "text/html").partition(";")[0].strip().lower() not in HTML:
        return None
    try:
        data = page.content if page.content is not None else Path(page.path or "").read_bytes()
        return decode(data, page.content_type, html=True).text
    except (OSError, NotText):
        return None
