"""When a host may be asked again: pure, the clock is the caller's.

For each host: at most `concurrency` requests in flight, and their starts at least so many seconds apart as the greatest of

    delay        what the recipe says
    Crawl-delay  what robots.txt says, at most 60 s (some say a day; whoever means "stay away" has Disallow)
    back-off     after 429 or 503: twice the delay of before (from nothing: 1 s), at most `max_delay`; each answer below 500 but 429 takes a
                 tenth off. Answers to requests that had started before the last doubling double nothing. While it lasts, one request at a time
    slowness     the mean time an answer takes (each new one counts half) over `concurrency`, so that a host that labours is asked less;
                 at most ten times `delay`, so that one page that hangs does not stop a site, and none where `delay` is 0

and none before what `Retry-After` says has passed (RFC 9110, 10.2.3), at most a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_CRAWL_DELAY = 60.0
MAX_RETRY_AFTER = 86_400.0
FULL_WAIT = 0.05
"""Seconds after which to ask again where all places are taken, if nothing else makes one wait longer."""
OVERLOADED = (429, 503)
_FIRST_DELAY = 1.0
_DECAY = 0.9
_SLOWNESS = 10
_PRUNE_AT = 1024
_SECONDS = re.compile(r"\s*(\d+)\s*", re.ASCII)


@dataclass(slots=True)
class _Host:
    in_flight: int = 0
    last_start: float | None = None
    not_before: float | None = None
    crawl_delay: float = 0.0
    backoff: float = 0.0
    doubled_at: float | None = None
    latency: float | None = None


class Pace:
    """Keeps the pace of each host. `now` is any clock in seconds that does not run back, such as `time.monotonic()`."""

    def __init__(self, delay: float, concurrency: int, max_delay: float = 60) -> None:
        """`delay` and `max_delay` in seconds. Raises ValueError for a delay below 0 or a concurrency below 1."""
        if not 0 <= delay <= 86_400 or not max_delay >= 0 or concurrency < 1:
            raise ValueError(
                f"delay {delay} must be 0 to 86400 seconds, concurrency {concurrency} at least 1"
            )
        self.delay = delay
        self.concurrency = concurrency
        self.max_delay = max(max_delay, delay)
        self._hosts: dict[str, _Host] = {}
        self._prune_at = _PRUNE_AT

    def may(self, host: str, now: float) -> float:
        """Seconds to wait before the next request of this host may start; 0: now. Asked again then, it may be more."""
        state = self._hosts.get(host)
        if state is None:
            return 0.0
        wait = 0.0
        if state.last_start is not None:
            wait = max(wait, state.last_start + self.delay_of(host) - now)
        if state.not_before is not None:
            wait = max(wait, state.not_before - now)
        if state.in_flight >= (1 if state.backoff else self.concurrency):
            wait = max(wait, FULL_WAIT)
        return wait

    def delay_of(self, host: str) -> float:
        """Seconds between two starts at present."""
        state = self._hosts.get(host)
        if state is None:
            return self.delay
        slow = min((state.latency or 0.0) / self.concurrency, self.delay * _SLOWNESS, self.max_delay)
        return max(self.delay, state.crawl_delay, state.backoff, slow)

    def in_flight(self, host: str) -> int:
        """Requests of this host that have started and not finished."""
        state = self._hosts.get(host)
        return state.in_flight if state else 0

    def started(self, host: str, now: float) -> None:
        """A request starts, which `may` allowed."""
        if host not in self._hosts and len(self._hosts) >= self._prune_at:
            self._prune(now)
        state = self._hosts.setdefault(host, _Host())
        state.in_flight += 1
        state.last_start = now

    def finished(
        self, host: str, now: float, status: int | None, retry_after: float | None, seconds: float
    ) -> None:
        """A request ends: its status (None: no answer), Retry-After in seconds if there was one, and the seconds it took."""
        state = self._hosts.setdefault(host, _Host())
        state.in_flight = max(0, state.in_flight - 1)
        seconds = max(0.0, seconds)
        state.latency = seconds if state.latency is None else (state.latency + seconds) / 2
        if status in OVERLOADED:
            if state.doubled_at is None or now - seconds >= state.doubled_at:
                before = max(self.delay, state.crawl_delay, state.backoff)
                state.backoff = min(2 * before or _FIRST_DELAY, self.max_delay)
                state.doubled_at = now
        elif status is not None and status < 500:
            state.backoff *= _DECAY
            if state.backoff <= max(self.delay, state.crawl_delay, _FIRST_DELAY / 100):
                state.backoff = 0.0
        if retry_after is not None and retry_after > 0:
            until = now + min(retry_after, MAX_RETRY_AFTER)
            state.not_before = until if state.not_before is None else max(until, state.not_before)

    def set_crawl_delay(self, host: str, seconds: float | None) -> None:
        """What robots.txt of this host says: seconds between starts, at most 60; None for nothing."""
        self._hosts.setdefault(host, _Host()).crawl_delay = min(max(seconds or 0.0, 0.0), MAX_CRAWL_DELAY)

    def _prune(self, now: float) -> None:
        """Forget hosts of which there is nothing to remember, so that memory follows the hosts at work and not all ever met."""
        self._hosts = {
            host: state
            for host, state in self._hosts.items()
            if state.in_flight or state.crawl_delay or state.backoff or self.may(host, now) > 0
        }
        self._prune_at = max(_PRUNE_AT, 2 * len(self._hosts))


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header: a number of them or a date, at most a day, never below 0. None for what is neither.

    >>> retry_after_seconds("120", datetime.now(UTC))
    120.0
    >>> retry_after_seconds("Fri, 01 Mar 2024 10:01:00 GMT", datetime(2024, 3, 1, 10, tzinfo=UTC))
    60.0
    """
    if value is None or len(value) > 100:
        return None
    if found := _SECONDS.fullmatch(value):
        return min(float(found[1]), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return min(max((date - now).total_seconds(), 0.0), MAX_RETRY_AFTER)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
