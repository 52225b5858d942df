"""The source `crawl`: what it takes, what it refuses, and what it yields."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import replace

import pytest
from crawl_site import Site
from pydantic import ValidationError

from plugins.contracts import Locates, Page, Place
from plugins.scrapers import crawl as module
from plugins.scrapers.crawl import Crawl
from schemas.errors import SourceError

GOOD = {"seeds": ["https://a.example/"], "contact": "mailto:you@a.example"}


def told(**options) -> str:
    with pytest.raises(ValidationError) as caught:
        Crawl(**GOOD | options)
    return str(caught.value)


def test_without_a_contact_the_error_says_what_to_type() -> None:
    with pytest.raises(ValidationError, match='Write contact = "mailto:you@example.org"'):
        Crawl(seeds=["https://a.example/"])


@pytest.mark.parametrize(
    "contact",
    [
        "you",
        "mailto:you",
        "mailto:a@b.c\r\nX: 1",
        "ftp://a.example",
        "",
        "mailto:ä@b.example",
        "https://a.example/(x)",
    ],
)
def test_a_contact_nobody_can_be_reached_at_is_refused(contact) -> None:
    assert "contact" in told(contact=contact)


@pytest.mark.parametrize("contact", ["mailto:a@b.example", "https://a.example/about"])
def test_the_contact_stands_in_the_user_agent(contact) -> None:
    agent = Crawl(**GOOD | {"contact": contact}).settings().user_agent
    assert agent.startswith("gristmill/")
    assert agent.endswith(f"(+{contact})")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("seeds", ["file:///etc/passwd"], "is no address that can be fetched"),
        ("seeds", ["https://user:pass@a.example/"], "is no address that can be fetched"),
        ("feeds", ["a.example/feed"], "is no address that can be fetched"),
        ("sitemaps", ["gopher://a.example"], "is no address that can be fetched"),
        ("allow", ["("], "not a regular expression"),
        ("deny", ["[a"], "not a regular expression"),
        ("allow_private", ["10.0.0.0/99"], "10.0.0.0/99"),
        ("delay", -1, "greater than or equal to 0"),
        ("max_pages", 0, "greater than or equal to 1"),
        ("obey", {"robot": False}, "robot"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_its_value(option, value, message) -> None:
    assert message in told(**{option: value})


def test_how_fast_it_goes_and_who_answers_for_it_is_no_part_of_what_is_gathered() -> None:
    slow, fast = (
        Crawl(**GOOD),
        Crawl(
            **GOOD | {"contact": "https://b.example", "delay": 0, "concurrency": 9, "total": 9, "retries": 9}
        ),
    )
    assert slow.identity(without=Locates) == fast.identity(without=Locates)
    assert slow.settings().identity() == fast.settings().identity()
    for option in (
        {"seeds": ["https://b.example/"]},
        {"max_depth": 3},
        {"obey": {"robots": False}},
        {"deny": ["x"]},
    ):
        other = Crawl(**GOOD | option)
        assert other.identity() != slow.identity()
        assert other.settings().identity() != slow.settings().identity()


def test_a_crawl_that_has_nowhere_to_begin_is_a_fault_of_the_source(tmp_path) -> None:
    with pytest.raises(SourceError, match="seeds = "):
        Crawl(contact="mailto:a@b.example").parts(Place(tmp_path, tmp_path))


def test_seeds_are_brought_to_their_one_spelling_and_parameters_kept_on_demand() -> None:
    crawl = Crawl(
        **GOOD
        | {"seeds": ["HTTPS://A.example:443", "https://a.example/#x", "https://a.example/?utm_source=b"]}
    )
    assert crawl.settings().seeds == ("https://a.example/",)
    keeping = Crawl(**GOOD | {"seeds": ["https://a.example/?utm_source=b"], "drop_query": []})
    assert keeping.settings().seeds == ("https://a.example/?utm_source=b",)


def gathered(crawl: Crawl, place: Place) -> list[Page]:
    return [page for part in crawl.parts(place) for page in crawl.fetch(place, part)]


def test_a_crawl_runs_once_and_yields_each_page_every_time_whatever_its_parts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 5 * module.ROW_BYTES)
    with Site(tmp_path, 30) as site:
        crawl = Crawl(
            seeds=[site.url("127.0.0.1", "/p/0")], contact="mailto:a@b.example", delay=0, concurrency=4, allow_private=["127.0.0.1"], backoff=0,
                allow=[r"/p/\d+$"],
        )  # fmt: skip
        place = Place(tmp_path, tmp_path / "work")
        lines = []
        place = replace(place, tell=lines.append)
        first = {page.locator: page for page in gathered(crawl, place)}
        asked = len(site.log())
        parts = crawl.parts(place)
        second = {page.locator: page for page in gathered(crawl, place)}
        assert len(site.log()) == asked
        assert [part.digest for part in crawl.parts(place)] == [part.digest for part in parts]
        assert len(parts) > 1
    assert first == second
    pages = [page for page in first.values() if page.error is None]
    assert len(pages) == 30
    for page in pages:
        assert page.url == page.locator
        assert page.raw_path == "crawl-00000.warc.gz"
        assert page.raw_offset is not None
        assert page.fetched_at is not None
        assert page.content.startswith(b"<!doctype html>")
    assert len(first) == 30


def test_a_page_whose_archive_is_gone_is_a_page_with_an_error(tmp_path) -> None:
    with Site(tmp_path, 3) as site:
        crawl = Crawl(
            seeds=[site.url("127.0.0.1", "/p/0")],
            contact="mailto:a@b.example",
            delay=0,
            allow_private=["127.0.0.1"],
        )
        place = Place(tmp_path, tmp_path / "work")
        gathered(crawl, place)
    archive = tmp_path / "work" / "warc" / "crawl-00000.warc.gz"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:2000])
    errors = [page.error for page in crawl.pages(place)]
    assert "unreadable" in errors
    assert None in errors
    cut = [part.digest for part in crawl.parts(place)]
    archive.write_bytes(whole)
    assert [part.digest for part in crawl.parts(place)] != cut, "a build must not remember them as unreadable"


def test_a_crawl_can_be_started_where_a_loop_runs_already(tmp_path) -> None:
    async def notebook(crawl: Crawl) -> int:
        return len(gathered(crawl, Place(tmp_path, tmp_path / "work")))

    with Site(tmp_path, 3) as site:
        crawl = Crawl(
            seeds=[site.url("127.0.0.1", "/p/0")],
            max_depth=0,
            contact="mailto:a@b.example",
            allow_private=["127.0.0.1"],
        )
        assert asyncio.run(notebook(crawl)) == 1


def test_a_crawl_beside_a_running_loop_ends_with_ctrl_c_and_keeps_what_came(tmp_path) -> None:
    async def notebook(crawl: Crawl) -> None:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                crawl.parts(Place(tmp_path, tmp_path / "work"))
        finally:
            timer.cancel()
            signal.signal(signal.SIGINT, before)

    with Site(tmp_path, 30) as site:
        crawl = Crawl(
            seeds=[site.url("127.0.0.1", "/p/0")], contact="mailto:a@b.example", allow_private=["127.0.0.1"], delay=0.1, max_pages=28
        )  # fmt: skip
        asyncio.run(notebook(crawl))
        assert len(site.log()) < 15
    kept = [page for page in crawl.pages(Place(tmp_path, tmp_path / "work")) if page.error is None]
    assert kept


def test_a_smaller_depth_shows_less_and_asks_for_nothing(tmp_path) -> None:
    with Site(tmp_path, 30) as site:
        options = {
            "seeds": [site.url("127.0.0.1", "/p/0")],
            "contact": "mailto:a@b.example",
            "delay": 0,
            "allow_private": ["127.0.0.1"],
        }
        place = Place(tmp_path, tmp_path / "work")
        many = gathered(Crawl(**options, max_depth=1), place)
        asked = len(site.log())
        (one,) = gathered(Crawl(**options, max_depth=0), place)
        assert one.locator == options["seeds"][0]
        assert len(many) > 10
        assert len(site.log()) == asked
