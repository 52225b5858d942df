"""One hop of HTTP against servers on loopback that mean well, and others."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import ssl
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from shutil import which

import h2.config
import h2.connection
import h2.events
import pytest

from plugins.web.client import MAX_HEADERS, OURS, Client, FetchError, Limits

MIB = 1 << 20
SMALL = Limits(body_bytes=MIB, header_bytes=16 << 10, connect_seconds=1, read_seconds=0.4, page_seconds=1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DIALLED: list[object] | None = None


def _watch(event, args):
    if event == "socket.connect" and DIALLED is not None:
        DIALLED.append(args[1])


sys.addaudithook(_watch)  # cannot be removed; does nothing while DIALLED is None


@pytest.fixture
def dialled(monkeypatch):
    """All addresses that this process connects to, by whatever library."""
    monkeypatch.setattr(sys.modules[__name__], "DIALLED", [])
    return sys.modules[__name__].DIALLED


class Server:
    """Sends what `answer` returns or writes for each request; notes requests, connections and bytes sent."""

    def __init__(self, answer):
        self.answer, self.requests, self.connections, self.sent, self.ended = answer, [], 0, 0, 0
        self.tasks, self.port = set(), 0

    async def serve(self, reader, writer):
        self.connections += 1
        writer.reader = reader
        self.tasks.add(asyncio.current_task())
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answer(writer, self) if callable(self.answer) else self.answer
                answer = answer if isinstance(answer, bytes | None) else await answer
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.ended += 1
            writer.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"


@asynccontextmanager
async def serving(answer, host="127.0.0.1", port=0, tls=None):
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, host, port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)
        await asyncio.sleep(0)


def fetched(answer, *, limits=SMALL, headers=None, times=1, within=5.0):
    """The responses (or the errors) of so many requests, one after another, and the server."""

    async def run():
        async with (
            serving(answer) as server,
            Client("gristmill-test", allow=["127.0.0.1"], limits=limits) as client,
        ):
            results = []
            for _ in range(times):
                try:
                    results.append(await client.get(server.url, headers or {}))
                except FetchError as error:
                    results.append(error)
            return results, server

    began = time.monotonic()
    results, server = asyncio.run(run())
    assert time.monotonic() - began < within
    return results, server


# ------------------------------------------------------------------------------------------------ what may be fetched

FORBIDDEN = re.findall(
    r"\S+",
    """
http://127.0.0.1/                  http://127.0.0.1:8080/            http://127.1/                     http://127.0.1/
http://2130706433/                 http://0x7f000001/                http://0x7f.0.0.1/                http://0x7f.1/
http://0X7F.0X0.0X0.0X1/           http://0177.0.0.1/                http://017700000001/              http://0177.0x0.0.1/
http://127.0.0.1./                 http://１２７.０.０.１/           http://①②⑦.⓪.⓪.①/               http://127。0。0。1/
http://%31%32%37.0.0.1/            http://127%2e0%2e0%2e1/           http://0/                         http://0.0.0.0/
http://localhost/                  http://LOCALHOST./                http://a.localhost/               http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/
http://[::1]/                      http://[::]/                      http://[0:0:0:0:0:0:0:1]/         http://[::127.0.0.1]/
http://[::ffff:127.0.0.1]/         http://[::ffff:7f00:1]/           http://[::ffff:0:127.0.0.1]/      http://[64:ff9b::127.0.0.1]/
http://[64:ff9b::7f00:1]/          http://[64:ff9b:1::7f00:1]/       http://[2002:7f00:1::]/           http://[2002:7f00:0001::1]/
http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/                       http://[fe80::1]/                 http://[fe80::1%25lo]/
http://[fc00::1]/                  http://[fd00:ec2::254]/           http://[fec0::1]/                 http://[ff02::1]/
http://[2001:db8::1]/              http://10.0.0.1/                  http://167772161/                 http://172.16.0.1/
http://192.168.1.1/                http://192.168.257/               http://100.64.0.1/                http://169.254.169.254/
http://2852039166/                 http://0xA9FEA9FE/                http://192.0.2.1/                 http://198.18.0.1/
http://224.0.0.1/                  http://240.0.0.1/                 http://255.255.255.255/           http://4294967295/
http://example.com@127.0.0.1/      http://user:pw@127.0.0.1/         http://127.0.0.1\\@example.com/    http://example.com\\@127.0.0.1/
http://127.0.0.1#@example.com/     http://127.0.0.1?@example.com/    https://127.0.0.1/                https://2130706433/
http:///127.0.0.1/                 http:127.0.0.1/                   http:\\\\127.0.0.1/                 http://4294967296/
""",
)


async def _nobody(name, port):
    raise AssertionError(f"{name} was looked up")


@pytest.mark.parametrize("url", FORBIDDEN)
def test_no_spelling_of_a_forbidden_address_is_dialled(url, dialled):
    async def run():
        async with Client(
            "gristmill-test", resolve=_nobody, ssl_context=ssl.create_default_context()
        ) as client:
            await client.get(url)

    with pytest.raises(FetchError) as error:
        asyncio.run(run())
    assert error.value.reason == "address"
    assert dialled == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "169.254.169.254",
        "fe80::1%lo",
        "224.0.0.1",
        "fd00::1",
    ],
)
def test_a_name_that_resolves_to_one_is_not_dialled_either(address, dialled):
    async def resolve(name, port):
        return ["93.184.216.34", address]

    async def run():
        async with Client("gristmill-test", resolve=resolve) as client:
            await client.get("http://a.example/")

    with pytest.raises(FetchError) as error:
        asyncio.run(run())
    assert error.value.reason == "address"
    assert dialled == []


def test_what_is_watched_would_be_seen(dialled):
    (response,), server = fetched(OK)
    assert response.body == b"ok"
    assert dialled == [("127.0.0.1", server.port)]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "data:,x",
        "javascript:alert(1)",
        "ws://127.0.0.1/",
        "/a",
        "",
    ],
)
def test_other_schemes_are_refused(url):
    with pytest.raises(FetchError) as error:
        asyncio.run(Client("gristmill-test", allow=["127.0.0.0/8"]).get(url))
    assert error.value.reason == "scheme"


def test_a_name_that_is_rebound_between_two_answers_reaches_no_other_server():
    """127.0.0.2 is allowed and stands for the public one; the name turns to 127.0.0.1 at once, and again for the second page."""
    answers = iter(["127.0.0.2", "127.0.0.1", "127.0.0.1"])

    async def resolve(name, port):
        return [next(answers)]

    async def run():
        closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        async with (
            serving(closing, "127.0.0.2") as public,
            serving(OK, port=public.port) as inner,
            Client("gristmill-test", allow=["127.0.0.2"], resolve=resolve) as client,
        ):
            response = await client.get(f"http://a.example:{public.port}/")
            with pytest.raises(FetchError) as error:
                await client.get(f"http://a.example:{public.port}/")
            return response, error.value, len(public.requests), inner.connections

    response, error, public, inner = asyncio.run(run())
    assert (response.address, error.reason, public, inner) == ("127.0.0.2", "address", 1, 0)


def test_a_redirect_is_handed_back_and_its_target_refused():
    async def run():
        async with serving(OK) as inner:
            moved = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % inner.url.encode()
            async with (
                serving(moved, "127.0.0.2") as server,
                Client("gristmill-test", allow=["127.0.0.2"]) as client,
            ):
                response = await client.get(f"http://127.0.0.2:{server.port}/")
                with pytest.raises(FetchError) as error:
                    await client.get(str(response.header("location")))
                return response.status, error.value.reason, inner.connections

    assert asyncio.run(run()) == (302, "address", 0)


def test_proxies_of_the_environment_are_ignored(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.9:9")
    (response,), _ = fetched(OK)
    assert response.body == b"ok"


# ------------------------------------------------------------------------------------------------ a good page


def test_a_response_is_what_was_sent():
    body = gzip.compress(b"page")
    sent = b"HTTP/1.1 404 Not  Found\r\nX-One: a\r\nx-oNE:  b \r\nServer: \xe9\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    (response,), server = fetched(sent % len(body) + body, headers={"If-None-Match": '"x"'})
    assert (response.url, response.status, response.reason, response.http_version) == (
        server.url,
        404,
        "Not  Found",
        "HTTP/1.1",
    )
    assert response.headers[:3] == ((b"X-One", b"a"), (b"x-oNE", b"b"), (b"Server", b"\xe9"))
    assert response.headers_named("X-ONE") == ["a", "b"]
    assert (response.header("x-one"), response.header("server"), response.header("none")) == ("b", "é", None)
    assert (response.body, response.address) == (body, "127.0.0.1")
    assert response.started.tzinfo is not None
    assert 0 < response.seconds < 5
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "GET / HTTP/1.1"
    assert {f"Host: 127.0.0.1:{server.port}", "User-Agent: gristmill-test", 'If-None-Match: "x"'} < set(lines)
    assert "Accept-Encoding: gzip, deflate, br, zstd" in lines
    assert [f"{k.decode()}: {v.decode()}" for k, v in response.request_headers] == lines[1:-2]


def test_an_ipv6_address_is_dialled_and_named_in_brackets():
    async def run():
        async with serving(OK, "::1") as server, Client("gristmill-test", allow=["::1"]) as client:
            return await client.get(f"http://[0:0::1]:{server.port}/"), server

    try:
        response, server = asyncio.run(run())
    except OSError:
        pytest.skip("no IPv6 here")
    assert (response.body, response.address) == (b"ok", "::1")
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_chunks_are_put_together_and_connections_kept():
    pieces = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    results, server = fetched(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces, times=5)
    assert [response.body for response in results] == [b"abcde"] * 5
    assert server.connections == 1


def test_a_page_of_one_byte_chunks_is_a_page():
    pieces = b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    (response,), _ = fetched(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces)
    assert response.body == b"x" * 20_000


def test_no_cookie_is_kept_or_sent():
    results, server = fetched(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n", times=3
    )
    assert results[2].header("set-cookie") == "a=b; Path=/"
    assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize("name", [*OURS, "Host", "X\r\nHost", "X y", ""])
def test_fields_that_are_the_clients_own_or_none_are_refused(name):
    (error,), _ = fetched(OK, headers={name: "x"})
    assert error.reason == "headers"


@pytest.mark.parametrize("name", ["", " ", "grist\r\nHost: x", "gristmüll"])
def test_a_user_agent_that_cannot_be_sent_is_refused_at_once(name):
    with pytest.raises(ValueError, match="User-Agent"):
        Client(name)


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b", "ł"])
def test_a_value_that_would_be_another_field_is_refused(value):
    (error,), server = fetched(OK, headers={"If-None-Match": value})
    assert error.reason == "headers"
    assert server.requests == []


def test_one_without_a_length_ends_with_its_connection():
    async def answer(writer, server):
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")
        await writer.drain()

    results, server = fetched(answer, times=2)
    assert [response.body for response in results] == [b"all of it"] * 2
    assert server.connections == 2


def test_a_connection_that_was_closed_while_kept_is_replaced():
    """The server ends each connection at its second request, without an answer."""

    async def answer(writer, server):
        seen = getattr(writer, "seen", 0)
        writer.seen = seen + 1
        return None if seen else OK

    results, server = fetched(answer, times=3)
    assert [getattr(result, "body", result) for result in results] == [b"ok"] * 3
    assert server.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        OK + b"\r\nmore than it said",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody",
    ],
)
def test_what_a_server_sends_too_much_is_not_the_next_page(answer):
    results, server = fetched(answer, times=3)
    assert [(result.status, result.body) for result in results] in ([(200, b"ok")] * 3, [(304, b"")] * 3)
    assert server.connections == 3


def test_many_pages_at_a_time():
    async def run():
        async with serving(OK) as server, Client("gristmill-test", allow=["127.0.0.1"]) as client:
            pages = await asyncio.gather(*(client.get(server.url) for _ in range(200)))
            return len(pages), server.connections

    pages, connections = asyncio.run(run())
    assert pages == 200
    assert connections <= 200


# ------------------------------------------------------------------------------------------------ bad servers


async def _for_ever(writer, server, piece, seconds=0.0):
    while not writer.reader.at_eof():
        writer.write(piece)
        await writer.drain()
        server.sent += len(piece)
        await asyncio.sleep(seconds)


def after(head, piece, seconds=0.0):
    async def answer(writer, server):
        writer.write(head)
        await _for_ever(writer, server, piece, seconds)

    return answer


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BLOCK = b"10000\r\n" + b"x" * 65536 + b"\r\n"
BAD = {
    # name: (what is sent, the reason)
    "300 MB, announced": (
        after(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n", b"x" * 65536),
        "too-large",
    ),
    "without end, without length": (after(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), "too-large"),
    "chunks without end": (after(CHUNKED, BLOCK), "too-large"),
    "a byte now and then": (after(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x", 0.2), "timeout"),
    "a chunk of a byte now and then": (after(CHUNKED, b"1\r\nx\r\n", 0.2), "timeout"),
    "a head by the byte": (after(b"HTTP/1.1 200 OK\r\nX-A: ", b"x", 0.2), "timeout"),
    "fields by the line": (after(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.2), "timeout"),
    "hints without end": (after(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01), "timeout"),
    "silence": (after(b"", b"", 0.2), "timeout"),
    "silence after the head": (after(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"", 0.2), "timeout"),
    "a field without end": (after(b"HTTP/1.1 200 OK\r\nX-A: ", b"x" * 65536), "headers"),
    "fields without end": (after(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), "headers"),
    "a status line without end": (after(b"HTTP/1.1 200 ", b"x" * 65536), "headers"),
    "a trailer without end": (after(CHUNKED + b"0\r\nX: ", b"x" * 65536), "headers"),
    "10,000 fields": (
        b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 10_000 + b"Content-Length: 2\r\n\r\nok",
        "headers",
    ),
    "a few more than we take": (
        b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * MAX_HEADERS + b"Content-Length: 2\r\n\r\nok",
        "headers",
    ),
    "a large field": (
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (17 << 10) + b"\r\nContent-Length: 2\r\n\r\nok",
        "headers",
    ),
    "noise": (random.Random(1).randbytes(5000) + b"\r\n\r\n", "protocol"),
    "another protocol": (b"220 mail.example ESMTP\r\n", "timeout"),
    "another protocol, at length": (b"220 mail.example ESMTP\r\n\r\n", "protocol"),
    "HTTP/0.9": (b"<html>old</html>\r\n\r\n", "protocol"),
    "a broken status": (b"HTTP/1.1 2x0 OK\r\n\r\n", "protocol"),
    "an upgrade nobody asked for": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "protocol",
    ),
    "a null in a field": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok", "protocol"),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "protocol"),
    "a negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", "protocol"),
    "a chunk size that is none": (CHUNKED + b"zz\r\nok\r\n0\r\n\r\n", "protocol"),
    "a chunk longer than it says": (CHUNKED + b"1\r\nok\r\n0\r\n\r\n", "protocol"),
    "a chunk of 2**80 bytes": (after(CHUNKED + b"100000000000000000000\r\n", b"x" * 65536), "protocol"),
    "nothing": (lambda writer, server: None, "protocol"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_costs_one_page_and_is_left(name):
    answer, reason = BAD[name]

    async def run():
        async with (
            serving(answer) as server,
            Client("gristmill-test", allow=["127.0.0.1"], limits=SMALL) as client,
        ):
            began = time.monotonic()
            with pytest.raises(FetchError) as error:
                await client.get(server.url)
            seconds = time.monotonic() - began
            for _ in range(100):  # it sees that we went away, while the client is still open
                if server.ended:
                    break
                await asyncio.sleep(0.02)
            return error.value, seconds, server.ended, server

    error, seconds, ended, server = asyncio.run(run())
    assert error.reason == reason, error
    assert error.detail
    assert seconds < 3
    assert ended == server.connections == 1
    assert server.sent < 20 * MIB  # the limit, and what two sockets hold: nothing was drained


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
def test_silence_ends_a_page_long_before_its_time(head):
    (error,), _ = fetched(after(head, b"", 0.1), limits=Limits(read_seconds=0.2, page_seconds=30), within=3)
    assert error.reason == "timeout"


def cut_short(head):
    async def answer(writer, server):
        writer.write(head)
        await writer.drain()

    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nearly",
        CHUNKED + b"9\r\nearly",
        CHUNKED + b"5\r\nearly\r\n",
        b"HTTP/1.1 200 OK\r\nX",
    ],
)
def test_a_body_that_ends_early_is_a_protocol_error(head):
    (error,), _ = fetched(cut_short(head))
    assert error.reason == "protocol"


def test_damaged_answers_cost_themselves():
    """Of 150 answers with a few bytes changed, lost or added, each is a response or a FetchError, and a good one follows."""
    rng = random.Random(20)

    def damaged(answer):
        answer = bytearray(answer)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(answer))
            answer[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        return bytes(answer)

    async def answer(writer, server):
        if b"/good" in server.requests[-1]:
            return OK
        writer.write(
            damaged(
                rng.choice([OK, CHUNKED + b"3\r\nabc\r\n0\r\nT: x\r\n\r\n", b"HTTP/1.1 103 E\r\n\r\n" + OK])
            )
        )
        await writer.drain()
        return None

    async def run():
        async with (
            serving(answer) as server,
            Client("gristmill-test", allow=["127.0.0.1"], limits=SMALL) as client,
        ):
            reasons = set()
            for _ in range(150):
                try:
                    await client.get(server.url)
                except FetchError as error:
                    reasons.add(error.reason)
                assert (await client.get(server.url + "good")).body == b"ok"
            return reasons

    assert "protocol" in asyncio.run(run())


def test_a_port_where_nobody_listens_is_a_connect_error():
    async def run():
        async with serving(OK) as server:
            pass
        await Client("gristmill-test", allow=["127.0.0.1"]).get(server.url)

    with pytest.raises(FetchError) as error:
        asyncio.run(run())
    assert error.value.reason == "connect"
    assert "127.0.0.1 port" in error.value.detail


def test_a_body_at_the_limit_is_taken_and_a_byte_more_is_not():
    limits = Limits(body_bytes=1000)
    for chunked in (False, True):
        for size, kept in ((1000, True), (1001, False)):
            body = b"x" * size
            sent = (
                CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
                if chunked
                else b"HTTP/1.0 200 OK\r\n\r\n" + body
            )
            (result,), _ = fetched(cut_short(sent), limits=limits)
            assert (result.body == body) if kept else (result.reason == "too-large")


def test_a_page_that_fails_leaves_others_of_its_host_alone():
    async def run():
        async def answer(writer, server):
            if b"/bad" in server.requests[-1]:
                await _for_ever(writer, server, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65536)
            return OK

        async with (
            serving(answer) as server,
            Client("gristmill-test", allow=["127.0.0.1"], limits=SMALL) as client,
        ):
            pages = [client.get(server.url + ("bad" if n % 3 == 0 else "good")) for n in range(30)]
            return await asyncio.gather(*pages, return_exceptions=True)

    results = asyncio.run(run())
    for number, result in enumerate(results):
        assert (result.reason == "too-large") if number % 3 == 0 else (result.body == b"ok")


def test_a_cancelled_page_closes_its_connection_and_the_client_goes_on():
    async def run():
        async with (
            serving(after(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.01)) as server,
            serving(OK) as good,
            Client("gristmill-test", allow=["127.0.0.1"]) as client,
        ):
            for seconds in (0, 0.01, 0.1):
                page = asyncio.create_task(client.get(server.url))
                await asyncio.sleep(seconds)
                page.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await page
            await asyncio.sleep(0.1)
            assert server.ended == server.connections
            return await client.get(good.url)

    assert asyncio.run(run()).body == b"ok"


# ------------------------------------------------------------------------------------------------ TLS and HTTP/2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=t",
            "-addext", "subjectAltName=DNS:good.example", "-keyout", str(folder / "key"), "-out", str(folder / "certificate"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def secured(certificate, *protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate", certificate / "key")
    context.set_alpn_protocols(list(protocols))
    return context


def trusting(certificate):
    return ssl.create_default_context(cafile=certificate / "certificate")


async def _loopback(name, port):
    return ["127.0.0.1"]


def test_tls_names_and_verifies_the_host_though_its_address_is_dialled(certificate):
    names = []
    context = secured(certificate, "http/1.1")
    context.sni_callback = lambda channel, name, _: names.append(name)

    async def run(name, trust):
        async with (
            serving(OK, tls=context) as server,
            Client("gristmill-test", allow=["127.0.0.1"], resolve=_loopback, ssl_context=trust) as client,
        ):
            return await client.get(f"https://{name}:{server.port}/")

    response = asyncio.run(run("good.example", trusting(certificate)))
    assert (response.body, response.address, names) == (b"ok", "127.0.0.1", ["good.example"])
    for name, trust in (("other.example", trusting(certificate)), ("good.example", None)):
        with pytest.raises(FetchError) as error:
            asyncio.run(run(name, trust))
        assert error.value.reason == "tls"


def test_a_server_without_tls_is_a_tls_error():
    async def run(answer):
        async with (
            serving(answer) as server,
            Client("gristmill-test", allow=["127.0.0.1"], limits=SMALL) as client,
        ):
            await client.get(server.url.replace("http", "https"))

    async def hello(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read(10)
        writer.close()

    async def plain():
        listening = await asyncio.start_server(hello, "127.0.0.1", 0)
        async with listening, Client("gristmill-test", allow=["127.0.0.1"], limits=SMALL) as client:
            await client.get(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")

    with pytest.raises(FetchError) as error:
        asyncio.run(plain())
    assert error.value.reason == "tls"


def test_a_tls_handshake_that_does_not_come_ends_with_the_page():
    """The page's time is over before that of connecting: what waits in the handshake is cancelled, and its connection closed."""
    closed = []

    async def silent(reader, writer):
        while await reader.read(1000):
            pass
        closed.append(True)
        writer.close()

    async def run():
        listening = await asyncio.start_server(silent, "127.0.0.1", 0)
        limits = Limits(connect_seconds=30, page_seconds=0.3)
        async with listening, Client("gristmill-test", allow=["127.0.0.1"], limits=limits) as client:
            with pytest.raises(FetchError) as error:
                await client.get(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
            await asyncio.sleep(0.05)
            return error.value.reason, list(closed)

    assert asyncio.run(run()) == ("timeout", [True])


async def http2(reader, writer, seen):
    """Serves one connection: "/" is a page, "/large" has no end, "/odd" has a line end in a field, "/silent" no answer."""
    connection = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
    )
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    large = set()
    seen["connections"] += 1
    try:
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    fields = dict(event.headers)
                    seen["requests"].append(fields)
                    path, stream = fields[b":path"], event.stream_id
                    if path == b"/silent":
                        continue
                    head = [(b":status", b"2x0" if path == b"/status" else b"200")]
                    if path == b"/odd":
                        head.append((b"x", b"a\r\nb: c"))
                    if path == b"/fields":
                        head += [(b"x-%d" % n, b"y" * 1000) for n in range(20)]
                    if path == b"/hpack":
                        head += [(b"x-%d" % n, b"y" * 1000) for n in range(90)]
                    if path == b"/short":
                        head.append((b"content-length", b"99"))
                    connection.send_headers(stream, head)
                    if path == b"/large":
                        large.add(stream)
                    elif path == b"/reset":
                        connection.reset_stream(stream)
                    else:
                        connection.send_data(stream, b"page two", end_stream=True)
            for stream in large:
                while (room := min(connection.local_flow_control_window(stream), 16384)) > 0:
                    connection.send_data(stream, b"x" * room)
            writer.write(connection.data_to_send())
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def over_http2(certificate, paths, **options):
    seen = {"connections": 0, "requests": []}

    async def run():
        tasks = set()

        async def serve(reader, writer):
            tasks.add(asyncio.current_task())
            await http2(reader, writer, seen)

        listening = await asyncio.start_server(
            serve, "127.0.0.1", 0, ssl=secured(certificate, "h2", "http/1.1")
        )
        port = listening.sockets[0].getsockname()[1]
        results = []
        client = Client(
            "gristmill-test",
            allow=["127.0.0.1"],
            resolve=_loopback,
            ssl_context=trusting(certificate),
            limits=SMALL,
            **options,
        )
        async with client:
            for path in paths:
                try:
                    results.append(
                        await client.get(f"https://good.example:{port}{path}", {"If-None-Match": "x"})
                    )
                except FetchError as error:
                    results.append(error)
        listening.close()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        return results

    return asyncio.run(run()), seen


def test_http_2_is_spoken_where_it_is_offered(certificate):
    results, seen = over_http2(certificate, ["/", "/a b?c", "/"])
    assert [(r.http_version, r.status, r.body, r.address) for r in results] == [
        ("HTTP/2", 200, b"page two", "127.0.0.1")
    ] * 3
    assert seen["connections"] == 1
    fields = seen["requests"][1]
    assert (fields[b":path"], fields[b":authority"].split(b":")[0], fields[b"user-agent"]) == (
        b"/a%20b?c",
        b"good.example",
        b"gristmill-test",
    )
    assert b"cookie" not in fields


def test_an_http_2_page_that_fails_costs_itself(certificate):
    paths = [
        "/large",
        "/",
        "/odd",
        "/",
        "/silent",
        "/",
        "/reset",
        "/",
        "/short",
        "/",
        "/fields",
        "/",
        "/hpack",
        "/",
        "/status",
        "/",
    ]
    results, _ = over_http2(certificate, paths)
    assert [getattr(r, "reason", None) if isinstance(r, FetchError) else r.body for r in results] == [
        "too-large", b"page two", "headers", b"page two", "timeout", b"page two", "protocol", b"page two", "protocol", b"page two",
        "headers", b"page two", "headers", b"page two", "protocol", b"page two",
    ]  # fmt: skip
