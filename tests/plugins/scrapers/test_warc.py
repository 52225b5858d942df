"""Web archives as pages: every capture one page, every loss one fate."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import brotli
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from plugins.contracts import Part, Place
from plugins.scrapers.warc import Warc
from plugins.web.client import Response
from plugins.web.warc_writing import Revisit, WarcWriter
from schemas.errors import SourceError

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "warc"
SAMPLES = sorted(path for path in DATA.rglob("*") if ".warc" in path.name or ".arc" in path.name)
MOMENT = datetime(2024, 8, 5, 10, 11, 12, 345678, tzinfo=UTC)
PAGE = "<html><body><p>Grüße aus dem Archiv</p>".encode()


def archive(folder, answers, name=None):
    """(url, body, changes) of each answer as an archive file."""
    writer = WarcWriter(folder / "made", software="x")
    for url, body, changes in answers:
        told = {
            "status": 200,
            "reason": "OK",
            "http_version": "HTTP/1.1",
            "headers": ((b"Content-Type", b"text/html; charset=utf-8"),),
            "address": "192.0.2.1",
            "started": MOMENT,
            "request_headers": ((b"Host", b"h"),),
        }
        writer.response(url, body=body, **(told | changes))
    writer.close()
    path = folder / (name or "a.warc.gz")
    (folder / "made" / "crawl-00000.warc.gz").replace(path)
    return path


def parts_of(base, scraper):
    return [
        json.loads(json.dumps([part.where, part.digest]))
        for part in scraper.parts(Place(base, base / ".work"))
    ]


def gather(base, **options):
    scraper, place = Warc(**options), Place(base, base / ".work")
    return [page for where, _ in parts_of(base, scraper) for page in scraper.fetch(place, Part(where))]


def field(name, value):
    return {"headers": ((name, value), (b"Content-Type", b"text/html"))}


def test_a_capture_is_a_page_named_by_its_address_and_second(tmp_path):
    archive(tmp_path, [("http://example.org/a", PAGE, {})])
    (page,) = gather(tmp_path, path="*.warc.gz", license_value="CC0")
    assert page.locator == "http://example.org/a@20240805101112"
    assert (page.url, page.status, page.fetched_at, page.license) == (
        "http://example.org/a",
        200,
        MOMENT,
        "CC0",
    )
    assert (page.content, page.content_type, page.error) == (PAGE, "text/html; charset=utf-8", None)
    assert page.raw_path == "a.warc.gz"
    assert page.raw_offset > 0


@pytest.mark.parametrize(
    ("changes", "body", "error", "detail"),
    [
        ({"status": 404}, PAGE, "status", "404"),
        ({"headers": ((b"Content-Type", b"image/png"),)}, b"\x89PNG", "content-type", "image/png"),
        ({"headers": ()}, b"plain?", "content-type", "none"),
        (field(b"Content-Encoding", b"gzip"), gzip.compress(bytes(60 << 20)), "bomb", "gzip"),
        (field(b"Content-Encoding", b"gzip"), gzip.compress(PAGE)[:-9], "encoding", "gzip"),
        (field(b"Content-Encoding", b"rot13"), b"uggc", "encoding", "rot13"),
        (
            {"revisit_of": Revisit("http://example.org/old", MOMENT)},
            PAGE,
            "revisit",
            "http://example.org/old of 2024-08-05",
        ),
    ],
)
def test_a_capture_that_is_no_page_has_a_fate(tmp_path, changes, body, error, detail):
    archive(tmp_path, [("http://example.org/a", body, changes), ("http://example.org/b", PAGE, {})])
    lost, kept = gather(tmp_path, path="a.warc.gz")
    assert (lost.error, lost.content, lost.url) == (error, None, "http://example.org/a")
    assert detail in lost.detail
    assert lost.locator == "http://example.org/a@20240805101112"
    assert kept.content == PAGE


@pytest.mark.parametrize(
    ("changes", "body", "content_type"),
    [
        (field(b"Content-Encoding", b"gzip"), gzip.compress(PAGE), "text/html"),
        (field(b"Content-Encoding", b"br"), brotli.compress(PAGE), "text/html"),
        (field(b"Content-Encoding", b"gzip"), PAGE, "text/html"),
        ({"headers": ()}, PAGE, "text/html"),
        (
            {"headers": ((b"Content-Type", b'Application/XHTML+xml;charset="ISO-8859-1"'),)},
            PAGE,
            "application/xhtml+xml; charset=ISO-8859-1",
        ),
        ({"headers": ((b"Content-Type", b"text/plain"),)}, PAGE, "text/plain"),
    ],
)
def test_encodings_are_undone_and_types_kept(tmp_path, changes, body, content_type):
    archive(tmp_path, [("http://example.org/a", body, changes)])
    (page,) = gather(tmp_path, path="a.warc.gz")
    assert (page.content, page.content_type, page.error) == (PAGE, content_type, None)


def test_other_statuses_and_types_are_pages_where_they_are_asked_for(tmp_path):
    archive(
        tmp_path,
        [
            (
                "http://example.org/a",
                b"{}",
                {"status": 404, "headers": ((b"Content-Type", b"application/json"),)},
            )
        ],
    )
    (page,) = gather(tmp_path, path="a.warc.gz", status=[200, 404], content_types=["application/json"])
    assert (page.content, page.status) == (b"{}", 404)


# ------------------------------------------------------------------------------------------------ names


def test_twins_in_one_file_and_in_several_have_names_of_their_own(tmp_path):
    twin = ("http://example.org/a", PAGE, {})
    other = ("http://example.org/b", PAGE, {"started": MOMENT + timedelta(seconds=1)})
    archive(tmp_path, [twin, twin, other], "1.warc.gz")
    archive(tmp_path, [other, twin], "2.warc.gz")
    archive(tmp_path, [twin], "3.warc.gz")
    named = [page.locator.removeprefix("http://example.org/") for page in gather(tmp_path, path="*.warc.gz")]
    assert named == [
        "a@20240805101112",
        "a@20240805101112#2",
        "b@20240805101113",
        "b@20240805101113#2",
        "a@20240805101112#3",
        "a@20240805101112#4",
    ]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=4))
def test_no_two_pages_share_a_name_and_names_know_no_file(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("names")
    for n, numbers in enumerate(files):
        answers = [(f"http://example.org/{number}", PAGE, {}) for number in numbers]
        archive(folder, [("http://example.org/seed" + str(n), PAGE, {}), *answers], f"{n}.warc.gz")
    names = [page.locator for page in gather(folder, path="*.warc.gz")]
    assert len(set(names)) == len(names)
    for n in range(len(files)):
        (folder / f"{n}.warc.gz").rename(folder / f"renamed-{n}.warc.gz")
    assert [page.locator for page in gather(folder, path="*.warc.gz")] == names


def test_a_part_is_known_by_its_file_its_name_and_the_twins_before_it(tmp_path):
    page = ("http://example.org/a", PAGE, {})
    archive(tmp_path, [page], "1.warc.gz")
    archive(tmp_path, [page, ("http://example.org/b", PAGE, {})], "2.warc.gz")
    alone = {where["locator"]: digest for where, digest in parts_of(tmp_path, Warc(path="2.warc.gz"))}
    both = {where["locator"]: digest for where, digest in parts_of(tmp_path, Warc(path="*.warc.gz"))}
    assert both == {where["locator"]: digest for where, digest in parts_of(tmp_path, Warc(path="*.warc.gz"))}
    assert both["2.warc.gz"] != alone["2.warc.gz"]
    archive(tmp_path, [("http://example.org/other", PAGE, {})], "1.warc.gz")
    apart = {where["locator"]: digest for where, digest in parts_of(tmp_path, Warc(path="*.warc.gz"))}
    assert apart["2.warc.gz"] == alone["2.warc.gz"]
    assert apart["1.warc.gz"] != both["1.warc.gz"]


# ------------------------------------------------------------------------------------------------ what others wrote, and what is broken


@pytest.mark.skipif(not SAMPLES, reason="the sample archives lie beside the working tree")
def test_all_samples_give_pages_with_one_fate_each(tmp_path):
    scraper, place = Warc(path=str(DATA / "**" / "*arc*")), Place(tmp_path, tmp_path / ".work")
    names, ends = Counter[str](), Counter[str | None]()
    for part in scraper.parts(place):
        assert part.digest
        count = 0
        for page in scraper.fetch(place, part):
            assert (page.content is None) == (page.error is not None)
            assert page.detail or not page.error
            names[page.locator] += 1
            ends[page.error] += 1
            count += 1
        assert count
    assert set(names.values()) == {1}
    assert ends[None] > 60
    assert {"revisit", "status", "content-type", "malformed", "truncated", "digest", "no-pages"} <= set(ends)


@pytest.mark.skipif(not SAMPLES, reason="the sample archives lie beside the working tree")
def test_wet_is_plain_text_and_wat_has_no_pages(tmp_path):
    (text,) = gather(tmp_path, path=str(DATA / "cc-whirlwind" / "*.wet.gz"))
    assert text.content_type == "text/plain; charset=utf-8"
    assert text.url
    assert text.content.decode("utf-8")
    (none,) = gather(tmp_path, path=str(DATA / "cc-whirlwind" / "*.wat.gz"))
    assert (none.locator, none.error) == ("whirlwind.warc.wat.gz", "no-pages")
    assert none.detail == "its records are: 1 metadata, 1 warcinfo"


def test_a_file_cut_short_keeps_its_pages_and_says_what_is_missing(tmp_path):
    path = archive(tmp_path, [(f"http://example.org/{n}", PAGE, {"request_headers": ()}) for n in range(3)])
    path.write_bytes(path.read_bytes()[:-5])
    kept = gather(tmp_path, path="a.warc.gz")
    assert [page.error for page in kept] == [None, None, "truncated"]
    assert kept[2].locator == "http://example.org/2@20240805101112"
    path.write_bytes(b"<html>sorry")
    (page,) = gather(tmp_path, path="a.warc.gz")
    assert (page.locator, page.error, page.raw_offset) == ("a.warc.gz#000000000000", "malformed", 0)


def test_a_file_that_is_rewritten_while_it_is_read_stops_the_build(tmp_path):
    path = archive(tmp_path, [("http://example.org/a", PAGE, {})])
    scraper, place = Warc(path="a.warc.gz"), Place(tmp_path, tmp_path / ".work")
    (part,) = scraper.parts(place)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(SourceError, match="rewritten"):
        list(scraper.fetch(place, part))


def test_options_that_name_no_source_or_no_contact_are_refused():
    for options, told in (
        ({}, "path: is missing"),
        ({"urls": ["https://example.org/a.warc.gz"]}, "contact: is missing"),
        ({"common_crawl": {"index": "CC-MAIN-2024-33", "match": ["a"]}}, "contact: is missing"),
        ({"path": "a", "contact": "me"}, "must be able to reach you"),
        ({"path": "a", "common_crawl": {"index": "CC-MAIN-2024-33/../x", "match": ["a"]}}, "is no crawl"),
        ({"path": "a", "common_crawl": {"index": "CC-MAIN-2024-33", "match": []}}, "needs addresses"),
    ):
        with pytest.raises(ValidationError, match=told):
            Warc(**options)


def test_where_files_lie_is_no_part_of_identity():
    assert Warc(path="a").identity() == Warc(urls=["http://h/a"], contact="mailto:a@b.example").identity()


# ------------------------------------------------------------------------------------------------ fetched


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_archives_are_downloaded_once_and_one_that_is_not_there_costs_a_fate(tmp_path):
    archive(tmp_path, [("http://example.org/a", PAGE, {})])
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            base = f"http://127.0.0.1:{server.server_port}"
            told = {"contact": "mailto:me@example.org", "urls": [f"{base}/a.warc.gz", f"{base}/../absent"]}
            found, absent = gather(tmp_path, **told, allow_private=["127.0.0.1"])
            (refused,) = gather(
                tmp_path / "apart", contact="mailto:me@example.org", urls=[f"{base}/a.warc.gz"]
            )
        finally:
            server.shutdown()
            thread.join()
    assert (found.content, found.raw_path) == (PAGE, f"{base}/a.warc.gz")
    assert (absent.error, absent.locator) == ("unreadable", f"{base}/../absent")
    assert "404" in absent.detail
    assert refused.error == "unreadable"
    assert "address" in refused.detail
    (again,) = gather(tmp_path, contact="mailto:me@example.org", urls=[f"{base}/a.warc.gz"])
    assert again.content == PAGE


FILE = "crawl-data/CC-MAIN-2024-33/segments/1/warc/CC-MAIN-1.warc.gz"


class Service:
    """Common Crawl as far as it is needed: an index of one page, and one archive."""

    def __init__(self, lines, data):
        self.lines, self.data, self.asked = lines, data, []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def get(self, url, headers):
        self.asked.append(url)
        status, body, fields = 200, b"", []
        if urlsplit(url).hostname.startswith("index."):
            counted = "showNumPages" in parse_qs(urlsplit(url).query)
            body = b'{"pages": 1, "pageSize": 5, "blocks": 1}' if counted else self.lines
        else:
            first, last = (int(n) for n in headers["Range"].removeprefix("bytes=").split("-"))
            status, body = (206, self.data[first : last + 1]) if first < len(self.data) else (416, b"")
            fields = [(b"Content-Range", b"bytes %d-%d/%d" % (first, last, len(self.data)))]
        return Response(url, status, "", "HTTP/1.1", tuple(fields), body, "192.0.2.1", MOMENT, 0.0)


def test_captures_of_common_crawl_are_looked_up_and_fetched_once(tmp_path, monkeypatch):
    writer = WarcWriter(tmp_path / "cc", software="x")
    told = {"reason": "", "http_version": "HTTP/1.1", "address": "", "started": MOMENT, "status": 200}
    html = {"headers": ((b"Content-Type", b"text/html"),), **told}
    stored = [writer.response(f"https://example.org/{n}", body=PAGE + b"%d" % n, **html) for n in range(3)]
    writer.close()

    def line(n, **changes):
        about = {
            "url": f"https://example.org/{n}",
            "timestamp": "20240805101112",
            "mime": "text/html",
            "status": "200",
        }
        place = {"filename": FILE, "offset": str(stored[n].offset), "length": str(stored[n].length)}
        return json.dumps(about | place | changes).encode() + b"\n"

    lines = [
        line(0),
        line(1),
        line(2),
        line(0, status="301"),
        line(1, mime="image/png"),
        line(2, offset="99999"),
        b"{}\n",
        line(0, offset=str(stored[1].offset), length=str(stored[1].length)),
    ]
    service = Service(b"".join(lines), (tmp_path / "cc" / stored[0].file).read_bytes())
    monkeypatch.setattr(Warc, "_client", lambda self: service)
    asked = {"index": "CC-MAIN-2024-33", "match": ["example.org/*"], "limit": 50}
    pages = gather(tmp_path, common_crawl=asked, contact="mailto:me@example.org")

    assert [page.error for page in pages] == [
        None,
        None,
        None,
        "status",
        "content-type",
        "status",
        "malformed",
        "malformed",
    ]
    assert [page.content for page in pages[:3]] == [PAGE + b"%d" % n for n in range(3)]
    assert [page.locator[20:] for page in pages[:4]] == [
        "0@20240805101112",
        "1@20240805101112",
        "2@20240805101112",
        "0@20240805101112#2",
    ]
    assert (pages[1].raw_path, pages[1].raw_offset, pages[1].fetched_at) == (FILE, stored[1].offset, MOMENT)
    assert len({page.locator for page in pages}) == len(pages)
    assert len(service.asked) == 2 + 5

    service.asked.clear()
    again = gather(tmp_path, common_crawl=asked, contact="mailto:me@example.org")
    assert [page.content for page in again] == [page.content for page in pages]
    assert service.asked == [f"https://data.commoncrawl.org/{FILE}"]


def test_files_and_captures_of_common_crawl_share_their_names(tmp_path, monkeypatch):
    path = archive(tmp_path, [("https://example.org/a", PAGE, {"request_headers": ()})])
    about = {
        "url": "https://example.org/a",
        "timestamp": "20240805101112",
        "filename": FILE,
        "offset": "0",
        "length": "9",
    }
    service = Service(json.dumps(about).encode(), path.read_bytes())
    monkeypatch.setattr(Warc, "_client", lambda self: service)
    asked = {"index": "CC-MAIN-2024-33", "match": ["example.org/*"]}
    pages = gather(tmp_path, path="a.warc.gz", common_crawl=asked, contact="mailto:me@example.org")
    assert [page.locator[-2:] for page in pages] == ["12", "#2"]
    assert pages[1].error == "truncated"
