"""Web archives: WARC, ARC and WET files, on this machine or fetched; and captures of Common Crawl.

    [[source]]
    use = "warc"
    path = "archive/*.warc.gz"

A page is a capture of an http address: a response, a resource, or the text of a WET file; its name is its address and the second of
its capture, "https://example.org/@20240805101112", so it stays the same page in whichever file it lies. Where several captures have
that name, those after the first (in order of files, then of place) get "#2", "#3", … To know them, files are read once before, if there are several.
Other records (requests, metadata, DNS) are no pages. What cannot be read is a page too, with an error, named after its file and place.

A file is one part: packed files cannot be cut, and plain ones are rare. Keep many workers busy with many files.

Common Crawl (`plugins.web.common_crawl`) is looked up once, and each record fetched once; both are kept in the source's folder:

    [source.common_crawl]
    index = "CC-MAIN-2024-33"
    match = ["example.org/*"]
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from plugins.contracts import Locates, Page, Part, Place, Scraper
from plugins.scrapers.captures import Names, is_web, key_of, shared_names
from plugins.scrapers.globs import find, is_utf8
from plugins.scrapers.tables import stamp
from plugins.web.common_crawl import CRAWL
from plugins.web.scope import UNREACHABLE, Settings, reachable
from plugins.web.warc_reading import WarcFault, WarcRecord, records
from schemas.errors import SourceError
from schemas.fingerprint import canonical, digest_file, identify

PART_CAPTURES = 200
"""Captures of Common Crawl in a part."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)


class CommonCrawl(BaseModel):
    """Which captures of Common Crawl to fetch."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    index: str
    """The crawl: "CC-MAIN-2024-33"."""
    match: tuple[str, ...]
    """Addresses, with a wildcard at one end: ["example.org/*", "*.example.net"]."""
    limit: int = Field(default=1000, ge=1, le=1_000_000)
    """Captures to take at most, of all patterns together."""

    @field_validator("index")
    @classmethod
    def _is_crawl(cls, index: str) -> str:
        if not CRAWL.fullmatch(index):
            raise ValueError(f'"{index}" is no crawl; they are named as CC-MAIN-2024-33 is')
        return index

    @field_validator("match")
    @classmethod
    def _matches(cls, match: tuple[str, ...]) -> tuple[str, ...]:
        if not match or not all(match):
            raise ValueError('needs addresses, such as ["example.org/*"]')
        return match


class Warc(Scraper):
    """Captures in WARC, ARC and WET files: local, downloaded, or picked from Common Crawl by its index."""

    name = "warc"
    requires: ClassVar[tuple[str, ...]] = ("zstandard", "brotli")
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.scrapers.captures",
        "plugins.scrapers.globs",
        "plugins.scrapers.tables",
        "plugins.web",
    )

    path: Annotated[str | tuple[str, ...], Locates()] = ()
    """One glob or several, relative to the recipe: "archive/*.warc.gz"."""
    urls: Annotated[tuple[str, ...], Locates()] = ()
    """Addresses of archive files to download, once; they are kept in the source's folder."""
    common_crawl: CommonCrawl | None = None
    """Captures to look up and fetch: { index = "CC-MAIN-2024-33", match = ["example.org/*"], limit = 1000 }."""
    contact: Annotated[str | None, Locates()] = None
    """Who answers for what is fetched, as "mailto:me@example.org"; goes into the User-Agent. `urls` and `common_crawl` need it."""
    allow_private: Annotated[tuple[str, ...], Locates()] = ()
    """Hosts and networks that may be fetched from though they are private: ["archive.home.arpa"]."""
    content_types: tuple[str, ...] = ("text/html", "application/xhtml+xml", "text/plain")
    """Media types that are pages; the others' captures get fate `content-type`."""
    status: tuple[int, ...] = (200,)
    """HTTP statuses of pages; other captures get fate `status`."""
    license_value: str | None = None
    """The licence of every page, which archives do not state."""

    @field_validator("contact")
    @classmethod
    def _is_contact(cls, contact: str | None) -> str | None:
        return contact if contact is None else reachable(contact)

    @model_validator(mode="after")
    def _has_source(self) -> Warc:
        if not (self.path or self.urls or self.common_crawl):
            raise ValueError("path: is missing; name files, or give `urls` or `common_crawl`")
        if (self.urls or self.common_crawl) and self.contact is None:
            raise ValueError(f"contact: {UNREACHABLE.format('is missing')}")
        return self

    @property
    def gathers(self) -> bool:
        """Whether it fetches anything."""
        return bool(self.urls or self.common_crawl)

    def parts(self, place: Place) -> Sequence[Part]:
        """A part for each file, then the captures of Common Crawl in runs. Downloads and looks up what is not there yet. Raises SourceError for
        a glob without files, and where the index cannot be asked."""
        from plugins.scrapers.captures import fetched_files, looked_up

        patterns = (self.path,) if isinstance(self.path, str) else self.path
        files: list[tuple[str, str, str | None]] = []
        for match in find(patterns, place.base) if patterns else ():
            error = match.error or (None if is_utf8(match.path) else "its name is not UTF-8; rename it")
            files.append((match.locator, match.path, error))
        if self.urls:
            (place.work / "downloads").mkdir(parents=True, exist_ok=True)
            files += asyncio.run(fetched_files(self._client(), self.urls, place.work / "downloads"))
        captures = []
        if self.common_crawl:
            captures = asyncio.run(looked_up(self._client(), self.common_crawl, place.work / "index"))
        return [*self._file_parts(place, files, captures)]

    def _file_parts(
        self, place: Place, files: list[tuple[str, str, str | None]], captures: list[dict[str, Any]]
    ) -> Iterator[Part]:
        found: list[tuple[dict[str, Any], str | None]] = []
        for locator, path, error in files:
            where: dict[str, Any] = {"locator": locator, "path": path}
            digest = None
            try:
                if error is None:
                    where["stamp"] = stamp(path)  # before the digest, so that no change falls between
                    digest = digest_file(Path(path))
                else:
                    where["error"] = error
            except OSError as failure:
                where["error"] = failure.strerror or str(failure)
            found.append((where, digest))
        readable = [(where["path"], digest) for where, digest in found if digest]
        earlier = shared_names(
            readable, [item["key"] for item in captures if "key" in item], place.work / "names"
        )
        for where, digest in found:
            met = next(earlier) if digest else {}
            known = identify(where["locator"], digest, canonical(met)) if digest else None
            yield Part(where | ({"earlier": met} if met else {}), known)
        names = Names(next(earlier))
        for item in captures:
            item["locator"] = names.name(item["key"]) if "key" in item else item["locator"]
        for n in range(0, len(captures), PART_CAPTURES):
            # No digest: what could not be fetched is tried again at the next build, the rest is on disk.
            yield Part({"captures": captures[n : n + PART_CAPTURES]})

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The pages of a file, or of some captures."""
        if "captures" in part.where:
            return self._captures(place, part.where["captures"])
        return self._file(part.where)

    # ------------------------------------------------------------------------------------- files

    def _file(self, where: dict[str, Any]) -> Iterator[Page]:
        locator = where["locator"]
        if "error" in where:
            yield Page(locator, raw_path=locator, error="unreadable", detail=where["error"])
            return
        names, kinds, number = Names(where.get("earlier", {})), Counter[str](), 0
        for item in records(Path(where["path"])):
            page = self.page(item)
            if page is None:
                kinds[item.type] += 1
                continue
            key = key_of(item)
            page.locator = (
                names.name(key)
                if key
                else f"{locator}#{item.offset:012}" + f"+{item.within}" * bool(item.within)
            )
            page.raw_path, page.raw_offset = locator, item.offset
            number += 1
            yield page
        if not number:
            told = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "none"
            yield Page(locator, raw_path=locator, error="no-pages", detail=f"its records are: {told}")
        if stamp(where["path"]) != where["stamp"]:
            raise SourceError(
                f"{where['path']} was rewritten while it was read. Build again when it is at rest."
            )

    def page(self, item: WarcRecord | WarcFault) -> Page | None:
        """What a record is as a page, without a name; None where it is none."""
        page = Page("", url=item.url, fetched_at=item.date, license=self.license_value)
        if isinstance(item, WarcFault):
            return _lost(page, item.reason, item.detail)
        web = is_web(item.url)
        if item.type == "revisit" and web:
            page.status = item.status
            told = item.header("WARC-Refers-To-Target-URI") or "an earlier capture"
            return _lost(
                page, "revisit", f"repeats {told} of {item.header('WARC-Refers-To-Date') or 'unknown time'}"
            )
        http = item.status is not None or item.content_type.lower().startswith("application/http")
        if item.type not in {"response", "resource", "conversion"} or (item.url and not web):
            return None
        if item.url is None:
            return _lost(page, "malformed", "it states no WARC-Target-URI")
        if item.header("WARC-Segment-Number"):
            return _lost(page, "segmented", "the record is one segment of several, which are not joined")
        if item.truncated:
            page.metadata["truncated"] = item.truncated
        return self._filled(page, item, http=http)

    def _filled(self, page: Page, record: WarcRecord, *, http: bool) -> Page:
        """The page with its content, or why it has none."""
        from plugins.web.bodies import BodyError, decoded

        page.status, stated, content = record.status, record.content_type, record.body
        if http and record.type == "response":
            if record.status is None:
                return _lost(page, "malformed", f"no HTTP status line: {record.block[:40]!r}")
            if record.status not in self.status:
                return _lost(page, "status", str(record.status))
            stated = record.http_header("Content-Type") or ""
        elif record.type == "conversion" and stated.lower().startswith("text/plain"):
            stated = "text/plain; charset=utf-8"  # by the definition of WET
        media = stated.partition(";")[0].strip().lower()
        if media and media not in self.content_types:
            return _lost(page, "content-type", media[:100])
        encodings = ", ".join(
            value for name, value in record.http_headers if name.lower() == "content-encoding"
        )
        try:
            content = decoded(content, encodings)
        except BodyError as error:
            # Some archivers undo the encoding, and leave the field that states it.
            if error.reason != "encoding" or not content.lstrip().startswith(b"<"):
                return _lost(page, error.reason, error.detail)
        if not media:
            if "text/html" not in self.content_types or not content.lstrip().startswith(b"<"):
                return _lost(page, "content-type", "it states none")
            media = "text/html"
        charset = _CHARSET.search(stated)
        page.content, page.content_type = content, f"{media}; charset={charset[1]}" if charset else media
        return page

    # ------------------------------------------------------------------------------------- Common Crawl

    def _client(self) -> Any:
        from plugins.web.client import Client, Limits

        agent = Settings(seeds=(), contact=self.contact or "").user_agent
        return Client(agent, allow=self.allow_private, limits=Limits(page_seconds=600))

    def _captures(self, place: Place, captures: list[dict[str, Any]]) -> Iterator[Page]:
        """The pages of captures; those that the index says are none are not fetched."""
        from plugins.scrapers.captures import fetched_captures

        captures = [dict(item) for item in captures]
        wanted = [item for item in captures if not self._refused(item)]
        asyncio.run(fetched_captures(self._client, wanted, place.work / "captures"))
        for item in captures:
            page = self._refused(item) or self._captured(item)
            page.locator, page.raw_path, page.raw_offset = (
                item["locator"],
                item.get("filename"),
                item.get("offset"),
            )
            yield page

    def _refused(self, item: dict[str, Any]) -> Page | None:
        page = Page("", url=item.get("url"), status=item.get("status"), license=self.license_value)
        if "fault" in item:
            return _lost(page, "malformed", f"a line of the index: {item['fault']}")
        if item["status"] is not None and item["status"] not in self.status:
            return _lost(page, "status", str(item["status"]))
        if item["mime"] and item["mime"] != "unk" and item["mime"].lower() not in self.content_types:
            return _lost(page, "content-type", item["mime"][:100])
        return None

    def _captured(self, item: dict[str, Any]) -> Page:
        from plugins.web.common_crawl import record_of

        page = Page("", url=item["url"], license=self.license_value)
        if "failed" in item:
            return _lost(page, *item["failed"])
        record = record_of(Path(item["file"]).read_bytes())
        if isinstance(record, WarcRecord) and record.url != item["url"]:
            return _lost(page, "malformed", f"the record there is of {record.url or 'no address'}")
        return self.page(record) or _lost(
            page, "malformed", f"the record there is a {record.type}, and no page"
        )


def _lost(page: Page, error: str, detail: str) -> Page:
    page.content, page.error, page.detail = None, error, detail[:500]
    return page
