"""A crawl from its seeds to its end: robots, queue, fetch, archive, links, and an account of every URL.

What is durable and when: an answer is judged and written to the archive as it comes; every half second the archive is synced, and then
one transaction of the database accounts for all that came (`plugins.web.frontier`). Killed at any moment, a rerun first accounts for what
reached the archive (`plugins.web.recovery`) and goes on. "No page twice" therefore means: a page whose answer reached the archive is never
asked for again. What was on its way at the kill is asked for again, and so is robots.txt if it was not committed yet.

A crawl that has ended stays ended: to run it again with the same options touches no network. With other options, what they refused or
allow now is judged again, and only what is missing is fetched; only where a wish of sites is honoured that was not, all begins anew.
`refresh` asks again for everything that was asked for, with conditions (RFC 9110, 13).

Each page is fetched in an order that depends on nothing but the site while one request at a time goes to a host. With more, which
addresses of an endless trap are met before it is recognised depends on which answers come first; all else is the same.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from pathlib import Path
from time import monotonic

from plugins.web.client import Client, FetchError, Resolver, Response, system_resolver
from plugins.web.crawl_tables import FILE, Found, Work
from plugins.web.frontier import Frontier, trouble
from plugins.web.landing import Landing
from plugins.web.lanes import Lane, Lanes
from plugins.web.progress import Progress, Summary
from plugins.web.recovery import recover
from plugins.web.robots import Robots, robots_of
from plugins.web.scope import PRODUCT, Settings
from plugins.web.urls import origin
from plugins.web.visits import Follow, Judge
from plugins.web.warc_writing import WarcWriter
from schemas.errors import SourceError

COMMIT_SECONDS = 0.5
REPORT_SECONDS = 1.0
ARCHIVE = "warc"
"""The folder of the archive within the crawl's."""


async def crawl(
    settings: Settings,
    folder: Path,
    *,
    refresh: bool = False,
    retry: bool = False,
    resolve: Resolver = system_resolver,
    report: Callable[[Progress], None] | None = None,
    follow: Follow | None = None,
) -> Summary:
    """Run a crawl to its end, or on to its end. `folder` is its own: `crawl.sqlite` and the archive in `warc/`.

    Cancelled (Ctrl-C), it commits what has come and raises; run again, it goes on. Raises SourceError where another process crawls into
    the folder, StorageError where it cannot be written, Corruption where its database cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  a moment, before anything else runs
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SourceError(
                f"{folder}: another process is crawling into it. Wait for it, or stop it."
            ) from None
        return await _Crawl(settings, folder, resolve, report, follow).run(refresh=refresh, retry=retry)
    except sqlite3.DatabaseError as error:
        raise trouble(folder / FILE, error) from error
    finally:
        os.close(lock)


class _Crawl:
    def __init__(
        self,
        settings: Settings,
        folder: Path,
        resolve: Resolver,
        report: Callable[[Progress], None] | None,
        follow: Follow | None,
    ) -> None:
        self._settings = settings
        self._folder = folder / ARCHIVE
        self._resolve = resolve
        self._report = report
        self._frontier = Frontier(folder, bounded_depth=settings.max_depth is not None)
        self._judge = Judge(settings, self._frontier.known, follow)
        self._landed: list[tuple[Lane, Work | None, Response | FetchError | Robots]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None
        self._wake = asyncio.Event()
        self._flying = 0
        self._began = self._committed = self._reported = monotonic()

    async def run(self, *, refresh: bool, retry: bool) -> Summary:
        frontier, settings = self._frontier, self._settings
        try:
            recovered = recover(frontier, self._folder, self._judge)
            self._begin(refresh=refresh, retry=retry)
            answers = 0
            if frontier.meta("ended") != "1":
                self._lanes = Lanes(frontier, settings, self._judge)
                self._writer = WarcWriter(self._folder, software=settings.user_agent, at=frontier.archive)
                self._landing = Landing(
                    settings, frontier, self._lanes, self._judge, self._writer, self._folder, self._commit
                )
                try:
                    async with Client(
                        settings.user_agent,
                        allow=settings.allow_private,
                        limits=settings.limits,
                        resolve=self._resolve,
                        http2=settings.http2,
                    ) as self._client:
                        await self._loop()
                        self._end()
                finally:
                    self._writer.close()
                answers = self._landing.answers
            return Summary(frontier.fates(), frontier.tallies(), settings.obey.ignored(), recovered, answers)
        finally:
            frontier.close()

    def _begin(self, *, refresh: bool, retry: bool) -> None:
        """Queue the seeds; and what other options, a refresh or another try ask for again."""
        frontier, settings = self._frontier, self._settings
        identity = json.dumps(settings.identity(), sort_keys=True)
        ignored = settings.obey.ignored()
        former = frontier.meta("options")
        if set(json.loads(frontier.meta("ignored") or "[]")).difference(ignored) or _begins_elsewhere(
            former, identity
        ):
            # A wish is honoured that was not, or the crawl begins elsewhere: which pages were had against that wish, or from that beginning
            # alone, cannot be told in all cases, so none is kept.
            frontier.reset()
        elif former is not None and former != identity:
            before, now = json.loads(former)["max_depth"], settings.max_depth
            frontier.reconsider(
                self._judge.outside,
                nofollow=settings.obey.nofollow,
                relink=now is not None and (before is None or before < now),
            )
        if refresh and frontier.meta("ended") == "1":
            frontier.refresh()
        again = retry and frontier.meta("ended") == "1" and frontier.retry()
        if former != identity or refresh or again:
            frontier.set_meta("ended", "0")
            frontier.set_meta("options", identity)
            frontier.set_meta("ignored", json.dumps(ignored))
            listed = settings.sitemaps if isinstance(settings.sitemaps, tuple) else ()
            for kind, urls in (("sitemap", listed), ("feed", settings.feeds), ("page", settings.seeds)):
                frontier.add(Found(url, origin(url), 0, kind) for url in urls)
            frontier.commit(None)

    def _end(self) -> None:
        """Give what the budget left over its fate."""
        over = self._landing.spent()
        if over:
            self._frontier.abandon("budget", over)
        self._frontier.set_meta("ended", "1")
        self._commit()
        self._frontier.rest()

    # ------------------------------------------------------------------------------------- the loop

    async def _loop(self) -> None:
        try:
            while True:
                now = monotonic()
                self._depart(now)
                if not self._flying and not self._more(now):
                    return
                await self._wait(now)
                self._land()
                if monotonic() - self._committed >= COMMIT_SECONDS:
                    self._commit()
        except asyncio.CancelledError:
            await self._recall()
            self._land()
            self._commit()
            raise
        finally:
            # After any other failure nothing is committed: what the archive holds is accounted for at the next start.
            await self._recall()

    async def _recall(self) -> None:
        """End all requests that are on their way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _depart(self, now: float) -> None:
        """Send off all that may go now."""
        lanes = self._lanes
        if self._landing.starving:
            self._landing.starving = False
            lanes.fill(now)
        room = self._landing.room()
        if self._flying >= room:
            return
        for lane in lanes.due(now):
            if self._flying >= room:
                lanes.schedule(lane, now)
                return
            self._advance(lane, now)

    def _more(self, now: float) -> bool:
        """Whether anything is left to do, now that nothing is on its way."""
        if self._landing.spent():
            return False
        if not self._lanes.open:
            self._landing.relink()
            self._lanes.fill(now)
        return bool(self._lanes.open)

    def _advance(self, lane: Lane, now: float) -> None:
        """Send off one request of a lane, if its host may be asked."""
        lanes = self._lanes
        if lane.asking:
            return
        wait = max(lane.held - now, lanes.pace.may(lane.host, now))
        if wait > 0:
            lanes.schedule(lane, now + wait)
            return
        waiting = lanes.look(lane)
        if waiting and lanes.stale(lane):
            lane.asking = True
            self._start(lane, None)
            return
        work = lanes.next_work(lane, now)
        if work is not None:
            self._start(lane, work)
            lanes.schedule(lane, now)
        elif waiting:
            lanes.schedule(lane, now + 0.001)  # all it held was refused; let others land meanwhile
        elif lane.later:
            lanes.schedule(lane, lane.later[0][0])
        elif lane.idle:
            lanes.close(lane)
            self._landing.starving = True

    def _start(self, lane: Lane, work: Work | None) -> None:
        self._lanes.pace.started(lane.host, monotonic())
        lane.flying += 1
        self._flying += 1
        task = asyncio.create_task(self._ask_robots(lane) if work is None else self._ask(lane, work))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken = error
            self._wake.set()

    async def _ask(self, lane: Lane, work: Work) -> None:
        answer: Response | FetchError
        try:
            answer = await self._client.get(
                work.url, _conditions(work), body_bytes=self._settings.body_bytes(work.kind)
            )
        except FetchError as error:
            answer = error
        self._landed.append((lane, work, answer))
        self._wake.set()

    async def _ask_robots(self, lane: Lane) -> None:
        get = partial(self._client.get, body_bytes=self._settings.body_bytes("robots"))
        robots = await robots_of(lane.origin, get, PRODUCT)
        self._landed.append((lane, None, robots))
        self._wake.set()

    async def _wait(self, now: float) -> None:
        """Until something lands, a lane is due, or it is time to commit."""
        if not self._landed and self._broken is None:
            full = self._flying >= self._landing.room()
            until = min(inf if full else self._lanes.next_time(), self._committed + COMMIT_SECONDS)
            self._wake.clear()
            try:
                async with asyncio.timeout(max(0.0, until - now)):
                    await self._wake.wait()
            except TimeoutError:
                pass
        if self._broken is not None:
            raise self._broken

    # ------------------------------------------------------------------------------------- landing

    def _land(self) -> None:
        landed, self._landed = self._landed, []
        for lane, work, answer in landed:
            lane.flying -= 1
            self._flying -= 1
            now = monotonic()
            if work is None:
                assert isinstance(answer, Robots)
                self._landing.robots(lane, answer, now)
            else:
                assert not isinstance(answer, Robots)
                self._landing.page(lane, work, answer, now)
            self._lanes.wake_host(lane.host, now)

    # ------------------------------------------------------------------------------------- durability, budget, talk

    def _commit(self) -> None:
        self._lanes.save()
        self._frontier.commit(self._writer.sync())
        self._committed = now = monotonic()
        if self._report and now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report(self._progress(now))

    def _progress(self, now: float) -> Progress:
        seconds = now - self._began
        rate = self._landing.answers / seconds if seconds else 0.0
        queued = self._frontier.queued()
        left = queued + self._flying
        if self._settings.max_pages is not None:
            left = min(left, self._settings.max_pages - self._landing.pages)
        return Progress(
            self._landing.pages,
            queued,
            self._flying,
            len(self._lanes.open),
            self._landing.errors,
            self._landing.bytes,
            seconds,
            rate,
            left / rate if rate else None,
        )


def _begins_elsewhere(former: str | None, now: str) -> bool:
    """Whether a place to begin is gone, or addresses have another spelling: one recipe must give one crawl, whatever was crawled before."""
    if former is None:
        return False
    one, other = json.loads(former), json.loads(now)
    gone = any(set(_listed(one[key])) - set(_listed(other[key])) for key in ("seeds", "sitemaps", "feeds"))
    return gone or one["drop"] != other["drop"]


def _listed(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _conditions(work: Work) -> Mapping[str, str]:
    """Ask for a page only if it changed, where a former capture is there to stand for it (RFC 9110, 13.1)."""
    headers = {}
    if (
        work.file is not None and work.fate != "noindex"
    ):  # a wish in a header may be gone, though the page is the same
        if work.etag:
            headers["If-None-Match"] = work.etag
        if work.last_modified:
            headers["If-Modified-Since"] = work.last_modified
    return headers
