"""What may be dialled: hosts as they are spelled in a URL, and addresses as they are on the wire.

`ipaddress.is_global` lets NAT64, 6to4, IPv4-compatible, site-local and multicast addresses pass, so the forbidden networks are a table of
our own, from the IANA special-purpose address registries (IPv4: RFC 6890 and successors; IPv6: the same, and RFC 4291).

`target_of` reads a URL once, as the WHATWG URL standard reads hosts (section 3.5, "host parsing"), and everything after works with what it
read: the host that is checked is the host that is resolved, named in TLS and sent as `Host`. Where readers of URLs disagree (user-info,
backslashes, zone ids, percent-encoded hosts, leading zeros), the URL is refused rather than understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import quote

import idna

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = {"http": 80, "https": 443}
"""The schemes there are, and their default ports (RFC 9110 4.2)."""


class FetchError(Exception):
    """Why a page could not be had. `reason` is one word: scheme, address, dns, connect, tls, timeout, too-large, headers or protocol."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, self.detail)


# ------------------------------------------------------------------------------------------------ addresses

_TABLE = """
0.0.0.0/8           this network, unspecified (RFC 791 3.2)
10.0.0.0/8          private (RFC 1918)
100.64.0.0/10       shared, carrier-grade NAT (RFC 6598)
127.0.0.0/8         loopback (RFC 1122 3.2.1.3)
168.63.129.16/32    the platform service of a cloud (Azure WireServer), public in form only
169.254.0.0/16      link-local, where clouds keep their metadata (RFC 3927)
172.16.0.0/12       private (RFC 1918)
192.0.0.0/24        IETF protocol assignments (RFC 6890 2.1)
192.0.2.0/24        documentation (RFC 5737)
192.31.196.0/24     AS112 (RFC 7535)
192.52.193.0/24     AMT relays (RFC 7450)
192.88.99.0/24      6to4 relay anycast (RFC 7526)
192.168.0.0/16      private (RFC 1918)
192.175.48.0/24     AS112 (RFC 7534)
198.18.0.0/15       benchmarking (RFC 2544)
198.51.100.0/24     documentation (RFC 5737)
203.0.113.0/24      documentation (RFC 5737)
224.0.0.0/4         multicast (RFC 5771)
255.255.255.255/32  limited broadcast (RFC 8190)
240.0.0.0/4         reserved (RFC 1112 4)
::/128              unspecified (RFC 4291 2.5.2)
::1/128             loopback (RFC 4291 2.5.3)
::/96               IPv4-compatible (RFC 4291 2.5.5.1)
::ffff:0:0/96       IPv4-mapped (RFC 4291 2.5.5.2)
::ffff:0:0:0/96     IPv4-translated (RFC 2765 2.1)
64:ff9b::/96        NAT64 (RFC 6052 2.1)
64:ff9b:1::/48      local-use NAT64 (RFC 8215)
100::/64            discard-only (RFC 6666)
100:0:0:1::/64      dummy prefix (RFC 9780)
2001::/32           Teredo (RFC 4380)
2001:2::/48         benchmarking (RFC 5180)
2001:10::/28        ORCHID (RFC 4843)
2001:20::/28        ORCHIDv2 (RFC 7343)
2001::/23           IETF protocol assignments (RFC 2928)
2001:db8::/32       documentation (RFC 3849)
2002::/16           6to4 (RFC 3056)
2620:4f:8000::/48   AS112 (RFC 7534)
3ffe::/16           6bone, given back (RFC 3701)
3fff::/20           documentation (RFC 9637)
5f00::/16           segment routing (RFC 9602)
fc00::/7            unique local (RFC 4193)
fe80::/10           link-local (RFC 4291 2.5.6)
fec0::/10           site-local (RFC 3879)
ff00::/8            multicast (RFC 4291 2.7)
"""

FORBIDDEN: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), why)
    for network, why in (line.split(maxsplit=1) for line in _TABLE.strip().splitlines())
)
"""Network → what it is for. The first that holds an address names it."""

_EMBEDDING = {
    IPv6Network("::/96"): 0,
    IPv6Network("::ffff:0:0/96"): 0,
    IPv6Network("::ffff:0:0:0/96"): 0,
    IPv6Network("64:ff9b::/96"): 0,
    IPv6Network("64:ff9b:1::/48"): 0,
    IPv6Network("2002::/16"): 80,
}
"""Where an IPv4 address lies in one of IPv6: how many bits follow it."""
_GLOBAL = IPv6Network("2000::/3")
"""All of IPv6 that is assigned for global unicast (RFC 4291 2.4, IANA)."""


def forbidden(address: str | Address) -> str | None:
    """Why this address may not be dialled, or None where it may. Raises ValueError for what is no address.

    >>> forbidden("127.0.0.1")
    '127.0.0.1 is loopback (RFC 1122 3.2.1.3)'
    >>> forbidden("64:ff9b::a00:1")
    '64:ff9b::a00:1 is NAT64 (RFC 6052 2.1) of 10.0.0.1, private (RFC 1918)'
    """
    ip = ip_address(address) if isinstance(address, str) else address
    why = _purpose(ip)
    if why is None:
        return None
    inner = _embedded(ip) if isinstance(ip, IPv6Address) else None
    if inner is not None and int(ip) > 1:
        purpose = _purpose(inner)
        why += f" of {inner}" + (f", {purpose}" if purpose else "")
    return f"{ip} is {why}"


def _purpose(ip: Address) -> str | None:
    for network, why in FORBIDDEN:
        if ip.version == network.version and ip in network:
            return why
    if isinstance(ip, IPv6Address):
        if ip not in _GLOBAL:
            return "outside global unicast (RFC 4291 2.4)"
        if (int(ip) >> 32) & 0xFDFFFFFF == 0x5EFE:
            return "ISATAP (RFC 5214 6.1)"
    return None


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address within a mapped, compatible, translated, NAT64, 6to4, Teredo or ISATAP one."""
    if ip.teredo is not None:
        return ip.teredo[1]
    bits = next((bits for network, bits in _EMBEDDING.items() if ip in network), None)
    if bits is None and (int(ip) >> 32) & 0xFDFFFFFF == 0x5EFE:
        bits = 0
    return None if bits is None else IPv4Address((int(ip) >> bits) & 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a recipe lets through: host names, whatever they resolve to, and networks, by whatever name."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Allowed:
        """Read entries such as "wiki.home.arpa", "127.0.0.1" and "10.0.0.0/8". Raises ValueError that names the entry."""
        names, networks = set[str](), list[Network]()
        for entry in entries:
            if "/" in entry or ":" in entry or re.fullmatch(r"[0-9.]+", entry):
                try:
                    networks.append(ip_network(entry))
                except ValueError as error:
                    raise ValueError(f'allow: "{entry}" is no network: {error}') from None
                continue
            try:
                names.add(_host(entry))
            except FetchError as error:
                raise ValueError(
                    f'allow: "{entry}" is neither a host name nor a network: {error.detail}'
                ) from None
        return cls(frozenset(names), tuple(networks))

    def refusal(self, host: str, address: str) -> str | None:
        """Why `address`, to which `host` resolved, may not be dialled; None where it may. What is no address is refused."""
        try:
            ip = ip_address(address)
        except ValueError:
            return f'"{address[:60]}" is no address'
        if host in self.names or any(ip.version == net.version and ip in net for net in self.networks):
            return None
        return forbidden(ip)


# ------------------------------------------------------------------------------------------------ spellings


@dataclass(frozen=True, slots=True)
class Target:
    """A URL as it will be fetched."""

    scheme: str
    host: str
    """A lower-case ASCII name without its last dot, or an address in its plain spelling, without brackets."""
    port: int
    path: bytes
    """Path and query, percent-encoded, never empty (RFC 9112 3.2.1)."""

    @property
    def authority(self) -> str:
        """The value of the Host field (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Read an absolute http or https URL. Raises FetchError: "scheme" for another scheme or none, "address" for a host that is malformed
    or that readers of URLs understand in different ways."""
    scheme = (re.match(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)", url) or [""])[0].lower()
    if scheme not in PORTS:
        raise FetchError("scheme", f'"{scheme or url[:40]}" is not http or https')
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", url):
        raise FetchError("address", "the URL has a control character or half a character in it")
    rest = url[len(scheme) + 1 :]
    if not rest.startswith("//"):
        raise FetchError("address", "the URL does not go on with // after its scheme")
    authority = re.split(r"[/?#\\]", rest[2:], maxsplit=1)[0]
    after = rest[2 + len(authority) :]
    if after.startswith("\\"):
        raise FetchError("address", "a backslash ends the host, for some readers only")
    if "@" in authority:
        raise FetchError("address", "the URL has user-info before its host")
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", authority, re.ASCII)
    if found is None:
        raise FetchError("address", f'"{authority[:80]}" is no host with a port')
    port = int(found[2] or PORTS[scheme])
    if not 0 < port < 65536:
        raise FetchError("address", f"{port} is no port")
    path = after.partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    return Target(scheme, _host(found[1]), port, quote(path, safe="%/?:@!$&'()*+,;=[]~").encode("ascii"))


def host_of(url: str) -> str:
    """The host of a URL as it would be dialled. Raises FetchError as `target_of` does.

    >>> host_of("http://0x7f.1/"), host_of("https://１２７.0.0.1"), host_of("http://EXAMPLE.com.:8080/a")
    ('127.0.0.1', '127.0.0.1', 'example.com')
    """
    return target_of(url).host


def _host(text: str) -> str:
    """WHATWG URL 3.5, but for what is refused there and here."""
    if text.startswith("["):
        if "%" in text:
            raise FetchError("address", "an IPv6 zone id names a network of this machine (RFC 6874)")
        try:
            return str(IPv6Address(text[1:-1]))
        except AddressValueError as error:
            raise FetchError("address", f"no IPv6 address: {error}") from None
    if "%" in text:
        raise FetchError("address", "the host is percent-encoded")
    if len(text) > 500:
        raise FetchError("address", "the host is longer than a name can be (RFC 1035 2.3.4)")
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise FetchError("address", f"the host is no name: {error}") from None
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(re.fullmatch(r"[a-z0-9_-]{1,63}", label) for label in labels):
        raise FetchError("address", f'"{text[:80]}" is no host name')
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        return str(_ipv4(name, labels))
    return name


def _ipv4(name: str, parts: list[str]) -> IPv4Address:
    """WHATWG URL 3.5, "IPv4 parser": one to four numbers, decimal, octal or hexadecimal; the last fills all bytes that are left."""
    try:
        numbers = [_number(part) for part in parts]
        if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]):
            raise ValueError("a part is too large or there are too many")
        value = sum(number << 8 * (3 - i) for i, number in enumerate(numbers[:-1]))
        if numbers[-1] >= 1 << 8 * (5 - len(numbers)):
            raise ValueError("the last part is too large")
    except ValueError as error:
        raise FetchError(
            "address", f'"{name[:80]}" ends in a number and is no IPv4 address: {error}'
        ) from None
    return IPv4Address(value + numbers[-1])


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    if part.startswith("0") and (not re.fullmatch(r"[0-7]+", part) or int(part, 8) != int(part)):
        raise ValueError(f'"{part}" is octal for some readers, decimal for others')
    return int(part)
