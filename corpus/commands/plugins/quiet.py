"""No network while a plugin is tested: an audit hook refuses and remembers every attempt to leave this machine.

It sees what goes through Python's `socket`, as nearly everything does; a library that opens sockets in C of its own is not
seen. Hooks cannot be removed, so this runs in a child only.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

CALLS = frozenset({
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.sendto",
    "socket.sendmsg",
})

attempts: list[str] = []
"""Every attempt so far, loopback among them: "socket.connect example.org:443"."""


def refuse() -> None:
    """From now on, let this process reach nothing but itself."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in CALLS:
        return
    host = _host(event, arguments)
    if host is None:
        return
    attempts.append(f"{event} {host}")
    if not _is_loopback(host):
        raise ConnectionRefusedError(f"gristmill plugins test allows no network ({event} {host})")


def _host(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The host that a call names; None for a socket within this machine."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1] if len(arguments) > 1 else None
        return str(address[0]) if isinstance(address, tuple) else None
    host = arguments[0] if arguments else None
    return host.decode("ascii", "replace") if isinstance(host, bytes) else host and str(host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
