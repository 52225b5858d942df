"""Archives read to the end, broken ones too."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

import fastwarc.warc
import pytest
import zstandard
from fastwarc.warc import ArchiveIterator as FastReader
from hypothesis import given, settings, strategies as st

from plugins.web.warc_reading import WarcFault, WarcRecord, read_at, records

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "warc"
SAMPLES = sorted(path for path in DATA.rglob("*") if ".warc" in path.name or ".arc" in path.name)
BROKEN = {
    "bad.arc": "malformed",
    "example-bad-non-chunked.warc.gz": "digest",
    "example-digest.warc": None,
    "example-space-in-url.arc": "truncated",
    "example-trunc.warc": "malformed",
    "example-wrong-chunks.warc.gz": "digest",
}
"""Files with a fault, and the first one's reason; that of pywb's example.warc is told apart below."""
GOOD = [path for path in SAMPLES if path.name not in BROKEN and path.parts[-2:] != ("warcs", "example.warc")]
needs_samples = pytest.mark.skipif(not SAMPLES, reason="the sample archives lie beside the working tree")


def warc(kind, body, *, url="http://example.org/", length=None, **fields):
    body = body if isinstance(body, bytes) else body.encode()
    stated = {"WARC-Type": kind, "WARC-Target-URI": url, "WARC-Date": "2024-08-05T10:11:12Z"}
    stated |= {key.replace("_", "-"): value for key, value in fields.items()}
    stated["Content-Length"] = str(len(body) if length is None else length)
    lines = "".join(f"{key}: {value}\r\n" for key, value in stated.items())
    return f"WARC/1.0\r\n{lines}\r\n".encode() + body + b"\r\n\r\n"


def http(body, head="HTTP/1.1 200 OK\r\nContent-Type: text/html"):
    return head.encode() + b"\r\n\r\n" + body


RECORDS = [
    warc("warcinfo", "software: x\r\n"),
    *(
        warc("response", http(random.Random(n).randbytes(200 + n)), url=f"http://example.org/{n}")
        for n in range(4)
    ),
    warc("conversion", "Text of a page.\n", url="http://example.org/text"),
]


def written(folder, data):
    path = folder / "file"
    path.write_bytes(data)
    return path


def read(folder, data, **options):
    found = list(records(written(folder, data), **options))
    good = [item for item in found if isinstance(item, WarcRecord)]
    return good, [item for item in found if isinstance(item, WarcFault)]


def packed(parts, packing):
    if packing == "gz":
        return [gzip.compress(part, 1, mtime=0) for part in parts]
    if packing == "zst":
        return [zstandard.compress(part, 3) for part in parts]
    return list(parts)


# ------------------------------------------------------------------------------------------------ what others wrote


@needs_samples
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: "/".join(path.parts[-2:]))
def test_every_sample_is_read_to_its_end(path):
    found = list(records(path))
    assert found
    faults = [item for item in found if isinstance(item, WarcFault)]
    if path in GOOD:
        assert not faults
        sizes = [item.length for item in found]
        assert sum(sizes) == (path.stat().st_size if all(sizes) else 0)
    elif reason := BROKEN.get(path.name):
        assert faults[0].reason == reason
    for item in found:
        if isinstance(item, WarcRecord) and item.length:
            assert read_at(path, item.offset, item.length) == item


@needs_samples
@pytest.mark.parametrize(
    "path", [path for path in GOOD if ".arc" not in path.name], ids=lambda path: "/".join(path.parts[-2:])
)
def test_a_sound_sample_reads_as_fastwarc_reads_it(path):
    theirs = []
    with path.open("rb") as file:
        for record in FastReader(file, auto_decode="none", strict_mode=False):
            response = record.record_type == fastwarc.warc.response and record.is_http
            status = record.http_headers.status_code if response else None
            theirs.append((
                record.record_id,
                record.headers.get("WARC-Target-URI"),
                status,
                record.reader.read(),
            ))
    ours = [item for item in records(path) if isinstance(item, WarcRecord)]
    assert len(ours) == len(theirs)
    for mine, (identity, url, status, payload) in zip(ours, theirs, strict=True):
        assert (mine.id, mine.header("WARC-Target-URI")) == (identity, url)
        assert mine.block.endswith(payload)
        if status is not None:  # fastwarc finds none without a reason, and one in "HTTPX/1.1 200 OK"
            assert mine.status == status or mine.block.startswith(b"HTTPX/")
        if mine.status is not None and mine.type == "response":
            chunked = "chunked" in (mine.http_header("Transfer-Encoding") or "")
            assert mine.body == payload or (chunked and len(mine.body) < len(payload))


@needs_samples
def test_a_whole_file_packed_as_one_member_is_read_though_its_records_have_no_place_of_their_own():
    (path,) = DATA.glob("warcio/**/example-bad.warc.gz.bad")
    found = list(records(path))
    assert [item.type for item in found] == [
        "warcinfo",
        "response",
        "request",
        "revisit",
        "request",
        "response",
    ][: len(found)] or len(found) == 6
    assert {item.offset for item in found} == {0}
    assert len({item.within for item in found}) == len(found)
    assert {item.length for item in found} == {0}


@needs_samples
def test_arc_gives_the_capture_its_header_line_states():
    (path,) = DATA.glob("warcio/**/example.arc.gz")
    info, page = records(path)
    assert info.type == "warcinfo"
    assert (page.type, page.url, page.status) == ("response", "http://example.com/", 200)
    assert page.date == datetime(2014, 2, 16, 5, 2, 21, tzinfo=UTC)
    assert page.body.startswith(b"<!doctype html>")
    assert page.body.endswith(b"</html>\n")


# ------------------------------------------------------------------------------------------------ cut, broken, hostile


@pytest.mark.parametrize("packing", ["", "gz", "zst"])
def test_a_file_cut_anywhere_but_between_records_ends_in_a_fault(tmp_path, packing):
    parts = packed(RECORDS, packing)
    data, ends = b"".join(parts), [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    whole, none = read(tmp_path, data)
    assert len(whole) == len(RECORDS)
    assert not none
    for cut in range(0, len(data), 1 if packing == "gz" else 3):
        good, faults = read(tmp_path, data[:cut])
        spare = 0 if packing else 4  # the line ends that close a record: without them nothing is lost
        before = sum(end - spare <= cut for end in ends[1:])
        assert [item.block for item in good] == [item.block for item in whole[:before]]
        if any(end - spare <= cut <= end for end in ends[1:]):
            assert not faults
        else:
            assert [fault.offset for fault in faults] == [ends[before]], cut
            assert faults[0].reason == "truncated" or packing != "gz", (cut, ends)


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_a_broken_member_costs_its_record_and_no_other(tmp_path, packing):
    parts = packed(RECORDS, packing)
    broken = bytearray(parts[2])
    broken[len(broken) // 2] ^= 0xFF
    parts[2] = bytes(broken)
    good, faults = read(tmp_path, b"".join(parts))
    if packing == "gz":
        assert [fault.reason for fault in faults] == ["malformed"]
        assert faults[0].offset == len(parts[0] + parts[1])
        assert [item.url for item in good] == [f"http://example.org/{n}" for n in ("", 0, 2, 3, "text")]
    else:  # the frames have no checksum, so that what was random may be read as it is
        assert len(good) + len(faults) == len(RECORDS)


@pytest.mark.parametrize("packing", ["", "gz", "zst"])
@pytest.mark.parametrize(
    "garbage", [b"<html>an error page", b"\x1f\x8b\x08 no gzip", random.Random(3).randbytes(3000)]
)
def test_garbage_between_and_after_records_is_told_and_passed_over(tmp_path, packing, garbage):
    parts = packed(RECORDS, packing)
    good, faults = read(tmp_path, b"".join([*parts[:3], garbage, *parts[3:], garbage]))
    assert [item.url for item in good] == [f"http://example.org/{n}" for n in ("", 0, 1, 2, 3, "text")]
    assert [fault.offset for fault in faults] == [len(b"".join(parts[:3])), len(b"".join(parts) + garbage)]


def test_zeros_after_the_last_member_are_padding(tmp_path):
    good, faults = read(tmp_path, b"".join(packed(RECORDS, "gz")) + bytes(70_000))
    assert len(good) == len(RECORDS)
    assert not faults


@pytest.mark.parametrize("length", [0, 5, 330, 10_000, 10**17])
@pytest.mark.parametrize("packing", ["", "gz"])
def test_a_record_with_a_wrong_length_hides_none_of_the_others(tmp_path, length, packing):
    wrong = warc("response", http(b"x" * 100), url="http://example.org/wrong", length=length)
    good, faults = read(tmp_path, b"".join(packed([*RECORDS[:2], wrong, *RECORDS[2:]], packing)))
    assert [item.url for item in good] == [f"http://example.org/{n}" for n in ("", 0, 1, 2, 3, "text")]
    assert faults[0].url == "http://example.org/wrong"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Content-Length: 13", b"Content-Length: -13", "malformed"),
        (b"Content-Length: 13", b"Content-Length: 1e1", "malformed"),
        (b"Content-Length: 13", b"No-Length: 13", "malformed"),
        (b"WARC-Type: warcinfo\r\n", b"", "malformed"),
        (b"WARC/1.0", b"WRAC/1.0", "malformed"),
        (b"WARC-Type", b"X: " + b"y" * 70_000 + b"\r\nWARC-Type", "malformed"),
        (b"WARC-Type", b"WARC-Block-Digest: sha1:" + b"A" * 32 + b"\r\nWARC-Type", "digest"),
        (b"WARC-Type", b"WARC-Block-Digest: sha1:" + b"\xff" * 9 + b"\r\nWARC-Type", "digest"),
    ],
)
@pytest.mark.parametrize("packing", ["", "gz"])
def test_a_header_that_says_what_cannot_be_costs_one_record(tmp_path, old, new, reason, packing):
    odd = RECORDS[0].replace(old, new)
    good, faults = read(tmp_path, b"".join(packed([*RECORDS[1:], odd, *RECORDS[1:]], packing)))
    assert len(good) == 2 * len(RECORDS) - 2
    assert {fault.reason for fault in faults} == {reason}


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"<html>", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"WARC/1.0", b"filedesc://x\n"]
)
def test_what_is_no_archive_is_a_fault(tmp_path, data):
    good, faults = read(tmp_path, data)
    assert not good
    assert len(faults) == (data != b"\n")


def test_a_file_that_cannot_be_opened_is_a_fault(tmp_path):
    (fault,) = records(tmp_path / "absent.warc.gz")
    assert (fault.reason, fault.detail) == ("unreadable", "No such file or directory")


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_a_huge_record_is_passed_over_in_little_memory(tmp_path, packing):
    huge = warc("response", bytes(150 << 20), url="http://example.org/huge")
    path = written(tmp_path, b"".join(packed([RECORDS[0], huge, *RECORDS[1:]], packing)))
    del huge
    tracemalloc.start()
    found = list(records(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (fault,) = (item for item in found if isinstance(item, WarcFault))
    assert (fault.reason, fault.url) == ("too-large", "http://example.org/huge")
    assert len(found) == len(RECORDS) + 1
    assert peak < 8 << 20


def test_a_line_without_an_end_is_not_gathered(tmp_path):
    path = written(tmp_path, gzip.compress(b"WARC/1.0\r\nX: " + b"a" * (80 << 20), 1))
    tracemalloc.start()
    (fault,) = records(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fault.reason == "malformed"
    assert peak < 4 << 20


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["", "gz", "zst"]),
    st.binary(max_size=30),
    st.integers(0, 3000),
    st.integers(0, 40),
)
def test_nothing_that_a_file_may_hold_raises(tmp_path_factory, noise, packing, patch, at, cut):
    folder = tmp_path_factory.mktemp("noise")
    data = b"".join(packed(RECORDS, packing))
    for hostile in (
        noise,
        data[:at] + patch + data[at + cut :],
        b"".join(packed([RECORDS[0] + noise + RECORDS[1]], packing)),
    ):
        good, faults = read(folder, hostile)
        assert good or faults or not hostile.strip(b"\r\n")
        assert [item.url for item in good[:1]] in ([], ["http://example.org/"]) or at < 3000


# ------------------------------------------------------------------------------------------------ forms


def test_frames_that_share_a_dictionary_are_read(tmp_path):
    samples = [warc("response", http(b"<p>common words %d</p>" % n * 5)) for n in range(200)]
    dictionary = zstandard.train_dictionary(4096, samples)
    packer = zstandard.ZstdCompressor(dict_data=dictionary)
    for data in (dictionary.as_bytes(), zstandard.compress(dictionary.as_bytes())):
        frame = b"\x5d\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data
        good, faults = read(tmp_path, frame + b"".join(packer.compress(record) for record in RECORDS))
        assert len(good) == len(RECORDS)
        assert not faults
        assert read_at(tmp_path / "file", good[2].offset, good[2].length) == good[2]


def test_members_that_end_amid_records_are_one_stream(tmp_path):
    data = b"".join(RECORDS)
    pieces = [data[n : n + 100] for n in range(0, len(data), 100)]
    good, faults = read(tmp_path, b"".join(packed(pieces, "gz")))
    assert [item.block for item in good] == [item.block for item in read(tmp_path, data)[0]]
    assert not faults


def test_after_a_broken_member_amid_records_the_next_whole_records_are_found(tmp_path):
    data = b"".join(RECORDS)
    pieces = packed([data[n : n + 150] for n in range(0, len(data), 150)], "gz")
    pieces[2] = pieces[2][:60] + bytes([pieces[2][60] ^ 0xFF]) + pieces[2][61:]
    good, faults = read(tmp_path, b"".join(pieces))
    assert [item.url for item in good] == [f"http://example.org/{n}" for n in ("", 1, 2, 3, "text")]
    assert faults


@pytest.mark.parametrize(
    "hostile",
    [
        b"\n" * (300 << 20),
        b"WARC/1.0\r\n" + b":\n" * (1 << 19),
        b"WARC/1.0\r\n" + b" \n" * (1 << 19),
        warc("response", http(b"", "HTTP/1.1 200 OK\r\n" + " \r\n" * 300_000)),
        warc("response", http(b"1\r\nx\r\n" * 4_000_000, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")),
    ],
    ids=["blank lines", "fields", "folded lines", "HTTP lines", "chunks"],
)
def test_what_packs_well_does_not_take_long(tmp_path, hostile):
    path = written(tmp_path, gzip.compress(hostile, 1))
    began = process_time()
    assert len(list(records(path))) <= 1
    assert process_time() - began < 3


def test_reading_begins_at_an_offset(tmp_path):
    for packing in ("", "gz", "zst"):
        path = written(tmp_path, b"".join(packed(RECORDS, packing)))
        whole = list(records(path))
        assert list(records(path, start=whole[2].offset)) == whole[2:]
        assert list(records(path, start=path.stat().st_size)) == []


def test_read_at_refuses_what_is_no_whole_record(tmp_path):
    path = written(tmp_path, b"".join(packed(RECORDS, "gz")))
    first, second = list(records(path))[:2]
    for offset, length in (
        (1, first.length),
        (0, first.length + second.length),
        (0, 10**9),
        (second.offset, first.length),
    ):
        with pytest.raises(ValueError, match="record|ends before"):
            read_at(path, offset, length)


CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("sent", "body", "truncated"),
    [
        (b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", b"hello world", None),
        (b"5\nhello\n0\n\n", b"hello", None),
        (b"0\r\n\r\n", b"", None),
        (b"<html>chunks undone already", b"<html>chunks undone already", None),
        (b"5 is no chunk but a sentence", b"5 is no chunk but a sentence", None),
        (b"5\r\nhello\r\nzz\r\n world", b"hello", "chunked"),
        (b"5\r\nhello\r\n9\r\n wor", b"hello wor", "chunked"),
        (b"ffffffff\r\nhello", b"ffffffff\r\nhello", None),
        (b"", b"", None),
    ],
)
def test_chunks_are_joined_where_there_are_any(tmp_path, sent, body, truncated):
    (record,), _ = read(tmp_path, warc("response", http(sent, CHUNKED)))
    assert (record.body, record.truncated) == (body, truncated)


@pytest.mark.parametrize(
    ("head", "status", "reason", "value"),
    [
        ("HTTP/1.1 200 OK\r\nA: 1\r\nX:  a\r\n  b\r\nx: c", 200, "OK", "c"),
        ("HTTP/1.0 404\r\nX: a", 404, "", "a"),
        ("HTTP/2 200 \r\nx:a:b", 200, "", "a:b"),
        ("HTTP/1.1 200 OK\r\nno colon here\r\nX: a", 200, "OK", "a"),
        ("HTTP/1.1 200 OK", 200, "OK", None),
    ],
)
def test_heads_of_all_sorts_are_read(tmp_path, head, status, reason, value):
    (record,), _ = read(tmp_path, warc("response", http(b"body", head)))
    assert (record.status, record.reason, record.http_header("X"), record.body) == (
        status,
        reason,
        value,
        b"body",
    )


def test_a_block_that_is_no_http_is_the_body(tmp_path):
    (dns, text), _ = read(
        tmp_path,
        warc("response", "20240805\nexample.org. 1 IN A 192.0.2.1\n", Content_Type="text/dns") + RECORDS[5],
    )
    assert (dns.status, dns.body[:8]) == (None, b"20240805")
    assert text.body == b"Text of a page.\n"


def test_addresses_in_angle_brackets_are_bare_and_odd_dates_unknown(tmp_path):
    (record,), _ = read(tmp_path, warc("resource", "x", url="<http://example.org/>", WARC_Date="yesterday"))
    assert (record.url, record.date) == ("http://example.org/", None)


def test_arc_of_both_versions_and_urls_with_blanks_are_read(tmp_path):
    body = http(b"<p>arc")
    first = b"filedesc://x.arc 0.0.0.0 20010203040506 text/plain 17\n1 0 Org\nURL ...\n\n\n"
    one = b"http://example.org/a b 192.0.2.1 20010203040506 text/html %d\n" % len(body) + body + b"\n"
    two = (
        b"http://example.org/2 2001:db8::1 20010203040506 text/html 200 - - 99 x.arc %d\n" % len(body)
        + body
        + b"\n"
    )
    for packing in ("", "gz"):
        (info, *pages), faults = read(tmp_path, b"".join(packed([first, one, two], packing)))
        assert not faults
        assert info.type == "warcinfo"
        assert [page.url for page in pages] == ["http://example.org/a b", "http://example.org/2"]
        assert {page.body for page in pages} == {b"<p>arc"}
