"""What becomes of one answer: a fate, what to remember of the page, and where its links lead.

Pure: settings and an answer in, a verdict out. So an answer that was just received and one read back from the archive (after a kill, or
because its page turned out to be nearer to a seed) are judged by the same code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from plugins.extractors.encoding import NotText, decode
from plugins.web.bodies import BodyError, decoded
from plugins.web.crawl_tables import Found, Work
from plugins.web.links import CACHED, Resolver, base_of, links_of
from plugins.web.scope import MAX_HOPS, PRODUCT, Scope, Settings
from plugins.web.signals import Signals, signals_of
from plugins.web.sitemaps import MAX_BYTES as SITEMAP_BYTES, MAX_NESTING, listing_of
from plugins.web.urls import canonical, origin, site
from plugins.web.warc_writing import payload_digest

HTML = frozenset({"text/html", "application/xhtml+xml"})
HTML_BYTES = 8 << 20
"""Of a page, unpacked, that are searched for links and signals."""
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be another one in a while (RFC 9110, 15.5 and 15.6; RFC 6585; RFC 8470)."""
LATER = frozenset({"timeout", "connect", "dns", "protocol"})
"""Failures without an answer of which the same holds."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_FIELD = 500
"""Characters of a header's value that are kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, received or read back."""

    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    fetched_at: datetime

    def header(self, name: str) -> str | None:
        """The last value of a field."""
        name = name.lower()
        return next((value for key, value in reversed(self.headers) if key.lower() == name), None)

    @property
    def media(self) -> str:
        """The media type, lower case, "" where none is stated."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


@dataclass(slots=True)
class Verdict:
    """What a page's answer amounts to."""

    fate: str
    detail: str | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    """What to remember of it, by column of `urls`."""
    found: list[Found] = field(default_factory=list)
    archive: bool = True
    """Whether its bytes may be kept."""


Follow = Callable[[str, str], Sequence[str] | None]
"""(html, the page's address) → the addresses on it that are followed; None for all."""


class Judge:
    """Judges the answers of one crawl."""

    def __init__(
        self, settings: Settings, known: Mapping[str, int] | None = None, follow: Follow | None = None
    ) -> None:
        """`known` tells depths at which URLs are known (`Frontier.known`): found as deep again, they are passed over."""
        self._settings = settings
        self._follow = follow
        self._known: Mapping[str, int] = {} if known is None else known
        self._scope = Scope(settings)
        self._sites = set(map(site, settings.seeds))
        self._links = Resolver(lambda href, base: canonical(href, base, drop=settings.drop))
        self._refusals: dict[tuple[str, str], tuple[str, str] | None] = {}

    def verdict(self, answer: Answer, work: Work) -> Verdict:
        """The verdict on an answer with a status that is final."""
        digest = payload_digest(answer.body)
        verdict = Verdict("fetched")
        verdict.columns = {
            "status": answer.status,
            "content_type": _short(answer.header("content-type")),
            "content_encoding": _short(answer.header("content-encoding")),
            "etag": _short(answer.header("etag")),
            "last_modified": _short(answer.header("last-modified")),
            "digest": digest,
            "size": len(answer.body),
            "fetched_at": answer.fetched_at.isoformat(),
            "license": None,
            "signals": None,
        }
        try:
            if answer.status in REDIRECTS and answer.header("location"):
                self._redirected(answer, work, verdict)
            elif answer.status not in {200, 203}:
                verdict.fate = f"status-{answer.status}"
                if answer.status == 304 and work.kind == "page":
                    # "Unchanged" is said of the page alone: a wish in the headers may be new. Its former capture is then given up.
                    self._obey(signals_of(answer.headers, None, PRODUCT), verdict)
                    verdict.archive = verdict.fate == "status-304"
            else:
                self._read(answer, work, verdict)
        except BodyError as error:
            verdict.fate, verdict.detail = error.reason, error.detail[:MAX_FIELD]
        except Exception as error:  # noqa: BLE001  whatever a page does to a parser costs that page, and is told
            verdict.fate, verdict.detail = "unreadable", repr(error)[:MAX_FIELD]
        return verdict

    def outside(self, work: Work) -> tuple[str, str | None] | None:
        """The fate and detail of a URL that does not belong to the crawl, by its address and how far from a seed it is."""
        return self._outside(work.url, work.kind, work.depth, work.hops)

    def _outside(self, url: str, kind: str, depth: int, hops: int) -> tuple[str, str | None] | None:
        try:
            refusal = self._refusals[url, kind]
        except KeyError:
            if len(self._refusals) >= CACHED:
                self._refusals.clear()
            refusal = self._scope.refusal(url, listing=kind == "sitemap")
            self._refusals[url, kind] = refusal
        if refusal is not None:
            return refusal
        if hops > MAX_HOPS:
            return "redirects", f"more than {MAX_HOPS} in a row"
        if kind == "sitemap":
            return ("depth", f"an index within {MAX_NESTING} others") if depth > MAX_NESTING else None
        limit = self._settings.max_depth
        return ("depth", f"{depth} links from a seed") if limit is not None and depth > limit else None

    # ------------------------------------------------------------------------------------- kinds of answers

    def _redirected(self, answer: Answer, work: Work, verdict: Verdict) -> None:
        verdict.fate = "redirect"
        location = answer.header("location") or ""
        target = canonical(location, answer.url, drop=self._settings.drop)
        verdict.detail = target or f"to nowhere: {location[:100]}"
        if target is None or target == work.url:
            return
        verdict.found.append(self._found(target, work.depth, work, kind=work.kind, hops=work.hops + 1))

    def _read(self, answer: Answer, work: Work, verdict: Verdict) -> None:
        limit = self._settings.body_bytes(work.kind)
        content = decoded(answer.body, answer.header("content-encoding"), limit=limit)
        if work.kind != "page":
            self._listed(content, work, verdict)
            return
        html = _html(answer, content)
        signals = signals_of(answer.headers, html, PRODUCT)
        verdict.columns["license"] = _short(signals.license)
        verdict.columns["signals"] = json.dumps(signals.told) if signals.told else None
        self._obey(signals, verdict)
        if html is not None:
            ignore = self._settings.obey.nofollow and signals.nofollow
            verdict.found.extend(self._linked(html, answer.url, work, nofollow=ignore))

    def _obey(self, signals: Signals, verdict: Verdict) -> None:
        """Wishes about the page itself. What may not be mined is not even kept; noindex forbids to show, not to read."""
        obey, told = self._settings.obey, "; ".join(signals.told)[:MAX_FIELD] or None
        for fate, said, honoured, kept in (
            ("tdm", signals.tdm_reserved, obey.tdm, False),
            ("noai", signals.noai, obey.noai, False),
            ("noindex", signals.noindex, obey.noindex, True),
        ):
            if said and honoured:
                verdict.fate, verdict.detail, verdict.archive = fate, told, kept
                return

    def _listed(self, content: bytes, work: Work, verdict: Verdict) -> None:
        if content[:2] == b"\x1f\x8b":
            content = decoded(content, "gzip", limit=SITEMAP_BYTES)
        listing = listing_of(content)
        verdict.fate, verdict.detail = work.kind, listing.fault
        if listing.kind == "unknown":
            verdict.fate = "no-listing"
            return
        for url in self._canonical(listing.pages):
            verdict.found.append(self._found(url, 1, work))
        near = {site(work.url), *self._sites}
        for url in self._canonical(listing.sitemaps):
            found = self._found(url, work.depth + 1, work, kind="sitemap")
            if found.fate is None and site(url) not in near:
                # An index may list those of its own site (sitemaps.org, "Sitemap file location"): or it could send us to any number of others.
                found = replace(found, fate="nofollow", detail="an index of another site lists it")
            verdict.found.append(found)

    # ------------------------------------------------------------------------------------- links

    def _canonical(self, urls: Sequence[str]) -> Iterator[str]:
        for url in dict.fromkeys(urls):
            if known := canonical(url, drop=self._settings.drop):
                yield known

    def _linked(self, html: str, url: str, work: Work, *, nofollow: bool) -> Iterator[Found]:
        href, links = links_of(html)
        base = base_of(url, href)
        seen: dict[str, bool] = {}
        for target, marked in self._links.resolve(links, base):
            ignored = nofollow or (marked and self._settings.obey.nofollow)
            seen[target] = seen.get(target, True) and ignored
        seen.pop(work.url, None)
        chosen = self._follow(html, url) if self._follow else None
        if chosen is not None:
            kept = {canonical(href, base, drop=self._settings.drop) for href in chosen}
            seen = {target: ignored for target, ignored in seen.items() if target in kept}
        depth, known = work.depth + 1, self._known
        for target, ignored in seen.items():
            if (nearest := known.get(target)) is not None and (ignored or depth >= nearest):
                continue
            found = self._found(target, depth, work)
            if ignored and found.fate is None:
                found = Found(target, found.origin, depth, found_on=work.id, fate="nofollow")
            if found.fate is None or nearest is None:
                yield found

    def _found(self, url: str, depth: int, work: Work, *, kind: str = "page", hops: int = 0) -> Found:
        """A link with its judgement, as far as its address and depth give one."""
        fate, detail = self._outside(url, kind, depth, hops) or (None, None)
        return Found(url, origin(url), depth, kind, hops, work.id, fate, detail)


def _html(answer: Answer, content: bytes) -> str | None:
    """The page's markup as text, if it is HTML; its type is believed, and where none is stated, its first character."""
    media = answer.media
    if media not in HTML and (media or not content[:100].lstrip().startswith(b"<")):
        return None
    try:
        return decode(content[:HTML_BYTES], answer.header("content-type"), html=True).text
    except NotText:
        return None


def _short(value: str | None) -> str | None:
    return value[:MAX_FIELD] if value else None
