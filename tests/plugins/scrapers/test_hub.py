"""The hub's data sets, from a server of its shape: only the ranges wanted, of a pinned commit, and a token that goes nowhere else."""

import hashlib
import io
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from plugins.contracts import Part, Place
from plugins.scrapers import hub, hub_repository
from plugins.scrapers.hub import Hub
from schemas.errors import SourceError

MAIN, CONVERT, OLD = "a" * 40, "b" * 40, "c" * 40


def parquet(rows, group=2):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=group, write_page_checksum=True)
    return sink.getvalue()


def rows(start, stop):
    return [
        {"id": f"n{n}", "text": f"text {n}", "lang": "en", "picture": bytes([n]) * 2000}
        for n in range(start, stop)
    ]


class Server(BaseHTTPRequestHandler):
    """The paths of the hub's API that are asked for, and a second host (localhost) that holds the bytes, as its storage does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        hub_, parts = self.server, urlsplit(self.path)
        path, held = unquote(parts.path), hub_.repositories
        host = self.headers["Host"].partition(":")[0]
        hub_.asked.append((host, path, self.headers.get("Range"), self.headers.get("Authorization")))
        if hub_.broken > 0 and path.startswith("/blobs/"):
            hub_.broken -= 1
            self.answer(503, b"")
        elif match := re.fullmatch(r"/api/datasets/(.+)/revision/(.+)", path):
            self.revision(*match.groups())
        elif match := re.fullmatch(r"/api/datasets/(.+)/tree/(\w{40})", path):
            files = sorted(held[match[1]][1][match[2]].items())
            page = int(parts.query.partition("cursor=")[2] or 0)
            told = [{"type": "directory", "path": "en", "oid": "0", "size": 0}] if page == 0 else []
            told += [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in files[page : page + 2]
            ]
            more = (
                {"Link": f'<{hub_.url}{parts.path}?cursor={page + 2}>; rel="next"'}
                if page + 2 < len(files)
                else {}
            )
            self.answer(200, json.dumps(told).encode(), more)
        elif match := re.fullmatch(r"/datasets/(.+)/resolve/(\w{40})/(.+)", path):
            self.answer(
                302,
                b"",
                {
                    "Location": f"{hub_.storage}/blobs/{match[1]}/{match[2]}/{match[3]}",
                    "X-Repo-Commit": match[2],
                },
            )
        elif match := re.fullmatch(r"/blobs/([^/]+/[^/]+)/(\w{40})/(.+)", path):
            self.bytes(held[match[1]][1][match[2]][match[3]])
        else:
            self.answer(404, b"")

    def revision(self, name, revision):
        refs, commits, card = self.server.repositories.get(name, ({}, {}, {}))
        if not refs:
            self.answer(401, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})
        elif card.get("gated") and not self.headers.get("Authorization"):
            self.answer(403, b'{"error": "gated"}', {"X-Error-Code": "GatedRepo"})
        elif (commit := refs.get(revision) or (revision if revision in commits else None)) is None:
            self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            told = {"id": name, "sha": commit, "private": False, "cardData": card, "siblings": []}
            self.answer(200, json.dumps(told).encode())

    def bytes(self, data):
        start, stop = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        if self.server.mode == "whole":
            self.answer(200, data)
        elif self.server.mode == "other":
            self.answer(
                206, data[: stop - start + 1], {"Content-Range": f"bytes 0-{stop - start}/{len(data)}"}
            )
        else:
            self.answer(206, data[start : stop + 1], {"Content-Range": f"bytes {start}-{stop}/{len(data)}"})

    def answer(self, status, data, headers=()):
        self.send_response(status)
        for key, value in {
            "Content-Length": str(len(data)),
            "Content-Type": "application/json",
            **dict(headers),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.daemon_threads = True
        running.url, running.storage = (
            f"http://{host}:{running.server_port}" for host in ("127.0.0.1", "localhost")
        )
        running.asked, running.broken, running.mode = [], 0, "ranges"
        converted = {
            "en/train/0000.parquet": parquet(rows(0, 5)),
            "en/train/0001.parquet": parquet(rows(5, 8)),
            "en/test/0000.parquet": parquet(rows(8, 9)),
            "de/train/0000.parquet": parquet(rows(9, 10)),
        }
        own = {"README.md": b"x", "data/train.parquet": parquet(rows(0, 3)), "bad.parquet": b"PAR1 no PAR1"}
        running.repositories = {
            "ORG/NAME": ({"main": MAIN, "refs/convert/parquet": CONVERT}, {MAIN: own, CONVERT: converted}, {"license": "cc-by-4.0"}),
            "ORG/ONE": ({"main": MAIN, "refs/convert/parquet": CONVERT}, {MAIN: {}, CONVERT: {"default/partial-train/0000.parquet": parquet(rows(0, 2))}}, {}),
            "ORG/RAW": ({"main": MAIN}, {MAIN: own}, {}),
            "ORG/GATED": ({"main": MAIN}, {MAIN: own}, {"gated": True}),
        }  # fmt: skip
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
        huggingface_hub.close_session()
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        huggingface_hub.close_session()
        running.shutdown()


def parts(base, **options):
    place = Place(base, base / "work")
    return Hub(**{"dataset": "ORG/NAME", "config": "en", **options}).parts(place)


def gather(base, **options):
    scraper, place = Hub(**{"dataset": "ORG/NAME", "config": "en", **options}), Place(base, base / "work")
    told = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    return [page for where in told for page in scraper.fetch(place, Part(where))]


def test_rows_of_the_conversion_are_pages_that_name_the_commit_and_the_licence(server, tmp_path):
    pages = gather(tmp_path, keep=["lang"])
    assert [page.content.decode() for page in pages] == [f"text {n}" for n in range(8)]
    assert [page.locator for page in pages][4:6] == [
        "en/train/0000.parquet#000000004",
        "en/train/0001.parquet#000000000",
    ]
    assert (pages[0].raw_path, pages[0].license) == (f"{CONVERT}/en/train/0000.parquet", "cc-by-4.0")
    assert pages[0].metadata == {"lang": "en"}


def test_with_an_id_rows_are_named_by_it_and_with_a_limit_only_the_first_are_fetched(server, tmp_path):
    pages = gather(tmp_path, id="id", limit=6, license_value="CC0", keep=[])
    assert [page.locator for page in pages] == [
        *(f"en/train/0000.parquet#n{n}" for n in range(5)),
        "en/train/0001.parquet#n5",
    ]
    assert pages[0].license == "CC0"
    assert not any("de/" in path or "test/" in path for _, path, _, _ in server.asked if "blobs" in path)


def test_parts_are_runs_of_row_groups_and_columns_that_are_not_kept_are_not_fetched(
    server, tmp_path, monkeypatch
):
    monkeypatch.setattr(hub, "PART_BYTES", 1)
    found = parts(tmp_path)
    assert [(part.where["groups"], part.where["number"]) for part in found] == [
        ([0], 0), ([1], 2), ([2], 4), ([0], 0), ([1], 2),
    ]  # fmt: skip
    assert len({part.digest for part in found}) == 5
    server.asked.clear()
    assert [page.content for page in gather(tmp_path, keep=[], limit=2)] == [b"text 0", b"text 1"]
    data = server.repositories["ORG/NAME"][1][CONVERT]["en/train/0000.parquet"]
    ranges = [tuple(map(int, span[6:].split("-"))) for _, path, span, _ in server.asked if "blobs" in path]
    file = pq.ParquetFile(io.BytesIO(data))
    picture = file.metadata.row_group(0).column(file.schema_arrow.names.index("picture"))
    at = picture.dictionary_page_offset or picture.data_page_offset
    footer = len(data) - (1 << 16)
    assert not any(start <= at <= stop for start, stop in ranges if start > max(footer, 0))


def test_a_commit_in_the_recipe_is_answered_without_the_hub_once_it_was_seen(server, tmp_path):
    first = parts(tmp_path, revision=CONVERT)
    server.asked.clear()
    second = parts(tmp_path, revision=CONVERT)
    assert [part.digest for part in first] == [part.digest for part in second]
    assert server.asked == []


def test_a_branch_that_moved_makes_other_parts_and_the_old_commit_stays_readable(server, tmp_path):
    before = parts(tmp_path)
    refs, commits, _ = server.repositories["ORG/NAME"]
    commits[OLD], refs["refs/convert/parquet"] = {"en/train/0000.parquet": parquet(rows(0, 1))}, OLD
    assert [page.content for page in gather(tmp_path)] == [b"text 0"]
    assert {part.digest for part in parts(tmp_path)}.isdisjoint(part.digest for part in before)
    assert [part.digest for part in parts(tmp_path, revision=CONVERT)] == [part.digest for part in before]


def test_the_token_of_the_environment_goes_to_the_hub_and_not_where_it_redirects(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    gather(tmp_path, dataset="ORG/GATED", config=None, path="data/*.parquet")
    by_host = {
        host: {given for at, _, _, given in server.asked if at == host} for host in ("127.0.0.1", "localhost")
    }
    assert by_host == {"127.0.0.1": {"Bearer hf_secretsecretsecret"}, "localhost": {None}}
    assert not any("secret" in path.read_text() for path in (tmp_path / "work").iterdir())


def test_a_token_that_the_client_stored_at_a_login_is_not_sent(server, tmp_path, monkeypatch):
    from huggingface_hub import constants

    (tmp_path / "token").write_text("hf_storedstoredstored")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    gather(tmp_path)
    assert {given for *_, given in server.asked} == {None}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dataset": "ORG/NONE"}, r'no data set "ORG/NONE".*export HF_TOKEN=…'),
        ({"dataset": "ORG/GATED"}, r"gated: accept its terms"),
        ({"dataset": "ORG/RAW"}, r"not converted it; read its own Parquet files with path"),
        ({"revision": "v9"}, r"no revision v9: name a branch"),
        ({"config": None}, r'several configs.*They are: de, en. Write config = "de"'),
        ({"config": "eng"}, r'no config "eng". Nearest: "en"'),
        ({"split": "tests"}, r'no split "tests". Nearest: "test"'),
        (
            {"dataset": "ORG/ONE", "config": None},
            r'Write split = "partial-train". The hub converted its first 5 GB only',
        ),
        ({"text": "body"}, r'no column "body".*Its columns: id, text, lang, picture'),
        ({"keep": ["langs"]}, r'no column "langs". Nearest: "lang"'),
        (
            {"path": "*.csv"},
            r"no Parquet file of ORG/NAME matches \*.csv. It has bad.parquet, data/train.parquet",
        ),
        ({"path": "bad.parquet"}, r"bad.parquet is no Parquet file"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(server, tmp_path, options, says):
    with pytest.raises(SourceError, match=says):
        parts(tmp_path, **options)


def test_files_of_the_repository_itself_are_read_by_path(server, tmp_path):
    pages = gather(tmp_path, config=None, path="data/*.parquet")
    assert [page.locator for page in pages] == [f"data/train.parquet#00000000{n}" for n in range(3)]


def test_a_hub_that_stumbles_is_asked_again(server, tmp_path):
    server.broken = 3
    assert len(gather(tmp_path, keep=[])) == 8


@pytest.mark.parametrize("mode", ["whole", "other"])
def test_bytes_that_were_not_asked_for_are_refused(server, tmp_path, mode):
    (part, *_) = parts(tmp_path)
    server.mode = mode
    with pytest.raises(SourceError, match=r"the hub answered 20\d"):
        list(Hub(dataset="ORG/NAME").fetch(Place(tmp_path, tmp_path / "work"), part))


def test_a_hub_that_went_away_fails_the_part_and_is_no_fate_that_would_be_remembered(server, tmp_path):
    (part, *_) = parts(tmp_path)
    server.broken = 10**6
    with pytest.raises(SourceError, match=r"did not give ORG/NAME.*Build again"):
        list(Hub(dataset="ORG/NAME").fetch(Place(tmp_path, tmp_path / "work"), part))


def test_damage_inside_a_file_costs_one_page(server, tmp_path):
    files = server.repositories["ORG/NAME"][1][CONVERT]
    file = pq.ParquetFile(io.BytesIO(files["en/train/0000.parquet"]))
    column = file.metadata.row_group(1).column(1)
    at = column.dictionary_page_offset + column.total_compressed_size - 2
    (part, *_) = parts(tmp_path, keep=[])
    data = bytearray(files["en/train/0000.parquet"])
    data[at] ^= 255
    files["en/train/0000.parquet"] = bytes(data)
    pages = list(Hub(dataset="ORG/NAME", keep=[]).fetch(Place(tmp_path, tmp_path / "work"), part))
    assert [page.error for page in pages][-1] == "unreadable"
    assert sum(page.error is not None for page in pages) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"token": "x"},
        {"hf_token": "x"},
        {"revision": "hf_abcdefghijklmnopqrst"},
        {"path": ["hf_abcdefghijklmnopqrst"]},
    ],
)
def test_a_recipe_that_seems_to_hold_a_token_is_refused_without_showing_it(options):
    with pytest.raises(ValidationError) as caught:
        Hub(dataset="ORG/NAME", **options)
    message = str(caught.value.errors()[0]["ctx"]["error"])
    assert "export HF_TOKEN=…" in message
    assert "abcdef" not in message


def test_without_a_network_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"unset HF_HUB_OFFLINE"):
        parts(tmp_path)
    assert hub_repository.Listing.load(tmp_path / "nothing") is None


def test_a_hub_that_no_one_answers_at_is_a_source_error(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(SourceError, match="did not give ann/tales at refs/convert/parquet: ConnectError"):
        Hub(dataset="ann/tales").parts(Place(tmp_path, tmp_path))
