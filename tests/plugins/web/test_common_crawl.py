"""The index of Common Crawl and its archives, from answers in the published form. The real service was never asked."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st

from plugins.web.client import Response
from plugins.web.common_crawl import Capture, IndexFault, captures, fetch_capture, parse_line, record_of
from plugins.web.ranges import TRIES, RangeError, download, fetch_range
from plugins.web.warc_reading import WarcFault

FILE = "crawl-data/CC-MAIN-2024-33/segments/1722640353668.0/warc/CC-MAIN-20240803030112-20240803060112-00001.warc.gz"
LINE = {
    "urlkey": "org,example)/a",
    "timestamp": "20240803041516",
    "url": "https://example.org/a",
    "mime": "text/html",
    "mime-detected": "text/html",
    "status": "200",
    "digest": "3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ",
    "length": "7302",
    "offset": "812345",
    "filename": FILE,
    "charset": "UTF-8",
    "languages": "eng",
}


def reply(status=200, body=b"", **headers):
    fields = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Response("", status, "reason", "HTTP/1.1", fields, body, "192.0.2.1", datetime.now(UTC), 0.0)


class Service:
    """Answers from a function of the address and the fields, and remembers what it was asked and told to wait."""

    def __init__(self, answers):
        self.answers, self.asked, self.slept = answers, [], []

    async def get(self, url, headers):
        self.asked.append((url, dict(headers)))
        found = self.answers(url, headers)
        return found.pop(0) if isinstance(found, list) else found

    async def sleep(self, seconds):
        self.slept.append(seconds)


def line(**changes):
    return json.dumps(LINE | changes).encode() + b"\n"


def index(pages):
    def answers(url, headers):
        query = parse_qs(urlsplit(url).query)
        assert query["output"] == ["json"]
        if "showNumPages" in query:
            return reply(body=json.dumps({"pages": len(pages), "pageSize": 5, "blocks": 7}).encode())
        return reply(body=pages[int(query["page"][0])])

    return Service(answers)


def ask(service, *, patterns=("example.org/*",), limit=100, crawl="CC-MAIN-2024-33"):
    return asyncio.run(captures(service.get, crawl, patterns, limit, sleep=service.sleep))


def test_all_pages_of_the_index_are_read_in_order():
    service = index([
        line(url=f"https://example.org/{n}1") + line(url=f"https://example.org/{n}2") for n in range(3)
    ])
    assert [found.url[-2:] for found in ask(service)] == ["01", "02", "11", "12", "21", "22"]
    assert service.asked[0][0].startswith(
        "https://index.commoncrawl.org/CC-MAIN-2024-33-index?url=example.org%2F%2A&output=json"
    )
    assert len(service.asked) == 4


def test_a_line_tells_where_the_capture_lies():
    assert parse_line(line()) == Capture(
        FILE, 812345, 7302, "https://example.org/a", "20240803041516", 200, "text/html"
    )


def test_no_more_than_the_limit_is_asked_for_and_no_record_twice():
    service = index([line(offset=str(n)) * 2 for n in range(5)])
    assert [found.offset for found in ask(service, limit=2)] == [0, 1]
    assert len(service.asked) <= 4
    assert len(ask(index([line()]), patterns=("a", "b"))) == 1


def test_no_captures_are_none_and_an_unknown_crawl_is_an_error():
    nothing = reply(404, b'{"message": "No Captures found for: example.org/*"}')
    assert ask(Service(lambda url, headers: nothing)) == []
    with pytest.raises(IndexFault, match="collinfo"):
        ask(Service(lambda url, headers: reply(404, b"<html>not found")))
    with pytest.raises(IndexFault, match="CC-MAIN-2024-33 is"):
        ask(index([]), crawl="../../etc")


def test_a_busy_index_is_asked_again_after_a_pause_and_given_up_at_last():
    busy = [reply(503, Retry_After="7"), reply(503), reply(429), reply(body=b'{"pages": 0}')]
    service = Service(lambda url, headers: busy)
    assert ask(service) == []
    assert service.slept == [7.0, 4.0, 8.0]
    service = Service(lambda url, headers: reply(503, Retry_After="99999"))
    with pytest.raises(IndexFault, match="later"):
        ask(service)
    assert len(service.asked) == TRIES
    assert max(service.slept) == 120


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"pages": "many"}', b'{"pages": -1}', b'{"pages": 10000000}', b"[" * 100_000]
)
def test_an_answer_that_is_no_count_of_pages_is_an_error(body):
    with pytest.raises(IndexFault, match="pages"):
        ask(Service(lambda url, headers: reply(body=body)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"filename": "../../secret.warc.gz"}, "filename"),
        ({"filename": "crawl-data/../../x.warc.gz"}, "filename"),
        ({"filename": "http://evil.example/x.warc.gz"}, "filename"),
        ({"filename": FILE + "?a=b"}, "filename"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "1e3"}, "offset"),
        ({"length": "0"}, "length"),
        ({"length": "9999999999"}, "length"),
        ({"timestamp": "2024"}, "timestamp"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"filename": None}, "filename"),
    ],
)
def test_a_line_that_cannot_be_is_told_and_not_followed(changes, why):
    assert why in parse_line(line(**changes))


@given(
    st.one_of(
        st.binary(max_size=80),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda x: st.dictionaries(st.sampled_from(sorted(LINE)), x) | st.lists(x),
        ).map(lambda x: json.dumps(x).encode()),
    )
)
def test_no_line_raises(data):
    assert isinstance(parse_line(data), (str, Capture))


def archive_of(data):
    def answers(url, headers):
        first, last = (int(n) for n in headers["Range"].removeprefix("bytes=").split("-"))
        part = data[first : last + 1]
        if not part:
            return reply(416)
        return reply(
            206, part, Content_Range=f"bytes {first}-{first + len(part) - 1}/{len(data)}", ETag='"1"'
        )

    return Service(answers)


def member(url="https://example.org/a"):
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>x"
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-08-03T04:15:16Z\r\nContent-Length: {len(body)}\r\n\r\n"
    return gzip.compress(head.encode() + body + b"\r\n\r\n")


def test_a_capture_is_brought_by_its_range_and_read():
    service = archive_of(b"before" + member() + b"after")
    capture = Capture(FILE, 6, len(member()), "https://example.org/a", "20240803041516")
    record = record_of(asyncio.run(fetch_capture(service.get, capture)))
    assert (record.url, record.status, record.body) == ("https://example.org/a", 200, b"<p>x")
    assert service.asked == [
        (f"https://data.commoncrawl.org/{FILE}", {"Range": f"bytes=6-{5 + len(member())}"})
    ]


def test_what_was_fetched_and_is_no_record_is_a_fault():
    for data in (b"", b"<html>", member()[:-1], member() * 2):
        assert isinstance(record_of(data), WarcFault)


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b"x" * 100),
        reply(404),
        reply(206, b"x" * 9, Content_Range="bytes 5-14/100"),
        reply(206, b"x" * 10, Content_Range="bytes 6-15/100"),
        reply(206, b"x" * 10, Content_Range="bytes 5-14/*"),
        reply(206, b"x" * 10),
        reply(206, b"x" * 11, Content_Range="bytes 5-15/100"),
    ],
)
def test_any_answer_but_the_range_that_was_asked_for_is_refused(answer):
    service = Service(lambda url, headers: answer)
    with pytest.raises(RangeError):
        asyncio.run(fetch_range(service.get, "https://example.org/x", 5, 10))


def test_redirects_are_followed_some_way():
    def answers(url, headers):
        number = int(url.rsplit("/", 1)[1])
        if number:
            return reply(302, Location=f"/{number - 1}")
        return reply(206, b"ab", Content_Range="bytes 0-1/2")

    service = Service(answers)
    assert asyncio.run(fetch_range(service.get, "https://example.org/5", 0, 2)) == b"ab"
    with pytest.raises(RangeError, match="in a row"):
        asyncio.run(fetch_range(service.get, "https://example.org/6", 0, 2))


DATA = bytes(range(256)) * 10


def test_a_file_is_brought_in_steps_and_appears_whole(tmp_path):
    service = archive_of(DATA)
    asyncio.run(download(service.get, "https://example.org/x", tmp_path / "x", step=1000))
    assert (tmp_path / "x").read_bytes() == DATA
    assert [headers["Range"] for _, headers in service.asked] == [
        "bytes=0-999",
        "bytes=1000-1999",
        "bytes=2000-2999",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_download_that_was_cut_off_goes_on_and_begins_anew_where_the_file_changed(tmp_path):
    class Cut(Exception):
        pass

    whole = archive_of(DATA)

    def until(number, service):
        async def get(url, headers):
            if len(service.asked) == number:
                raise Cut
            return await service.get(url, headers)

        return get

    with pytest.raises(Cut):
        asyncio.run(download(until(2, whole), "https://example.org/x", tmp_path / "x", step=1000))
    assert not (tmp_path / "x").exists()
    whole.asked.clear()
    asyncio.run(download(whole.get, "https://example.org/x", tmp_path / "x", step=1000))
    assert [headers["Range"] for _, headers in whole.asked] == ["bytes=2000-2999"]
    assert (tmp_path / "x").read_bytes() == DATA

    with pytest.raises(Cut):
        asyncio.run(download(until(2, archive_of(DATA)), "https://example.org/y", tmp_path / "y", step=1000))
    changed = archive_of(DATA[::-1])
    answers = changed.answers

    def other(url, headers):
        found = answers(url, headers)
        return reply(found.status, found.body, ETag='"2"', Content_Range=found.header("content-range") or "")

    changed.answers = other
    asyncio.run(download(changed.get, "https://example.org/y", tmp_path / "y", step=1000))
    assert (tmp_path / "y").read_bytes() == DATA[::-1]


def test_a_server_without_ranges_sends_all_at_once(tmp_path):
    service = Service(lambda url, headers: reply(200, DATA))
    asyncio.run(download(service.get, "https://example.org/x", tmp_path / "x", step=10))
    assert (tmp_path / "x").read_bytes() == DATA


@pytest.mark.parametrize(
    "answer",
    [
        reply(404),
        reply(206, b"", Content_Range="bytes 0-0/5"),
        reply(206, b"abc", Content_Range="bytes 1-3/5"),
        reply(416),
    ],
)
def test_a_download_that_cannot_be_is_an_error(tmp_path, answer):
    service = Service(lambda url, headers: answer)
    with pytest.raises(RangeError):
        asyncio.run(download(service.get, "https://example.org/x", tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_a_file_that_changes_all_the_time_is_given_up(tmp_path):
    count = iter(range(10**6))
    service = archive_of(DATA)
    answers = service.answers

    def restless(url, headers):
        found = answers(url, headers)
        return reply(
            found.status,
            found.body,
            ETag=f'"{next(count)}"',
            Content_Range=found.header("content-range") or "",
        )

    service.answers = restless
    with pytest.raises(RangeError, match="changes"):
        asyncio.run(download(service.get, "https://example.org/x", tmp_path / "x", step=1000))
