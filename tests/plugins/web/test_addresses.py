"""Forbidden networks and spellings of hosts."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given, strategies as st

from plugins.web.addresses import FORBIDDEN, PORTS, Allowed, FetchError, forbidden, host_of, target_of

# address → a word of why it may not be dialled
ADDRESSES = {
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "10.255.255.255": "private",
    "100.64.0.1": "shared",
    "100.100.100.200": "shared",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "platform",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.170": "protocol assignments",
    "192.0.2.1": "documentation",
    "192.31.196.1": "AS112",
    "192.52.193.1": "AMT",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "192.175.48.1": "AS112",
    "198.19.255.255": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.251": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "IPv4-compatible (RFC 4291 2.5.5.1) of 127.0.0.1, loopback",
    "::ffff:10.0.0.1": "IPv4-mapped (RFC 4291 2.5.5.2) of 10.0.0.1, private",
    "::ffff:8.8.8.8": "IPv4-mapped (RFC 4291 2.5.5.2) of 8.8.8.8",
    "::ffff:0:127.0.0.1": "IPv4-translated (RFC 2765 2.1) of 127.0.0.1",
    "64:ff9b::127.0.0.1": "NAT64 (RFC 6052 2.1) of 127.0.0.1",
    "64:ff9b::808:808": "NAT64",
    "64:ff9b:1::10.0.0.1": "local-use NAT64",
    "100::1": "discard",
    "100:0:0:1::1": "dummy",
    "2001::1": "Teredo",
    "2001:0:4136:e378:8000:63bf:80ff:fffe": "Teredo (RFC 4380) of 127.0.0.1, loopback",
    "2001:2::1": "benchmarking",
    "2001:3::1": "protocol assignments",
    "2001:10::1": "ORCHID",
    "2001:20::1": "ORCHIDv2",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4 (RFC 3056) of 127.0.0.1, loopback",
    "2002:a9fe:a9fe::1": "6to4 (RFC 3056) of 169.254.169.254, link-local",
    "2620:4f:8000::1": "AS112",
    "3ffe::1": "6bone",
    "3fff::1": "documentation",
    "5f00::1": "segment routing",
    "fc00::1": "unique local",
    "fd00:ec2::254": "unique local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "2a00:1450::5efe:7f00:1": "ISATAP (RFC 5214 6.1) of 127.0.0.1",
    "4000::1": "outside global unicast",
    "e000::1": "outside global unicast",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_special_address_is_forbidden_and_says_what_it_is(address):
    assert ADDRESSES[address] in str(forbidden(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1", "198.20.0.1",
        "223.255.255.255", "11.0.0.1", "168.63.129.17", "2606:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888", "2003::1",
    ],
)  # fmt: skip
def test_a_public_address_is_not(address):
    assert forbidden(address) is None


def test_each_line_of_the_table_forbids_its_first_and_last_address():
    for network, why in FORBIDDEN:
        for ip in (network[0], network[-1]):
            assert forbidden(ip) is not None, (ip, why)


@given(st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_what_the_standard_library_calls_not_global_is_forbidden(ip):
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        assert forbidden(ip) is not None


@given(
    st.sampled_from(["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"]),
    st.integers(0, 2**32 - 1),
)
def test_no_ipv4_address_gets_through_within_one_of_ipv6(prefix, v4):
    assert forbidden(IPv6Address(int(IPv6Address(prefix)) + v4)) is not None
    assert str(IPv4Address(v4)) in str(forbidden(IPv6Address((0x2002 << 112) + (v4 << 80))))


# ------------------------------------------------------------------------------------------------ spellings

SAME = {
    "http://example.com": "example.com",
    "HTTPS://EXAMPLE.com./a?b#c": "example.com",
    "http://ex_ample.com:8080/": "ex_ample.com",
    "http://bücher.example/": "xn--bcher-kva.example",
    "http://example。com/": "example.com",
    "http://2130706433/": "127.0.0.1",
    "http://0x7F000001/": "127.0.0.1",
    "http://0x7f.1/": "127.0.0.1",
    "http://127.1": "127.0.0.1",
    "http://127.0.1": "127.0.0.1",
    "http://127.0.0.1./": "127.0.0.1",
    "http://１２７.0.0.1/": "127.0.0.1",
    "http://①②⑦.0.0.1/": "127.0.0.1",
    "http://0x/": "0.0.0.0",
    "http://1.65535/": "1.0.255.255",
    "http://[0:0:0:0:0:0:0:1]/": "::1",
    "http://[2001:DB8::A]:80/": "2001:db8::a",
    "http://ⓛocalhost/": "localhost",
    "http://0xfoo.example/": "0xfoo.example",
    "http://1.2.3.com/": "1.2.3.com",
}


@pytest.mark.parametrize("url", SAME)
def test_a_host_has_one_spelling(url):
    assert host_of(url) == SAME[url]


@pytest.mark.parametrize(
    "url",
    [
        "http://user@example.com/",
        "http://example.com@127.0.0.1/",
        "http://user:pass@example.com/",
        "http://good.example\\@127.0.0.1/",
        "http://good.example\\.evil.example/",
        "http://127.0.0.1%2f@example.com/",
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.1%00.example.com/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[127.0.0.1]/",
        "http://[v1.x]/",
        "http://::1/",
        "http://0177.0.0.1/",
        "http://010.8.8.8/",
        "http://127.0.0.08/",
        "http://256.0.0.1/",
        "http://1.2.3.4.5/",
        "http://4294967296/",
        "http://example.1/",
        "http:///127.0.0.1/",
        "http:127.0.0.1/",
        "http:/127.0.0.1/",
        "http:\\\\127.0.0.1/",
        "http://",
        "http://./",
        "http://a..b/",
        "http://a b/",
        "http://exa\tmple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com/\ud800",
        "http://℀.example/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:080000/",
        "http://example.com:8０/",
        "http://example.com:-1/",
        "http://example.com:80:80/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 130 + "example/",
        "http://" + "é" * 600 + "/",
        "http://<script>/",
    ],
)
def test_a_host_that_readers_understand_in_different_ways_is_refused(url):
    with pytest.raises(FetchError) as refused:
        target_of(url)
    assert refused.value.reason == "address"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1:6379/_FLUSHALL", "data:text/html,x", "javascript:alert(1)",
        "ws://example.com/", "view-source:http://example.com/", "mailto:a@b.c", "//example.com/", "example.com", "", " http://example.com/",
        "httpx://example.com/", "http", "FILE:/etc/passwd", "jar:http://example.com!/",
    ],
)  # fmt: skip
def test_other_schemes_are_refused(url):
    with pytest.raises(FetchError) as refused:
        target_of(url)
    assert refused.value.reason == "scheme"


@pytest.mark.parametrize(
    ("url", "port", "authority", "path"),
    [
        ("http://a.example", 80, "a.example", b"/"),
        ("http://a.example:80/", 80, "a.example", b"/"),
        ("https://a.example:80/x", 80, "a.example:80", b"/x"),
        ("https://a.example:/x", 443, "a.example", b"/x"),
        ("http://a.example?q=1#f", 80, "a.example", b"/?q=1"),
        ("http://a.example#f", 80, "a.example", b"/"),
        ("http://a.example/a b/ü?ß=%20\\", 80, "a.example", b"/a%20b/%C3%BC?%C3%9F=%20%5C"),
        ("http://[2606:4700::1]:81/", 81, "[2606:4700::1]:81", b"/"),
    ],
)
def test_the_rest_of_a_url_is_sent_as_it_stands(url, port, authority, path):
    target = target_of(url)
    assert (target.port, target.authority, target.path) == (port, authority, path)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["{0}", "{0:#x}", "{1}.{2}", "{1:#x}.{2}", "{1:#x}.{3}.{4:#x}"]),
)
@example(0x7F000001, "{1:#x}.{3}.{4:#x}")
def test_numbers_of_any_form_are_the_address_they_denote(value, form):
    spelling = form.format(value, value >> 24, value & 0xFFFFFF, value >> 16 & 255, value & 0xFFFF)
    assert host_of(f"http://{spelling}/") == str(IPv4Address(value))


@given(st.text(alphabet="aZ09.:[]@%\\/?#x-_ é１。\x00", max_size=24))
def test_a_host_that_passes_reads_the_same_again(text):
    try:
        target = target_of(f"http://{text}")
    except FetchError:
        return
    again = target_of(f"http://{target.authority}{target.path.decode()}")
    assert again == target
    assert target.path.isascii()
    assert not set(target.path) & {0, 10, 13, 32}


# ------------------------------------------------------------------------------------------------ what a recipe allows


def test_a_network_allows_its_addresses_and_no_others():
    allowed = Allowed.of(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
    for address in ("127.0.0.1", "10.9.8.7", "fd12::1", "8.8.8.8"):
        assert allowed.refusal("a.example", address) is None
    for address in ("127.0.0.2", "192.168.0.1", "::1", "::ffff:127.0.0.1", "2002:a00:1::"):
        assert allowed.refusal("a.example", address)


def test_a_name_allows_what_it_resolves_to_and_no_other_name():
    allowed = Allowed.of(["Wiki.Home.arpa."])
    assert allowed.refusal("wiki.home.arpa", "192.168.0.9") is None
    assert allowed.refusal("evil.wiki.home.arpa", "192.168.0.9")
    assert allowed.refusal("home.arpa", "192.168.0.9")


def test_an_entry_that_is_neither_name_nor_network_is_named():
    for entry in ("10.0.0.1/8", "10.0.0.0/99", "http://a.example", "a b", "", "*.example", "::g", "127.1"):
        with pytest.raises(ValueError, match="allow"):
            Allowed.of([entry])


def test_what_a_resolver_gives_that_is_no_address_is_refused():
    assert "no address" in str(Allowed().refusal("a.example", "a.example"))


def test_an_address_that_a_number_denotes_is_an_address():
    assert str(ip_address(host_of("http://3232235777/"))) == "192.168.1.1"
    assert set(PORTS) == {"http", "https"}
