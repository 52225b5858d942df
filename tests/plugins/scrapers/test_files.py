import gzip
import json
import os
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import ValidationError

from plugins.contracts import Locates, Place
from plugins.scrapers import files as files_module, media, tables
from plugins.scrapers.files import Files
from schemas.errors import SourceError
from schemas.fingerprint import digest


def write(base, name, content):
    path = base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        content = "".join(json.dumps(row) + "\n" for row in content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def gather(base, **options):
    scraper, place = Files(**options), Place(base, base / ".work")
    parts = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    return [page for where in parts for page in scraper.fetch(place, files_module.Part(where))]


def rows(base, **options):
    return {
        page.locator: page.content.decode() if page.content is not None else page.error
        for page in gather(base, **options)
    }


def test_whole_files_are_pages_with_their_type_size_and_hash(tmp_path):
    for name in ("a.html", "b.HTM", "c.xhtml", "d.txt", "e.md"):
        write(tmp_path, name, name)
    pages = gather(tmp_path, path="*.*", license_value="CC0")
    assert [(page.locator, page.content_type) for page in pages] == [
        ("a.html", "text/html"),
        ("b.HTM", "text/html"),
        ("c.xhtml", "application/xhtml+xml"),
        ("d.txt", "text/plain"),
        ("e.md", "text/markdown"),
    ]
    page = pages[0]
    assert (page.size, page.content_hash, page.content) == (6, digest(b"a.html"), None)
    assert (page.path, page.raw_path, page.license) == (str(tmp_path / "a.html"), "a.html", "CC0")


def test_a_file_of_no_known_type_an_empty_one_and_a_dangling_link_are_pages_too(tmp_path):
    write(tmp_path, "empty.html", b"")
    write(tmp_path, "image.png", b"\x89PNG")
    (tmp_path / "gone.html").symlink_to(tmp_path / "nowhere")
    found = {page.locator: (page.error, page.size) for page in gather(tmp_path, path="*")}
    assert found == {
        "empty.html": (None, 0),
        "gone.html": ("unreadable", None),
        "image.png": ("unsupported", None),
    }


def test_groups_and_positions_of_whole_files_come_from_their_names(tmp_path):
    for name in ("t/17/page-2.html", "t/17/page-10.html", "about.html"):
        write(tmp_path, name, "x")
    pages = gather(tmp_path, path="**/*.html", group="t/([^/]+)/", position="page-([0-9]+)", fold=True)
    assert [(page.locator, page.group, page.position, page.fold) for page in pages] == [
        ("about.html", None, None, False),
        ("t/17/page-10.html", "17", 10, True),
        ("t/17/page-2.html", "17", 2, True),
    ]


@pytest.mark.parametrize(
    ("group", "says"), [("t/[^/]+/", "has 0 groups"), ("t/([^/]+", "is not a regular expression")]
)
def test_a_group_of_whole_files_must_be_an_expression_with_one_group(tmp_path, group, says):
    write(tmp_path, "a.html", "x")
    with pytest.raises(SourceError, match=says):
        gather(tmp_path, path="*.html", group=group)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_packed_files_are_read_like_plain_ones(tmp_path, suffix):
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[suffix]
    write(tmp_path, f"page.html{suffix}", pack(b"<p>page"))
    write(tmp_path, f"rows.jsonl{suffix}", pack(b'{"text":"one"}\n') + (pack(b'{"text":"two"}\n')))
    write(tmp_path, f"table.csv{suffix}", pack(b"text\nthree\n"))
    found = gather(tmp_path, path="*")
    assert [page.content or page.content_hash for page in found] == [
        b"<p>page" if suffix else digest(b"<p>page"),
        b"one",
        b"two",
        b"three",
    ]
    assert found[0].content_type == "text/html"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_packed_file_cut_short_loses_what_is_lost_and_no_more(tmp_path, suffix):
    pack = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor(write_content_size=False).compress}[suffix]
    noise = os.urandom(1 << 19).hex()
    data = pack(f'{{"text":"one"}}\n{{"text":"{noise}"}}\n{{"text":"three"}}\n'.encode())
    write(tmp_path, f"rows.jsonl{suffix}", data[: len(data) // 2])
    write(tmp_path, f"page.html{suffix}", data[: len(data) // 2])
    found = {page.locator: page.error for page in gather(tmp_path, path="*")}
    assert found[f"page.html{suffix}"] == "unreadable"
    assert found[f"rows.jsonl{suffix}#000000000"] is None
    assert found[f"rows.jsonl{suffix}#000000001"] == "unreadable"


def test_a_page_that_unpacks_beyond_the_bound_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "MAX_PAGE_BYTES", 1000)
    write(tmp_path, "bomb.html.gz", gzip.compress(b"0" * 10_000_000))
    write(tmp_path, "long.html", b"0" * 1001)
    assert [(page.error, page.content, page.path) for page in gather(tmp_path, path="*")] == [
        ("too-large", None, None)
    ] * 2


def test_columns_become_fields_and_the_rest_metadata(tmp_path):
    row = {
        "body": "text \ud800 with \0", "link": "https://a.example/", "name": "T", "by": ["Ann", "Bo"], "on": "2024-01-01", "thread": 7, "n": "3",
        "extra": {"a": [1.5]}, "none": None,
    }  # fmt: skip
    write(tmp_path, "r.jsonl", [row])
    (page,) = gather(
        tmp_path,
        path="*.jsonl",
        text="body",
        url="link",
        title="name",
        author="by",
        published="on",
        group="thread",
        position="n",
    )
    assert page.content.decode() == "text \ufffd with \0"
    assert (page.url, page.title, page.author, page.published, page.group, page.position) == (
        "https://a.example/",
        "T",
        "Ann, Bo",
        "2024-01-01",
        "7",
        3,
    )
    assert page.metadata == {"extra": {"a": [1.5]}}
    assert page.content_type == "text/plain; charset=utf-8"
    assert (page.raw_path, page.raw_offset) == ("r.jsonl", 0)


def test_a_column_of_html_goes_to_the_extractor(tmp_path):
    write(tmp_path, "r.jsonl", [{"text": "<p>x"}])
    assert gather(tmp_path, path="*.jsonl", content_html=True)[0].content_type == "text/html; charset=utf-8"


def test_rows_without_a_text_have_a_reason(tmp_path):
    write(tmp_path, "r.jsonl", b'{"text":"one"}\n{"txt":"two"}\n{"text":null}\n{"text":5}\n{"text":""}\n{\n')
    assert list(rows(tmp_path, path="*.jsonl").values()) == [
        "one",
        "no-text",
        "no-text",
        "not-text",
        "",
        "malformed",
    ]


def test_rows_are_named_by_number_or_id_and_never_twice(tmp_path):
    write(
        tmp_path,
        "r.jsonl",
        [
            {"id": "a", "text": "1"},
            {"id": 7, "text": "2"},
            {"id": "a", "text": "3"},
            {"text": "4"},
            {"id": "#000000002", "text": "5"},
        ],
    )
    assert list(rows(tmp_path, path="*.jsonl")) == [f"r.jsonl#{n:09}" for n in range(5)]
    assert rows(tmp_path, path="*.jsonl", id="id") == {
        "r.jsonl#a": "1",
        "r.jsonl#7": "2",
        "r.jsonl#000000002": "duplicate-id",
        "r.jsonl#000000003": "no-id",
        "r.jsonl##000000002": "5",
    }


def test_a_json_lines_file_cut_into_ranges_has_the_same_rows(tmp_path, monkeypatch):
    write(tmp_path, "r.jsonl", [{"text": f"row {number}" * (number % 7)} for number in range(500)])
    whole = rows(tmp_path, path="*.jsonl")
    monkeypatch.setattr(tables, "PART_BYTES", 1000)
    monkeypatch.setattr(tables.records, "BLOCK", 300)
    parts = Files(path="*.jsonl").parts(Place(tmp_path, tmp_path))
    assert len(parts) > 5
    assert len({part.digest for part in parts}) == len(parts)
    assert rows(tmp_path, path="*.jsonl") == whole
    for page in gather(tmp_path, path="*.jsonl"):
        with (tmp_path / "r.jsonl").open("rb") as file:
            file.seek(page.raw_offset)
            assert json.loads(file.readline())["text"].encode() == page.content


def test_what_is_appended_leaves_earlier_parts_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_BYTES", 1000)
    monkeypatch.setattr(tables.records, "BLOCK", 300)
    lines = [{"text": f"row {number}"} for number in range(300)]
    digests = []
    for count in (200, 300):
        write(tmp_path, "r.jsonl", lines[:count])
        digests.append([part.digest for part in Files(path="*.jsonl").parts(Place(tmp_path, tmp_path))])
    assert digests[0][:-1] == digests[1][: len(digests[0]) - 1]


def test_parquet_is_cut_by_row_groups_and_holds_the_same_rows(tmp_path, monkeypatch):
    texts = [f"row {number}" for number in range(100)]
    table = pa.table({
        "text": pa.array(texts).dictionary_encode(),
        "at": pa.array(range(100), pa.timestamp("us")),
        "raw": [b"\xff"] * 100,
    })
    pq.write_table(table, tmp_path / "r.parquet", row_group_size=10)
    monkeypatch.setattr(tables, "PART_BYTES", 1)
    assert len(Files(path="*.parquet").parts(Place(tmp_path, tmp_path))) == 10
    pages = gather(tmp_path, path="*.parquet")
    assert [page.content.decode() for page in pages] == texts
    assert [page.raw_offset for page in pages] == list(range(100))
    assert pages[1].metadata == {"at": "1970-01-01T00:00:00.000001", "raw": "/w=="}


def test_a_parquet_cell_that_is_no_utf8_costs_its_row(tmp_path):
    bad = pa.array([b"good", b"\xff\xfe", b"fine"]).view(pa.binary())
    text = pa.StringArray.from_buffers(3, bad.buffers()[1], bad.buffers()[2])
    pq.write_table(pa.table({"text": text}), tmp_path / "r.parquet")
    assert list(rows(tmp_path, path="*.parquet").values()) == ["good", "malformed", "fine"]


def test_tables_that_are_none_cost_themselves(tmp_path):
    write(tmp_path, "bad.parquet", b"PAR1 not really")
    write(tmp_path, "bad.json", b"oops")
    write(tmp_path, "good.json", b'[{"text":"one"},{"text":"two"}]')
    assert rows(tmp_path, path="*") == {
        "bad.parquet": "unreadable",
        "bad.json#000000000": "malformed",
        "good.json#000000000": "one",
        "good.json#000000001": "two",
    }


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_table_without_a_named_column_is_an_error_that_lists_what_it_has(tmp_path, name):
    if name == "t.csv":
        write(tmp_path, name, "id,contents\n1,x\n")
    else:
        pq.write_table(pa.table({"id": [1], "contents": ["x"]}), tmp_path / name)
    with pytest.raises(
        SourceError,
        match=r't\.\w+ has no column "content", which the option `text` names\. Nearest: "contents"\. Its columns: id, contents',
    ):
        gather(tmp_path, path=name, text="content")
    with pytest.raises(SourceError, match="the option `url` names"):
        gather(tmp_path, path=name, text="contents", url="link")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_csv_file_is_read_in_the_encoding_it_is_in(tmp_path, codec):
    write(tmp_path, "t.csv", 'text;n\n"naïve, café";1\nà bientôt;2\n'.encode(codec))
    assert list(rows(tmp_path, path="t.csv").values()) == ["naïve, café", "à bientôt"]


def test_an_encoding_in_the_recipe_holds_for_every_file(tmp_path):
    write(tmp_path, "a.html", "привет".encode("koi8-r"))
    write(tmp_path, "t.csv", "text\nпривет\n".encode("koi8-r"))
    page, row = gather(tmp_path, path="*", encoding="koi8-r")
    assert page.content_type == "text/html; charset=koi8-r"
    assert row.content.decode() == "привет"
    with pytest.raises(ValidationError, match="klingon"):
        Files(path="*", encoding="klingon")


def test_many_files_make_several_parts_of_bounded_size(tmp_path, monkeypatch):
    for number in range(20):
        write(tmp_path, f"{number:02}.txt", "x" * 100)
    monkeypatch.setattr(files_module, "PART_BYTES", 500)
    parts = Files(path="*.txt").parts(Place(tmp_path, tmp_path))
    assert [len(part.where["pages"]) for part in parts] == [5, 5, 5, 5]
    assert len(gather(tmp_path, path="*.txt")) == 20


def test_a_name_that_is_no_utf8_is_read_though_no_table_can_hold_it(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.html")).write_bytes(b"<p>x")
    (page,) = gather(tmp_path, path="*.html")
    assert (page.locator, page.path, page.content) == ("caf\\xe9.html", None, b"<p>x")


def test_where_the_files_lie_is_no_part_of_the_identity():
    assert Files(path="a/*.html").identity(without=Locates) == Files(path="b/*.html").identity()


def test_folding_without_a_group_is_refused():
    with pytest.raises(ValidationError, match="needs `group`"):
        Files(path="*", fold=True)


def test_a_zstandard_bomb_is_never_whole_in_memory(tmp_path):
    packed = zstandard.ZstdCompressor().compressobj()
    with (tmp_path / "x.zst").open("wb") as file:
        for _ in range(16):
            file.write(packed.compress(bytes(16 << 20)))
        file.write(packed.flush())
    tracemalloc.start()
    with media.open_bytes(str(tmp_path / "x.zst"), "zst") as file:
        assert file.read(1000) == bytes(1000)
    assert tracemalloc.get_traced_memory()[1] < 128 << 20
    tracemalloc.stop()


def test_a_compressed_zstandard_stream_of_many_frames_is_read_whole(tmp_path):
    pack = zstandard.ZstdCompressor().compress
    (tmp_path / "x.zst").write_bytes(b"".join(pack(bytes([n]) * 1000) for n in range(200)))
    with media.open_bytes(str(tmp_path / "x.zst"), "zst") as file:
        assert file.read() == b"".join(bytes([n]) * 1000 for n in range(200))


def test_a_table_rewritten_while_it_is_read_is_not_remembered_as_what_it_was(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    files, place = Files(path="rows.jsonl"), Place(tmp_path, tmp_path)
    (part,) = files.parts(place)
    pages = iter(files.fetch(place, part))
    next(pages)
    path.write_text('{"text": "one"}\n{"text": "new"}\n{"text": "more"}\n')
    with pytest.raises(SourceError, match="rewritten while it was read"):
        list(pages)
