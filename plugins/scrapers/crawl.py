"""A crawl of web sites: from seeds, sitemaps and feeds along their links, politely, and remembered.

Everything the network says lies in the source's own folder: `crawl.sqlite` with a row for each URL, and the answers in WARC files as they
came. A build runs the crawl to its end, or goes on where a killed one stopped, and reads the pages from there; a crawl that has ended is
not asked for again until `gristmill crawl --refresh`.

Which URLs stand in the build's ledger: pages, and what should have been one and is not: forbidden by robots.txt, reserved, broken, in a
trap, failed. Redirects, sitemaps, feeds and what the recipe's own options leave out (`allow`, `deny`, depth, budget) stand in
`crawl.sqlite` alone, with their fates.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from plugins.contracts import Locates, Page, Part, Place, Scraper
from plugins.web.addresses import Allowed
from plugins.web.bodies import BodyError, decoded
from plugins.web.client import Limits, Resolver, system_resolver
from plugins.web.crawl_tables import FILE
from plugins.web.crawler import ARCHIVE, crawl
from plugins.web.frontier import Frontier
from plugins.web.progress import Progress, Summary
from plugins.web.recovery import archived
from plugins.web.scope import Obey, Scope, Settings, reachable
from plugins.web.urls import TRACKING, canonical
from schemas.errors import SourceError
from schemas.fingerprint import identify

NO_PAGES = frozenset({
    "redirect",
    "sitemap",
    "feed",
    "no-listing",
    "denied",
    "media",
    "depth",
    "nofollow",
    "budget",
})
"""Fates of URLs that the build's ledger does not show."""
PART_BYTES = 32 << 20
"""Of bodies as sent, in a part, with ROW_BYTES a URL: some seconds of work for a task."""
ROW_BYTES = 1 << 10
TOLD = (
    "url", "depth", "found_on", "fate", "status", "content_type", "digest", "file", "offset", "length", "fetched_at", "license",
    "signals",
)  # fmt: skip
"""Columns that a page is made of, and so what a part's digest is made of: not how often a URL was tried, nor its number."""
MAX_URLS = 10_000
"""Seeds, sitemaps or feeds."""


class Wishes(BaseModel):
    """Which wishes of a site are honoured: all. What is switched off is recorded with every page."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    robots: bool = True
    """robots.txt, with its Crawl-delay (RFC 9309)."""
    nofollow: bool = True
    """rel=nofollow of links; nofollow and none of pages."""
    noindex: bool = True
    """noindex and none, in X-Robots-Tag or <meta name=robots>."""
    noai: bool = True
    """noai and noimageai, in the same places."""
    tdm: bool = True
    """A reservation of text and data mining (TDMRep)."""


class Crawl(Scraper):
    """Web pages, fetched politely and kept as they came."""

    name = "crawl"
    requires: ClassVar[tuple[str, ...]] = ("brotli", "zstandard", "lxml", "Resiliparse", "charset-normalizer")
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.extractors.encoding",
        "plugins.extractors.head",
        "plugins.filters.license",
        "plugins.web",
    )

    seeds: Annotated[tuple[str, ...], Field(max_length=MAX_URLS)] = ()
    """Where to begin: "https://docs.example.org/"."""
    contact: Annotated[str | None, Locates(), Field(validate_default=True)] = None
    """Who answers for the crawl: "mailto:you@example.org" or the https address of a page that says so. Sent with every request."""
    sitemaps: bool | Annotated[tuple[str, ...], Field(max_length=MAX_URLS)] = True
    """Read the sitemaps that robots.txt names (if robots.txt is read: see `obey`); or the addresses of sitemaps to read."""
    feeds: Annotated[tuple[str, ...], Field(max_length=MAX_URLS)] = ()
    """Addresses of RSS or Atom feeds."""
    allow: tuple[str, ...] = ()
    """Regular expressions; a URL must match one, anywhere. By default: what lies on the hosts of the seeds."""
    deny: tuple[str, ...] = ()
    """Regular expressions; a URL that matches one is left out."""
    max_depth: Annotated[int | None, Field(ge=0)] = None
    """Links from a seed at most."""
    max_pages: Annotated[int | None, Field(ge=1)] = None
    """Pages at most."""
    max_bytes: Annotated[int | None, Field(ge=1)] = None
    """Bytes of bodies at most, as sent; the answers on their way when it is reached still count."""
    max_page_bytes: Annotated[int, Field(ge=1 << 10, le=128 << 20)] = 32 << 20
    """Of one body, as sent and unpacked."""
    media: bool = False
    """Follow links to what by its ending is no text: images, sound, video, archives, programs, fonts."""
    obey: Wishes = Wishes()
    """Which wishes of a site are honoured."""
    drop_query: tuple[str, ...] | None = None
    """Query parameters left out of addresses, "utm_*" for all that begin so. By default those that only track visitors
    (`plugins.web.urls.TRACKING`); session ids go in any case."""
    allow_private: tuple[str, ...] = ()
    """Hosts and networks that may be asked though they are private or on this machine: "127.0.0.1", "10.0.0.0/8"."""
    delay: Annotated[float, Locates(), Field(ge=0, le=86_400)] = 1.0
    """Seconds between the starts of two requests to one host, at least."""
    concurrency: Annotated[int, Locates(), Field(ge=1, le=64)] = 1
    """Requests on their way to one host."""
    total: Annotated[int, Locates(), Field(ge=1, le=256)] = 16
    """Requests on their way in all."""
    retries: Annotated[int, Locates(), Field(ge=0, le=20)] = 3
    """How often a page is tried again after a failure that may pass."""
    backoff: Annotated[float, Locates(), Field(ge=0, le=300)] = 2.0
    """Seconds before the first retry; doubled for each further one."""
    page_seconds: Annotated[float, Locates(), Field(gt=0, le=3600)] = 60.0
    """For one page, from the request to the last byte."""
    http2: Annotated[bool, Locates()] = True
    """Speak HTTP/2 where it is offered."""

    @field_validator("contact")
    @classmethod
    def _reachable(cls, contact: str | None) -> str | None:
        return reachable(contact)

    @field_validator("seeds", "feeds", "sitemaps")
    @classmethod
    def _web(cls, urls: bool | tuple[str, ...]) -> bool | tuple[str, ...]:  # noqa: FBT001  as it is given
        for url in urls if isinstance(urls, tuple) else ():
            if canonical(url) is None:
                raise ValueError(
                    f'"{url}" is no address that can be fetched; write it as "https://example.org/"'
                )
        return urls

    @field_validator("allow", "deny")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f'"{pattern}" is not a regular expression: {error}') from None
        return patterns

    @field_validator("allow_private")
    @classmethod
    def _networks(cls, allowed: tuple[str, ...]) -> tuple[str, ...]:
        Allowed.of(allowed)
        return allowed

    # ------------------------------------------------------------------------------------- gathering

    def settings(self) -> Settings:
        """The options as the crawler takes them: addresses in their one spelling, each once."""
        drop = TRACKING if self.drop_query is None else self.drop_query

        def spelt(urls: Sequence[str]) -> tuple[str, ...]:
            return tuple(dict.fromkeys(url for raw in urls if (url := canonical(raw, drop=drop))))

        return Settings(
            seeds=spelt(self.seeds),
            contact=self.contact or "",
            sitemaps=self.sitemaps if isinstance(self.sitemaps, bool) else spelt(self.sitemaps),
            feeds=spelt(self.feeds),
            allow=self.allow,
            deny=self.deny,
            max_depth=self.max_depth,
            max_pages=self.max_pages,
            max_bytes=self.max_bytes,
            media=self.media,
            obey=Obey(**self.obey.model_dump()),
            allow_private=self.allow_private,
            drop=drop,
            delay=self.delay,
            concurrency=self.concurrency,
            total=self.total,
            retries=self.retries,
            backoff=self.backoff,
            http2=self.http2,
            limits=Limits(body_bytes=self.max_page_bytes, page_seconds=self.page_seconds),
        )

    def check(self) -> None:
        """A seed lies within what is allowed."""
        scope = Scope(self.settings())
        refused = [(seed, refusal[1]) for seed in self.settings().seeds if (refusal := scope.refusal(seed))]
        if refused and len(refused) == len(self.seeds):
            raise ValueError(
                f"seeds: {refused[0][0]} is left out by `allow` and `deny` ({refused[0][1]}), so nothing would be fetched. Let a pattern of "
                "`allow` match it."
            )

    @property
    def gathers(self) -> bool:
        """Always."""
        return True

    def parts(self, place: Place) -> Sequence[Part]:
        """Run the crawl to its end; then its pages by number. Raises SourceError where there is nothing to begin with, or another process
        crawls into the folder."""
        if not (self.seeds or self.feeds or isinstance(self.sitemaps, tuple)):
            raise SourceError('a crawl needs a place to begin. Write seeds = ["https://example.org/"].')
        summary = self.gather(
            place,
            refresh=place.refresh,
            retry=place.retry,
            report=lambda progress: place.tell(progress.line()),
        )
        if left_out := summary.left_out():
            place.say(f"left out by the recipe: {left_out}; {place.work / FILE} tells which")
        sizes = {path.name: path.stat().st_size for path in (place.work / ARCHIVE).glob("*.warc.gz")}
        frontier = Frontier(place.work, read_only=True)
        try:
            rows = sorted((row["id"], _told(row, sizes), row["size"] or 0) for row in frontier.rows())
            beyond = set() if self.max_pages is None else frontier.beyond(self.max_pages)
        finally:
            frontier.close()
        found, start, size = [], 0, 0
        for number, row in enumerate(rows, 1):
            size += row[2] + ROW_BYTES
            if size >= PART_BYTES or number == len(rows):
                digest = identify(*(told for _, told, _ in rows[start:number]))
                where: dict[str, Any] = {"first": rows[start][0], "last": row[0]}
                if cut := sorted(page for page, _, _ in rows[start:number] if page in beyond):
                    where["beyond"], digest = cut, identify(digest, *map(str, cut))
                found.append(Part(where, digest))
                start, size = number, 0
        return found

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The pages of a part."""
        return self.pages(place, part.where["first"], part.where["last"], part.where.get("beyond", ()))

    def follow(self, html: str, url: str) -> Sequence[str] | None:
        """The addresses on a page that are followed; None for all."""
        return None

    def gather(
        self,
        place: Place,
        *,
        refresh: bool = False,
        retry: bool = False,
        resolve: Resolver = system_resolver,
        report: Callable[[Progress], None] | None = None,
    ) -> Summary:
        """Crawl to the end, or from where it stopped on; with `refresh`, ask for everything again, with `retry` for what an outage kept away."""
        run = partial(
            crawl,
            self.settings(),
            place.work,
            refresh=refresh,
            retry=retry,
            resolve=resolve,
            report=report,
            follow=self.follow,
        )
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(run())
        # Within a notebook, say, a loop runs already in this thread.
        begun = Queue[tuple[asyncio.AbstractEventLoop, "asyncio.Task[Any] | None"]](1)

        async def aside() -> Summary:
            begun.put((asyncio.get_running_loop(), asyncio.current_task()))
            return await run()

        with ThreadPoolExecutor(1) as pool:
            crawling = pool.submit(lambda: asyncio.run(aside()))
            try:
                return crawling.result()
            except KeyboardInterrupt:
                loop, task = begun.get()
                if task is not None and not crawling.done():
                    loop.call_soon_threadsafe(task.cancel)  # the pool waits until it has committed what came
                raise

    def pages(
        self, place: Place, first: int = 0, last: int = 1 << 62, beyond: Collection[int] = ()
    ) -> Iterator[Page]:
        """What was gathered, as pages: those whose number in the crawl is from `first` to `last` and not in `beyond`."""
        scope, ignored = Scope(self.settings()), self.settings().obey.ignored()
        frontier = Frontier(place.work, read_only=True)
        try:
            for row in frontier.rows(first, last):
                # What an earlier recipe allowed and this one does not is no part of it.
                near = self.max_depth is None or row["depth"] <= self.max_depth
                ours = near and row["id"] not in beyond and row["fate"] not in NO_PAGES
                if ours and scope.refusal(row["url"]) is None:
                    yield self._page(row, place.work / ARCHIVE, ignored)
        finally:
            frontier.close()

    def _page(self, row: dict[str, Any], folder: Path, ignored: list[str]) -> Page:
        page = Page(
            row["url"],
            url=row["url"],
            status=row["status"],
            content_type=row["content_type"],
            license=row["license"],
            fetched_at=datetime.fromisoformat(row["fetched_at"]) if row["fetched_at"] else None,
            raw_path=row["file"],
            raw_offset=row["offset"],
        )
        page.metadata = {
            key: value
            for key, value in {
                "depth": row["depth"],
                "found_on": row["found_on"],
                "signals": json.loads(row["signals"]) if row["signals"] else None,
                "ignored": ignored or None,
            }.items()
            if value is not None
        }
        if row["fate"] != "fetched":
            page.error, page.detail = row["fate"], row["detail"]
            return page
        try:
            answer = archived(folder, row["file"], row["offset"], row["length"])
            page.content = decoded(answer.body, answer.header("content-encoding"), limit=self.max_page_bytes)
        except BodyError as error:
            page.error, page.detail = error.reason, error.detail
        except (OSError, ValueError) as error:
            page.error, page.detail = "unreadable", f"{row['file']}: {error}"
        return page


def _told(row: dict[str, Any], sizes: dict[str, int]) -> str:
    """Identity of what a row says of its page, and of whether the archive's file holds it (a page that was unreadable is read again where
    that came back); why a page could not be refreshed is said of no page."""
    detail = None if row["fate"] == "fetched" else row["detail"]
    held = row["file"] is None or sizes.get(row["file"], 0) >= row["offset"] + row["length"]
    return identify(str(detail), str(held), *(str(row[name]) for name in TOLD))
