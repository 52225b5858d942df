"""Dates in an address: which one, and the address without it. For `traps`.

A date is year and month at least. Four digits and two are a date more often than not only where a calendar is spoken of (/events/2031/05,
?month=5&year=2031), where a day follows (/2004/05/12), or where they begin the path (/2004/05): /t/slug/2077/12 is a thread's twelfth post.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CALENDARS = frozenset(
    ["calendar", "cal", "kalender", "calendrier", "calendario", "agenda", "events", "event", "evenement", "eventos", "veranstaltungen", "termine", "schedule", "month", "week", "day", "daily", "weekly", "monthly", "monat", "woche", "tag", "mois", "semaine", "jour"]
)  # fmt: skip
_DATES = frozenset([
    "date",
    "datum",
    "day",
    "month",
    "mon",
    "monat",
    "week",
    "year",
    "yr",
    "jahr",
    "time",
    "timestamp",
    "ts",
    "dt",
    "cal",
    "calendar",
    "ym",
    "start",
    "end",
    "from",
    "to",
    "begin",
    "until",
])
_YEARS, _MONTHS, _DAYS = (
    frozenset({"year", "yr", "jahr", "annee"}),
    frozenset({"month", "mon", "monat", "mois"}),
    frozenset({"day", "tag", "jour"}),
)
_SPANS = frozenset({"start", "end", "from", "to", "begin", "until"})
_WORD = re.compile("[a-z]+")
_DASHED = re.compile(r"(?:.*[^0-9])?([0-9]{4})[-_.]([0-9]{1,2})(?:[-_.]([0-9]{1,2}))?")
_WHOLE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_VALUE = re.compile(
    r"([0-9]{4,5})(?:-|/|\.|%2F)([0-9]{1,2})(?:(?:-|/|\.|%2F)([0-9]{1,2}))?(?:[T+ ].*)?", re.IGNORECASE
)
_COMPACT = re.compile(r"([0-9]{4})(0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])?")
_MAX_MONTHS = 24
_FAR = 1_000_000

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Dated:
    """A date in an address."""

    year: int
    calendar: bool
    """The address speaks of a calendar."""
    rest: str
    """The address with the date taken out: the same for all pages of a calendar."""


def date_of(segments: Sequence[str], pairs: Pairs) -> Dated | None:
    """The date that path segments or query pairs tell, those of the query first; None where there is none.

    >>> date_of(["calendar"], [("month", "5"), ("year", "2031")])
    Dated(year=2031, calendar=True, rest='calendar?month=*&year=*')
    >>> date_of(["2004", "05", "12", "a-post"], []).rest, date_of(["t", "slug", "2077", "12"], [])
    ('*/*/*/a-post?', None)
    """
    if not any(char.isdigit() for segment in segments for char in segment) and not pairs:
        return None
    worded = any(word in _CALENDARS for segment in segments for word in _WORD.findall(segment.lower()))
    return (_in_query(segments, pairs, worded=worded) if pairs else None) or _in_path(
        segments, pairs, worded=worded
    )


def _rest(segments: Sequence[str], pairs: Pairs) -> str:
    return "/".join(segments) + "?" + "&".join(f"{name}={value}" for name, value in pairs)


def _in_path(segments: Sequence[str], pairs: Pairs, *, worded: bool) -> Dated | None:
    for index, segment in enumerate(segments):
        if not segment[:1].isdigit() and not (worded and segment[-1:].isdigit()):
            continue
        length, year = 0, 0
        if found := _WHOLE.fullmatch(segment) or (
            worded and (_DASHED.fullmatch(segment) or _COMPACT.fullmatch(segment))
        ):
            length, year = int(1 <= int(found[2]) <= 12), int(found[1])
        elif len(segment) == 4 and segment.isdigit() and _is_number(segments, index + 1, 12):
            length = 3 if _is_number(segments, index + 2, 31) else 2
            year = int(segment)
            padded = len(segments[index + 1]) == 2
            if not worded and not (padded and (length == 3 or index == 0)):
                length = 0
        if length and (worded or year < 2200):
            rest = [*segments[:index], *["*"] * length, *segments[index + length :]]
            return Dated(year, worded, _rest(rest, pairs))
    return None


def _is_number(segments: Sequence[str], index: int, most: int) -> bool:
    return (
        index < len(segments)
        and len(segments[index]) < 3
        and segments[index].isdigit()
        and 1 <= int(segments[index]) <= most
    )


def _in_query(segments: Sequence[str], pairs: Pairs, *, worded: bool) -> Dated | None:
    year, month, rest, named = None, None, list(pairs), False
    brief = {name for name, _ in pairs} >= {"y", "m"}
    for index, (name, value) in enumerate(pairs):
        words = set(_WORD.findall(name.lower()))
        dated, years, months = bool(words & _DATES), bool(words & _YEARS), bool(words & _MONTHS)
        if brief and name in {"y", "m", "d"}:
            dated, years, months = True, name == "y", name == "m"
        if not dated and name != "m":
            continue
        told, whole = _told(value, words), False
        if told is not None:
            year, whole = told, True
        elif years and re.fullmatch("[0-9]{1,6}", value):
            year, whole = int(value), True
        elif months and re.fullmatch("-?[0-9]{1,9}", value):
            month, whole = int(value), True
        elif words & _DAYS or name == "d":
            whole = value.isdigit()
        if whole:
            rest[index] = (name, "*")
            named = named or months or bool(words & {"cal", "calendar", "week", "day"})
    if year is None and month is not None and abs(month) > _MAX_MONTHS:
        year = _FAR  # months counted on and on
    return (
        None if year is None else Dated(year, worded or (named and month is not None), _rest(segments, rest))
    )


def _told(value: str, words: set[str]) -> int | None:
    """The year of a whole date in one value: 2031-05, 2031-05-12, 20310512, 203105, or seconds since 1970."""
    if found := _VALUE.fullmatch(value):
        return int(found[1]) if 1 <= int(found[2]) <= 12 else None
    if words & _SPANS or not value.isdigit():
        return None
    if found := _COMPACT.fullmatch(value):
        return int(found[1])
    if len(value) in {9, 10, 11} and words & {"date", "time", "timestamp", "ts", "day", "week", "month"}:
        return 1970 + int(value) // 31_556_952
    return None
