"""Sitemaps, indexes, text lists and feeds; hostile ones."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, strategies as st

from plugins.web.sitemaps import MAX_ENTRIES, listing_of

NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def test_a_urlset_gives_its_locations_in_order_and_no_images_of_them() -> None:
    listing = listing_of(
        f'<?xml version="1.0" encoding="UTF-8"?><urlset {NS} xmlns:image="http://i"><url><loc>\nhttps://a.example/1?x=1&amp;y=2 </loc>'
        "<image:image><image:loc>https://a.example/i.png</image:loc></image:image></url>"
        "<url><lastmod>2024-01-01</lastmod><loc><![CDATA[https://a.example/2]]></loc></url></urlset>".encode()
    )
    assert listing.kind == "sitemap"
    assert listing.pages == ["https://a.example/1?x=1&y=2", "https://a.example/2"]
    assert listing.sitemaps == []


def test_an_index_gives_sitemaps_not_pages() -> None:
    listing = listing_of(
        f"<sitemapindex {NS}><sitemap><loc>https://a.example/s1.xml.gz</loc></sitemap></sitemapindex>".encode()
    )
    assert (listing.kind, listing.pages, listing.sitemaps) == ("index", [], ["https://a.example/s1.xml.gz"])


def test_rss_gives_the_links_of_items_not_of_the_channel() -> None:
    listing = listing_of(
        b"<rss version='2.0'><channel><link>https://a.example/</link><item><link>https://a.example/p1</link>"
        b"<guid>https://a.example/?p=1</guid></item><item><link>https://a.example/p2</link></item></channel></rss>"
    )
    assert (listing.kind, listing.pages) == ("feed", ["https://a.example/p1", "https://a.example/p2"])


def test_atom_gives_the_alternate_link_of_entries() -> None:
    listing = listing_of(
        b"<feed xmlns='http://www.w3.org/2005/Atom'><link href='https://a.example/' rel='alternate'/><entry>"
        b"<link rel='edit' href='https://a.example/edit/1'/><link href='https://a.example/1'/></entry></feed>"
    )
    assert (listing.kind, listing.pages) == ("feed", ["https://a.example/1"])


def test_a_text_sitemap_has_an_address_a_line() -> None:
    listing = listing_of(b"\xef\xbb\xbfhttps://a.example/1\r\nnot an address\nhttps://a.example/2")
    assert (listing.kind, listing.pages) == ("text", ["https://a.example/1", "https://a.example/2"])


def test_utf16_is_read() -> None:
    text = f'<?xml version="1.0" encoding="UTF-16"?><urlset {NS}><url><loc>https://a.example/ü</loc></url></urlset>'
    assert listing_of(text.encode("utf-16")).pages == ["https://a.example/ü"]


def test_what_stands_before_a_break_is_kept_and_the_break_told() -> None:
    listing = listing_of(b"<urlset><url><loc>https://a.example/1</loc></url><url><loc>https://a.exam")
    assert listing.pages == ["https://a.example/1"]
    assert listing.fault


@pytest.mark.parametrize(
    "bomb",
    [
        b'<!DOCTYPE u [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 30) for n in range(8))
        + b"]><urlset><url><loc>https://a.example/&i;</loc></url></urlset>",
        b'<!DOCTYPE u [<!ENTITY a SYSTEM "file:///etc/passwd">]><urlset><url><loc>https://a.example/&a;</loc></url></urlset>',
    ],
    ids=["entity bomb", "external entity"],
)
def test_entities_are_not_resolved(bomb) -> None:
    tracemalloc.start()
    listing = listing_of(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "root:" not in str(listing)
    assert all(len(page) < 40 for page in listing.pages)
    assert peak < 4 << 20


def test_deep_nesting_is_a_fault() -> None:
    assert listing_of(b"<urlset>" * 100_000).fault


def test_html_is_no_sitemap() -> None:
    listing = listing_of(b"<html><body><a href='/x'>not found</a></body></html>")
    assert listing.kind == "unknown"
    assert "<html>" in (listing.fault or "")


def test_entries_after_the_limit_are_not_read() -> None:
    many = b"".join(b"<url><loc>https://a.example/%d</loc></url>" % n for n in range(MAX_ENTRIES + 5))
    listing = listing_of(b"<urlset>" + many + b"</urlset>")
    assert len(listing.pages) == MAX_ENTRIES
    assert "50000" in (listing.fault or "")
    text = listing_of(b"https://a.example/\n" * (MAX_ENTRIES + 5))
    assert len(text.pages) == MAX_ENTRIES


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"<urlset><url><loc>" + tail))
def test_no_bytes_raise(data) -> None:
    listing_of(data)
