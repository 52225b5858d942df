"""Runs after the first: what a refresh keeps, gives up and counts; what a full disk or another program costs; and limits that a page's do not set."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugins.contracts import Place
from plugins.scrapers.crawl import Crawl
from plugins.web import frontier as frontier_module
from plugins.web.client import Limits
from plugins.web.crawler import Summary, crawl
from plugins.web.scope import Obey, Settings
from schemas.errors import StorageError

Answer = tuple[int, list[str], bytes]
HTML = ["Content-Type: text/html"]
FILLER = b"x" * 500


class Site:
    """Answers within the crawl's own loop, by a function of host, path and headers that a test may exchange between runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer: Callable[[str, str, dict[str, str]], Answer] = lambda host, path, headers: (404, [], b"")
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def url(self, host: str = "a.test", path: str = "/") -> str:
        return f"http://{host}:{self.port}{path}"

    def run(
        self, *, refresh: bool = False, retry: bool = False, host: str = "a.test", **options: Any
    ) -> Summary:
        return asyncio.run(self._run(refresh=refresh, retry=retry, host=host, **options))

    async def _run(self, *, refresh: bool, retry: bool, host: str, **options: Any) -> Summary:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        plain: dict[str, Any] = {
            "seeds": (self.url(host),), "contact": "mailto:a@b.test", "allow_private": ("127.0.0.1",), "sitemaps": False, "delay": 0.0,
            "retries": 0, "backoff": 0.0,
        }  # fmt: skip
        try:
            return await crawl(
                Settings(**plain | options), self.folder, refresh=refresh, retry=retry, resolve=self._resolve
            )
        finally:
            server.close()
            await server.wait_closed()
            await asyncio.sleep(0)

    async def _resolve(self, name: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        host, path = headers["host"].partition(":")[0], first.split(" ")[1]
        self.asked.append((host, path))
        status, fields, body = self.answer(host, path, headers)
        fields = [*fields, f"Content-Length: {len(body)}", "Connection: close"]
        writer.write("\r\n".join([f"HTTP/1.1 {status} X", *fields, "", ""]).encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def fates(self) -> dict[str, str]:
        with sqlite3.connect(self.folder / "crawl.sqlite") as db:
            rows = db.execute("SELECT url, fate FROM urls").fetchall()
        db.close()
        return {url.partition(f":{self.port}")[2]: fate for url, fate in rows}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "crawl")


def tagged(host: str, path: str, headers: dict[str, str], *, wish: str = "") -> Answer:
    """Eleven pages with entity tags, all linked from each; a 304 where the tag is known, with the wish in its headers."""
    fields = [f'ETag: "{path}"', *([f"X-Robots-Tag: {wish}"] if wish else [])]
    if path == "/robots.txt":
        return 404, [], b""
    if headers.get("if-none-match") == f'"{path}"':
        return 304, fields, b""
    return 200, [*HTML, *fields], b"".join(b'<a href="/p%d">' % n for n in range(10)) + path.encode() + FILLER


def test_a_refresh_counts_its_bytes_anew(site: Site) -> None:
    site.answer = tagged
    first = site.run(max_bytes=3000).fates
    assert first["fetched"] > 2
    assert first["budget"] > 2
    for _ in range(2):
        assert site.run(max_bytes=3000, refresh=True).fates == first
    site.answer = lambda *asked: tagged(*asked) if asked[1] == "/robots.txt" else (500, [], b"")
    assert site.run(max_bytes=3000, refresh=True).fates == first


def test_what_a_refresh_had_no_budget_for_can_be_had_later(site: Site) -> None:
    """Its former capture is given up, or a 304 would give back the fate "budget" for ever."""
    site.answer = tagged
    site.run()
    assert site.run(refresh=True, max_pages=3).fates == {"budget": 8, "fetched": 3}
    site.answer = lambda *asked: (410, [], b"") if asked[1] in {"/p0", "/p1"} else tagged(*asked)
    assert site.run(refresh=True, max_pages=3).fates == {"budget": 6, "fetched": 3, "status-410": 2}


@pytest.mark.parametrize("status", [429, 408, 503])
def test_a_host_that_has_no_time_at_a_refresh_costs_no_page(site: Site, status: int) -> None:
    site.answer = tagged
    before = site.run(max_depth=0).fates
    site.answer = lambda host, path, headers: (404 if path == "/robots.txt" else status, [], b"busy")
    assert site.run(max_depth=0, refresh=True).fates == before
    assert before["fetched"] == 1


def test_a_page_that_is_gone_at_a_refresh_is_gone(site: Site) -> None:
    site.answer = tagged
    site.run()
    site.answer = lambda *asked: (410, [], b"") if asked[1] == "/p3" else tagged(*asked)
    assert site.run(refresh=True).fates == {"fetched": 10, "status-410": 1}
    assert site.fates()["/p3"] == "status-410"


@pytest.mark.parametrize("wish", ["noai", "noindex"])
def test_a_wish_that_is_new_in_the_headers_of_a_304_is_honoured_and_no_longer_once_it_is_gone(
    site: Site, wish: str
) -> None:
    site.answer = tagged
    site.run()
    site.answer = lambda *asked: tagged(*asked, wish=wish)
    assert site.run(refresh=True).fates == {wish: 11}
    site.answer = tagged
    assert site.run(refresh=True).fates == {"fetched": 11}


def test_a_noindex_that_is_gone_though_the_page_is_the_same_hides_it_no_longer(site: Site) -> None:
    site.answer = lambda *asked: tagged(*asked, wish="noindex")
    assert site.run().fates == {"noindex": 11}
    site.answer = tagged
    assert site.run(refresh=True).fates == {"fetched": 11}


def test_depths_are_those_of_the_shortest_way_where_the_depth_is_bounded_afterwards(site: Site) -> None:
    links = {"/": "/1", "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/5", "/late": "/3"}

    def answer(host: str, path: str, headers: dict[str, str]) -> Answer:
        return 404 if path == "/robots.txt" else 200, HTML, f'<a href="{links.get(path, "/")}">'.encode()

    site.answer = answer
    site.run()
    seeds = (site.url(), site.url(path="/late"))
    site.run(seeds=seeds)
    before = len(site.asked)
    site.run(seeds=seeds, max_depth=2)
    site.run(seeds=seeds, max_depth=3)
    assert len(site.asked) == before
    with sqlite3.connect(site.folder / "crawl.sqlite") as db:
        depths = db.execute("SELECT url, depth FROM urls").fetchall()
    db.close()
    known = {url.rpartition("/")[2]: depth for url, depth in depths}
    assert known == {"": 0, "late": 0, "1": 1, "2": 2, "3": 1, "4": 2, "5": 3}


def test_a_part_is_read_again_only_if_what_its_pages_say_has_changed(site: Site) -> None:
    tried = Counter[str]()

    def flaky(host: str, path: str, headers: dict[str, str]) -> Answer:
        tried[path] += 1
        return (500, [], b"") if path == "/p3" and tried[path] == 1 else tagged(host, path, headers)

    site.answer = flaky
    scraper = Crawl(
        seeds=["http://a.test/"], contact="mailto:a@b.test", allow_private=["127.0.0.1"], sitemaps=False
    )

    def digests() -> list[str | None]:
        return [part.digest for part in Crawl.parts(scraper, Place(site.folder, site.folder))]

    def nothing(*_: object, **__: object) -> Summary:
        """The crawl has been run already."""
        return Summary({})

    site.run(retries=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Crawl, "gather", nothing)
        first = digests()
        site.run(retries=1, refresh=True)
        assert tried["/p3"] == 3
        assert digests() == first
        site.answer = lambda *asked: (404, [], b"") if asked[1] == "/p3" else tagged(*asked)
        site.run(retries=1, refresh=True)
        assert digests() != first


def test_a_robots_txt_larger_than_a_page_may_be_is_read_all_the_same(site: Site) -> None:
    def answer(host: str, path: str, headers: dict[str, str]) -> Answer:
        if path == "/robots.txt":
            return 200, [], b"# " + b"c" * 3000 + b"\nUser-agent: *\nDisallow: /p3\n"
        return 200, HTML, b'<a href="/p3"><a href="/p4">'

    site.answer = answer
    site.run(limits=Limits(body_bytes=1024))
    assert site.fates() == {"/": "fetched", "/p3": "robots", "/p4": "fetched"}


def test_a_sitemap_larger_than_a_page_may_be_is_read_all_the_same_and_the_one_of_www_too(site: Site) -> None:
    """The seed redirects to www, as sites do; what robots.txt names there belongs to the crawl."""

    def answer(host: str, path: str, headers: dict[str, str]) -> Answer:
        if path == "/robots.txt" and host == "www.a.test":
            return 200, [], f"Sitemap: {site.url(host, '/map.xml')}\n".encode()
        if path == "/robots.txt":
            return 404, [], b""
        if path == "/map.xml":
            return (
                200,
                [],
                f"<urlset><url><loc>{site.url(host, '/hidden')}</loc></url>{' ' * 3000}</urlset>".encode(),
            )
        if host == "a.test":
            return 301, [f"Location: {site.url('www.a.test')}"], b""
        return 200, HTML, b"<p>read me"

    site.answer = answer
    site.run(sitemaps=True, limits=Limits(body_bytes=1024))
    assert site.fates()["/map.xml"] == "sitemap"
    assert site.fates()["/hidden"] == "fetched"


def test_a_sitemap_index_cannot_send_the_crawl_to_other_sites(site: Site) -> None:
    """Only what the robots.txt of a host of the crawl names may lie elsewhere, and what an index there lists on its own site."""

    def answer(host: str, path: str, headers: dict[str, str]) -> Answer:
        if path == "/robots.txt":
            return (
                200,
                [],
                f"Sitemap: {site.url('maps.cdn.test', '/index.xml')}\n".encode() if host == "a.test" else b"",
            )
        if path == "/index.xml":
            near = [site.url("maps.cdn.test", "/1.xml"), site.url("a.test", "/2.xml")]
            listed = [*near, *(site.url(f"victim{n}.test", "/s.xml") for n in range(9))]
            return (
                200,
                [],
                f"<sitemapindex>{''.join(f'<sitemap><loc>{url}</loc></sitemap>' for url in listed)}</sitemapindex>".encode(),
            )
        return 200, HTML, b"<urlset/>"

    site.answer = answer
    for options in ({}, {"obey": Obey(nofollow=False)}):
        summary = site.run(sitemaps=True, **options)
        assert summary.fates == {"fetched": 1, "nofollow": 9, "sitemap": 3}
    assert {host for host, _ in site.asked} == {"a.test", "maps.cdn.test"}


def test_a_database_that_another_program_holds_is_not_called_broken(site: Site, monkeypatch) -> None:
    site.answer = tagged
    site.run(max_pages=3)
    other = sqlite3.connect(site.folder / "crawl.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    real = sqlite3.connect
    monkeypatch.setattr(
        frontier_module.sqlite3, "connect", lambda *args, **kwargs: _Hasty(real(*args, **kwargs))
    )
    with pytest.raises(StorageError, match=r"crawl\.sqlite: database is locked.*run the same command again"):
        site.run()
    monkeypatch.undo()
    other.close()
    assert site.run().fates == {"fetched": 11}


class _Hasty:
    """A connection that waits for nobody."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._connection.execute(sql.replace("busy_timeout=10000", "busy_timeout=0"), *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_a_full_disk_stops_the_crawl_with_what_to_do_and_it_goes_on_afterwards(
    site: Site, monkeypatch
) -> None:
    def many(host: str, path: str, headers: dict[str, str]) -> Answer:
        if path == "/robots.txt":
            return 404, [], b""
        return 200, HTML, b"".join(b'<a href="%s%d">' % (path.encode(), n) for n in range(10))

    site.answer = many
    site.run(max_pages=3)
    real = frontier_module.Frontier._open

    def full(frontier: frontier_module.Frontier) -> None:
        real(frontier)
        (pages,) = frontier._db.execute("PRAGMA page_count").fetchone()
        frontier._db.execute(f"PRAGMA max_page_count={pages + 1}").fetchall()

    monkeypatch.setattr(frontier_module.Frontier, "_open", full)
    with pytest.raises(StorageError, match="is full.*Make room"):
        site.run(max_pages=200)
    monkeypatch.undo()
    assert site.run(max_pages=200).fates["fetched"] == 200
    pages = Counter(path for _, path in site.asked if path != "/robots.txt")
    assert max(pages.values()) == 1


# ------------------------------------------------------------------------------------------------ runs with other wishes


def links(*paths: str) -> bytes:
    return "".join(f'<a href="{path}">x</a>' for path in paths).encode() + FILLER


def tree(host: str, path: str, headers: dict[str, str]) -> Answer:
    """A front page with four pages below it; nothing else is there."""
    pages = {"/": links("/a", "/b", "/c", "/d"), **{f"/{name}": links() for name in "abcd"}}
    return (200, HTML, pages[path]) if path in pages else (404, [], b"")


class Gathered(Crawl):
    """What is there; nobody is asked."""

    def gather(self, *_arguments: Any, **_options: Any) -> Summary:
        return Summary({})


def shown(site: Site, **options: Any) -> list[str]:
    """The paths of the pages a build would read."""
    plain = {
        "seeds": [site.url()],
        "contact": "mailto:a@b.test",
        "allow_private": ["127.0.0.1"],
        "sitemaps": False,
        "delay": 0,
    }
    scraper = Gathered(**plain | options)
    place = Place(site.folder, site.folder)
    pages = [page for part in scraper.parts(place) for page in scraper.fetch(place, part)]
    return sorted(page.locator.rpartition(str(site.port))[2] for page in pages if page.error is None)


def test_what_an_outage_kept_away_is_asked_for_again_and_nothing_else(tmp_path: Path) -> None:
    site, ill = Site(tmp_path), {"/b": 503, "/c": 500}

    def answer(host: str, path: str, headers: dict[str, str]) -> Answer:
        return (ill[path], [], b"") if path in ill else tree(host, path, headers)

    site.answer = answer
    first = site.run()
    assert (first.fates["status-503"], first.fates["status-500"]) == (1, 1)
    site.asked.clear()
    site.run()
    assert site.asked == [], "a crawl that has ended is left alone"
    ill.clear()
    again = site.run(retry=True)
    assert again.fates["fetched"] == 5
    assert {path for _, path in site.asked} == {"/robots.txt", "/b", "/c"}
    site.asked.clear()
    assert site.run(retry=True).answers == 0
    assert site.asked == []


def test_pages_behind_a_robots_txt_that_could_not_be_had_are_asked_for_again(tmp_path: Path) -> None:
    site, ill = Site(tmp_path), [True]

    def answer(host: str, path: str, headers: dict[str, str]) -> Answer:
        return (503, [], b"") if path == "/robots.txt" and ill else tree(host, path, headers)

    site.answer = answer
    assert site.run().fates == {"robots": 1}
    ill.clear()
    assert site.run(retry=True).fates["fetched"] == 5


def test_a_crawl_that_begins_elsewhere_keeps_nothing_of_the_former_one(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.answer = lambda host, path, headers: (200, HTML, links("/y") if path == "/x" else links()) if path in ("/x", "/y", "/z") else (404, [], b"")  # fmt: skip
    site.run()  # which finds a port
    assert site.run(seeds=(site.url(path="/z"),)).fates == {"fetched": 1}
    site.asked.clear()
    assert site.run(seeds=(site.url(path="/z"), site.url(path="/x"))).fates["fetched"] == 3
    assert "/z" not in {path for _, path in site.asked}, "one more place to begin asks for no page again"
    assert site.run(seeds=(site.url(path="/x"),)).fates["fetched"] == 2


def test_a_smaller_budget_shows_the_pages_nearest_to_the_seed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.answer = tree
    site.run()
    assert shown(site) == ["/", "/a", "/b", "/c", "/d"]
    assert shown(site, max_pages=3) == ["/", "/a", "/b"]


def test_a_guard_that_turns_a_refresh_away_costs_no_page(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.answer = tree
    site.run()
    site.answer = lambda host, path, headers: (403, HTML, b"go away")
    assert site.run(refresh=True).fates["fetched"] == 5
    assert len(shown(site)) == 5


def test_a_crawl_that_has_ended_is_one_file(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.answer = tree
    site.run()
    assert [path.name for path in tmp_path.glob("crawl.sqlite*")] == ["crawl.sqlite"]
    assert site.run(refresh=True).fates["fetched"] == 5


def test_a_seed_that_nothing_allows_is_a_fault_of_the_recipe() -> None:
    crawl = Crawl(seeds=["https://a.test/start"], allow=["/threads/"], contact="mailto:a@b.test")
    with pytest.raises(ValueError, match="https://a.test/start is left out by `allow`"):
        crawl.check()
    Crawl(seeds=["https://a.test/threads/1"], allow=["/threads/"], contact="mailto:a@b.test").check()
