"""Connections to the very address that was checked.

A name is resolved once a connection. If any of its addresses is forbidden, none is dialled: a name with a public and a private address is
an attack or a mistake. The connection is made to an address that passed, never to the name again, so that a resolver which answers
differently the second time (DNS rebinding) is not asked a second time. TLS still names and verifies the host, since httpcore hands
`start_tls` the host of the URL. What httpcore offers beside TCP (Unix sockets) is refused; proxies are never configured.

"localhost" and names below it are loopback without asking anyone (RFC 6761 6.3).
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from ipaddress import ip_address
from typing import Any

import anyio
import httpcore

from plugins.web.addresses import Allowed, FetchError

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Name and port → addresses as text, best first. Raises OSError for a name that has none."""

LOOPBACK = ("127.0.0.1", "::1")
MAX_ATTEMPTS = 4
"""Addresses of one name that are tried, one after the other."""


LOOKUPS = 32
"""Names that are looked up at a time. asyncio's own threads are few (6 on 2 cores): a handful of dead names would hold up all others."""


async def system_resolver(name: str, port: int) -> Sequence[str]:
    """What this machine's resolver says (getaddrinfo, in threads), in its order of preference (RFC 6724). Raises OSError."""
    lookup = partial(socket.getaddrinfo, name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    answers = await asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), lookup)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Of this process: those of the one it was forked from do not run here."""
    return ThreadPoolExecutor(LOOKUPS, thread_name_prefix=f"dns-{process}")


class Stream(httpcore.AsyncNetworkStream):
    """A stream of httpcore's that knows which address was dialled and tells errors of TLS from others."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, address: str) -> None:
        self._stream = stream
        self.address = address

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        try:
            return await self._stream.read(max_bytes, timeout)
        except (ssl.SSLError, OSError) as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        try:
            await self._stream.write(buffer, timeout)
        except (ssl.SSLError, OSError) as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass  # it is closed all the same

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Stream:
        """Raises FetchError "tls" for a certificate, name or handshake that fails."""
        try:
            secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except httpcore.ConnectTimeout:
            raise FetchError("timeout", f"no TLS handshake with {server_hostname} in {timeout} s") from None
        except (httpcore.ConnectError, ValueError, OSError) as error:
            raise FetchError("tls", str(error) or "the server closed during the handshake") from error
        except BaseException:
            await self.aclose()  # cancelled: nobody else holds it yet
            raise
        return Stream(secured, self.address)

    def get_extra_info(self, info: str) -> Any:
        """As httpcore's, and "address": the one that was dialled."""
        if info == "address":
            return self.address
        return self._stream.get_extra_info(info)


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Dials what `allowed` lets through."""

    def __init__(self, allowed: Allowed, resolve: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        """Connect to the first address of `host` that answers. Raises FetchError: dns, address, connect or timeout."""
        seconds = 10.0 if timeout is None else timeout
        addresses = await checked_addresses(host, port, self._allowed, self._resolve, seconds)
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        failure = FetchError("dns", f"{host} has no address")
        addresses = addresses[:MAX_ATTEMPTS]
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = max(0.01, (ends - clock()) / left)
            try:
                stream = await self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except httpcore.ConnectTimeout:
                failure = FetchError("timeout", f"{address} port {port} did not answer in {share:.3g} s")
            except (httpcore.ConnectError, OSError) as error:
                failure = FetchError("connect", f"{address} port {port}: {_first_cause(error)}")
            else:
                return Stream(stream, address)
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise FetchError("address", "a Unix socket is never dialled")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Idle:
    """Connections that wait to be used again, by whatever origin: the ones used longest ago are closed when there are too many.

    httpcore's own pool is not used, since at every request it looks at all of its connections several times, and since it lets many
    requests share an HTTP/2 connection: one that ends early would fill the window of all, because httpcore does not reset the streams it
    stops reading. Here a connection carries one request at a time and is closed with a request that failed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._connections: list[httpcore.AsyncHTTPConnection] = []

    async def take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection | None:
        """One to this origin that is still open as far as can be seen from here, the one used last."""
        while True:
            matching = (c for c in reversed(self._connections) if c.can_handle_request(origin))
            connection = next(matching, None)
            if connection is None:
                return None
            self._connections.remove(connection)
            if connection.is_available() and not connection.has_expired():
                return connection
            await connection.aclose()

    async def give(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose request is over, if it can carry another: not where the server closes it or sent more than one answer,
        since what is left over would be taken for the next."""
        if not connection.is_idle() or _left_over(connection):
            await connection.aclose()
            return
        self._connections.append(connection)
        if len(self._connections) > self._most:
            await self._connections.pop(0).aclose()

    async def aclose(self) -> None:
        """Close all."""
        while self._connections:
            await self._connections.pop().aclose()


def _left_over(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Whether h11 read more than one response. httpcore does not tell, so this looks into it; a test notices when it moves."""
    state = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return state is not None and bool(state.trailing_data[0])


def _first_cause(error: BaseException) -> BaseException:
    """What the operating system said, under what two libraries made of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


async def checked_addresses(
    host: str, port: int, allowed: Allowed, resolve: Resolver, seconds: float
) -> list[str]:
    """The addresses of `host`, all of which may be dialled. Raises FetchError: "address" if any may not, "dns" if there are none."""
    try:
        ip_address(host)
        addresses = [host]
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            permitted = [address for address in LOOPBACK if allowed.refusal(host, address) is None]
            addresses = permitted or [*LOOPBACK]
        else:
            addresses = await _resolved(host, port, resolve, seconds)
    for address in addresses:
        refusal = allowed.refusal(host, address)
        if refusal is not None:
            raise FetchError("address", refusal if host == address else f"{host} is {address}: {refusal}")
    return addresses


async def _resolved(host: str, port: int, resolve: Resolver, seconds: float) -> list[str]:
    try:
        async with asyncio.timeout(seconds):
            addresses = list(await resolve(host, port))
    except TimeoutError:
        raise FetchError("dns", f"no answer about {host} in {seconds:g} s") from None
    except (OSError, UnicodeError) as error:
        raise FetchError("dns", f"{host}: {getattr(error, 'strerror', None) or error}") from error
    if not addresses:
        raise FetchError("dns", f"{host} has no address")
    return addresses
