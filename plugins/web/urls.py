"""One spelling for each address: what a crawl knows a page by.

RFC 3986, section 6.2 (case, percent-encoding, dot segments, default ports, empty paths), with what browsers do to sloppy links first
(WHATWG URL, 4.4: blanks and line ends removed, backslashes as slashes, hosts by UTS 46, IPv4 in any notation). Two things differ from a browser:
all that RFC 3986 does not let stand is encoded, a "%" that begins no escape too; and what says only who came, and whence, is dropped:
the parameters of TRACKING, and session ids in path or query. The order of the query is kept, since some servers read it.

Not done, because it changes meanings: "index.html" is not cut off, "www." neither, "http" stays "http", a slash at the end stays or lacks.
courlan 1.4 (a dependency of trafilatura) was tried and left: it sorts queries, drops empty parameters and doubled slashes, deletes blanks,
and keeps dot segments and needless escapes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

MAX_LENGTH = 2000
"""Characters of a canonical URL; longer ones are traps or forms."""
MAX_RAW = 20_000
"""Characters looked at at all."""

TRACKING: tuple[str, ...] = (
    "utm_*", "mtm_*", "hsa_*", "pk_campaign", "pk_kwd", "pk_source", "pk_medium", "pk_content", "pk_cid",
    "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "ysclid", "twclid", "ttclid",
    "igshid", "igsh", "li_fat_id", "srsltid", "epik", "rdt_cid", "scclid", "sc_cid", "irclickid", "mc_cid", "mc_eid", "mkt_tok",
    "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "hsctatracking", "_ga", "_gl", "_openstat", "__twitter_impression",
    "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id", "wickedid", "rb_clickid", "at_medium", "at_campaign", "at_custom*",
)  # fmt: skip
"""Parameters (lower case; "*" at the end for any ending) that name the campaign or click a visitor came by, never the page."""

_SESSIONS = re.compile(
    r"phpsessid|jsessionid|aspsessionid[a-z]*|oscsid|zenid|cfid|cftoken|sessionid|session_id|sessid"
)
_FORUM_SESSIONS = re.compile(r"(?:s|sid|session|phpbb\w*sid)=(?:[0-9a-f]{32}|[0-9a-f]{40})", re.IGNORECASE)
_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid|sessionid|sid|cfid|cftoken)=[^;]*", re.IGNORECASE)
_ASP_SESSION = re.compile(r"\((?:[A-Z]\([A-Za-z0-9]{20,}\))+\)")

_SPLIT = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)", re.DOTALL)
_STRIPPED = dict.fromkeys(map(ord, "\t\n\r"))
_EDGES = "".join(map(chr, range(33)))
_SURROGATES = re.compile("[\ud800-\udfff]")
_PARTS = re.compile(r"([^?#]*)(?:\?([^#]*))?")
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_CANONICAL = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[1-9]\d{0,4})?(?=[/?#]|\Z)")
_DIGITS = {8: re.compile("[0-7]+"), 10: re.compile("[0-9]+"), 16: re.compile("[0-9a-f]+")}
_PORTS = {"http": 80, "https": 443}
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_CODES = re.compile(r"%([0-9A-Fa-f]{2})|([^A-Za-z0-9._~!$&'()*+,;=:@/?-])")


def canonical(url: str, base: str | None = None, *, drop: Sequence[str] = TRACKING) -> str | None:
    """The one spelling of an absolute URL, or of a link on the page `base`; None for what is no http(s) URL one can fetch.

    Refused: other schemes, user names ("user@"), hosts that cannot be, ports out of range, more than 2,000 characters. Fragments go.
    `drop` names parameters as TRACKING does; session ids are dropped in any case. Idempotent.

    >>> canonical("HTTP://Example.COM:80/a/./b/../%7Euser?utm_source=x&b=2&a=1#top")
    'http://example.com/a/~user?b=2&a=1'
    >>> canonical("../c d?", base="https://example.com/a/b/"), canonical("mailto:a@example.com")
    ('https://example.com/a/c%20d', None)
    """
    if len(url) > MAX_RAW:
        return None
    url = _SURROGATES.sub("\ufffd", url.strip(_EDGES).translate(_STRIPPED))
    absolute = _absolute(url, base)
    if absolute is None:
        return None
    scheme, authority, path, query = absolute
    where = _authority(scheme, authority)
    if where is None:
        return None
    query = _query(encoded(query), drop)
    whole = f"{scheme}://{where}{_path(encoded(path))}{'?' if query else ''}{query}"
    return whole if len(whole) <= MAX_LENGTH else None


def origin(url: str) -> str:
    """Scheme, host and port of a canonical URL, "https://a.example:8443". Raises ValueError for what is no http(s) URL."""
    return _known(url)[0]


def host(url: str) -> str:
    """The host of a canonical URL: lower case, without port, IPv6 without brackets. Raises ValueError for what is no http(s) URL."""
    return _known(url)[2].strip("[]")


def site(url: str) -> str:
    """The domain that was registered ("example.co.uk", "ann.github.io"), by the public suffix list that the library tld brings; else the host.

    >>> site("https://forum.example.co.uk/a"), site("http://127.0.0.1:8000/")
    ('example.co.uk', '127.0.0.1')
    """
    return _site(host(url))


@lru_cache(maxsize=4096)
def _site(name: str) -> str:
    from tld import get_fld

    return get_fld(f"http://{name}/", fail_silently=True, search_private=True) or name


def _known(url: str) -> tuple[str, str, str]:
    """Origin, scheme, host."""
    found = _CANONICAL.match(url) or _CANONICAL.match(canonical(url, drop=()) or "")
    if found is None:
        raise ValueError(f'"{url[:200]}" is not an http or https URL')
    return found[0], found[1], found[2]


def _absolute(url: str, base: str | None) -> tuple[str, str, str, str] | None:
    """Scheme, authority, path and query of a reference (RFC 3986, 5.2.2; WHATWG's leave with slashes)."""
    found = _SPLIT.match(url)
    assert found is not None
    scheme, rest = (found[1] or "").lower(), found[2]
    if scheme and scheme not in _PORTS:
        return None
    parts = _PARTS.match(rest)
    assert parts is not None
    front, query = parts[1].replace("\\", "/"), parts[2]
    if scheme and (front.startswith("/") or base is None):
        return _apart(scheme, front, query)
    known = _known_base(base) if base is not None else None
    if known is None:
        return None
    base_scheme, _, after = known.partition("://")
    if scheme and scheme != base_scheme:
        return _apart(scheme, front, query)
    if front.startswith("//"):
        return _apart(base_scheme, front, query)
    base_front, _, base_query = after.partition("?")
    authority, _, base_path = base_front.partition("/")
    if front.startswith("/"):
        return base_scheme, authority, front, query or ""
    if front:
        return base_scheme, authority, f"/{base_path}".rpartition("/")[0] + "/" + front, query or ""
    return base_scheme, authority, f"/{base_path}", base_query if query is None else query


@lru_cache(maxsize=256)
def _known_base(base: str) -> str | None:
    """All links of a page have the same base."""
    return canonical(base, drop=())


def _apart(scheme: str, front: str, query: str | None) -> tuple[str, str, str, str]:
    authority, slash, path = front.lstrip("/").partition("/")
    return scheme, authority, slash + path, query or ""


def _authority(scheme: str, text: str) -> str | None:
    """Host and port, the port only where it is not the scheme's own."""
    found = re.fullmatch(r"(\[[^\]@]*\]|[^:@\[\]]+)(?::([0-9]{0,8}))?", text)
    if found is None:
        return None
    name = _host(found[1])
    port = int(found[2]) if found[2] else _PORTS[scheme]
    if name is None or not 0 < port < 65536:
        return None
    return name if port == _PORTS[scheme] else f"{name}:{port}"


@lru_cache(maxsize=4096)
def _host(text: str) -> str | None:
    """A host as DNS has it (UTS 46, then letters, digits, "-" and the "_" that some have), or an IP address in its usual notation."""
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]" if "%" not in text else None
        except ValueError:
            return None
    name = unquote_to_bytes(text).decode("utf-8", "replace")
    if not name.isascii():
        import idna

        try:
            name = idna.encode(name, uts46=True, transitional=False).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    name = name.lower().removesuffix(".")
    if not _HOST.fullmatch(name):
        return None
    last = name.rpartition(".")[2]
    return _ipv4(name) if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last) else name


def _ipv4(name: str) -> str | None:
    """WHATWG URL, 4.2 "IPv4 parser": one to four parts, decimal, 0octal or 0xhex, the last of which fills the rest.

    >>> _ipv4("0x7f.1"), _ipv4("2130706433"), _ipv4("1.2.3.4.5")
    ('127.0.0.1', '127.0.0.1', None)
    """
    numbers = []
    for part in name.split("."):
        base = 16 if part.startswith("0x") else 8 if len(part) > 1 and part.startswith("0") else 10
        digits = part[2:] or "0" if base == 16 else part
        if not _DIGITS[base].fullmatch(digits):
            return None
        numbers.append(int(digits, base))
    *front, last = numbers
    if len(front) > 3 or any(number > 255 for number in front) or last >= 256 ** (4 - len(front)):
        return None
    whole = last + sum(number << (24 - 8 * index) for index, number in enumerate(front))
    return str(ipaddress.IPv4Address(whole))


def encoded(text: str, *, decode: bool = True) -> str:
    """RFC 3986, 6.2.2: escapes in upper case, all that may not stand encoded as UTF-8, a "%" of no escape too; `decode`: "%62" is "b".

    Undecodable bytes may be in the text as surrogates (PEP 383).

    >>> encoded("/á%62%2f 5%"), encoded("/á%62%2f 5%", decode=False)
    ('/%C3%A1b%2F%205%25', '/%C3%A1%62%2F%205%25')
    """

    def one(found: re.Match[str]) -> str:
        if found[1]:
            char = chr(int(found[1], 16))
            return char if decode and char in _UNRESERVED else found[0].upper()
        return "".join(f"%{byte:02X}" for byte in found[2].encode("utf-8", "surrogateescape"))

    return _CODES.sub(one, text)


def _path(path: str) -> str:
    """Without session ids and dot segments (RFC 3986, 5.2.4), beginning with "/"."""
    kept: list[str] = []
    segments = path.split("/")[1:] if path.startswith("/") else path.split("/")
    ends_open = False
    for segment in segments:
        if ";" in segment:
            segment = _PATH_SESSION.sub("", segment)  # noqa: PLW2901
        ends_open = segment in {".", ".."}
        if segment == "..":
            del kept[-1:]
        elif segment != "." and not (segment.startswith("(") and _ASP_SESSION.fullmatch(segment)):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if ends_open and kept else "")


def _query(query: str, drop: Sequence[str]) -> str:
    return "&".join(pair for pair in query.split("&") if pair and not _dropped(pair, drop)) if query else ""


def _dropped(pair: str, drop: Sequence[str]) -> bool:
    name = pair.partition("=")[0].lower()
    if _SESSIONS.fullmatch(name) or _FORUM_SESSIONS.fullmatch(pair):
        return True
    exact, prefixes = _droppers(tuple(drop))
    return name in exact or name.startswith(prefixes)


@lru_cache(maxsize=64)
def _droppers(drop: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Whole names, and beginnings."""
    return (
        frozenset(name.lower() for name in drop if not name.endswith("*")),
        tuple(name[:-1].lower() for name in drop if name.endswith("*")),
    )
