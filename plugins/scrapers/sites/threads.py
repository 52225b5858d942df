"""Which thread an address belongs to, and which page of it: from the engines' own patterns, no host's.

Addresses are all there is to go by before a page is parsed. Patterns of several engines are tried in the table's order; a thread's pages
match the same one, so it does not matter whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

GENERAL = (
    r"/page[-/_]?(?P<page>\d+)/?(?:[?#]|$)",
    r"[?&](?:page|pagenum|p|pg)=(?P<page>\d+)(?:[&#]|$)",
    r"-page-?(?P<page>\d+)(?:\.html?)?/?(?:[?#]|$)",
)
"""How sites of no known engine number a thread's pages; what is left of the address names the thread."""


class Place(NamedTuple):
    """A thread and a page's place in it: its number from 1, or, where the engine counts posts instead, that of its first post from 0."""

    thread: str
    position: int


@cache
def patterns(engine: str | None = None) -> tuple[re.Pattern[str], ...]:
    """The thread patterns of one engine, or of all."""
    return tuple(re.compile(pattern) for pattern in _all("threads", engine))


def exact(kind: str, engine: str | None = None) -> list[str]:
    """Regular expressions, to be searched for, of addresses that are a page of a thread (`kind` "threads") or of a list of threads ("boards")
    and nothing else: not "answer here", not a single post, not another order."""
    return [re.sub(r"\(\?P<\w+>", "(?:", pattern) + "/?$" for pattern in _all(kind, engine)]


def _all(kind: str, engine: str | None) -> Iterable[str]:
    from plugins.scrapers.sites import ENGINES

    chosen = [e for e in ENGINES if engine in (None, e.name)]
    return dict.fromkeys(pattern for e in chosen for pattern in getattr(e, kind))


def place_of(url: str) -> Place | None:
    """The thread an address names and the page's place in it; None for what is no address. One that fits no pattern is its own thread.

    >>> place_of("https://a.example/forum/threads/my-cat.12/page-3")
    Place(thread='a.example/forum#12', position=3)
    >>> place_of("https://a.example/viewtopic.php?f=2&t=12&start=40").position
    40
    >>> place_of("https://a.example/talk/my-cat?page=2")
    Place(thread='a.example/talk/my-cat', position=2)
    >>> place_of("https://www.a.example/talk/my-cat/")
    Place(thread='a.example/talk/my-cat', position=1)
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].lower().removeprefix("www.")
    except ValueError:  # such as "http://[" in the head of a page
        return None
    if not host:
        return None
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    for pattern in patterns():
        if found := pattern.search(rest):
            # What stands before it belongs to the name: one host may have several forums, each with numbers of its own.
            before = rest[: found.start()].rstrip("/")
            return Place(f"{host}{before}#{found['thread']}", _position(found.groupdict()))
    for general in GENERAL:
        if found := re.search(general, rest):
            return Place(host + rest[: found.start()].rstrip("/"), int(found["page"][:9]))
    return Place(host + rest.rstrip("/"), 1)


def is_board(url: str) -> bool:
    """Whether an address is that of a list of threads, and of no thread."""
    return any(re.search(p, url) for p in exact("boards")) and not any(p.search(url) for p in patterns())


def _position(groups: dict[str, str | None]) -> int:
    if "start" in groups:
        return int((groups["start"] or "0")[:9])
    return int((groups.get("page") or "1")[:9])
