"""E-mail and IP addresses for `pii`.

An e-mail address has a host whose last label is two letters from a to z or more and no ending of a file ("logo@2x.png"). Left alone: "git@host:path", the user of a URL
("ssh://me@host"), handles of the fediverse ("@me@host.tld") and placeholders for an address ("you@example.com").

An IPv4 address is four numbers to 255 and no part of a longer chain. Left alone: ranges that name no one (private, loopback, link-local, carrier,
multicast, reserved); what stands behind a word such as "version" or "section", a product and a slash ("Firefox/3.0.0.11"), or a name and
a hyphen ("lib-1.2.3.4"); four numbers of which none is above 30 (a section, a version), and public resolvers such as 8.8.8.8, unless a word
such as "address" stands before. An IPv6 address lies in 2000::/3, which is all that is given out; documentation's 2001:db8::/32 is part of that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

Span = tuple[int, int]

_LOCAL = re.compile(r"[\w.+%&'’*=~^-]+")
_BEFORE = re.compile(r"[\w.+%&*=~^'’-]{1,64}\Z")
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,62})\.){1,8}(?:xn--[a-z0-9-]{2,40}|[A-Za-z]{2,24})(?![A-Za-z0-9_-])")
_SPELT = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64} ?(?:\(at\)|\[at\]|\{at\}|<at>) ?"
    r"[^\W_][\w-]{0,62}(?:(?:\.| ?(?:\(dot\)|\[dot\]|\{dot\}|\(punkt\)) ?)[^\W_][\w-]{0,62}){1,5}",
    re.IGNORECASE,
)
_FILES = frozenset([
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "ico",
    "bmp",
    "tif",
    "tiff",
    "avif",
    "mp3",
    "mp4",
    "webm",
    "ogg",
    "wav",
    "js",
    "mjs",
    "ts",
    "tsx",
    "jsx",
    "css",
    "scss",
    "less",
    "html",
    "htm",
    "xhtml",
    "php",
    "asp",
    "jsp",
    "json",
    "xml",
    "yaml",
    "yml",
    "toml",
    "ini",
    "txt",
    "csv",
    "pdf",
    "doc",
    "docx",
    "xls",
    "xlsx",
    "zip",
    "gz",
    "tar",
    "tgz",
    "exe",
    "dll",
    "jar",
    "class",
    "java",
    "cpp",
    "hpp",
    "service",
    "timer",
    "socket",
    "target",
])
_NO_ONE = re.compile(
    r"(?:you|your[._-]?\w*|user|username|user[._-]?name|name|e?mail|someone|somebody|foo|bar|me|nobody|xxx+|first\.?last|firstname\.lastname)"
)
_EXAMPLE = re.compile(
    r"(?:example|your-?\w*|domain|host|server|site|company|email|mail|test)\.(?:com|org|net|tld)"
)
_USER_OF = re.compile(r"://[^\s/@]*\Z")
_MACHINE = frozenset({"git", "hg", "svn"})


def emails(text: str) -> Iterator[Span]:
    """Every e-mail address."""
    for sign in ("@", "&#64;", "%40"):
        at = text.find(sign)
        while at >= 0:
            if (span := _email(text, at, at + len(sign))) is not None:
                yield span
            at = text.find(sign, at + len(sign))
    lowered = text.lower() if "(" in text or "[" in text or "{" in text or "<" in text else ""
    if any(mark in lowered for mark in ("(at)", "[at]", "{at}", "<at>")):
        for match in _SPELT.finditer(text):
            yield match.span()


def _email(text: str, at: int, behind: int) -> Span | None:
    """The address around a sign at [at, behind)."""
    before, host = _BEFORE.search(text[max(0, at - 64) : at]), _HOST.match(text, behind)
    if before is None or host is None:
        return None
    local = before[0].lstrip(".'’*=&^~%-")
    start, end = at - len(local), behind + len(_host(host[0]))
    if "=" in local or "&" in local:  # a query, "?to=me@host": what follows the last of them
        start = at - len(re.split(r"[=&]", local)[-1])
    local = text[start:at]
    if not local or local.endswith(".") or not any(map(str.isalnum, local)):
        return None
    lead, domain = text[max(0, start - 3) : start], _host(host[0]).lower()
    if (
        lead.endswith(("@", "/"))
        or _USER_OF.search(text, max(0, start - 128), start)
        or domain.rpartition(".")[2] in _FILES
    ):
        return None
    if local.lower() in _MACHINE or (_NO_ONE.fullmatch(local.lower()) and _EXAMPLE.fullmatch(domain)):
        return None
    if text[end : end + 1] == ":" and text[end + 1 : end + 2] in {"/", "~"}:
        return None  # me@host:/path, of scp and rsync
    return start, end


def _host(host: str) -> str:
    """Without the first word of a next sentence that follows without a blank ("me@host.com.Then")."""
    rest, _, last = host.rpartition(".")
    return rest if "." in rest and last[0].isupper() and rest == rest.lower() else host


# ------------------------------------------------------------------------------------------------ IP

_V4 = re.compile(
    r"(?<![\w.])(?<![A-Za-z][-/])[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?!\w|\.\w|-[A-Za-z])"
)
_V6 = re.compile(
    r"(?<![\w.:])(?:[A-Za-z]{2,16}6?:)?([23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,36}(?:(?<=:)[0-9.]{7,15})?)(?!\w)"
)
_VERSION = re.compile(
    r"(?:\bv|\bver\b|version\w*|release\w*|\brev\b|revision|build|driver|firmware|software|update\w*|upgrade\w*|section\w*|\bsec\b|chapter|clause|article|"
    r"appendix|annex|figure|\bfig\b|table|rule|item|kernel|\boid|§|netmask|\bmask|patch|\brfc|\d+\.\d+\.\d+)[\s:.=(,\"'#-]*(?:(?:to|is|number|no|and|or|from|than|the)\b[\s:.=(,\"'-]*){0,3}\Z",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\b(?:ip|ipv4|addr\w*|server|host\w*|ping|traceroute|dns|nameserver|peer|client|gateway|subnet|from|route|proxy|resolver|inet)\b",
    re.IGNORECASE,
)
_RESOLVERS = frozenset([
    "8.8.8.8",
    "8.8.4.4",
    "1.1.1.1",
    "1.0.0.1",
    "9.9.9.9",
    "208.67.222.222",
    "208.67.220.220",
    "4.2.2.1",
    "4.2.2.2",
])
_WINDOW = 32


def ips(text: str) -> Iterator[Span]:
    """Every IP address of the open internet."""
    if "." in text:
        for match in _V4.finditer(text):
            if _is_open(match[0]) and _is_no_version(text, match.start(), match[0]):
                yield match.span()
    if text.count(":") >= 2:
        for match in _V6.finditer(text):
            value = match[1]
            if value.endswith(":") and not value.endswith("::"):
                value = value[:-1]
            if _is_v6(value):
                yield match.start(1), match.start(1) + len(value)


def _is_open(value: str) -> bool:
    parts = value.split(".")
    if any((len(part) > 1 and part[0] == "0") or int(part) > 255 for part in parts):
        return False
    a, b = int(parts[0]), int(parts[1])
    if a in {0, 10, 127} or a >= 224:
        return False
    return not (
        (a == 100 and 64 <= b < 128)
        or (a == 169 and b == 254)
        or (a == 172 and 16 <= b < 32)
        or (a == 192 and b == 168)
    )


def _is_no_version(text: str, start: int, value: str) -> bool:
    lead = text[max(0, start - _WINDOW) : start]
    lead = lead[lead.rfind("\n") + 1 :]
    if _VERSION.search(lead):
        return False
    parts = [int(part) for part in value.split(".")]
    if value in _RESOLVERS or parts[2:] == [0, 0]:
        return False
    return max(parts) > 30 or bool(_ADDRESS.search(lead))


def _is_v6(value: str) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True
