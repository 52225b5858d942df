"""Pages of Common Crawl: its index says in which archive a capture lies, and a range request brings that one record.

The index of a crawl answers `https://index.commoncrawl.org/CC-MAIN-2024-33-index?url=PATTERN&output=json&page=N` with one JSON object a line
(pywb's CDX server API); with `showNumPages=true` it says how many pages there are. Without captures it answers 404. The archives lie below
`https://data.commoncrawl.org/`, each record a gzip member of its own.

Never run against the real service where this was written: tests use answers in its published form. Whoever crawls asks gently: one
request at a time, pauses when told so.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from plugins.web.ranges import Get, RangeError, Sleep, fetch_range, patiently
from plugins.web.warc_reading import MAX_BLOCK, WarcFault, WarcRecord, read_bytes

INDEX = "https://index.commoncrawl.org"
DATA = "https://data.commoncrawl.org"
MAX_PAGES = 100_000
"""Pages of answers one pattern may have."""
CRAWL = re.compile(r"CC-MAIN-[0-9]{4}-[0-9]{2}", re.ASCII)
_FILE = re.compile(
    r"crawl-data/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)+[A-Za-z0-9_-][A-Za-z0-9._-]*\.warc\.gz", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Capture:
    """Where one capture lies, and what the index says of it."""

    filename: str
    offset: int
    length: int
    url: str
    timestamp: str
    """14 digits, UTC."""
    status: int | None = None
    mime: str = ""


class IndexFault(Exception):
    """The index cannot be asked, or answers what is no index; what to do stands in the message."""


def parse_line(line: bytes) -> Capture | str:
    """A line of the index: a capture, or why it is none.

    >>> parse_line(
    ...     b'{"url": "https://example.org/", "timestamp": "20240805101112", "filename": "crawl-data/CC/x.warc.gz", '
    ...     b'"offset": "1", "length": "2", "status": "200"}'
    ... ).offset
    1
    """
    try:
        told: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    if not isinstance(told, dict):
        return f"no object, but {line[:60]!r}"
    texts = {
        key: str(told.get(key, ""))
        for key in ("filename", "offset", "length", "url", "timestamp", "status", "mime")
    }
    if not _FILE.fullmatch(texts["filename"]):
        return f'its filename is "{texts["filename"][:80]}"'
    for key, digits in (("offset", 15), ("length", 10)):
        if not re.fullmatch(rf"[0-9]{{1,{digits}}}", texts[key], re.ASCII):
            return f'its {key} is "{texts[key][:40]}"'
    if not 0 < int(texts["length"]) <= MAX_BLOCK:
        return f"its length is {texts['length']} bytes; up to {MAX_BLOCK} are read"
    if not re.fullmatch(r"[0-9]{14}", texts["timestamp"], re.ASCII):
        return f'its timestamp is "{texts["timestamp"][:40]}"'
    if not texts["url"].startswith(("http://", "https://")):
        return f'its url is "{texts["url"][:80]}"'
    status = int(texts["status"]) if re.fullmatch(r"[0-9]{3}", texts["status"], re.ASCII) else None
    return Capture(
        texts["filename"],
        int(texts["offset"]),
        int(texts["length"]),
        texts["url"],
        texts["timestamp"],
        status,
        texts["mime"],
    )


async def lookup(
    get: Get, crawl: str, pattern: str, *, sleep: Sleep = asyncio.sleep, service: str = INDEX
) -> AsyncIterator[Capture | str]:
    """All captures of the addresses a pattern matches ("example.org/*", "*.example.org"), in the index' order; a line that is none as the
    reason why. Raises IndexFault, and what `get` raises."""
    if not CRAWL.fullmatch(crawl):
        raise IndexFault(f'"{crawl}" is no crawl; they are named as CC-MAIN-2024-33 is')
    place = f"{service}/{crawl}-index?"
    asked = {"url": pattern, "output": "json"}
    number = _pages(await _ask(get, place + urlencode(asked | {"showNumPages": "true"}), sleep))
    for page in range(number):
        body = await _ask(get, place + urlencode(asked | {"page": str(page)}), sleep)
        for line in body.splitlines():
            if line.strip():
                yield parse_line(line)


async def _ask(get: Get, url: str, sleep: Sleep) -> bytes:
    """The body of an answer; b"" where there are no captures. Raises IndexFault."""
    try:
        response = await patiently(get, url, sleep=sleep)
    except RangeError as error:
        raise IndexFault(f"{error.detail}. The index is busy; build again later.") from None
    if response.status == 404:
        if b"No Captures found" in response.body[:1000]:
            return b""
        raise IndexFault(f"{url}: 404. There may be no such crawl: {INDEX}/collinfo.json lists them.")
    if response.status != 200:
        raise IndexFault(f"{url}: {response.status} {response.reason}: {response.body[:200]!r}")
    return response.body


def _pages(body: bytes) -> int:
    """The number of pages: {"pages": 4, "pageSize": 5, "blocks": 18}, or the bare number of older servers."""
    if not body.strip():
        return 0
    try:
        told = json.loads(body)
        number = int(told["pages"] if isinstance(told, dict) else told)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise IndexFault(
            f"the index answers {body[:100]!r} where it should say how many pages there are"
        ) from None
    if not 0 <= number <= MAX_PAGES:
        raise IndexFault(
            f"the index has {number} pages of answers; {MAX_PAGES} are read. Ask for fewer addresses."
        )
    return number


async def captures(
    get: Get,
    crawl: str,
    patterns: Sequence[str],
    limit: int,
    *,
    sleep: Sleep = asyncio.sleep,
    service: str = INDEX,
) -> list[Capture | str]:
    """The first `limit` captures of several patterns, each record once, in the order of the patterns. Raises as `lookup` does."""
    found: dict[Capture | str, None] = {}
    for pattern in patterns:
        async for capture in lookup(get, crawl, pattern, sleep=sleep, service=service):
            if len(found) == limit:
                return list(found)
            found[capture] = None
    return list(found)


async def fetch_capture(
    get: Get, capture: Capture, *, sleep: Sleep = asyncio.sleep, service: str = DATA
) -> bytes:
    """The gzip member in which a capture lies. Raises RangeError unless exactly that comes, and what `get` raises."""
    return await fetch_range(
        get, f"{service}/{capture.filename}", capture.offset, capture.length, sleep=sleep
    )


def record_of(member: bytes) -> WarcRecord | WarcFault:
    """The record in what was fetched."""
    return read_bytes(member)
