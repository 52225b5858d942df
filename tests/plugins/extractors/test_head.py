import pytest
from hypothesis import given, strategies as st

from plugins.contracts import Extracted
from plugins.extractors.head import read_head

PAGE = """<html><head><title>The Inn — A Forum</title>
<meta property="og:title" content="The  Inn"><meta name="author" content="https://a.example/ann"><meta name="DC.creator" content="Ann">
<meta property="article:published_time" content="2024-03-01T10:00:00Z">
<link rel="canonical" href="https://a.example/inn"></head>
<body><p>text</p><a rel="license nofollow" href="https://creativecommons.org/licenses/by/4.0/">CC</a></body></html>"""


def test_what_a_page_states_is_read():
    assert read_head(PAGE) == Extracted(
        text=None,
        title="The Inn",
        author="Ann",
        published="2024-03-01T10:00:00Z",
        url="https://a.example/inn",
        license="https://creativecommons.org/licenses/by/4.0/",
    )


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("Fri, 01 Mar 2024 10:00:00 GMT", "2024-03-01T10:00:00+00:00"),
        ("2024-13-45", None),
        ("yesterday", None),
        ("2024-03-01", "2024-03-01"),
    ],
)
def test_dates_are_iso_or_not_believed(stated, read):
    assert read_head(f"<meta name=date content='{stated}'>").published == read


def test_relative_addresses_are_no_canonical_url():
    assert read_head('<link rel=canonical href="/inn">').url is None


def test_two_different_licences_are_nobodys():
    link = '<a href="https://creativecommons.org/licenses/{}/4.0/">x</a>'
    assert read_head(link.format("by") * 2).license == "https://creativecommons.org/licenses/by/"
    assert read_head(link.format("by") + link.format("by-nc")).license is None


@given(st.text())
def test_nothing_stated_is_null_and_nothing_crashes(html):
    assert read_head(html).text is None
