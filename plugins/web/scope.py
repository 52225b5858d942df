"""What a crawl may gather: its settings, and the judgement on a link before it is queued."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from plugins.web.client import Limits
from plugins.web.sitemaps import MAX_BYTES as MAX_LISTING
from plugins.web.urls import TRACKING, host

PRODUCT = "gristmill"
"""The product token that robots.txt files name us by (RFC 9309, 2.2.1)."""
MAX_HOPS = 10
"""Redirects followed one after the other. RFC 9110, 15.4, leaves the number open; browsers take 20, curl's default is 50."""
MAX_ROBOTS = 1 << 20
"""Bytes of a robots.txt, whatever the limit of a page: twice what is read of it."""
MEDIA = frozenset((
    "7z", "aac", "apk", "avi", "avif", "bin", "bmp", "bz2", "css", "deb", "dmg", "docm", "eot", "exe", "flac", "flv",
    "gif", "gz", "ico", "iso", "jar", "jpeg", "jpg", "js", "m3u8", "m4a", "m4v", "mid", "mjs", "mkv", "mov", "mp3",
    "mp4", "mpeg", "mpg", "msi", "ogg", "ogv", "opus", "otf", "png", "pptx", "psd", "rar", "rpm", "svg", "swf", "tar",
    "tgz", "tif", "tiff", "torrent", "ttf", "wasm", "wav", "webm", "webmanifest", "webp", "wma", "wmv", "woff", "woff2", "xls", "xlsx",
    "xz", "zip", "zst",
))  # fmt: skip
"""Endings of paths that hold no text; not followed unless `media` says so."""

UNREACHABLE = (
    '{}: whoever runs a site must be able to reach you. Write contact = "mailto:you@example.org" '
    'or contact = "https://example.org/about-my-crawler".'
)
_CONTACT = re.compile(r"mailto:[^\s@()<>]+@[^\s@()<>]+\.[^\s@()<>]+|https?://[^\s()<>]+")


def reachable(contact: str | None) -> str:
    """The contact, if it can stand in a User-Agent (RFC 9110, 10.1.5: a comment) and names someone. Raises ValueError where not.

    >>> reachable("mailto:ann@example.org")
    'mailto:ann@example.org'
    """
    if contact is None or not _CONTACT.fullmatch(contact):
        raise ValueError(UNREACHABLE.format("is missing" if contact is None else f'is "{contact}"'))
    if not contact.isascii():
        raise ValueError(f'is "{contact}", which no header can hold: write it in ASCII')
    return contact


@dataclass(frozen=True, slots=True)
class Obey:
    """Which wishes of a site are honoured. All are, by default; what is switched off is recorded with each page."""

    robots: bool = True
    """robots.txt, its Crawl-delay too."""
    nofollow: bool = True
    """rel=nofollow of a link, and nofollow or none of a page."""
    noindex: bool = True
    """noindex or none, in X-Robots-Tag or <meta name=robots>."""
    noai: bool = True
    """noai, as noindex."""
    tdm: bool = True
    """A TDM reservation, by header or <meta>."""

    def ignored(self) -> list[str]:
        """The names of those switched off."""
        return [item.name for item in fields(self) if not getattr(self, item.name)]


@dataclass(frozen=True, slots=True)
class Settings:
    """All of a crawl's options. Those of `PACE` change how it goes, not what it gathers."""

    seeds: tuple[str, ...]
    """Canonical addresses."""
    contact: str
    """mailto: or https: address of who answers for the crawl."""
    sitemaps: bool | tuple[str, ...] = True
    feeds: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_depth: int | None = None
    max_pages: int | None = None
    max_bytes: int | None = None
    media: bool = False
    obey: Obey = field(default_factory=Obey)
    allow_private: tuple[str, ...] = ()
    drop: tuple[str, ...] = TRACKING
    delay: float = 1.0
    concurrency: int = 1
    total: int = 16
    retries: int = 3
    backoff: float = 2.0
    """Seconds before the first retry; doubled for each further one."""
    http2: bool = True
    limits: Limits = field(default_factory=Limits)

    def identity(self) -> dict[str, Any]:
        """What decides what is gathered, as JSON values."""
        options = {key: value for key, value in asdict(self).items() if key not in PACE}
        return options | {"body_bytes": self.limits.body_bytes}

    def body_bytes(self, kind: str) -> int:
        """Bytes taken of a body: what the recipe allows for a page; more for what a crawl cannot do without (a larger robots.txt would close
        its host, a larger sitemap hide its pages)."""
        floors = {"robots": MAX_ROBOTS, "sitemap": MAX_LISTING, "feed": MAX_LISTING}
        return max(self.limits.body_bytes, floors.get(kind, 0))

    @property
    def user_agent(self) -> str:
        """Who asks, and whom to write to (RFC 9110, 10.1.5)."""
        try:
            number = version("gristmill")
        except PackageNotFoundError:
            number = "0"
        return f"{PRODUCT}/{number} (+{self.contact})"


PACE = frozenset({"contact", "delay", "concurrency", "total", "retries", "backoff", "http2", "limits"})


class Scope:
    """Whether a URL belongs to the crawl, by its address alone."""

    def __init__(self, settings: Settings) -> None:
        """Raises re.error for a pattern that is none."""
        self._allow = [re.compile(pattern) for pattern in settings.allow]
        self._deny = [re.compile(pattern) for pattern in settings.deny]
        listed = settings.sitemaps if isinstance(settings.sitemaps, tuple) else ()
        starts: Iterable[str] = (*settings.seeds, *listed, *settings.feeds)
        self._hosts = {without_www(host(url)) for url in starts}
        self._media = settings.media

    def refusal(self, url: str, *, listing: bool = False) -> tuple[str, str] | None:
        """The fate and detail of a URL outside; None for one inside. A `listing` (a sitemap that robots.txt names) may lie elsewhere.

        Without `allow` patterns the crawl stays on the seeds' hosts, with and without "www.": sites redirect from one to the other.
        """
        for pattern in self._deny:
            if pattern.search(url):
                return "denied", f"deny: {pattern.pattern}"
        if listing:
            return None
        if self._allow:
            if not any(pattern.search(url) for pattern in self._allow):
                return "denied", "no pattern of allow"
        elif without_www(host(url)) not in self._hosts:
            return "denied", "another host"
        if not self._media:
            name = urlsplit(url).path.rpartition("/")[2]
            ending = name.rpartition(".")[2].lower() if "." in name else ""
            if ending in MEDIA:
                return "media", f".{ending}"
        return None


def without_www(name: str) -> str:
    """A host without "www."."""
    return name.removeprefix("www.")
