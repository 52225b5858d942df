import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from plugins.extractors.head import read_head
from plugins.web.signals import Signals, signals_of

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def said(*headers, html=None):
    """What is said, as words."""
    signals = signals_of([header.split(": ", 1) for header in headers], html, "Gristmill", now=NOW)
    return {name for name in ("noindex", "nofollow", "noai", "tdm_reserved") if getattr(signals, name)}


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ("noindex", {"noindex"}),
        ("NoIndex, NOFOLLOW", {"noindex", "nofollow"}),
        ("noindex nofollow", {"noindex", "nofollow"}),
        ("noindex;nofollow", {"noindex", "nofollow"}),
        ("none", {"noindex", "nofollow"}),
        ("noai, noimageai", {"noai"}),
        ("noimageai", set()),
        ("all", set()),
        ("index, follow, noarchive, nosnippet", set()),
        ("noindexing", set()),
        ("gristmill: noindex", {"noindex"}),
        ("*: noindex", {"noindex"}),
        ("otherbot: noindex, nofollow", set()),
        ("otherbot: noindex, gristmill: nofollow, noai", {"nofollow", "noai"}),
        ("noai, otherbot: noindex", {"noai"}),
        ("max-snippet:50, noindex", {"noindex"}),
        ("otherbot: max-snippet:50, noindex", set()),
        ("noindex: true", {"noindex"}),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", {"noindex"}),
        ("unavailable_after: Friday, 25-Jun-10 15:00:00 UTC, nofollow", {"noindex", "nofollow"}),
        ("unavailable_after: Fri, 25 Jun 2032 15:00:00 GMT, noai", {"noai"}),
        ("unavailable_after: 2024-02-29", {"noindex"}),
        ("unavailable_after: 2024-03-02T00:00:00Z", set()),
        ("unavailable_after: one day", set()),
        ("otherbot: unavailable_after: 25 Jun 2010 15:00:00 PST", set()),
        ("", set()),
        (",:,;:", set()),
    ],
)
def test_the_robots_header_means_what_it_says(value, means):
    assert said(f"X-Robots-Tag: {value}") == means


def test_all_headers_and_the_page_add_up():
    assert said("x-robots-tag: otherbot: noai", "X-ROBOTS-TAG: noindex", "x-robots-tag: nofollow, index") == {
        "noindex",
        "nofollow",
    }
    assert said("X-Robots-Tag: nofollow", html="<meta name=robots content=index,follow,noai>") == {
        "nofollow",
        "noai",
    }


@pytest.mark.parametrize(
    ("html", "means"),
    [
        ('<meta name="robots" content="noindex">', {"noindex"}),
        ("<META CONTENT='none' NAME=' Robots '/>", {"noindex", "nofollow"}),
        ("<meta name=gristmill content=noai>", {"noai"}),
        ("<meta name=googlebot content=noindex><meta name=other content=none>", set()),
        ("<meta name=robots content=nofollow><meta name=robots content=noindex>", {"noindex", "nofollow"}),
        ("<meta name=robots content='unavailable_after: 25-Aug-2007 15:00:00 EST'>", {"noindex"}),
        ("<meta name=robots content='gristmill: noindex'>", set()),
        ("<!-- <meta name=robots content=noindex> -->", set()),
        ("<!--><meta name=robots content=noindex>", {"noindex"}),
        ("<script>'<meta name=robots content=noindex>'</script>", set()),
        ("<title><meta name=robots content=noindex></title>", set()),
        ("<svg><title/></svg><meta name=robots content=noindex>", {"noindex"}),
        ("<link title=it's><meta name=robots content=noindex><link title='>'>", {"noindex"}),
        ("<link title='<meta name=robots content=noindex>'>", set()),
        (f"<link href='data:{'A' * 30000}'><meta name=robots content=noindex>", {"noindex"}),
        ("<metadata name=robots content=noindex>", set()),
        ("<p>" * 1000 + "<meta name=robots content=noindex>", {"noindex"}),
        ("<meta name=robots content=noindex", set()),
        ('<meta name="tdm-reservation" content="1">', {"tdm_reserved"}),
        ('<meta name="tdm-reservation" content="0">', set()),
        ('<meta name="tdm-policy" content="https://a.example/policy.json">', set()),
    ],
)
def test_the_page_means_what_it_says(html, means):
    assert said(html=html) == means


def test_mining_is_reserved_by_header_or_page_whatever_the_other_says():
    assert said("TDM-Reservation: 1") == said("tdm-reservation:  1 ") == {"tdm_reserved"}
    assert said("TDM-Reservation: 0") == said("TDM-Reservation: 11") == set()
    assert said("TDM-Reservation: 0", html="<meta name=tdm-reservation content=1>") == {"tdm_reserved"}


def test_what_said_so_is_told_once_and_in_order():
    headers = [
        ("X-Robots-Tag", "noai"),
        ("x-robots-tag", "NOAI, noimageai"),
        ("tdm-reservation", "1"),
        ("tdm-policy", "https://a.example/p"),
    ]
    html = "<meta name=Gristmill content=nofollow><meta name=robots content='unavailable_after: 25 Aug 2007 15:00:00 GMT'>"
    assert signals_of(headers, html, "gristmill", now=NOW).told == (
        "X-Robots-Tag: noai",
        "X-Robots-Tag: noimageai",
        "TDM-Reservation: 1",
        "TDM-Policy: https://a.example/p",
        "meta gristmill: nofollow",
        "meta robots: unavailable_after: 25 aug 2007 15:00:00 gmt",
    )
    assert signals_of([], "<p>", "gristmill") == signals_of([], None, "gristmill") == Signals()


BY_SA = "https://creativecommons.org/licenses/by-sa/4.0/"


@pytest.mark.parametrize(
    ("html", "licence"),
    [
        (f'<link rel="license" href="{BY_SA}">', "CC-BY-SA-4.0"),
        (f'<a rel="license noopener" href="{BY_SA}deed.de">x</a>', "CC-BY-SA-4.0"),
        ('<a rel=license href="//creativecommons.org/publicdomain/zero/1.0/">x</a>', "CC0-1.0"),
        ('<a rel=license href="https://creativecommons.org/publicdomain/mark/1.0/">x</a>', "public-domain"),
        ('<link rel=license href="/terms">', "/terms"),
        (
            f'<p>text <a href="{BY_SA}">this</a>, <a href="http://creativecommons.org/licenses/by-sa/4.0/legalcode">that</a>',
            "CC-BY-SA-4.0",
        ),
        (f'<a href="{BY_SA}">x</a><a href="https://creativecommons.org/licenses/by/4.0/">y</a>', None),
        ('<a href="https://creativecommons.org/about/">x</a>', None),
        ('<meta name="license" content="MIT License">', "MIT"),
        ('<meta name="dcterms.license" content="https://www.apache.org/licenses/LICENSE-2.0">', "Apache-2.0"),
        ('<meta name="DC.rights" content="CC BY-NC 3.0">', "CC-BY-NC-3.0"),
        ('<meta name="dc.rights" content="Copyright 2020 A. Example, all rights reserved">', None),
        ('<meta name="copyright" content="2020 A. Example">', None),
        (
            f'<script type="application/ld+json">{{"@type": "Article", "license": "{BY_SA}"}}</script>',
            "CC-BY-SA-4.0",
        ),
        (
            f'<script type=application/ld+json>[{{"@graph": [{{"license": {{"@id": "{BY_SA}"}}}}]}}]</script>',
            "CC-BY-SA-4.0",
        ),
        (
            f'<script type="application/ld+json">{{"@type": ["ImageObject"], "license": "{BY_SA}"}}</script>',
            None,
        ),
        (f'<script type="application/ld+json">{{"image": {{"license": "{BY_SA}"}}}}</script>', None),
        ('<script type="application/ld+json">[{"license": "MIT"}, {"license": "Apache-2.0"}]</script>', None),
        ('<script type="application/ld+json">{"license": [4, null, {}, "  "]}</script>', None),
        ('<script type="application/ld+json">{broken</script><link rel=license href=MIT>', "MIT"),
        (f'<script>var x = {{"license": "{BY_SA}"}}</script>', None),
        (f"<!-- <link rel=license href={BY_SA}> -->", None),
    ],
)
def test_the_licence_of_a_page_is_read(html, licence):
    assert signals_of([], html, "gristmill").license == licence


@pytest.mark.parametrize(
    ("value", "licence"),
    [
        (f"<{BY_SA}>; rel=license", "CC-BY-SA-4.0"),
        (
            f'</style.css>; rel=preload; as=style, <{BY_SA}>; title="x"; REL="copyright License"',
            "CC-BY-SA-4.0",
        ),
        (f"<{BY_SA}>; rel=next", None),
        (f"<{BY_SA}>", None),
        ("<>; rel=license", None),
        ("rel=license", None),
    ],
)
def test_the_licence_of_a_header_is_read(value, licence):
    assert signals_of([("Link", value)], None, "gristmill").license == licence


def test_a_header_goes_before_the_page():
    assert (
        signals_of([("link", "</mit>; rel=license")], f"<link rel=license href={BY_SA}>", "gristmill").license
        == "/mit"
    )


HOSTILE = {
    "tags": "<meta name=robots content=noindex>" * 300_000,
    "different tags": "".join(f"<meta name=n{n} content=noindex>" for n in range(300_000)),
    "different links": "".join(f"<a href={BY_SA}{n}>" for n in range(150_000)),
    "tags that never end": "<a " * 3_300_000,
    "quotes that never end": '<meta content="' * 700_000,
    "equals signs": "<meta " + "=" * 10_000_000,
    "quotes": "<meta =\"='" * 1_000_000,
    "comments that never end": "<!--" * 2_500_000,
    "scripts that never end": "<script>" * 1_250_000,
    "scripts": "<script></script>" * 600_000,
    "script tags that never end": "<script " * 1_250_000,
    "depth": "<div>" * 2_000_000,
    "formatting": "".join(f"<font a{n}=1>" for n in range(50_000)) + "<p>" * 2_000_000,
    "licences": f"<a rel=license href={BY_SA}>" * 150_000,
    "links": f"<a href={BY_SA}>" * 150_000,
    "less-than signs": "<" * 10_000_000,
    "json": '<script type="application/ld+json">' + "[" * 1_000_000 + "</script>",
    "many json": '<script type="application/ld+json">{"license": "MIT"}</script>' * 100_000,
    "one json": '<script type="application/ld+json">['
    + ",".join(['{"license":"x"}'] * 60_000)
    + "]</script>",
    "zeros": "\0" * 10_000_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_ten_megabytes_of_malice_cost_a_moment(what):
    began = time.process_time()
    signals_of([], HOSTILE[what], "gristmill")
    assert time.process_time() - began < 3


def test_hostile_headers_cost_a_moment():
    began = time.process_time()
    for value in (
        "," * 10_000_000,
        "a:" * 5_000_000,
        "unavailable_after:," * 500_000,
        "<" * 10_000_000,
        "<a>; rel=" * 1_000_000,
        "; rel=" * 10**6,
    ):
        signals_of([("X-Robots-Tag", value), ("Link", value), ("TDM-Policy", value)], None, "gristmill")
    assert time.process_time() - began < 1


PIECES = st.sampled_from([
    "<meta ", "name=", "content=", "robots", "noindex", '"', "'", ">", "=", "<!--", "-->", "<script", " type=application/ld+json>", "</script>", '{"license":',
    "[", "]", "}", "<link rel=license href=", "<a ", "creativecommons.org/", ",", ":", "unavailable_after", " ",
])  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3), max_size=20).map("".join))
def test_any_page_and_any_header_are_read_without_harm(text):
    signals = signals_of(
        [("X-Robots-Tag", text), ("Link", text), ("TDM-Reservation", text)], text, "gristmill"
    )
    assert isinstance(signals.told, tuple)


def test_the_head_of_a_page_with_many_links_is_read_in_a_moment():
    began = time.process_time()
    read_head("<title>x</title>" + '<p>text <a rel=nofollow href="/x">t</a></p>' * 3000)
    assert time.process_time() - began < 1
