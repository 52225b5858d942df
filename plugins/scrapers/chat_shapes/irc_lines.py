r"""A line of an IRC log: who said or did what, and when; or what the network said.

| written by | said | done | not talk |
|---|---|---|---|
| irssi, ircII | `12:34 < nick> text`, `12:34 <@nick> text` | `12:34  * nick waves` | `12:34 -!- nick [user@host] has joined #c`, `--- Day changed …` |
| mIRC, XChat, HexChat | `[12:34] <nick> text`, `[12:34:56] <nick> text` | `[12:34] * nick waves` | `* nick (user@host) has joined #c` |
| ZNC, energymech | `[12:34:56] <nick> text` | `[12:34:56] * nick waves` | `[12:34:56] *** Joins: nick (user@host)` |
| irclogs.ubuntu.com | `[12:34] <nick> text` | `[12:34]  * nick waves`, `=== nick waves` | `=== nick is now known as other` |
| WeeChat | `2020-01-31 12:34:56\tnick\ttext` | `2020-01-31 12:34:56\t *\tnick waves` | `2020-01-31 12:34:56\t-->\t…` |

A date may stand before the time, and no time at all. What is done becomes `*waves*`, the way role-play writes it. Colours and other marks of mIRC are taken out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["said", "done", "noise", "unread"]

_STAMP = r"(?:\[?(?:(?P<date>\d{4}-\d\d-\d\d)[T ]+)?(?P<clock>\d{1,2}:\d\d(?::\d\d)?)(?P<half> ?[AaPp][Mm])?(?:Z|[+-]\d\d:?\d\d)?\]?[ \t]+)?"
_LINE = re.compile(
    _STAMP
    + r"(?:<[ @+%~&!]?(?P<nick>[^\s<>]+) ?> ?(?P<said>.*)"
    + r"|\* (?P<actor>[^\s*]\S*)(?: (?P<done>.*))?"
    + r"|=== (?P<teller>\S+) +(?P<told>.*)"
    + r"|(?P<noise>(?:-!-|\*\*\*|---|===|-->|<--|--)(?:\s.*|$)|-[^\s-]+-\s.*))\Z"
)
_WEECHAT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d) (?P<clock>\d\d:\d\d:\d\d)\t(?P<nick>[^\t]*)\t(?P<said>.*)\Z"
)
_NETWORK = re.compile(
    r"(?:[\[(]\S*@?\S*[\])] )?\s*(?:has (?:joined|left)(?: [#&+!]\S*| \(|\s*$)|has quit(?: IRC)?(?: [\[(]|\s*$)|is now known as \S+\s*$"
    r"|sets mode\b|changes topic\b|was kicked\b|Quit \(|has changed the topic\b)"
)
_TELLERS = re.compile(
    r"(?:Joins|Parts|Quits|Topic|Set|Now|Disconnected|Attempting|Rejoined|Retrieving):?\Z|mode/|[#&\[]|\.\.\["
)
_MARKS = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04[0-9a-fA-F]{6}|[\x02\x0f\x11\x16\x1d\x1e\x1f]")


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says."""

    kind: Kind
    nick: str | None = None
    text: str = ""
    day: str | None = None
    """ISO 8601, where the line states it."""
    clock: int | None = None
    """Seconds since midnight."""


def read_line(line: str) -> Line:
    """The line, taken apart.

    >>> read_line("[12:34] <ann> hello")
    Line(kind='said', nick='ann', text='hello', day=None, clock=45240)
    >>> read_line("=== bo is now known as bo_away").kind, read_line("12:34  * ann waves").text
    ('noise', '*waves*')
    """
    line = _MARKS.sub("", line)
    found = _WEECHAT.match(line)
    if found:
        return _weechat(found)
    found = _LINE.match(line)
    if found is None:
        return Line("unread" if line.strip() else "noise")
    day, clock = found["date"], _clock(found["clock"], found["half"])
    if found["nick"] is not None:
        kind: Kind = "said" if found["said"].strip() else "noise"
        return Line(kind, found["nick"], found["said"], day, clock)
    actor, done = found["actor"] or found["teller"], found["done"] or found["told"]
    if actor is None or not done or _TELLERS.match(actor) or _NETWORK.match(done):
        return Line("noise", day=day, clock=clock)
    return Line("done", actor, f"*{done.strip()}*", day, clock)


def _weechat(found: re.Match[str]) -> Line:
    nick, said, day, clock = found["nick"].strip(), found["said"], found["date"], _clock(found["clock"], None)
    if nick == "*":
        actor, _, done = said.partition(" ")
        return (
            Line("done", actor, f"*{done.strip()}*", day, clock)
            if done.strip()
            else Line("noise", day=day, clock=clock)
        )
    if not nick or not said.strip() or nick in {"-->", "<--", "--", "=!="}:
        return Line("noise", day=day, clock=clock)
    return Line("said", nick.lstrip("@+%~&!"), said, day, clock)


def _clock(written: str | None, half: str | None) -> int | None:
    if written is None:
        return None
    hours, minutes, *seconds = map(int, written.split(":"))
    if half:
        hours = hours % 12 + (12 if half.strip().lower() == "pm" else 0)
    return hours * 3600 + minutes * 60 + (seconds[0] if seconds else 0)


class Watch:
    """Seconds from one line to the next, in logs that mostly state no day.

    A clock that goes back has passed midnight; or noon, in a log that never showed an hour past twelve (irclogs.ubuntu.com of 2004). One that goes
    back by less than JITTER was late.
    """

    JITTER = 300

    def __init__(self) -> None:
        self._day: str | None = None
        self._clock: int | None = None
        self._late = False

    def pause(self, line: Line) -> float | None:
        """Since the line before that had a time; None where that is not known."""
        if line.clock is None:
            return None
        self._late = self._late or line.clock >= 13 * 3600
        before, day = self._clock, self._day
        today = line.day if line.day and _is_day(line.day) else None
        self._clock, self._day = line.clock, today or self._day
        if before is None:
            return None
        passed = line.clock - before
        if today and day:
            return passed + 86400.0 * (date.fromisoformat(today) - date.fromisoformat(day)).days
        if -self.JITTER < passed < 0:
            return 0.0
        return float(passed % (86400 if self._late else 43200)) if passed < 0 else float(passed)


def _is_day(text: str) -> bool:
    """Whether there is such a day: a log may say 2020-02-31."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
