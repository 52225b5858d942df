"""One hop of HTTP: a URL in, the response as it came out, or one word why not.

It stands on httpcore, httpx's own transport, rather than on httpx's client: that keeps cookies, follows redirects, reads proxies from the
environment, undoes content encodings without a bound, and parses URLs a second time. Here nothing of that exists, so nothing of it needs to
be turned off. Connections are kept and used again, one request at a time.

All limits hold together: a server may send slowly, endlessly, or more than was asked, and costs one page. What is over a limit is not
drained: its connection is closed.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from types import MappingProxyType
from typing import Self, cast

import h2.exceptions
import h11
import httpcore
import httpx

from plugins.web.addresses import Allowed, FetchError, Target, target_of
from plugins.web.dialing import Idle, PinnedBackend, Resolver, system_resolver

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ACCEPT_ENCODING = "gzip, deflate, br, zstd"
"""What `plugins.web.bodies` can undo."""
MAX_HEADERS = 1000
"""Fields of a response; ten times what servers take in a request."""
MAX_IDLE = 128
"""Connections that are kept for another request."""
KEEP_SECONDS = 15.0
"""How long an idle connection is used again; what servers grant is 5 s to 75 s."""
OURS = frozenset((
    "host", "user-agent", "accept-encoding", "cookie", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect",
))  # fmt: skip
"""Request fields that a caller cannot set: they say where the request goes, who sends it, and where it ends."""
LEAKS = (
    AssertionError,
    h2.exceptions.H2Error,
    ssl.SSLError,
    OSError,
    ValueError,
    LookupError,
    RuntimeError,
    httpcore.ConnectionNotAvailable,
)
"""What httpcore, h11 and h2 let through where a server does what they did not expect."""
STALE = (httpcore.NetworkError, httpcore.RemoteProtocolError, httpcore.ConnectionNotAvailable)
"""What a kept connection fails with."""
Fields = list[tuple[bytes, bytes]]
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one page may cost."""

    body_bytes: int = 32 << 20
    """Of the body as it is sent, transfer encoding undone, content encoding not."""
    header_bytes: int = 64 << 10
    """Of all fields of the response together. httpcore itself takes no more than 100 KiB (HTTP/1.1) or 64 KiB (HTTP/2)."""
    connect_seconds: float = 10
    """For each of: resolving the name, connecting, the TLS handshake."""
    read_seconds: float = 20
    """Between two pieces that the server sends."""
    page_seconds: float = 60
    """From the request to the last byte."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a server sent."""

    url: str
    status: int
    reason: str
    http_version: str
    """"HTTP/1.0", "HTTP/1.1" or "HTTP/2"."""
    headers: tuple[tuple[bytes, bytes], ...]
    """Names and values as they came, in order."""
    body: bytes
    """Content encoding not undone."""
    address: str
    """The IP address that was dialled."""
    started: datetime
    """In UTC."""
    seconds: float
    request_headers: tuple[tuple[bytes, bytes], ...] = ()
    """What was asked with."""

    def headers_named(self, name: str) -> list[str]:
        """The values of all fields of this name, in order, as Latin-1."""
        key = name.lower().encode("latin-1")
        return [value.decode("latin-1") for field, value in self.headers if field.lower() == key]

    def header(self, name: str) -> str | None:
        """The value of the last field of this name."""
        values = self.headers_named(name)
        return values[-1] if values else None


class Client:
    """Fetches pages, any number at a time, within one event loop; an async context manager.

    `allow` names hosts ("wiki.home.arpa") and networks ("127.0.0.1", "10.0.0.0/8") that may be private. `ssl_context` is for tests and for
    private authorities; by default certificates are verified against certifi's list. Raises ValueError for an `allow` that is neither,
    and for a `user_agent` that cannot be sent.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        allow: Sequence[str] = (),
        limits: Limits = Limits(),
        resolve: Resolver = system_resolver,
        http2: bool = True,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not (user_agent.strip() and user_agent.isascii() and user_agent.isprintable()):
            raise ValueError(f"{user_agent!r} is no User-Agent: it needs printable ASCII (RFC 9110 10.1.5)")
        self._backend = PinnedBackend(Allowed.of(allow), resolve)
        self._idle = Idle(MAX_IDLE)
        self._limits = limits
        self._http2 = http2
        self._ssl = ssl_context or httpx.create_ssl_context(trust_env=False)
        self._user_agent = user_agent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are kept; those in use are closed by who uses them."""
        await self._idle.aclose()

    async def get(
        self, url: str, headers: Mapping[str, str] = _NONE, *, body_bytes: int | None = None
    ) -> Response:
        """The response to a GET, whatever its status; redirects are the caller's to pass in again. `body_bytes` takes the place of the limit
        of that name. Raises FetchError and nothing else."""
        target = target_of(url)
        fields = self._request_headers(target, headers)
        try:
            async with asyncio.timeout(self._limits.page_seconds):
                return await self._exchange(url, target, fields, body_bytes or self._limits.body_bytes)
        except TimeoutError:
            raise FetchError(
                "timeout", f"the page was not there after {self._limits.page_seconds:g} s"
            ) from None
        except httpcore.TimeoutException as error:
            raise FetchError(
                "timeout", f"the server was silent for {self._limits.read_seconds:g} s"
            ) from error
        except httpcore.ProtocolError as error:
            raise FetchError("headers" if _about_fields(error) else "protocol", _said(error)) from error
        except httpcore.NetworkError as error:
            raise FetchError("connect", f"the connection was lost: {error!r}") from error
        except LEAKS as error:
            raise FetchError("protocol", repr(error)) from error

    async def _exchange(self, url: str, target: Target, fields: Fields, body_bytes: int) -> Response:
        """Ask on a kept connection, or on a new one. A server may close a kept one just as it is used: what fails on it before an answer
        began is asked once more, on a new one (RFC 9112 9.3.1)."""
        started, clock = datetime.now(UTC), monotonic()
        origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
        kept = await self._idle.take(origin)
        connection = kept or self._connection(origin)
        try:
            try:
                response = await self._ask(connection, target, fields)
            except STALE:
                if kept is None:
                    raise
                await connection.aclose()
                connection = self._connection(origin)
                response = await self._ask(connection, target, fields)
            try:
                headers = _checked_head(response, self._limits.header_bytes, body_bytes)
                address = response.extensions["network_stream"].get_extra_info("address")
                body = await _body(response, body_bytes)
            finally:
                await response.aclose()
        except BaseException:
            await connection.aclose()
            raise
        await self._idle.give(connection)
        return Response(
            url,
            response.status,
            response.extensions.get("reason_phrase", b"").decode("latin-1"),
            response.extensions["http_version"].decode("latin-1"),
            headers,
            body,
            address,
            started,
            monotonic() - clock,
            tuple(fields),
        )

    async def _ask(
        self, connection: httpcore.AsyncHTTPConnection, target: Target, fields: Fields
    ) -> httpcore.Response:
        """Send the request and read the head of its response."""
        limits = self._limits
        timeout = {
            "connect": limits.connect_seconds,
            "read": limits.read_seconds,
            "write": limits.read_seconds,
        }
        # An IPv6 address stands without its brackets here, with them in the Host field.
        where = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        request = httpcore.Request("GET", where, headers=fields, extensions={"timeout": timeout})
        return await connection.handle_async_request(request)

    def _connection(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        """One that is dialled with its first request."""
        return httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=self._ssl,
            keepalive_expiry=KEEP_SECONDS,
            http2=self._http2,
            network_backend=self._backend,
        )

    def _request_headers(self, target: Target, extra: Mapping[str, str]) -> Fields:
        named = {
            "Host": target.authority,
            "User-Agent": self._user_agent,
            "Accept": ACCEPT,
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        for name, value in extra.items():
            if name.lower() in OURS:
                raise FetchError("headers", f"{name} is not the caller's to set")
            if name.lower() == "accept":
                del named["Accept"]
            named[name] = value
        try:
            return [(name.encode("ascii"), value.encode("latin-1")) for name, value in named.items()]
        except UnicodeEncodeError as error:
            raise FetchError("headers", f"a field of the request is not Latin-1: {error}") from None


def _checked_head(
    response: httpcore.Response, header_bytes: int, body_bytes: int
) -> tuple[tuple[bytes, bytes], ...]:
    """The fields, if they are bearable. h2 does not look for line ends in them, and they go into WARC records."""
    headers = tuple(response.headers)
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if size > header_bytes:
        raise FetchError("headers", f"{size} bytes of fields; {header_bytes} are taken")
    if len(headers) > MAX_HEADERS:
        raise FetchError("headers", f"{len(headers)} fields; {MAX_HEADERS} are taken")
    if any(mark in name + value for name, value in headers for mark in (b"\r", b"\n", b"\0")):
        raise FetchError("headers", "a field has a line end or a null in it")
    if not 200 <= response.status <= 999:
        raise FetchError("protocol", f"status {response.status}, which nobody asked for")
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    if lengths and lengths[-1].isdigit() and int(lengths[-1][:20]) > body_bytes:
        raise FetchError("too-large", f"{int(lengths[-1][:20])} bytes announced; {body_bytes} are taken")
    return headers


async def _body(response: httpcore.Response, limit: int) -> bytes:
    body = io.BytesIO()  # one buffer: a body may come in pieces of one byte
    async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_stream())) as pieces:
        async for piece in pieces:
            if body.tell() + len(piece) > limit:
                raise FetchError("too-large", f"more than {limit} bytes")
            body.write(piece)
    return body.getvalue()


def _said(error: httpcore.ProtocolError) -> str:
    """What h11 said in words; what h2 said with the name of its error, since some of those say only a number."""
    inner = error.args[0] if error.args else error
    return str(inner) if isinstance(inner, str | h11.ProtocolError) else repr(inner)


def _about_fields(error: httpcore.ProtocolError) -> bool:
    """Whether h11 or h2 gave up on a head that does not end, or we were asked to send a field that is none."""
    return (
        getattr(error.__cause__, "error_status_hint", None) == 431
        or isinstance(error.__cause__, h11.LocalProtocolError)
        or isinstance(error.__context__, h2.exceptions.DenialOfServiceError)
    )


__all__ = ["Client", "FetchError", "Limits", "Resolver", "Response", "system_resolver"]
