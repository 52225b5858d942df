"""robots.txt: what a host forbids, by RFC 9309.

Written here and not left to protego (which stays the oracle of the tests): of the 145 decisions in the 21 published tests of
google/robotstxt protego 0.7 gets 14 wrong, since it lets unknown lines and Crawl-delay close a group, matches "User-agent: grist" to
"gristmill" and "Foo Bar" not to "Foo", and has no bound on a line. It also splits lines at form feeds and U+2028 and takes "%3F" for "?".
What would be left of it behind a correction of all that is a loop over prefixes.

Where two readings of a percent-encoding exist (RFC 9309, 2.2.2, decodes "%62" to "b" before comparing; the published tests compare it as
written), a URL is allowed only if both allow it. A 429 answer counts as the server's trouble, not as "unavailable": the RFC's 4xx rule
would allow everything just where a host asks for less. How long a file is good for (24 h) is the crawler's matter.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from plugins.web.urls import canonical, encoded

if TYPE_CHECKING:
    from plugins.web.client import Response

MAX_BYTES = 500 << 10
"""What is read of a file (RFC 9309, 2.5: at least 500 KiB)."""
MAX_LINE = 2083 * 8 - 1
"""Bytes read of a line: eight times the longest URL of browsers, as the published tests have it."""
MAX_REDIRECTS = 5
"""RFC 9309, 2.3.1.2: at least five, also to other hosts."""

_FIELDS = (
    ("agent", ("user-agent", "useragent", "user agent")),
    ("allow", ("allow",)),
    ("disallow", ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw")),
    ("sitemap", ("sitemap", "site-map")),
    ("delay", ("crawl-delay", "crawl delay")),
)
"""What a line may be called; what merely begins so counts too, and so do usual misspellings."""
_EOL = re.compile(rb"\r\n|\r|\n")
_TOKEN = re.compile(r"[A-Za-z_-]+")
_REDIRECTS = (301, 302, 303, 307, 308)


def is_product_token(token: str) -> bool:
    """Whether a crawler can be named so in a robots.txt (RFC 9309, 2.2.1): letters, "_" and "-" only."""
    return _TOKEN.fullmatch(token) is not None


def path_of(url: str) -> str:
    """Path and query of a URL as it is written, which is what rules are matched against.

    >>> path_of("https://a.example/b?c=http://d.example/#e"), path_of("https://a.example?b")
    ('/b?c=http://d.example/', '/?b')
    """
    url = url.partition("#")[0]
    head = re.match(r"(?:[^/?;]*?://|//)?[^/?;]*", url)
    path = url[head.end() :] if head else url
    return path if path.startswith("/") else f"/{path}"


def records(body: bytes) -> Iterator[tuple[int, str, str]]:
    """Line number from 1, kind ("agent", "allow", "disallow", "sitemap", "delay" or "other") and value of each line that says something."""
    for number, line in enumerate(_EOL.split(_readable(body)), 1):
        text = line[:MAX_LINE].decode("utf-8", "surrogateescape").partition("#")[0].strip(" \t\0")
        name, colon, value = text.partition(":")
        if not colon:
            words = text.split()
            if len(words) != 2:
                continue
            name, value = words  # the colon forgotten, as in "disallow /"
        name = name.strip().lower()
        yield (
            number,
            next((kind for kind, names in _FIELDS if name.startswith(names)), "other"),
            value.strip(),
        )


def _readable(body: bytes) -> bytes:
    """The first 500 KiB without a byte-order mark (or a piece of one), UTF-16 as UTF-8, and without a last line that was cut."""
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if body.startswith(mark):
            body = body[2 : MAX_BYTES + 2].decode(codec, "replace").encode()
    if len(body) > MAX_BYTES:
        body = body[:MAX_BYTES]
        cut = max(body.rfind(b"\n"), body.rfind(b"\r"))
        body = body[:cut] if cut > 0 else body
    for length in (3, 2, 1):
        if body.startswith(codecs.BOM_UTF8[:length]):
            return body[length:]
    return body


class _Reading:
    """The rules of one group in one reading of percent-encodings: the longest match decides, "allow" on a tie (RFC 9309, 2.2.2)."""

    def __init__(self, rules: tuple[tuple[str, bool], ...], *, decode: bool) -> None:
        self.decode = decode
        self.plain: dict[str, bool] = {}
        special: set[tuple[int, bool, tuple[str, ...], bool]] = set()
        for pattern, allow in self._with_indexes(rules):
            text = encoded(pattern, decode=decode)
            anchored = text.endswith("$")
            body = text[:-1] if anchored else text
            if not anchored and "*" not in body and "$" not in body:
                self.plain[body] = self.plain.get(body, False) or allow
            else:
                special.add((len(text), allow, tuple(body.replace("$", "%24").split("*")), anchored))
        self.lengths = sorted({len(pattern) for pattern in self.plain}, reverse=True)
        self.special = sorted(special, reverse=True)

    @staticmethod
    def _with_indexes(rules: tuple[tuple[str, bool], ...]) -> Iterator[tuple[str, bool]]:
        """Each rule; who allows "/a/index.html" allows "/a/" too, as the published tests have it."""
        for pattern, allow in rules:
            yield pattern, allow
            if allow and pattern.endswith("/index.html"):
                yield pattern.removesuffix("index.html") + "$", allow

    def allows(self, path: str) -> bool:
        path = path.replace("*", "%2A").replace("$", "%24")
        longest = next((length for length in self.lengths if path[:length] in self.plain), 0)
        allowed = self.plain[path[:longest]] if longest else True
        for length, allow, parts, anchored in self.special:
            if length < longest:
                break
            if _matches(path, parts, anchored=anchored):
                return allow or (allowed if length == longest else False)
        return allowed


def _matches(path: str, parts: tuple[str, ...], *, anchored: bool) -> bool:
    """Whether the path begins with the first part and has the others after it in order; `anchored`: and ends with the last."""
    if len(parts) == 1:
        return path == parts[0] if anchored else path.startswith(parts[0])
    if not path.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1] if anchored else parts[1:]:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not anchored or (path.endswith(parts[-1]) and len(path) - len(parts[-1]) >= at)


@dataclass(frozen=True, slots=True)
class Robots:
    """What one host says to one crawler."""

    rules: tuple[tuple[str, bool], ...] = ()
    """Pattern as written, and whether it allows: of all groups that name us, else of all for "*"."""
    delay: float | None = None
    """Crawl-delay of these groups in seconds, the longest."""
    sitemaps: tuple[str, ...] = ()
    """As written, each once."""
    state: str = "rules"
    """rules | allow-all | disallow-all"""
    why: str = ""
    """Why there are no rules, such as "status 404"."""
    _readings: tuple[_Reading, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = tuple((pattern, allow) for pattern, allow in self.rules if pattern)
        object.__setattr__(self, "rules", rules)
        object.__setattr__(
            self, "_readings", tuple(_Reading(rules, decode=decode) for decode in (True, False))
        )

    @classmethod
    def from_bytes(cls, body: bytes, product_token: str) -> Robots:
        """Read a robots.txt of any size and content for the crawler of this name; a token that is none meets only "*"."""
        ours = _Group()
        everyone = _Group()
        sitemaps: dict[str, None] = {}
        named: list[_Group] = []
        open_to_agents = False
        for _, kind, value in records(body):
            if kind == "agent":
                if not open_to_agents:
                    named = []
                open_to_agents = True
                if value == "*" or value.startswith(("* ", "*\t")):
                    named.append(everyone)
                elif _names(value, product_token):
                    named.append(ours)
                    ours.seen = True
            elif kind in {"allow", "disallow"}:
                open_to_agents = False
                for group in named:
                    group.rules[value, kind == "allow"] = None
            elif kind == "delay":
                for group in named:
                    group.delays.append(_seconds(value))
            elif kind == "sitemap" and value:
                sitemaps[value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")] = None
        group = ours if ours.seen else everyone
        delays = [delay for delay in group.delays if delay is not None]
        return cls(tuple(group.rules), max(delays, default=None), tuple(sitemaps))

    def allows(self, url: str) -> bool:
        """Whether we may fetch this URL of the host; robots.txt itself always (RFC 9309, 2.2.2)."""
        path = path_of(url)
        if path.partition("?")[0] == "/robots.txt":
            return True
        if self.state != "rules" or not self.rules:
            return self.state != "disallow-all"
        return all(reading.allows(encoded(path) if reading.decode else path) for reading in self._readings)

    def dump(self) -> dict[str, Any]:
        """As JSON values, for a crawl's state."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}

    @classmethod
    def load(cls, values: dict[str, Any]) -> Robots:
        """What `dump` gave, also after a round through JSON."""
        rules = tuple((pattern, bool(allow)) for pattern, allow in values["rules"])
        return cls(rules, values["delay"], tuple(values["sitemaps"]), values["state"], values["why"])


class _Group:
    """Rules in order, each once, and delays of all groups that name one crawler."""

    def __init__(self) -> None:
        self.rules: dict[tuple[str, bool], None] = {}
        self.delays: list[float | None] = []
        self.seen = False


def _names(value: str, product_token: str) -> bool:
    """Whether a user-agent line names us: by its leading letters, or its first word up to "/", whatever the case."""
    leading = _TOKEN.match(value)
    word = value.split(maxsplit=1)[0].partition("/")[0] if value else ""
    return bool(product_token) and product_token.lower() in {
        leading[0].lower() if leading else "",
        word.lower(),
    }


def _seconds(value: str) -> float | None:
    """A delay in seconds; None for what is no finite number of them."""
    found = re.match(r"\d{1,9}(?:[.,]\d{0,9})?", value)
    return float(found[0].replace(",", ".")) if found else None


ALLOW_ALL = Robots(state="allow-all")
DISALLOW_ALL = Robots(state="disallow-all")


async def robots_of(origin: str, get: Callable[[str], Awaitable[Response]], product_token: str) -> Robots:
    """Fetch and read the robots.txt of an origin such as "https://a.example:8443" (RFC 9309, 2.3.1).

    2xx: its rules. 4xx but 429, and more than five redirects: everything allowed. 5xx, 429, no answer, a body that cannot be decoded,
    a redirect to nowhere and any other status: everything forbidden.
    """
    from plugins.web.bodies import BodyError, decoded
    from plugins.web.client import FetchError

    url = f"{origin}/robots.txt"
    for _ in range(MAX_REDIRECTS + 1):
        try:
            response = await get(url)
        except FetchError as error:
            return Robots(state="disallow-all", why=f"{error.reason}: {error.detail}")
        if response.status in _REDIRECTS:
            target = canonical(response.header("location") or "", url, drop=())
            if target is None or not response.header("location"):
                return Robots(state="disallow-all", why=f"status {response.status} to nowhere")
            url = target
            continue
        if 200 <= response.status < 300:
            try:
                encoding = response.header("content-encoding")
                body = decoded(response.body, encoding) if encoding else response.body
            except BodyError as error:
                return Robots(state="disallow-all", why=str(error))
            return Robots.from_bytes(body, product_token)
        forbidden = not 400 <= response.status < 500 or response.status == 429
        return Robots(state="disallow-all" if forbidden else "allow-all", why=f"status {response.status}")
    return Robots(state="allow-all", why=f"more than {MAX_REDIRECTS} redirects")
