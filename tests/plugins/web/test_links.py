"""Links as a browser sees them, from pages of any shape, in linear time."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given, strategies as st
from resiliparse.parse.html import HTMLTree

from plugins.web.links import Link, Resolver, base_of, links_of
from plugins.web.urls import canonical


def hrefs(html: str) -> list[str]:
    return [link.href for link in links_of(html)[1]]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<a href=/x>", ["/x"]),
        ("<A\nHREF = '/x y'>", ["/x y"]),
        ('<a href="/a?b=1&amp;c=2">', ["/a?b=1&c=2"]),
        ('<a href="/a?b=1&copy=2&region=3&#x2f;">', ["/a?b=1&copy=2&region=3/"]),
        ('<a class="x>y" href="/x">', ["/x"]),
        ("<a don't href=/x>", ["/x"]),
        ("<a href=/first href=/second>", ["/first"]),
        ("<a href=/x/>", ["/x/"]),
        ("<area href=/x><iframe src=/y></iframe><frame src=/z>", ["/x", "/y", "/z"]),
        (
            "<link rel='NEXT foo' href=/n><link rel=stylesheet href=/s><link rel=canonical href=/c>",
            ["/n", "/c"],
        ),
        ("<meta http-equiv=Refresh content='0; URL=/r'><meta name=x content='0; url=/no'>", ["/r"]),
        ("<!-- <a href=no> --><a href=/x>", ["/x"]),
        ("<!--><a href=/x>-->", ["/x"]),
        ("<!-- a --!><a href=/x>", ["/x"]),
        ("<script>'<a href=no>'</script ><a href=/x>", ["/x"]),
        (
            "<style><a href=no></STYLE><title><a href=no></title><textarea><a href=no></textarea><a href=/x>",
            ["/x"],
        ),
        ("<script><a href=no></scripty></script><a href=/x>", ["/x"]),
        ("<noscript><a href=/x></noscript>", ["/x"]),
        ('<div data-x="<a href=no>"><a href=/x>', ["/x"]),
        ("a < b <a href=/x> 3 <4", ["/x"]),
        ("<abbr href=no><base href=/b><article href=no>", []),
        ("<a href='/cut", []),
        ("<a href=", []),
        ("<a href=''>", []),
        ("</a href=no>", []),
    ],
)
def test_the_links_of_a_page_are_those_of_its_tokens(html, expected) -> None:
    assert hrefs(html) == expected


def test_nofollow_is_one_of_the_words_of_rel() -> None:
    assert links_of("<a rel='UGC NoFollow' href=/a><a rel=nofollowing href=/b>")[1] == [
        Link("/a", nofollow=True),
        Link("/b"),
    ]


def test_the_first_base_counts_and_only_a_web_address_does() -> None:
    assert links_of("<base target=x><base href=/a><base href=/b>")[0] == "/a"
    assert base_of("https://a.example/x/y", "../z/") == "https://a.example/z/"
    assert base_of("https://a.example/x", "javascript:1") == "https://a.example/x"
    assert base_of("https://a.example/x", "http://[") == "https://a.example/x"
    assert base_of("https://a.example/x", None) == "https://a.example/x"


@pytest.mark.parametrize(
    "html",
    [
        "<a " * 300_000,
        '<a href="' * 200_000,
        "<!-" * 300_000,
        "<!--" * 300_000,
        "<!--" + "-" * 1_000_000,
        "<div>" * 300_000,
        "<script>" * 100_000 + "</scrip" * 100_000,
        "<p " + "=" * 1_000_000,
        "<p " + 'a="b" ' * 200_000,
        "<p a='" * 200_000,
        "</a" * 300_000,
        "<title>" + "<" * 1_000_000,
        "<a href='&" + "amp" * 300_000 + "'>",
    ],
)
def test_hostile_markup_takes_linear_time(html) -> None:
    start = perf_counter()
    links_of(html)
    assert perf_counter() - start < 2


def test_a_page_of_too_many_links_gives_the_first_ones() -> None:
    assert len(links_of("<a href=/x>" * 20_000)[1]) == 10_000


ATOMS = [
    "<a href=/x>", "<a href='/y'", ">", "<", "<!--", "-->", "<!", "<script>", "</script>", "<title>", "</title>", '"', "'", "=", " ",
    "</a>", "<p class=\"", "<textarea>", "</textarea>", "x", "/", "<A HREF=\"/z\">", "&amp;", "<style>", "</style>", "<?", "--!>", "\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(ATOMS), max_size=25).map("".join))
def test_what_is_found_is_what_a_parser_finds(html) -> None:
    """Lexbor builds the tree of WHATWG HTML. Script data with "<!--" in it has states of its own, which are left out (13.2.5.20)."""
    if "<script>" in html and "<!--" in html:
        return
    # Closing all that may be open, so that both read to the end; then a mark to see that they did.
    html = f"<body>{html}'>\"></script></style></title></textarea>-->"
    document = HTMLTree.parse(html).document
    expected = [element.getattr("href") for element in document.query_selector_all("a[href]")]
    assert [href for href in hrefs(html) if href] == [href for href in expected if href]


@given(st.text(max_size=200) | st.lists(st.sampled_from(ATOMS)).map("".join))
def test_no_text_raises(html) -> None:
    links_of(html)


BASES = [
    "https://a.example/",
    "https://a.example/x/y",
    "https://a.example/x/z?q=1",
    "https://b.example:8443/x/y/",
]
HREFS = [
    "/p",
    "p",
    "../p",
    "?q=2",
    "#f",
    "",
    "//c.example/p",
    "https://d.example/",
    "/\\e.example/",
    "./",
    " p",
    "x:y",
    "\\p",
    "/p?a#b",
    "/\t/f.example/",
    "\t?q=3",
]


@given(st.lists(st.tuples(st.sampled_from(HREFS), st.sampled_from(BASES)), max_size=30))
def test_a_remembered_address_is_the_one_that_would_be_made_anew(pairs) -> None:
    resolver = Resolver(canonical, cached=5)
    for href, base in pairs:
        assert [url for url, _ in resolver.resolve([Link(href)], base)] == [
            url for url in [canonical(href, base)] if url
        ]
