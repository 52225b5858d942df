"""A crawl of the whole test site, the server's log as witness; and small crawls for one rule each."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from crawl_runs import archived, child, fates, settings_for, without_port
from crawl_site import Asked, Site, loopback

from plugins.contracts import Page, Place
from plugins.scrapers.crawl import Crawl
from plugins.web.crawler import Summary, crawl
from plugins.web.scope import Obey
from schemas.errors import SourceError

SIZE = 3400
PAGES = SIZE + SIZE // 2


@dataclass
class Run:
    site: Site
    folder: Path
    summary: Summary
    fates: dict[str, str]
    log: list[Asked]
    pages: dict[str, Page]

    def asked(self, host: str, path: str = "") -> list[Asked]:
        return [request for request in self.log if request.host == host and request.path.startswith(path)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One crawl of everything: 5,100 ordinary pages and all that misbehaves."""
    folder = tmp_path_factory.mktemp("whole")
    with Site(folder, SIZE) as site:
        settings = settings_for(site.port)
        summary = asyncio.run(crawl(settings, folder / "crawl", resolve=loopback))
        scraper = Crawl(
            seeds=settings.seeds, allow=settings.allow, contact=settings.contact, max_page_bytes=1 << 20
        )
        pages = {without_port(page.locator): page for page in scraper.pages(Place(folder, folder / "crawl"))}
        yield Run(site, folder / "crawl", summary, fates(folder / "crawl"), site.log(), pages)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("small"), 60) as site:
        yield site


def run(site: Site, folder: Path, **changes) -> tuple[Summary, dict[str, str], list[Asked]]:
    """A crawl of alpha's ordinary pages, unless told otherwise."""
    before = len(site.log())
    options = {
        "seeds": (site.url("alpha.test", "/p/0"),),
        "feeds": (),
        "sitemaps": False,
        "deny": ("/broken/drip",),
    }
    extra = {name: changes.pop(name) for name in ("refresh", "report") if name in changes}
    summary = asyncio.run(
        crawl(settings_for(site.port, **options | changes), folder, resolve=loopback, **extra)
    )
    return summary, fates(folder), site.log(before)


# ------------------------------------------------------------------------------------------------ the whole site


@pytest.mark.slow
def test_every_url_has_one_row_and_one_fate(whole) -> None:
    with sqlite3.connect(whole.folder / "crawl.sqlite") as db:
        rows, urls, without = db.execute(
            "SELECT count(*), count(DISTINCT url), sum(fate IS NULL OR state <> 2) FROM urls"
        ).fetchone()
    db.close()
    assert rows == urls == sum(whole.summary.fates.values())
    assert without == 0
    assert Counter(whole.fates.values()) == whole.summary.fates


@pytest.mark.slow
def test_every_ordinary_page_is_there_as_the_site_made_it(whole) -> None:
    for host, size in (("alpha.test", SIZE), ("beta.test", SIZE // 2)):
        for number in range(size):
            page = whole.pages[f"http://{host}/p/{number}"]
            assert f"<h1>{host} {number}</h1>".encode() in page.content
            assert (page.status, page.content_type, page.error) == (200, "text/html; charset=utf-8", None)
    assert whole.pages["http://alpha.test/latin"].content.decode("latin-1").startswith("<title>Mühle")
    assert whole.pages["http://alpha.test/picture"].content_type == "image/png"
    assert whole.pages["http://alpha.test/licensed"].license == "CC-BY-4.0"


@pytest.mark.slow
def test_nothing_forbidden_was_asked_for(whole) -> None:
    asked = {(request.host, request.path) for request in whole.log}
    assert ("alpha.test", "/private/open") in asked
    forbidden = {
        ("alpha.test", "/private/secret"),
        ("gamma.test", "/p/1"),
        ("alpha.test", "/nofollowed"),
        ("alpha.test", "/nofollowed2"),
        ("alpha.test", "/logo.png"),
    }
    assert not forbidden & asked
    assert {path for host, path in asked if host == "closed.test"} == {"/robots.txt"}
    assert not {host for host, _ in asked} & {"elsewhere.test", "169.254.169.254", "10.0.0.1", "nowhere.test"}
    for request in whole.log:
        assert "mailto:tests@gristmill.test" in request.agent
    for host in {host for host, _ in asked}:
        assert whole.asked(host)[0].path == "/robots.txt"
        assert host == "closed.test" or len(whole.asked(host, "/robots.txt")) == 1


@pytest.mark.slow
def test_each_page_was_asked_for_once_but_for_those_that_failed(whole) -> None:
    counts = Counter((request.host, request.path) for request in whole.log)
    again = {path for (_, path), count in counts.items() if count > 1 and path != "/robots.txt"}
    failing = {"/dead", "/heals/1", "/broken/reset", "/broken/short", "/broken/garbage", "/broken/drip"}
    assert again == failing | {f"/busy/{number}" for number in range(4)}
    assert counts["alpha.test", "/heals/1"] == 3
    assert counts["alpha.test", "/dead"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "fate"),
    [
        ("/r/chain/0", "redirect"), ("/r/loop/a", "redirect"), ("/r/loop/b", "redirect"), ("/r/self/0", "redirect"),
        ("/r/endless/10", "redirect"), ("/r/endless/11", "redirects"), ("/r/scheme/0", "redirect"),
        ("/slow/1", "fetched"), ("/heals/1", "fetched"), ("/found/by-noindex", "fetched"), ("/empty", "fetched"),
        ("/mapped/0-0", "fetched"), ("/mapped/1-2", "fetched"), ("/mapped/feed-1", "fetched"),
        ("/sitemap.xml", "sitemap"), ("/maps/0", "sitemap"), ("/feed", "feed"),
        ("/dead", "status-500"), ("/missing/7", "status-404"), ("/broken/reset", "protocol"), ("/broken/short", "protocol"),
        ("/broken/garbage", "protocol"), ("/broken/drip", "timeout"), ("/broken/gzip", "encoding"),
        ("/huge", "too-large"), ("/bomb", "bomb"), ("/noindex", "noindex"), ("/noai", "noai"), ("/tdm", "tdm"),
        ("/private/secret", "robots"), ("/nofollowed", "nofollow"), ("/nofollowed2", "nofollow"), ("/logo.png", "media"),
    ],
)  # fmt: skip
def test_what_becomes_of_a_url(whole, path, fate) -> None:
    assert whole.fates[f"http://alpha.test{path}"] == fate


@pytest.mark.slow
def test_other_hosts_have_their_own_rules(whole) -> None:
    assert whole.fates["http://beta.test/private/secret"] == "fetched"
    assert whole.fates["http://gamma.test/p/1"] == "robots"
    assert whole.fates["http://closed.test/"] == "robots"
    assert whole.fates["http://169.254.169.254/latest/meta-data/"] == "denied"
    assert whole.fates["http://elsewhere.test/"] == "denied"
    assert {whole.fates[f"http://busy.test/busy/{number}"] for number in range(4)} == {"fetched"}


@pytest.mark.slow
def test_traps_end(whole) -> None:
    trapped = Counter(fate for url, fate in whole.fates.items() if "//trap.test" in url)
    assert trapped["trap-calendar"]
    assert trapped["trap-permutations"]
    assert trapped["trap-repeating"] or trapped["trap-too-deep"]
    assert len(whole.asked("trap.test")) < 1500
    assert len(whole.asked("trap.test", "/sessions")) == 1


@pytest.mark.slow
def test_delays_were_kept(whole) -> None:
    """Crawl-delay of gamma; and after a 429 nothing until Retry-After has passed, then further apart than before."""
    gamma = [request.at for request in whole.asked("gamma.test")]
    gaps = [later - earlier for earlier, later in pairwise(gamma)][1:]  # the first follows robots.txt
    assert len(gaps) > 15
    assert sum(gaps) > 0.05 * len(gaps) * 0.98
    assert median(gaps) > 0.045  # a single one is shortened by what delays the request before it on its way
    busy = whole.asked("busy.test", "/busy/")
    first = next(request for request in busy if request.path == "/busy/0")
    started = [request.at for request in busy if request.at > first.at + 0.05]
    assert min(started) - first.at > 0.98


@pytest.mark.slow
def test_the_ledger_shows_pages_and_what_should_have_been_one(whole) -> None:
    errors = Counter(page.error for page in whole.pages.values())
    assert errors[None] == whole.summary.fates["fetched"]
    assert {
        "robots",
        "noindex",
        "noai",
        "tdm",
        "status-404",
        "timeout",
        "too-large",
        "bomb",
        "trap-calendar",
    } <= set(errors)
    assert not {"redirect", "denied", "media", "nofollow", "sitemap", "feed"} & set(errors)
    tdm = whole.pages["http://alpha.test/tdm"]
    assert (tdm.content, tdm.raw_path) == (None, None)
    assert whole.pages["http://alpha.test/p/5"].metadata["found_on"].endswith("/p/0")


@pytest.mark.slow
def test_the_archive_holds_what_may_be_kept_once(whole) -> None:
    kept = Counter(archived(whole.folder))
    assert set(kept.values()) == {1}
    assert "http://alpha.test/missing/7" in kept
    assert not {"http://alpha.test/noai", "http://alpha.test/tdm", "http://alpha.test/huge"} & set(kept)


@pytest.mark.slow
def test_a_crawl_that_has_ended_touches_no_network(whole) -> None:
    before = len(whole.site.log())
    summary = asyncio.run(crawl(settings_for(whole.site.port), whole.folder, resolve=loopback))
    assert summary.answers == 0
    assert summary.fates == whole.summary.fates
    assert len(whole.site.log()) == before


@pytest.mark.slow
def test_memory_is_flat(tmp_path) -> None:
    peaks = []
    for size in (1000, 5000):
        with Site(tmp_path, size) as site:
            options = {
                "seeds": [site.url("alpha.test", "/p/0")],
                "allow": [f"//alpha.test:{site.port}/p/"],
                "feeds": [],
            }
            process = child(site.port, tmp_path / str(size), **options)
            line, _ = process.communicate()
        told = json.loads(line)
        assert told["answers"] >= size
        peaks.append(told["peak"] / 1024)
    assert peaks[1] - peaks[0] < 12, f"{peaks} MiB"


# ------------------------------------------------------------------------------------------------ one rule each


def test_a_budget_of_pages_is_kept_exactly_and_more_fetches_only_the_rest(small, tmp_path) -> None:
    summary, _, log = run(small, tmp_path, max_pages=10, allow=(r"/p/\d+$",))
    assert summary.fates["fetched"] == 10
    assert summary.fates["budget"] > 0
    summary, _, more = run(small, tmp_path, max_pages=100, allow=(r"/p/\d+$",))
    assert summary.fates == {"denied": summary.fates["denied"], "fetched": 60}
    assert not {request.path for request in log} & {request.path for request in more}


def test_links_that_were_only_counted_are_found_again_when_the_options_allow_them(
    small, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("plugins.web.frontier.REFUSED_ROWS", 3)
    summary, _, log = run(small, tmp_path, allow=(r"/p/\d$",))
    assert summary.fates == {"denied": 3, "fetched": 10}
    assert summary.tallies["denied"] > 10
    summary, _, more = run(small, tmp_path, allow=(r"/p/\d+$",))
    assert summary.fates["fetched"] == 60
    assert not {request.path for request in log} & {request.path for request in more}


def test_a_budget_of_bytes_ends_the_crawl(small, tmp_path) -> None:
    summary, _, log = run(small, tmp_path, max_bytes=20_000, concurrency=1)
    assert 1 < len(log) < 30
    assert summary.fates["budget"] > 10


def test_depth_is_counted_along_the_shortest_way(small, tmp_path) -> None:
    """/r/chain/5 leads to /p/1 as well; whichever comes first, /p/11 to /p/20 lie two links from /p/0."""
    _, fate, _ = run(small, tmp_path, max_depth=1, allow=(r"alpha",))
    near = {number for number in range(60) if fate.get(f"http://alpha.test/p/{number}") == "fetched"}
    assert near == {*range(20), *(17 * n % 60 for n in range(5))}  # the links of /p/0
    assert fate["http://alpha.test/p/25"] == "depth"


@pytest.mark.parametrize("concurrency", [1, 8])
def test_what_lies_within_reach_does_not_depend_on_which_answer_comes_first(
    small, tmp_path, concurrency
) -> None:
    """From /slow first: the far way is known before the near one."""
    seeds = (small.url("alpha.test", "/odd"), small.url("beta.test", "/p/0"))
    _, fate, _ = run(
        small, tmp_path, seeds=seeds, max_depth=2, concurrency=concurrency, allow=(r"(alpha|beta).test",)
    )
    reached = sorted(url for url, word in fate.items() if word == "fetched")
    cut = sorted(url for url, word in fate.items() if word == "depth")
    key = "reach"
    known = _REACH.setdefault(key, (reached, cut))
    assert known == (reached, cut)


_REACH: dict[str, tuple[list[str], list[str]]] = {}


def test_without_patterns_a_crawl_stays_on_its_hosts(small, tmp_path) -> None:
    _, fate, log = run(small, tmp_path, seeds=(small.url("alpha.test"),), allow=())
    assert {request.host for request in log} == {"alpha.test"}
    assert fate["http://beta.test/"] == "denied"


def test_a_refresh_asks_with_conditions_and_keeps_what_has_not_changed(small, tmp_path) -> None:
    only = {"allow": (r"alpha.test:\d+/p/\d+$",)}
    run(small, tmp_path, **only)
    first = dict(_rows(tmp_path))
    size = sum(path.stat().st_size for path in (tmp_path / "warc").iterdir())
    summary, _, log = run(small, tmp_path, refresh=True, **only)
    assert len([request for request in log if request.path != "/robots.txt"]) == 60
    assert summary.fates["fetched"] == 60
    assert dict(_rows(tmp_path)) == first
    grown = sum(path.stat().st_size for path in (tmp_path / "warc").iterdir()) - size
    assert grown < size
    assert len(archived(tmp_path)) == 60  # the rest are revisit records


def _rows(folder: Path):
    with sqlite3.connect(folder / "crawl.sqlite") as db:
        rows = db.execute("SELECT url, file, offset, fetched_at, fate FROM urls").fetchall()
    db.close()
    return [(row[0], row[1:]) for row in rows]


def test_a_wish_switched_off_is_recorded_and_what_it_hid_is_fetched(small, tmp_path) -> None:
    only = {"seeds": (small.url("alpha.test", "/odd"), small.url("alpha.test", "/p/7")), "max_depth": 1}
    _, fate, _ = run(small, tmp_path, **only)
    assert (fate["http://alpha.test/private/secret"], fate["http://alpha.test/noai"]) == ("robots", "noai")
    obey = Obey(robots=False, noai=False, nofollow=False)
    summary, fate, log = run(small, tmp_path, obey=obey, **only)
    assert summary.ignored == ["robots", "nofollow", "noai"]
    assert (fate["http://alpha.test/private/secret"], fate["http://alpha.test/noai"]) == (
        "fetched",
        "fetched",
    )
    assert fate["http://alpha.test/nofollowed"] == "fetched"
    assert fate["http://alpha.test/tdm"] == "tdm"
    assert "/p/7" not in {request.path for request in log}
    scraper = Crawl(seeds=only["seeds"], contact="mailto:a@b.test", obey={"robots": False})
    page = next(page for page in scraper.pages(Place(tmp_path, tmp_path)) if page.locator.endswith("/noai"))
    assert page.metadata["ignored"] == ["robots"]


def test_a_refresh_that_finds_nobody_keeps_what_it_has(tmp_path) -> None:
    with Site(tmp_path, 5) as site:
        run(site, tmp_path / "crawl", allow=(r"/p/",))
    first = dict(_rows(tmp_path / "crawl"))
    summary, _, _ = run(site, tmp_path / "crawl", allow=(r"/p/",), refresh=True, retries=0)
    assert dict(_rows(tmp_path / "crawl")) == first
    assert summary.fates["fetched"] == 5


def test_neither_a_refresh_nor_other_options_ask_for_what_is_refused(small, tmp_path) -> None:
    only = {"seeds": (small.url("alpha.test"),), "feeds": (small.url("alpha.test", "/feed"),), "allow": ()}
    _, first, log = run(small, tmp_path, **only)
    _, again, refreshed = run(small, tmp_path, refresh=True, **only)
    assert again == first
    _, _, changed = run(small, tmp_path, max_pages=10_000, **only)
    for requests in (log, refreshed, changed):
        assert {request.host for request in requests} <= {"alpha.test"}
        assert not {"/nofollowed", "/nofollowed2", "/private/secret", "/r/endless/11"} & {
            request.path for request in requests
        }


def test_a_wish_honoured_again_leaves_nothing_that_was_had_against_it(small, tmp_path) -> None:
    only = {"seeds": (small.url("alpha.test", "/odd"), small.url("alpha.test", "/p/7")), "max_depth": 1}
    _, loose, _ = run(small, tmp_path, obey=Obey(robots=False, noai=False, nofollow=False), **only)
    assert loose["http://alpha.test/nofollowed"] == "fetched"
    _, strict, _ = run(small, tmp_path, **only)
    assert strict["http://alpha.test/nofollowed"] == "nofollow"
    assert strict["http://alpha.test/noai"] == "noai"
    assert strict["http://alpha.test/private/secret"] == "robots"


def test_few_lanes_serve_many_hosts(small, tmp_path, monkeypatch) -> None:
    from plugins.web import lanes

    monkeypatch.setattr(lanes, "MAX_OPEN", 2)
    monkeypatch.setattr(lanes, "WINDOW", 3)
    hosts = ("alpha.test", "beta.test", "gamma.test", "trap.test", "nowhere.test")
    seeds = tuple(small.url(host) for host in hosts)
    _, fate, _ = run(small, tmp_path, seeds=seeds, max_depth=1, deny=("/odd",), retries=0)
    assert [fate[f"http://{host}/"] for host in hosts] == ["fetched"] * 4 + ["dns"]
    assert "queued" not in fate.values()
    assert fate["http://gamma.test/p/0"] == fate["http://alpha.test/p/0"] == "fetched"


def test_what_a_host_asked_to_wait_is_waited_by_the_next_process_too(tmp_path) -> None:
    with Site(tmp_path, 5) as site:
        settings = settings_for(site.port, seeds=(site.url("busy.test", "/busy/0"),), feeds=())

        async def cancelled() -> None:
            task = asyncio.create_task(crawl(settings, tmp_path / "crawl", resolve=loopback))
            await asyncio.sleep(0.4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        summary = asyncio.run(crawl(settings, tmp_path / "crawl", resolve=loopback))
        first, second = (request for request in site.log() if request.path == "/busy/0")
    assert summary.fates == {"fetched": 1}
    assert second.at - first.at > 0.95


def test_private_addresses_are_refused_unless_allowed(small, tmp_path) -> None:
    _, fate, log = run(small, tmp_path, allow_private=(), retries=0)
    assert set(fate.values()) == {"address"}
    assert log == []


def test_a_host_that_is_not_there_is_tried_again_and_told(small, tmp_path) -> None:
    _, fate, _ = run(small, tmp_path, seeds=("http://nowhere.test/",), allow=(), retries=1)
    assert fate == {"http://nowhere.test/": "dns"}


def test_a_crawl_that_is_cancelled_goes_on_where_it_stopped(small, tmp_path) -> None:
    settings = settings_for(
        small.port,
        seeds=(small.url("alpha.test", "/p/0"),),
        feeds=(),
        sitemaps=False,
        allow=(r"/p/\d+$",),
        delay=0.02,
    )

    async def cancelled() -> None:
        task = asyncio.create_task(crawl(settings, tmp_path, resolve=loopback))
        await asyncio.sleep(0.4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = len(small.log())
    asyncio.run(cancelled())
    done = {url for url, fate in fates(tmp_path).items() if fate == "fetched"}
    assert 3 < len(done) < 60
    assert set(archived(tmp_path)) == done
    middle = len(small.log())
    summary = asyncio.run(crawl(settings, tmp_path, resolve=loopback))
    assert summary.fates["fetched"] == 60
    first = {request.path for request in small.log()[before:middle]}
    again = {request.path for request in small.log(middle)} & first - {"/robots.txt"}
    assert not {f"http://alpha.test{path}" for path in again} & done


def test_two_crawls_into_one_folder_are_one_too_many(small, tmp_path) -> None:
    settings = settings_for(small.port, delay=0.5)

    async def both() -> None:
        first = asyncio.create_task(crawl(settings, tmp_path, resolve=loopback))
        await asyncio.sleep(0.05)
        with pytest.raises(SourceError, match="another process"):
            await crawl(settings, tmp_path, resolve=loopback)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(both())


def test_the_delay_between_requests_of_a_host_is_kept(small, tmp_path) -> None:
    _, _, log = run(small, tmp_path, delay=0.1, max_pages=6, concurrency=4)
    gaps = [later.at - earlier.at for earlier, later in pairwise(log)]
    assert len(gaps) == 6
    assert min(gaps) > 0.08


def test_progress_is_told(small, tmp_path) -> None:
    told = []
    run(small, tmp_path, delay=0.03, report=told.append, allow=(r"/p/\d+$",))
    assert told
    assert 0 < told[0].pages < 60
    assert told[0].eta
    assert told[0].queued


def test_a_parser_that_fails_costs_its_page(small, tmp_path, monkeypatch) -> None:
    from plugins.web import visits

    real = visits.links_of

    def fragile(html: str):
        if "alpha.test 3<" in html:
            raise RecursionError("as deep as it gets")
        return real(html)

    monkeypatch.setattr(visits, "links_of", fragile)
    summary, fate, _ = run(small, tmp_path, allow=(r"/p/\d+$",))
    assert fate["http://alpha.test/p/3"] == "unreadable"
    assert summary.fates["fetched"] >= 40
