"""The tables of a crawl's database, and a row of it on its way in (`Found`) and out (`Work`)."""

from __future__ import annotations

from dataclasses import dataclass

FILE = "crawl.sqlite"
QUEUED, FETCHING, DONE = 0, 1, 2
REFUSED_ROWS = 100_000
"""Rows of URLs that were refused without being asked for; about 20 MB."""
SOFT = ("depth", "nofollow", "redirects")
"""Fates that depend on the way a URL was found: a better way revokes them."""
REFUSED = (*SOFT, "denied", "media")
"""Fates given to a link before it is queued."""
BY_ADDRESS = ("denied", "media", "depth", "redirects")
"""Fates that follow from the address, and how far from a seed it is."""
BY_OPTION = ("budget", "robots", "noindex", "noai", "tdm", "too-large", "address")
"""Fates of URLs within the crawl that follow from its other options."""
PASSING = (
    *("connect", "dns", "timeout", "protocol"),
    *(f"status-{status}" for status in (408, 425, 429, 500, 502, 503, 504)),
)
"""Fates that may be others tomorrow: an outage, ours or the site's."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tallies (reason TEXT PRIMARY KEY, links INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origins (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, pending INTEGER NOT NULL DEFAULT 0,
    robots TEXT, robots_at REAL, not_before REAL NOT NULL DEFAULT 0, traps TEXT
);
CREATE TABLE IF NOT EXISTS urls (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, origin INTEGER NOT NULL REFERENCES origins, kind TEXT NOT NULL,
    depth INTEGER NOT NULL, hops INTEGER NOT NULL, found_on INTEGER, state INTEGER NOT NULL, fate TEXT, detail TEXT,
    tries INTEGER NOT NULL DEFAULT 0, admitted INTEGER NOT NULL DEFAULT 0, relink INTEGER NOT NULL DEFAULT 0,
    status INTEGER, content_type TEXT, content_encoding TEXT, etag TEXT, last_modified TEXT, digest TEXT, size INTEGER,
    file TEXT, offset INTEGER, length INTEGER, fetched_at TEXT, license TEXT, signals TEXT
);
CREATE INDEX IF NOT EXISTS urls_queue ON urls (origin, depth, id) WHERE state = 0;
CREATE INDEX IF NOT EXISTS urls_relink ON urls (id) WHERE relink = 1;
CREATE INDEX IF NOT EXISTS origins_pending ON origins (id) WHERE pending = 1;
"""
FORMAT = "1"
"""Of the tables; another one is not read."""


@dataclass(frozen=True, slots=True)
class Found:
    """A URL as it was found: queued, or refused with a fate."""

    url: str
    origin: str
    depth: int
    kind: str = "page"
    """ "page", "sitemap" or "feed"; of a sitemap, `depth` is how deep it nests."""
    hops: int = 0
    """Redirects that led to it, one after the other."""
    found_on: int | None = None
    fate: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Work:
    """A URL taken from the queue."""

    id: int
    url: str
    depth: int
    hops: int
    kind: str
    tries: int
    admitted: int
    """Whether the traps let it pass: they are asked once."""
    etag: str | None = None
    last_modified: str | None = None
    file: str | None = None
    """Where its former capture lies, if it has one."""
    offset: int | None = None
    length: int | None = None
    digest: str | None = None
    fetched_at: str | None = None
    fate: str | None = None
    """What became of it the last time."""
    detail: str | None = None
    state: int = QUEUED
    size: int | None = None
    """Bytes of its former body, as sent."""


WORK = "id, url, depth, hops, kind, tries, admitted, etag, last_modified, file, offset, length, digest, fetched_at, fate, detail, state, size"
"""The columns of `Work`, in its order."""
ADD = f"""
INSERT INTO urls (url, origin, kind, depth, hops, found_on, state, fate, detail)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (url) DO UPDATE SET
    relink = relink OR (
        state = {DONE} AND file IS NOT NULL AND ((?10 AND excluded.depth < depth) OR (fate = 'redirect' AND excluded.hops < hops))
    ),
    state = CASE WHEN state = {DONE} AND fate IN {SOFT} THEN excluded.state ELSE state END,
    fate = CASE WHEN state = {DONE} AND fate IN {SOFT} THEN excluded.fate ELSE fate END,
    detail = CASE WHEN state = {DONE} AND fate IN {SOFT} THEN excluded.detail ELSE detail END,
    hops = min(hops, excluded.hops),
    depth = min(depth, excluded.depth)
WHERE excluded.state = {QUEUED} AND kind = excluded.kind AND (
    (state = {DONE} AND fate IN {SOFT}) OR excluded.depth < depth OR excluded.hops < hops
)
"""
"""Note a URL. Of one that is known: revoke a soft fate if it is found in a better way, and take over the nearer depth; what was archived
already is marked, since its own links, or its target, may be nearer too (only if ?10, the depth is bounded; or its hops matter)."""
