"""Connections to the very address that was checked."""

from __future__ import annotations

import asyncio
import socket
import threading

import httpcore
import pytest

from plugins.web.addresses import Allowed, FetchError
from plugins.web.dialing import MAX_ATTEMPTS, Idle, PinnedBackend, checked_addresses, system_resolver

PUBLIC = "93.184.216.34"


class Net:
    """Stands for the network: notes what is dialled; addresses in `dead` do not answer."""

    def __init__(self, dead=()):
        self.dialled, self.dead = [], dead

    async def connect_tcp(self, host, port, seconds, local_address, socket_options):
        self.dialled.append(host)
        if host in self.dead:
            raise httpcore.ConnectError("refused")
        return httpcore.AsyncMockStream([])


def resolver(*answers):
    """Answers in turn; the last for ever."""
    asked = []

    async def resolve(name, port):
        asked.append(name)
        return answers[min(len(asked), len(answers)) - 1]

    resolve.asked = asked
    return resolve


def dial(host, resolve, allow=(), net=None, seconds=1.0):
    backend = PinnedBackend(Allowed.of(allow), resolve)
    backend._backend = net or Net()
    asyncio.run(backend.connect_tcp(host, 80, seconds))
    return backend._backend.dialled


def refused(host, resolve, allow=(), net=None, seconds=1.0):
    net = net or Net()
    with pytest.raises(FetchError) as error:
        dial(host, resolve, allow, net, seconds)
    return error.value, net.dialled


def test_the_address_that_was_checked_is_dialled_and_the_name_asked_once():
    resolve = resolver([PUBLIC], ["127.0.0.1"])
    assert dial("a.example", resolve) == [PUBLIC]
    assert resolve.asked == ["a.example"]


def test_a_resolver_that_changes_its_mind_is_refused_at_the_next_connection():
    resolve = resolver([PUBLIC], ["127.0.0.1"])
    assert dial("a.example", resolve) == [PUBLIC]
    error, dialled = refused("a.example", resolve)
    assert (error.reason, dialled) == ("address", [])


@pytest.mark.parametrize(
    "bad",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%lo", "fd00::1",
        "0.0.0.0", "not-an-address", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 9])
def test_one_forbidden_address_among_others_forbids_the_name(bad, place):
    answers = [PUBLIC] * 9
    answers.insert(place, bad)
    error, dialled = refused("a.example", resolver(answers))
    assert (error.reason, dialled) == ("address", [])


def test_an_address_in_a_url_is_checked_without_asking():
    resolve = resolver([PUBLIC])
    error, dialled = refused("127.0.0.1", resolve)
    assert (error.reason, dialled, resolve.asked) == ("address", [], [])
    assert dial("127.0.0.1", resolve, allow=["127.0.0.0/8"]) == ["127.0.0.1"]
    assert resolve.asked == []


@pytest.mark.parametrize("name", ["localhost", "a.b.localhost"])
def test_localhost_is_loopback_whatever_a_resolver_says(name):
    resolve = resolver([PUBLIC])
    assert refused(name, resolve)[0].reason == "address"
    assert dial(name, resolve, allow=["127.0.0.1"]) == ["127.0.0.1"]
    assert dial(name, resolve, allow=["::1"]) == ["::1"]
    assert dial(name, resolve, allow=[name], net=Net(dead=["127.0.0.1"])) == ["127.0.0.1", "::1"]
    assert resolve.asked == []


def test_the_next_address_is_tried_where_one_does_not_answer():
    many = [f"93.184.216.{n}" for n in range(30)]
    assert dial("a.example", resolver(many), net=Net(dead=many[:2])) == many[:3]
    error, dialled = refused("a.example", resolver(many), net=Net(dead=many))
    assert (error.reason, dialled) == ("connect", many[:MAX_ATTEMPTS])


def test_a_name_without_an_address_is_a_dns_error():
    async def unknown(name, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def silent(name, port):
        await asyncio.sleep(60)

    async def odd(name, port):
        return name.encode("idna") and []

    assert refused("a.example", unknown)[0].reason == "dns"
    assert refused("a.example", silent, seconds=0.05)[0].reason == "dns"
    assert refused("a.example", odd)[0].reason == "dns"
    assert refused("a" * 70 + ".example", odd)[0].reason == "dns"


def test_the_resolver_of_this_machine_knows_its_own_addresses():
    assert list(asyncio.run(system_resolver("127.0.0.1", 80))) == ["127.0.0.1"]
    assert set(asyncio.run(system_resolver("localhost", 80))) <= {"127.0.0.1", "::1"}


def test_names_that_hang_do_not_hold_up_others(monkeypatch):
    """More than asyncio's own threads would bear."""
    release = threading.Event()

    def lookup(name, port, **_):
        if name.startswith("dead"):
            release.wait(20)
        return [(0, 0, 0, "", (PUBLIC, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    async def run():
        dead = [
            asyncio.ensure_future(checked_addresses(f"dead{n}", 80, Allowed(), system_resolver, 0.2))
            for n in range(20)
        ]
        try:
            assert await checked_addresses("a.example", 80, Allowed(), system_resolver, 5) == [PUBLIC]
            results = await asyncio.gather(*dead, return_exceptions=True)
        finally:
            release.set()
        assert {result.reason for result in results} == {"dns"}

    asyncio.run(run())


def test_a_unix_socket_is_never_dialled():
    with pytest.raises(FetchError):
        asyncio.run(PinnedBackend(Allowed(), system_resolver).connect_unix_socket("/run/x"))


def test_localhost_addresses_are_those_that_are_allowed():
    async def all_of(allow):
        return await checked_addresses("localhost", 80, Allowed.of(allow), system_resolver, 1)

    assert asyncio.run(all_of(["localhost"])) == ["127.0.0.1", "::1"]
    assert asyncio.run(all_of(["127.0.0.0/8"])) == ["127.0.0.1"]


class Kept:
    """Stands for httpcore's connection."""

    def __init__(self, origin, idle=True):
        self.origin, self.idle, self.closed = origin, idle, False

    def can_handle_request(self, origin):
        return origin == self.origin

    def is_idle(self):
        return self.idle

    is_available = is_idle

    def has_expired(self):
        return self.origin.endswith("-expired")

    async def aclose(self):
        self.closed = True


def test_connections_are_kept_by_origin_and_the_oldest_closed_when_there_are_too_many():
    async def keep():
        idle = Idle(3)
        a, b, c, d, broken, expired = (
            map(Kept, "aabcd") if False else [Kept(name) for name in ("a", "a", "b", "c", "d", "e-expired")]
        )
        broken.idle = False
        for connection in (a, b, c):
            await idle.give(connection)
        await idle.give(broken)
        assert broken.closed
        await idle.give(d)
        assert [x.closed for x in (a, b, c, d)] == [True, False, False, False]
        assert await idle.take("a") is b
        assert await idle.take("a") is None
        await idle.give(expired)
        assert await idle.take("e-expired") is None
        assert expired.closed
        await idle.aclose()
        assert c.closed
        assert d.closed

    asyncio.run(keep())
