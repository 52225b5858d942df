import time

import pytest
from hypothesis import given, strategies as st

from plugins.web.urls import TRACKING, canonical, host, origin, site


@pytest.mark.parametrize(
    ("url", "same"),
    [
        # RFC 3986, 6.2.2: case, percent-encoding, dot segments; 6.2.3: ports and empty paths.
        ("HTTP://WWW.Example.COM", "http://www.example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:00080/a", "http://example.com/a"),
        ("http://example.com:/a", "http://example.com/a"),
        ("https://example.com:80/a", "https://example.com:80/a"),
        ("http://example.com/%7ea%2fb%41", "http://example.com/~a%2FbA"),
        ("http://example.com/a/./b/../c/..", "http://example.com/a/"),
        ("http://example.com/../..", "http://example.com/"),
        ("http://example.com/%2e%2E/a", "http://example.com/a"),
        ("http://example.com/a//b/", "http://example.com/a//b/"),
        ('http://example.com/a b"<>{}|^`é', "http://example.com/a%20b%22%3C%3E%7B%7D%7C%5E%60%C3%A9"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://example.com?", "http://example.com/"),
        ("http://example.com?a#b", "http://example.com/?a"),
        ("http://example.com/a#!/b", "http://example.com/a"),
        ("http://example.com/?b=2&a=1&&b=1&c", "http://example.com/?b=2&a=1&b=1&c"),
        ("http://example.com/?next=http://a.example/?b", "http://example.com/?next=http://a.example/?b"),
        # WHATWG: what people and programs write.
        ("\x00 http://exa\tmple.com/\r\na\n\x1f", "http://example.com/a"),
        (r"http:\\example.com\a?\b", "http://example.com/a?%5Cb"),
        ("http:///example.com/a", "http://example.com/a"),
        ("http:example.com/a", "http://example.com/a"),
        ("http://Bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://ｅｘａｍｐｌｅ。com/", "http://example.com/"),
        ("http://straße.example/", "http://xn--strae-oqa.example/"),
        ("http://ex%61mple.com/", "http://example.com/"),
        ("http://example.com./", "http://example.com/"),
        ("http://a_b.example.com/", "http://a_b.example.com/"),
        # One address, one spelling: whoever forbids 127.0.0.1 forbids these.
        *(
            (f"http://{spelling}/", "http://127.0.0.1/")
            for spelling in ("2130706433", "0x7f.1", "0177.0.0.1", "127.1", "１２７.0.0.1.")
        ),
        ("http://[0:0:0:0::1]:8080/", "http://[::1]:8080/"),
        ("http://[::FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
    ],
)
def test_each_address_has_one_spelling(url, same):
    assert canonical(url) == same


@pytest.mark.parametrize(
    "url",
    [
        "", "a", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "mailto:a@b.example",
        "http://", "http:///", "http://user@example.com/", "http://user:pass@example.com/", "http://@example.com/", "http://example.com:0/",
        "http://example.com:65536/", "http://example.com:x/", "http://exa mple.com/", "http://a..b/", "http://.a/", "http://256.1.1.1/",
        "http://1.2.3.4.5/", "http://1.09/", "http://-1.1/", "http://1_0.1/", "http://[::1/", "http://[fe80::1%25eth0]/", "http://[x]/", "http://a%00b/",
        "http://a%2fb/", f"http://{'a' * 64}.example/", f"http://{'a.' * 127}example/", f"http://example.com/{'a' * 2000}", "http://\ud800/",
        "http://xn--a\u0301\u200b/",
    ],
)  # fmt: skip
def test_what_cannot_be_fetched_is_none(url):
    assert canonical(url) is None


@pytest.mark.parametrize(
    ("link", "found"),
    # RFC 3986, 5.4.1 and 5.4.2, for "http://a/b/c/d;p?q"
    [
        ("g", "b/c/g"), ("./g", "b/c/g"), ("g/", "b/c/g/"), ("/g", "g"), ("?y", "b/c/d;p?y"), ("g?y", "b/c/g?y"), ("#s", "b/c/d;p?q"),
        ("g#s", "b/c/g"), (";x", "b/c/;x"), ("g;x", "b/c/g;x"), ("g;x?y#s", "b/c/g;x?y"), ("", "b/c/d;p?q"), (".", "b/c/"), ("./", "b/c/"),
        ("..", "b/"), ("../", "b/"), ("../g", "b/g"), ("../..", ""), ("../../", ""), ("../../g", "g"), ("../../../g", "g"), ("/./g", "g"),
        ("/../g", "g"), ("g.", "b/c/g."), (".g", "b/c/.g"), ("g..", "b/c/g.."), ("./../g", "b/g"), ("./g/.", "b/c/g/"), ("g/./h", "b/c/g/h"),
        ("g/../h", "b/c/h"), ("g;x=1/./y", "b/c/g;x=1/y"), ("g;x=1/../y", "b/c/y"), ("g?y/./x", "b/c/g?y/./x"), ("g#s/../x", "b/c/g"),
        ("http:g", "b/c/g"), ("?", "b/c/d;p"),
    ],
)  # fmt: skip
def test_links_are_resolved_as_the_rfc_resolves_them(link, found):
    assert canonical(link, "http://a/b/c/d;p?q") == f"http://a/{found}"


def test_links_to_other_hosts_and_from_nowhere():
    assert canonical("//b.example/x", "https://a.example/y") == "https://b.example/x"
    assert canonical("http:b.example", "https://a.example/y") == "http://b.example/"
    assert canonical("x", "https://a.example") == "https://a.example/x"
    assert canonical("x", "mailto:a@b.example") is None
    assert canonical("x") is None


def test_what_says_only_who_came_is_dropped():
    page = "https://a.example/t"
    for query in (
        "utm_source=x&UTM_Campaign=y",
        "fbclid=1&gclid=2",
        "%75tm_source=x",
        "PHPSESSID=abc",
        "ASPSESSIONIDQQ=abc",
        "sid=0123456789abcdef0123456789ABCDEF",
        "s=0123456789abcdef0123456789abcdef",
    ):
        assert canonical(f"{page}?{query}") == page
        assert canonical(f"{page}?{query}&t=1") == f"{page}?t=1"
    for kept in (
        "s=find",
        "sid=12",
        "id=0123456789abcdef0123456789abcdef",
        "ref=x",
        "utm=1",
        "source=utm_source",
    ):
        assert canonical(f"{page}?{kept}") == f"{page}?{kept}"
    assert canonical(f"{page};jsessionid=AB12.node3;v=1/x;a") == f"{page};v=1/x;a"
    assert (
        canonical("https://a.example/(S(lit3py55t21z5v55vlm25s55))/default.aspx")
        == "https://a.example/default.aspx"
    )
    assert canonical("https://a.example/;sid=1") == "https://a.example/"


def test_what_is_dropped_can_be_named():
    assert (
        canonical("http://a.example/?utm_x=1&ref=a&Reference=b", drop=("ref*",))
        == "http://a.example/?utm_x=1"
    )
    assert canonical("http://a.example/?utm_x=1", drop=()) == "http://a.example/?utm_x=1"
    assert all(name == name.lower() for name in TRACKING)


PIECES = st.sampled_from([
    "http://", "https:", "//", "/", "\\", "..", ".", "%2e", "%", "%%34%31", "%41", "?", "&", "=", "#", ";jsessionid=", ";sid=1", "(S(aaaaaaaaaaaaaaaaaaaaaa))",
    "utm_a=1", "s=" + "0f" * 16, "a", "B.c", "ü", "ß", "xn--", "ＡＢ", ":80", ":8080", "@", "[::1]", "0x7f", "1", "\t", " ", "\u200d", "\u2028", "İ", "。",
])  # fmt: skip


@given(
    st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join),
    st.sampled_from([None, "http://a.example/b/c?d"]),
)
def test_a_canonical_url_is_its_own_canonical_url(url, base):
    once = canonical(url, base)
    if once is not None:
        assert canonical(once) == once
        assert canonical(once, "https://other.example/") == once
        assert once.isascii()
        assert once.startswith(origin(once) + "/")
        assert (
            canonical(f"http://{'[' * (':' in host(once))}{host(once)}{']' * (':' in host(once))}")
            is not None
        )


@given(
    st.lists(PIECES | st.text(max_size=3), max_size=12).map(
        lambda parts: "http://a.example/" + "".join(parts)
    )
)
def test_every_path_and_query_on_a_good_host_is_an_address(url):
    assert canonical(url) is not None


def test_origin_host_and_site():
    assert origin("https://a.example:8443/b?c") == "https://a.example:8443"
    assert origin("HTTP://A.example:80") == "http://a.example"
    assert (host("https://a.example:8443/b"), host("http://[::1]:80/")) == ("a.example", "::1")
    assert site("https://a.b.example.co.uk/") == "example.co.uk"
    assert site("https://ann.github.io/") == "ann.github.io"
    assert site("https://docs.python.org/") == "python.org"
    assert [site(f"http://{name}/") for name in ("localhost", "127.0.0.1", "[::1]", "a.unknowntld")] == [
        "localhost",
        "127.0.0.1",
        "::1",
        "a.unknowntld",
    ]
    for nothing in ("", "mailto:a@b.example", "http://a@b.example/"):
        with pytest.raises(ValueError, match="is not an http"):
            origin(nothing)


@pytest.mark.parametrize(
    "url",
    [
        "http://a/" + "../" * 6000,
        "http://" + "a." * 9000,
        "http://" + "ü" * 19000,
        "x" * 10_000_000,
        "http://a/?" + "&" * 19000,
        "http://a/" + ";sid=" * 3900,
    ],
)
def test_long_addresses_cost_no_time(url):
    began = time.process_time()
    canonical(url, "http://a.example/")
    assert time.process_time() - began < 0.5
