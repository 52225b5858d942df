"""Whose turn it is: one lane for each origin with something in the queue, each with a short look-ahead, woken in the order of time.

At most MAX_OPEN lanes are open; an origin without a lane waits in the database. Whether a host may be asked is for `Pace` to say;
origins on one host (http and https, or two ports) share its pace.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from time import time

from plugins.web.crawl_tables import Work
from plugins.web.frontier import Frontier
from plugins.web.pace import Pace
from plugins.web.robots import ALLOW_ALL, Robots
from plugins.web.scope import Settings
from plugins.web.traps import Traps
from plugins.web.urls import host
from plugins.web.visits import Judge

MAX_OPEN = 512
"""Lanes held in memory."""
WINDOW = 32
"""URLs a lane holds; what is left of them at the end of the process goes back into the queue."""
ROBOTS_SECONDS = 24 * 3600
"""How long a robots.txt is good for (RFC 9309, 2.4)."""


@dataclass(slots=True)
class Lane:
    """An origin at work."""

    number: int
    origin: str
    host: str
    traps: Traps
    robots: Robots | None = None
    robots_at: float = 0.0
    """POSIX seconds."""
    asking: bool = False
    """robots.txt is on its way."""
    asked: int = 0
    """How often robots.txt could not be had."""
    window: deque[Work] = field(default_factory=deque)
    later: list[tuple[float, int, Work]] = field(default_factory=list)
    """Those to be tried again: when (monotonic), number, work. A heap."""
    held: float = 0.0
    """Nothing is asked before, whatever the host's pace (monotonic)."""
    flying: int = 0
    more: bool = True
    """The database may hold more of it."""
    touched: bool = False
    """Its traps have changed since the last commit."""
    wake: float = inf
    """When it is looked at next, if its entry in the heap says the same."""

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do here."""
        return not (self.window or self.later or self.flying or self.asking or self.more)


class Lanes:
    """All lanes that are open."""

    def __init__(self, frontier: Frontier, settings: Settings, judge: Judge) -> None:
        self._frontier = frontier
        self._settings = settings
        self._judge = judge
        self.pace = Pace(settings.delay, settings.concurrency)
        self.open: dict[int, Lane] = {}
        self._hosts: dict[str, list[Lane]] = {}
        self._heap: list[tuple[float, int]] = []
        self._last = 0

    # ------------------------------------------------------------------------------------- opening, closing

    def fill(self, now: float) -> None:
        """Open lanes for origins that have something in the queue, in the order in which they were met, round and round."""
        room = MAX_OPEN - len(self.open)
        if room <= 0:
            return
        for after in (self._last, 0) if self._last else (0,):
            for number, origin in self._frontier.pending_origins(after, MAX_OPEN):
                if number in self.open:
                    self.open[number].more = True
                    continue
                if room <= 0:
                    return
                room -= 1
                self._last = number
                self._start(number, origin, now)

    def _start(self, number: int, origin: str, now: float) -> None:
        known = self._frontier.origin(number)
        lane = Lane(number, origin, host(origin), traps_of(known["traps"]))
        if not self._settings.obey.robots:
            lane.robots, lane.robots_at = ALLOW_ALL, inf
        elif known["robots"] and time() - known["robots_at"] < ROBOTS_SECONDS:
            self.told(lane, Robots.load(json.loads(known["robots"])), known["robots_at"])
        self.open[number] = lane
        self._hosts.setdefault(lane.host, []).append(lane)
        lane.held = now + max(0.0, known["not_before"] - time())
        self.schedule(lane, lane.held)

    def told(self, lane: Lane, robots: Robots, at: float) -> None:
        """Robots rules have come."""
        lane.robots, lane.robots_at = robots, at
        if robots.delay:
            self.pace.set_crawl_delay(lane.host, robots.delay)

    def stale(self, lane: Lane) -> bool:
        """Whether its robots.txt must be asked for, or asked for again."""
        return lane.robots is None or time() - lane.robots_at > ROBOTS_SECONDS

    def hold(self, lane: Lane, until: float) -> None:
        """Leave an origin alone for a while."""
        lane.held = max(lane.held, until)
        self.schedule(lane, lane.held)

    def close(self, lane: Lane) -> None:
        """Forget a lane with nothing left to do."""
        if lane.touched:
            self._frontier.set_origin(lane.number, traps=json.dumps(lane.traps.dump()))
        del self.open[lane.number]
        siblings = self._hosts[lane.host]
        siblings.remove(lane)
        if not siblings:
            del self._hosts[lane.host]

    def save(self) -> None:
        """Write down what the traps have seen, before a commit."""
        for lane in self.open.values():
            if lane.touched:
                self._frontier.set_origin(lane.number, traps=json.dumps(lane.traps.dump()))
                lane.touched = False

    # ------------------------------------------------------------------------------------- time

    def schedule(self, lane: Lane, when: float) -> None:
        """Look at a lane at this time, or earlier if it is to be looked at earlier already."""
        if when < lane.wake:
            lane.wake = when
            heapq.heappush(self._heap, (when, lane.number))

    def wake_host(self, name: str, now: float) -> None:
        """A request to this host has ended: its lanes may go on."""
        for lane in self._hosts.get(name, ()):
            self.schedule(lane, now)

    def due(self, now: float) -> Iterator[Lane]:
        """Lanes whose time has come; each is looked at once and must be scheduled anew."""
        while self._heap and self._heap[0][0] <= now:
            when, number = heapq.heappop(self._heap)
            lane = self.open.get(number)
            if lane is not None and lane.wake == when:
                lane.wake = inf
                yield lane

    def next_time(self) -> float:
        """When the next lane is due."""
        return self._heap[0][0] if self._heap else inf

    # ------------------------------------------------------------------------------------- work

    def look(self, lane: Lane) -> bool:
        """Whether a lane has a URL that belongs to the crawl: robots.txt of a host is asked for only then."""
        while not lane.window and lane.more and len(lane.later) < WINDOW:
            works = self._frontier.take(lane.number, WINDOW)
            lane.more = len(works) == WINDOW
            for work in works:
                if refusal := self._judge.outside(work):
                    self._frontier.settle(work.id, *refusal)
                else:
                    lane.window.append(work)
        return bool(lane.window)

    def next_work(self, lane: Lane, now: float) -> Work | None:
        """The next URL of a lane whose robots are known; what must not be fetched gets its fate on the way."""
        if lane.later and lane.later[0][0] <= now:
            return heapq.heappop(lane.later)[2]
        while lane.window:
            work = lane.window.popleft()
            if refusal := self._refusal(lane, work):
                self._frontier.settle(work.id, *refusal)
            else:
                return work
        return None

    def _refusal(self, lane: Lane, work: Work) -> tuple[str, str | None] | None:
        """Why robots.txt or the traps keep a URL from being asked for."""
        if lane.robots is not None and not lane.robots.allows(work.url):
            refusal = forbidden(lane.robots)
            if lane.robots.state != "rules" and work.fate and work.file is not None:
                # The host cannot be had just now; what it gave before stays.
                refusal = (work.fate, f"not refreshed: {refusal[0]}")
            return refusal
        if work.kind == "page" and not work.admitted:
            lane.touched = True
            if trap := lane.traps.reason(work.url):
                return f"trap-{trap}", None
            self._frontier.update(work.id, admitted=1)
        return None

    def postpone(self, lane: Lane, work: Work, when: float) -> None:
        """Try a URL again at this time."""
        heapq.heappush(lane.later, (when, work.id, work))
        self.schedule(lane, when)


def traps_of(saved: str | None) -> Traps:
    """What the traps of an origin have seen."""
    return Traps.load(json.loads(saved)) if saved else Traps()


def forbidden(robots: Robots) -> tuple[str, str | None]:
    """The fate of a URL that robots.txt forbids, or whose robots.txt cannot be had for another reason than its host's refusal."""
    if robots.state == "rules":
        return "robots", None
    word, colon, rest = robots.why.partition(": ")
    if colon and word in {"scheme", "address", "dns", "connect", "tls", "timeout"}:
        return word, f"of robots.txt: {rest}"
    return "robots", f"robots.txt cannot be had: {robots.why}"
