"""Places where a site makes addresses without end: what a crawl must not follow, told by the address alone.

    too-long      more than 1,000 characters
    repeating     segments that come again: /a/b/a/b/a/b, /a/a/a, one of them four times anywhere, //// , the same parameter three times
    too-deep      more than 20 segments
    session       a parameter (or a segment after one) named as sessions are, with a value that looks drawn by lot: at most 3 values a page
    calendar      a date after next year's end and the year after that, one before 1990 where the address speaks of a calendar, before 1000
                  elsewhere; or more than 500 dates (20,000 where nothing speaks of a calendar) in one and the same address; months
                  counted beyond 24
    permutations  one path with more than 40 sets of parameter names, or more than 3 orders of one set; a parameter given twice or more
                  in more than 100 addresses of a path; three parameters or more combined (more than 500 addresses of one path with one
                  set of names, and more than 20 times as many as the most different values that one of them has)

What must not be taken for a trap, and why it is not: a forum's threads (?t=1…50000: as many values as addresses; showthread.php?12-title:
what has no "=" is a value, not a name), its pages (two parameters multiply as they like), archives (/2004/05/12/slug: another slug is another
address), /t/slug/2077/12 (a date without a calendar must have a day, or begin the path). A session id under a name of its own is not seen.

Judged in the order of the calls, and remembered for what passes, so that the same calls give the same answers; ask once for each URL.
Memory is bounded: of each kind what was used last is kept, and distinct values are counted in a bitmap (Whang, Vander-Zanden, Taylor: "A
linear-time probabilistic counting algorithm", 1990). Every count is of one host, and one `Traps` may serve one host or many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import inf, log
from typing import Any

from xxhash import xxh3_64_intdigest

from plugins.web.trap_dates import date_of

MAX_LENGTH, MAX_DEPTH = 1000, 20
MAX_SESSIONS = 3
MAX_DATES, MAX_PLAIN_DATES = 500, 20_000
MAX_KEY_SETS, MAX_ORDERS, MAX_REPEATED = 40, 3, 100
MAX_COMBINED, COMBINED_RATIO = 500, 20
_REMEMBERED = 1024
_PATHS, _SETS, _KEYS, _BITS = 32, 32, 8, 2048

_SESSION = re.compile(
    r"(?!.*(?:page|next|prev|cursor|contin))(?:.*(?:sess(?:ion)?|sid|token|csrf|nonce|visitor|auth)(?:_?id|_?key|\b|_)|s)\Z",
    re.IGNORECASE,
)
_DRAWN = re.compile(
    r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[0-9A-Za-z]{10,}|[0-9]{16,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
)
_SHORT_NAME = 20
"""Characters of a value that make a session of "s", which WordPress searches by, or of a path segment."""

Pairs = Sequence[tuple[str, str]]
Steps = list[tuple["_Kept", int, Any]]
"""What to put where if a URL passes."""


class Traps:
    """What was seen, and what is a trap by that."""

    def __init__(self, year: int | None = None) -> None:
        """`year`: the present one, for what is far off; that of the clock by default."""
        self.year = year or datetime.now(UTC).year
        self._sessions = _Kept(_REMEMBERED)
        self._dates = _Kept(_REMEMBERED)
        self._repeated = _Kept(_REMEMBERED)
        self._key_sets = _Kept(_PATHS)
        self._combined = _Kept(_SETS)

    def reason(self, url: str) -> str | None:
        """Why a canonical URL is not to be followed, as one word of the table above; None: it is, and counts from now on."""
        if len(url) > MAX_LENGTH:
            return "too-long"
        where, _, query = url.partition("?")
        host, *segments = where.partition("://")[2].split("/")
        parted = (pair.partition("=") for pair in query.split("&")) if query else ()
        pairs = [(name, value) if equals else ("", name) for name, equals, value in parted]
        if _repeating(segments, pairs):
            return "repeating"
        if len(segments) > MAX_DEPTH:
            return "too-deep"
        steps: Steps = []
        reason = (
            self._session(host, segments, pairs, steps)
            or self._calendar(host, segments, pairs, steps)
            or (self._permutations(where, pairs, steps) if pairs else None)
        )
        if reason is None:
            for kept, key, value in steps:
                kept.put(key, value)
        return reason

    def dump(self) -> dict[str, Any]:
        """All it has seen as JSON values."""
        return {"year": self.year} | {name: getattr(self, f"_{name}").dump() for name in _STATE}

    @classmethod
    def load(cls, values: dict[str, Any]) -> Traps:
        """What `dump` gave, also after a round through JSON."""
        traps = cls(values["year"])
        for name in _STATE:
            getattr(traps, f"_{name}").load(values[name])
        return traps

    # ------------------------------------------------------------------------------------- rules

    def _session(self, host: str, segments: list[str], pairs: Pairs, steps: Steps) -> str | None:
        drawn = [
            pair for pair in pairs if _is_session(*pair, at_least=_SHORT_NAME if len(pair[0]) == 1 else 1)
        ]
        places = [
            index + 1
            for index, pair in enumerate(pairwise(segments))
            if len(pair[0]) > 1 and _is_session(*pair, at_least=_SHORT_NAME)
        ]
        if not drawn and not places:
            return None
        path = "/".join(segment for index, segment in enumerate(segments) if index not in places)
        rest = sorted(pair for pair in pairs if pair not in drawn)
        return self._count(self._sessions, MAX_SESSIONS, "session", steps, host, path, *rest)

    def _calendar(self, host: str, segments: list[str], pairs: Pairs, steps: Steps) -> str | None:
        date = date_of(segments, pairs)
        if date is None:
            return None
        if not (1990 if date.calendar else 1000) <= date.year <= self.year + 2:
            return "calendar"
        limit = MAX_DATES if date.calendar else MAX_PLAIN_DATES
        return self._count(self._dates, limit, "calendar", steps, host, date.rest)

    def _permutations(self, where: str, pairs: Pairs, steps: Steps) -> str | None:
        order = [name for name, _ in pairs]
        names = sorted(set(order))
        for name in names:
            if name and order.count(name) > 1:
                if found := self._count(self._repeated, MAX_REPEATED, "permutations", steps, where, name):
                    return found
                break
        here, key_set, in_order = _hash(where), _hash(*names), _hash(*dict.fromkeys(order))
        sets: dict[str, list[int]] = self._key_sets.get(here) or {}
        orders = sets.get(str(key_set), [])
        if in_order not in orders:
            if len(orders) >= MAX_ORDERS or (not orders and len(sets) >= MAX_KEY_SETS):
                return "permutations"
            orders = [*orders, in_order]
        steps.append((self._key_sets, here, {**sets, str(key_set): orders}))
        return self._combinations(_hash(where, *names), names, pairs, steps) if len(names) > 2 else None

    def _combinations(self, key: int, names: list[str], pairs: Pairs, steps: Steps) -> str | None:
        count, maps = self._combined.get(key) or (0, {})
        maps = dict(maps)
        for name, value in pairs:
            if name in names[:_KEYS]:
                label = name[:20]
                maps[label] = f"{int(maps.get(label, '0'), 16) | 1 << _hash(name, value) % _BITS:x}"
        if count >= MAX_COMBINED:
            distinct = sorted(_distinct(int(bits, 16)) for bits in maps.values())
            if sum(number >= 2.5 for number in distinct) > 2 and count > COMBINED_RATIO * distinct[-1]:
                return "permutations"
        steps.append((self._combined, key, [count + 1, maps]))
        return None

    @staticmethod
    def _count(kept: _Kept, limit: int, reason: str, steps: Steps, *what: object) -> str | None:
        """The reason where this was seen so often already; else it is seen once more."""
        key = _hash(*what)
        seen = kept.get(key) or 0
        if seen >= limit:
            return reason
        steps.append((kept, key, seen + 1))
        return None


_STATE = ("sessions", "dates", "repeated", "key_sets", "combined")


class _Kept:
    """A table of bounded size: what was put longest ago goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[int, Any] = {}

    def get(self, key: int) -> Any:
        return self._values.get(key)

    def put(self, key: int, value: Any) -> None:
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]

    def dump(self) -> list[list[Any]]:
        return [[key, value] for key, value in self._values.items()]

    def load(self, values: Sequence[Sequence[Any]]) -> None:
        self._values = {int(key): value for key, value in values}


def _repeating(segments: list[str], pairs: Pairs) -> bool:
    """Whether a run of up to five segments comes three times in a row, or one segment four times, or a parameter with its value three times."""
    if len(pairs) > 2 and any(pairs.count(pair) > 2 for pair in pairs):
        return True
    count = len(segments)
    if count < 3:
        return False
    for length in range(1, min(count // 3, 5) + 1):
        for start in range(count - 3 * length + 1):
            first, second, third = (segments[start + n * length : start + (n + 1) * length] for n in range(3))
            if first == second == third and any(_is_name(segment) or not segment for segment in first):
                return True
    return any(_is_name(segment) and segments.count(segment) > 3 for segment in set(segments))


def _is_session(name: str, value: str, *, at_least: int) -> bool:
    return len(value) >= at_least and _DRAWN.fullmatch(value) is not None and _SESSION.match(name) is not None


def _is_name(segment: str) -> bool:
    """Digits and single letters are shards, as in /0/0/0/12.html, and may come again."""
    return len(segment) > 1 and not segment.isdigit()


def _hash(*what: object) -> int:
    return xxh3_64_intdigest("\0".join(map(repr, what)).encode("utf-8", "surrogatepass"))


def _distinct(bits: int) -> float:
    """How many different values set these bits, about."""
    empty = _BITS - bits.bit_count()
    return -_BITS * log(empty / _BITS) if empty else inf
