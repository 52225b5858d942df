"""What is done with what comes back: pace, retries, archive, fate, links, in this order."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time

from plugins.web.addresses import FetchError
from plugins.web.client import Response
from plugins.web.crawl_tables import Found, Work
from plugins.web.frontier import Frontier
from plugins.web.lanes import Lane, Lanes
from plugins.web.pace import OVERLOADED, retry_after_seconds
from plugins.web.recovery import archived
from plugins.web.robots import Robots
from plugins.web.scope import Settings, without_www
from plugins.web.urls import canonical, host, origin
from plugins.web.visits import AGAIN, LATER, MAX_FIELD, Answer, Judge
from plugins.web.warc_writing import Revisit, WarcWriter

MAX_BACKOFF = 300.0
_HOPELESS = ("scheme:", "address:", "tls:")
"""How a robots.txt fails that will fail again."""


class Landing:
    """Accounts for answers, and counts what the budgets and the progress need."""

    def __init__(
        self,
        settings: Settings,
        frontier: Frontier,
        lanes: Lanes,
        judge: Judge,
        writer: WarcWriter,
        folder: Path,
        commit: Callable[[], None],
    ) -> None:
        """`folder` is the archive's. `commit` makes all durable."""
        self._settings = settings
        self._frontier = frontier
        self._lanes = lanes
        self._judge = judge
        self._writer = writer
        self._folder = folder
        self._commit = commit
        self.pages = frontier.fates().get("fetched", 0)
        self.bytes = frontier.archived_bytes()
        self.answers = 0
        self.errors = 0
        self.starving = True
        """There may be origins in the queue that have no lane."""

    def robots(self, lane: Lane, robots: Robots, now: float) -> None:
        """The robots.txt of an origin: wait and try again where it cannot be had, else go by it."""
        lane.asking = False
        self._lanes.pace.finished(lane.host, now, None, None, 0.0)
        unreachable = robots.state == "disallow-all"
        if unreachable and lane.asked < self._settings.retries and not robots.why.startswith(_HOPELESS):
            lane.asked += 1
            self._lanes.hold(lane, now + self._backoff(lane.asked))
            return
        self._lanes.told(lane, robots, time())
        self._frontier.set_origin(lane.number, robots=json.dumps(robots.dump()), robots_at=lane.robots_at)
        if self._settings.sitemaps is True and robots.sitemaps and self._ours(lane.origin):
            urls = (canonical(url, lane.origin, drop=self._settings.drop) for url in robots.sitemaps)
            self._add([Found(url, origin(url), 0, "sitemap") for url in urls if url], now)
            self._commit()  # recovery must find the rows of all that the archive may hold from here on

    def _ours(self, place: str) -> bool:
        """Whether an origin is one of the seeds': others' sitemaps are none of this crawl's business."""
        hosts = {without_www(host(seed)) for seed in self._settings.seeds}
        return without_www(host(place)) in hosts or bool(self._settings.allow)

    def page(self, lane: Lane, work: Work, answer: Response | FetchError, now: float) -> None:
        """An answer, or why there is none: to be tried again, or final."""
        self.answers += 1
        work.tries += 1
        pause, status = None, None
        if isinstance(answer, Response):
            status = answer.status
            if status in AGAIN:
                pause = retry_after_seconds(answer.header("retry-after"), datetime.now(UTC))
            self.bytes += len(answer.body)
        seconds = answer.seconds if isinstance(answer, Response) else 0.0
        self._lanes.pace.finished(lane.host, now, status, pause, seconds)
        if status in AGAIN or (isinstance(answer, FetchError) and answer.reason in LATER):
            if status in OVERLOADED:
                self._frontier.set_origin(
                    lane.number, not_before=time() + self._lanes.pace.may(lane.host, now)
                )
            if work.tries <= self._settings.retries:
                self._frontier.update(work.id, tries=work.tries)
                self._lanes.postpone(lane, work, now + max(self._backoff(work.tries), pause or 0.0))
                return
        if isinstance(answer, FetchError):
            self.errors += 1
            self._failed(work, answer.reason, answer.detail)
        else:
            self._answered(work, answer, now)

    def _failed(self, work: Work, reason: str, detail: str | None) -> None:
        """No answer. Where a refresh fails so, the former capture stays: it is still the newest one."""
        if work.fate and work.file is not None:
            self.pages += work.fate == "fetched"
            self.bytes += work.size or 0
            self._frontier.settle(work.id, work.fate, f"not refreshed: {reason}", tries=work.tries)
        else:
            self._frontier.settle(work.id, reason, (detail or "")[:MAX_FIELD] or None, tries=work.tries)

    def _answered(self, work: Work, response: Response, now: float) -> None:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)
        answer = Answer(work.url, response.status, headers, response.body, response.started)
        verdict = self._judge.verdict(answer, work)
        unchanged = work.file is not None and (
            verdict.fate == "status-304"
            or (verdict.fate == work.fate == "fetched" and verdict.columns["digest"] == work.digest)
        )
        if unchanged:
            self.bytes += (work.size or 0) - len(response.body)  # its body counts, sent again or not
            verdict.fate, verdict.detail, verdict.columns = work.fate or "fetched", work.detail, {}
        # Refused for now (a guard before the site, say), or out of order: what was had before stays.
        kept = response.status >= 500 or response.status in AGAIN or response.status in (401, 403)
        if kept and work.fate and work.file is not None:
            self._failed(work, verdict.fate, None)
            return
        columns = verdict.columns
        if verdict.archive:
            stored = self._writer.response(
                work.url,
                status=response.status,
                reason=response.reason,
                http_version=response.http_version,
                headers=response.headers,
                body=response.body,
                address=response.address,
                started=response.started,
                request_headers=response.request_headers,
                revisit_of=_revisit(work) if unchanged else None,
            )
            if not unchanged:
                columns |= {"file": stored.file, "offset": stored.offset, "length": stored.length}
        else:
            columns |= {"file": None, "offset": None, "length": None}
        self._frontier.settle(work.id, verdict.fate, verdict.detail, tries=work.tries, **columns)
        self.pages += verdict.fate == "fetched"
        self.errors += verdict.fate.startswith("status-")
        self._add(verdict.found, now)

    def _add(self, found: list[Found], now: float) -> None:
        for number in self._frontier.add(found):
            lane = self._lanes.open.get(number)
            if lane is None:
                self.starving = True
            elif not lane.more:
                lane.more = True
                self._lanes.schedule(lane, now)

    def relink(self) -> None:
        """Follow the links of archived pages again that turned out to be nearer than they were when they came."""
        while works := self._frontier.take_relinks(100):
            self._commit()
            for work in works:
                if work.file is not None and work.offset is not None and work.length is not None:
                    answer = archived(self._folder, work.file, work.offset, work.length)
                    self._add(self._judge.verdict(answer, work).found, monotonic())

    # ------------------------------------------------------------------------------------- budgets

    def spent(self) -> str | None:
        """Which budget is used up."""
        settings = self._settings
        if settings.max_pages is not None and self.pages >= settings.max_pages:
            return f"max_pages = {settings.max_pages}"
        if settings.max_bytes is not None and self.bytes >= settings.max_bytes:
            return f"max_bytes = {settings.max_bytes}"
        return None

    def room(self) -> int:
        """How many requests may be on their way at once: no more than pages are left of the budget."""
        if self.spent():
            return 0
        most = self._settings.max_pages
        return self._settings.total if most is None else min(self._settings.total, most - self.pages)

    def _backoff(self, tries: int) -> float:
        return min(MAX_BACKOFF, self._settings.backoff * 2.0 ** (tries - 1))


def _revisit(work: Work) -> Revisit:
    """The former capture, as a record that repeats it names it."""
    date = datetime.fromisoformat(work.fetched_at) if work.fetched_at else datetime.fromtimestamp(0, UTC)
    return Revisit(work.url, date, work.digest)
