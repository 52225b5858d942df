"""Pages of threads, from where they lie or live: what `forum` and `qa` have in common.

Saved pages are found and read by `files`, live ones by `crawl`; this adds what both lack, the thread and the place in it. They come
from the address that a page states in its head (`<link rel="canonical">`, `og:url`), else from the one it was fetched from. A page of no
address is a document of its own; so is one whose address fits no engine's pattern, its further pages aside.

A list of threads that was fetched for its links has fate `listing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator

from plugins.contracts import Locates, Page, Part, Place, Scraper, Threshold
from plugins.scrapers.sites.threads import GENERAL, exact, is_board, place_of

if TYPE_CHECKING:
    from plugins.scrapers.crawl import Crawl

HEAD_BYTES = 64 << 10
"""How much of a page is read for its address."""
HTML = frozenset({"text/html", "application/xhtml+xml"})


class ThreadPages(Scraper):
    """Saved pages at `path`, or live ones from `seeds` on."""

    requires: ClassVar[tuple[str, ...]] = ("lxml", "Resiliparse", "charset-normalizer", "zstandard")
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.scrapers.sites",
        "plugins.scrapers.files",
        "plugins.scrapers.crawl",
        "plugins.web",
        "plugins.scrapers.globs",
        "plugins.scrapers.media",
        "plugins.scrapers.records",
        "plugins.scrapers.tables",
        "plugins.scrapers.columns",
        "plugins.extractors.head",
        "plugins.extractors.encoding",
    )

    path: Annotated[str | tuple[str, ...] | None, Locates(), Field(min_length=1)] = None
    """Saved pages: one glob or several, relative to the recipe, as for `files`."""
    seeds: tuple[str, ...] = ()
    """Live pages: addresses of boards or threads to begin at; what `crawl` needs besides stands in `crawl`."""
    crawl: dict[str, Any] = Field(default_factory=dict)
    """Options of the `crawl` scraper: `contact`, `delay`, `max_pages` … Without `allow`, threads and lists of threads on the seeds' hosts
    are gathered and nothing else; without `sitemaps`, no sitemap is read."""
    engine: str | None = None
    """The software of a live site ("xenforo", "phpbb" …), where patterns of other engines let in too much."""
    fold: bool = True
    """Make one document of all pages of a thread."""

    @model_validator(mode="after")
    def _one_origin(self) -> ThreadPages:
        if (self.path is None) == (not self.seeds):
            raise ValueError(
                'needs either path ("threads/*.html", saved pages) or seeds (["https://…"], live ones), and not both'
            )
        if self.crawl and not self.seeds:
            raise ValueError("crawl: says how live pages are fetched; it needs seeds")
        if self.engine is not None and not exact("threads", self.engine):
            from plugins.scrapers.sites import ENGINES

            raise ValueError(f'engine: "{self.engine}" is none of {", ".join(e.name for e in ENGINES)}')
        if self.seeds:
            self.crawler()  # what is wrong with the options of the crawl is wrong with the recipe
        return self

    def parts(self, place: Place) -> Sequence[Part]:
        """As `files` or `crawl` cuts them. Raises SourceError for a glob without files."""
        return self._source().parts(place)

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The pages of a part, each with its thread and its place in it."""
        return self._placed(self._source().fetch(place, part))

    def identity(self, *, without: type[Locates | Threshold] | None = None) -> dict[str, Any]:
        """As every plugin's; of the crawl's options those count that count for `crawl`."""
        values = super().identity(without=without)
        if self.seeds:
            told = self.crawler().identity(without=without)
            values["crawl"] = {key: told[key] for key in sorted(self.crawl) if key in told}
        return values

    def allowed(self) -> tuple[str, ...]:
        """Regular expressions of the addresses that are gathered by default: the seeds and their further pages, and on their hosts
        threads and lists of them."""
        from plugins.web.urls import canonical

        seeds = [canonical(seed) or seed for seed in self.seeds]
        hosts = sorted({re.escape(urlsplit(seed).netloc.removeprefix("www.")) for seed in seeds})
        on = rf"^https?://(?:www\.)?(?:{'|'.join(hosts)})(?=/)"
        kept = [*exact("threads", self.engine), *exact("boards", self.engine)]
        further = "|".join(re.sub(r"\?P<\w+>", "?:", pattern) for pattern in GENERAL)
        bare = (re.sub(r"^https?://(?:www\.)?", "", seed).rstrip("/") for seed in seeds)
        begun = (rf"^https?://(?:www\.)?{re.escape(seed)}/?(?:$|{further})" for seed in bare)
        return (*begun, *(f"{on}.*{pattern}" for pattern in kept))

    def crawler(self) -> Crawl:
        """The scraper that brings the live pages. Raises ValueError for options that are none of its."""
        from plugins.scrapers.crawl import Crawl

        given = {"allow": self.allowed(), "sitemaps": False, **self.crawl, "seeds": self.seeds}
        try:
            return Crawl(**given)
        except ValidationError as error:
            faults = (f"crawl.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise ValueError("; ".join(faults)) from None

    def _source(self) -> Scraper:
        if self.path is None:
            return self.crawler()
        from plugins.scrapers.files import Files

        return Files(path=self.path)

    def _placed(self, pages: Iterable[Page]) -> Iterator[Page]:
        for page in pages:
            if page.error is None and _media(page) in HTML:
                stated = _stated(page)
                found = next((p for url in (stated, page.url) if url and (p := place_of(url))), None)
                page.url = page.url or stated
                if self.seeds and page.url and is_board(page.url):
                    page.content = page.path = None
                    page.error, page.detail = (
                        "listing",
                        "a list of threads: its links were followed, its text is not kept",
                    )
                elif found:
                    page.group, page.position, page.fold = found.thread, found.position, self.fold
            yield page


def _media(page: Page) -> str:
    return (page.content_type or "text/html").partition(";")[0].strip().lower()


def _stated(page: Page) -> str | None:
    """The address a page states in its head; None where it states none, or cannot be read (which the extraction will tell of)."""
    from plugins.extractors.encoding import NotText, decode
    from plugins.extractors.head import read_head

    if page.content is not None:
        head = page.content[:HEAD_BYTES]
    elif page.path is not None:
        try:
            with Path(page.path).open("rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError:
            return None
    else:
        return None
    try:
        return read_head(decode(head, page.content_type, html=True).text).url if head.strip() else None
    except NotText:
        return None
