"""Pages of threads, from where they lie or live: what `forum` and `qa` have in common.

Saved pages are found and read by `files`, live ones by `crawl`; this adds what both lack, the thread and the place in it. They come
from the address that a page states in its head (`<link rel="canonical">`, `og:url`), else from the one it was fetched from. A page of no
address is a document of its own; so is one whose address fits no engine's pattern, its further pages aside.

A list of threads that was fetched for its links has fate `listing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import model_validator

from plugins.contracts import Brings, Page, Part, Place
from plugins.scrapers.saved_or_live import SavedOrLive
from plugins.scrapers.sites.threads import GENERAL, exact, is_board, place_of
from schemas.errors import nearest

HEAD_BYTES = 64 << 10
"""How much of a page is read for its address."""
HTML = frozenset({"text/html", "application/xhtml+xml"})


class ThreadPages(SavedOrLive):
    """Saved pages of threads at `path`, or live ones from boards and threads in `seeds` on."""

    kernels: ClassVar[tuple[str, ...]] = (*SavedOrLive.kernels, "plugins.scrapers.sites")

    engine: Annotated[str | None, Brings()] = None
    """The software of a live site ("xenforo", "phpbb" …), where patterns of other engines let in too much."""
    fold: Annotated[bool, Brings()] = True
    """Make one document of all pages of a thread."""

    @model_validator(mode="after")
    def _known_engine(self) -> Self:
        if self.engine is not None and not exact("threads", self.engine):
            from plugins.scrapers.sites import ENGINES

            names = [engine.name for engine in ENGINES]
            hint = nearest(self.engine, names)
            raise ValueError(
                f'engine: "{self.engine}" is none of {", ".join(names)}{". " if hint else ""}{hint}'
            )
        return self

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The pages of a part, each with its thread and its place in it."""
        return self._placed(super().fetch(place, part))

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

    def crawl_options(self) -> dict[str, Any]:
        """Threads and lists of threads on the seeds' hosts, and nothing else."""
        return {"allow": self.allowed()}

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
