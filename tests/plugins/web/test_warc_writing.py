"""The archive of a crawl, held against the readers of others."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
from datetime import UTC, datetime, timedelta

import brotli
import fastwarc.warc
import pytest
from fastwarc.warc import ArchiveIterator as FastReader
from hypothesis import given, settings, strategies as st
from warcio.archiveiterator import ArchiveIterator as WarcioReader

from plugins.web.warc_reading import WarcFault, WarcRecord, read_at, records
from plugins.web.warc_writing import Revisit, Stored, WarcWriter, payload_digest
from schemas.errors import Corruption, StorageError

MOMENT = datetime(2024, 8, 5, 10, 11, 12, 345678, tzinfo=UTC)
HTML = "<html><p>Grüße".encode() * 500
BODIES = {
    "empty": (b"", None),
    "text": (HTML, None),
    "gzip": (gzip.compress(HTML, mtime=0), b"gzip"),
    "brotli": (brotli.compress(HTML), b"br"),
    "binary": (bytes(range(256)) * 5 + b"\r\n\r\nWARC/1.1\r\n", None),
    "mebibyte": (random.Random(4).randbytes(1 << 20), None),
}
KINDS = {int(getattr(fastwarc.warc, kind)): kind for kind in ("warcinfo", "response", "request", "revisit")}
REQUEST = ((b"Host", b"example.org"), (b"User-Agent", b"gristmill/1 (+mailto:a@example.org)"))


def answer(writer, url="http://example.org/a", body=b"hello", *, headers=(), **changes):
    told = {
        "status": 200,
        "reason": "OK",
        "http_version": "HTTP/1.1",
        "headers": ((b"Content-Type", b"text/html"), *headers),
        "body": body,
        "address": "192.0.2.7",
        "started": MOMENT,
    }
    return writer.response(url, **(told | changes))


def archive(folder, *answers, **options):
    writer = WarcWriter(folder, software="x", **options)
    stored = [answer(writer, **told) for told in answers]
    writer.sync()
    writer.close()
    return stored


def by_warcio(path):
    with path.open("rb") as file:
        return [
            (
                record.rec_type,
                record.http_headers.headers if record.http_headers else None,
                record.raw_stream.read(),
            )
            for record in WarcioReader(file, check_digests="raise")
        ]


def by_fastwarc(path):
    with path.open("rb") as file:
        return [
            (
                KINDS[int(record.record_type)],
                list(record.http_headers.to_tuples()) if record.http_headers else None,
                record.reader.read(),
            )
            for record in FastReader(file, verify_digests=False)
        ]


@pytest.mark.parametrize("name", BODIES)
def test_others_read_the_same_bytes_and_find_every_digest_right(tmp_path, name):
    body, encoding = BODIES[name]
    headers = ((b"Content-Encoding", encoding),) if encoding else ()
    (stored,) = archive(tmp_path, {"body": body, "headers": headers, "request_headers": REQUEST})
    path = tmp_path / stored.file

    for read in (by_warcio, by_fastwarc):
        told = read(path)
        assert [kind for kind, *_ in told] == ["warcinfo", "response", "request"]
        assert told[1][2] == body
        assert dict(told[1][1])["Content-Type"] == "text/html"
        assert told[2][1][0] == ("Host", "example.org")
    with path.open("rb") as file:
        for record in FastReader(file, parse_http=False):
            assert record.verify_block_digest(consume=False)
            if record.record_type == fastwarc.warc.response:
                record.parse_http()
                assert record.verify_payload_digest()
    ours = read_at(path, stored.offset, stored.length)
    assert (ours.body, ours.status, ours.reason, ours.date) == (body, 200, "OK", MOMENT)
    assert ours.header("WARC-Payload-Digest") == payload_digest(body)
    assert ours.header("WARC-IP-Address") == "192.0.2.7"


def test_each_record_is_a_gzip_member_and_the_programs_of_gzip_take_the_file(tmp_path):
    (stored,) = archive(tmp_path, {"body": HTML})
    data = (tmp_path / stored.file).read_bytes()
    alone = gzip.decompress(data[stored.offset : stored.offset + stored.length])
    assert alone.startswith(b"WARC/1.1\r\nWARC-Type: response\r\n")
    assert alone.endswith(HTML + b"\r\n\r\n")
    assert subprocess.run(["gzip", "-t"], input=data, check=False).returncode == 0


def test_fields_are_kept_as_they_came_but_for_the_transfer_encoding(tmp_path):
    headers = (
        (b"x-ODD", b"caf\xe9;  a=1"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
        (b"Transfer-Encoding", b"chunked"),
    )
    (stored,) = archive(tmp_path, {"body": b"5\r\nhello\r\n0\r\n\r\n", "headers": headers})
    record = read_at(tmp_path / stored.file, stored.offset, stored.length)
    assert (
        b"x-ODD: caf\xe9;  a=1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Archive-Orig-Transfer-Encoding: chunked\r\n\r\n"
        in record.block
    )
    assert record.body == b"5\r\nhello\r\n0\r\n\r\n"
    assert by_fastwarc(tmp_path / stored.file)[1][2] == by_warcio(tmp_path / stored.file)[1][2] == record.body


def test_an_answer_by_http_2_is_one_that_readers_know(tmp_path):
    (stored,) = archive(tmp_path, {"http_version": "HTTP/2", "reason": "", "request_headers": REQUEST})
    record = read_at(tmp_path / stored.file, stored.offset, stored.length)
    assert record.block.startswith(b"HTTP/1.1 200 \r\n")
    assert record.header("WARC-Protocol") == "h2"
    assert [kind for kind, *_ in by_warcio(tmp_path / stored.file)] == ["warcinfo", "response", "request"]


def test_what_a_server_or_a_link_sends_cannot_make_lines_of_its_own(tmp_path):
    (stored,) = archive(
        tmp_path,
        {
            "url": "http://example.org/a b\r\nWARC-Type: warcinfo",
            "headers": ((b"X", b"1\r\nY: 2"), (b"Z\n", b"\0")),
            "reason": "OK\r\nV: 1",
            "request_headers": REQUEST,
        },
    )
    record = read_at(tmp_path / stored.file, stored.offset, stored.length)
    assert (record.type, record.url) == ("response", "http://example.org/a%20b%0D%0AWARC-Type:%20warcinfo")
    assert [name for name, _ in record.http_headers] == ["Content-Type", "X", "Z"]


def test_a_revisit_says_what_it_repeats_and_holds_no_body(tmp_path):
    earlier = Revisit("http://example.org/a", MOMENT - timedelta(days=1), "0a" * 32)
    same, unchanged = archive(
        tmp_path,
        {"body": HTML, "revisit_of": earlier},
        {"body": b"", "status": 304, "reason": "Not Modified", "revisit_of": earlier},
    )
    record = read_at(tmp_path / same.file, same.offset, same.length)
    assert (record.type, record.body, record.status) == ("revisit", b"", 200)
    assert record.header("WARC-Profile").endswith("/warc/1.1/revisit/identical-payload-digest")
    assert record.header("WARC-Refers-To-Date") == "2024-08-04T10:11:12.345678Z"
    assert record.header("WARC-Payload-Digest") == payload_digest(HTML)
    record = read_at(tmp_path / same.file, unchanged.offset, unchanged.length)
    assert record.header("WARC-Profile").endswith("/server-not-modified")
    assert record.header("WARC-Payload-Digest") == "sha256:" + "0a" * 32
    assert [kind for kind, *_ in by_fastwarc(tmp_path / same.file)] == ["warcinfo", "revisit", "revisit"]
    assert [kind for kind, *_ in by_warcio(tmp_path / same.file)] == ["warcinfo", "revisit", "revisit"]


def test_the_same_answers_give_the_same_bytes_and_no_two_records_one_id(tmp_path):
    answers = [{"body": HTML, "request_headers": REQUEST}] * 3
    archive(tmp_path / "a", *answers)
    archive(tmp_path / "b", *answers)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    ids = [record.id for record in records(tmp_path / "a" / "crawl-00000.warc.gz")]
    assert len(set(ids)) == len(ids) == 7


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_full_file_is_followed_by_another_which_describes_itself(tmp_path):
    stored = archive(
        tmp_path, *[{"body": random.Random(n).randbytes(3000)} for n in range(5)], max_bytes=5000
    )
    assert [item.file[:11] for item in stored] == [
        "crawl-00000",
        "crawl-00000",
        "crawl-00001",
        "crawl-00001",
        "crawl-00002",
    ]
    for path in tmp_path.iterdir():
        kinds = [record.type for record in records(path)]
        assert kinds[0] == "warcinfo"
        assert "warcinfo" not in kinds[1:]
    for n, item in enumerate(stored):
        assert read_at(tmp_path / item.file, item.offset, item.length).body == random.Random(n).randbytes(
            3000
        )


def test_what_is_written_is_readable_at_once_without_a_sync(tmp_path):
    writer = WarcWriter(tmp_path, software="x")
    stored = answer(writer, body=b"now")
    assert read_at(tmp_path / stored.file, stored.offset, stored.length).body == b"now"
    writer.close()


@settings(max_examples=15, deadline=None)
@given(known=st.integers(0, 6), written=st.integers(0, 6), torn=st.binary(max_size=40), small=st.booleans())
def test_a_killed_archive_opened_at_its_last_commit_goes_on_as_if_it_had_not_been(
    tmp_path_factory, known, written, torn, small
):
    folder = tmp_path_factory.mktemp("killed")
    most = 1500 if small else 1 << 30
    answers = [{"body": random.Random(n).randbytes(700), "request_headers": REQUEST} for n in range(12)]
    writer = WarcWriter(folder / "a", software="x", max_bytes=most)
    for told in answers[:known]:
        answer(writer, **told)
    at = writer.sync()
    for told in answers[known : known + written]:
        answer(writer, **told)
    last = folder / "a" / writer.file
    writer.close()
    if torn:
        with last.open("ab") as file:
            file.write(torn)

    at = tuple(json.loads(json.dumps(at)))  # as a database keeps it
    writer = WarcWriter(folder / "a", software="x", max_bytes=most, at=at)
    for told in answers[known:]:
        answer(writer, **told)
    writer.close()
    archive(folder / "b", *answers, max_bytes=most)
    assert contents(folder / "a") == contents(folder / "b")


def test_opened_at_a_place_the_archive_ends_there(tmp_path):
    stored = archive(
        tmp_path, *[{"body": random.Random(n).randbytes(3000)} for n in range(6)], max_bytes=5000
    )
    assert stored[5].file == "crawl-00002.warc.gz"
    at = (stored[2].file, stored[2].offset + stored[2].length)
    writer = WarcWriter(tmp_path, software="x", at=at)
    assert writer.sync() == at
    writer.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {stored[0].file: stored[1].offset + stored[1].length, at[0]: at[1]}


@pytest.mark.parametrize("left", [1, 9, 60, 300])
def test_without_a_commit_a_torn_record_is_cut_and_whole_ones_stay(tmp_path, left):
    first, torn = archive(tmp_path, {"body": b"one"}, {"body": random.Random(1).randbytes(400)})
    path = tmp_path / first.file
    path.write_bytes(path.read_bytes()[: torn.offset + left])
    archive(tmp_path, {"body": b"three"})
    found = list(records(path))
    assert [record.body for record in found[1:]] == [b"one", b"three"]
    assert found[2].offset == torn.offset


def test_only_files_of_the_archive_are_cut_or_removed(tmp_path):
    archive(tmp_path, {"body": b"one"})
    others = ["notes.txt", "crawl-1.warc.gz", "crawl-00001.warc.gz.bak", "crawl-00009.warc"]
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    WarcWriter(tmp_path, software="x", at=("crawl-00000.warc.gz", 0)).close()
    assert [(tmp_path / name).read_bytes() for name in others] == [b"mine"] * 4


def test_an_archive_that_ends_before_its_last_commit_is_refused(tmp_path):
    (stored,) = archive(tmp_path, {"body": b"one"})
    end = stored.offset + stored.length
    for at in ((stored.file, end + 1), ("crawl-00001.warc.gz", 1)):
        with pytest.raises(Corruption, match="accounted for"):
            WarcWriter(tmp_path, software="x", at=at)
    for name in ("../crawl-00000.warc.gz", "crawl-00000.warc.gz\n", "/etc/passwd"):
        with pytest.raises(ValueError, match="no place"):
            WarcWriter(tmp_path, software="x", at=(name, 0))
    assert (tmp_path / stored.file).stat().st_size == end


def test_a_full_disk_leaves_whole_records(tmp_path, monkeypatch):
    writer = WarcWriter(tmp_path, software="x")
    first = answer(writer, body=b"one")

    class Full(io.FileIO):
        def write(self, data):
            super().write(bytes(data)[:20])
            raise OSError(28, "No space left on device")

    writer._file.close()
    writer._file = Full(tmp_path / first.file, "r+b")
    writer._file.seek(writer.sync()[1])
    with pytest.raises(StorageError, match="No space left"):
        answer(writer, body=b"two")
    writer.close()
    assert [item.type for item in records(tmp_path / first.file)] == ["warcinfo", "response"]


@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=300),
    reason=st.text(max_size=10),
    headers=st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=20)), max_size=4),
    url=st.text(max_size=30),
)
def test_whatever_comes_is_one_record_with_that_body(tmp_path_factory, body, reason, headers, url):
    folder = tmp_path_factory.mktemp("any")
    (stored,) = archive(
        folder,
        {
            "url": "http://h/" + url,
            "body": body,
            "reason": reason,
            "headers": tuple(headers),
            "request_headers": REQUEST,
        },
    )
    assert isinstance(stored, Stored)
    found = list(records(folder / stored.file))
    assert not [item for item in found if isinstance(item, WarcFault)]
    assert [item.type for item in found if isinstance(item, WarcRecord)] == [
        "warcinfo",
        "response",
        "request",
    ]
    assert found[1].body == body
    assert found[1].url.startswith("http://h/")
