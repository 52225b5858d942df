"""Kaggle, by a stand-in of its client's shape: what is fetched once is read as files, and no archive writes beside its folder."""

import json
import sys
import types
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from plugins.contracts import Part, Place
from plugins.scrapers.kaggle import Kaggle, unpack
from schemas.errors import MissingExtra, SourceError

CSV = b"id,review\n1,Fine\n2,Poor\n"


class Client:
    """As much of KaggleApi as is called; it writes `slug.zip` into `path`, as the true one does."""

    def __init__(self, members, error=None):
        self.members, self.error, self.asked = members, error, []

    def dataset_download_files(self, dataset, path=None, force=False, quiet=True, unzip=False, licenses=()):
        print("Dataset URL: https://www.kaggle.com/datasets/ann/reviews")
        self.asked.append((dataset, unzip))
        if self.error:
            raise self.error
        with zipfile.ZipFile(f"{path}/{dataset.split('/')[1]}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.members:
                archive.writestr(name, content)


@pytest.fixture
def kaggle(monkeypatch):
    def install(members=(("a.csv", CSV),), error=None):
        client = Client(members, error)
        monkeypatch.setitem(sys.modules, "kaggle", types.SimpleNamespace(api=client))
        return client

    return install


def gather(base, **options):
    scraper = Kaggle(**{"dataset": "ann/reviews", "version": 3, "path": "*.csv", "text": "review", **options})
    place = Place(base, base / "work")
    parts = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    return {page.locator: page for where in parts for page in scraper.fetch(place, Part(where))}


def test_the_named_version_is_fetched_once_and_read_as_files(tmp_path, kaggle, capsys):
    client = kaggle()
    first, second = gather(tmp_path, id="id"), gather(tmp_path, id="id")
    assert {name: page.content for name, page in first.items()} == {"a.csv#1": b"Fine", "a.csv#2": b"Poor"}
    assert first == second
    assert client.asked == [("ann/reviews/3", False)]
    assert capsys.readouterr().out == ""


def test_another_version_is_another_folder(tmp_path, kaggle):
    client = kaggle()
    gather(tmp_path)
    gather(tmp_path, version=4)
    assert [asked for asked, _ in client.asked] == ["ann/reviews/3", "ann/reviews/4"]


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


EVIL = [
    "../out.csv", "/out.csv", "a/../../out.csv", "..\\out.csv", "C:\\out.csv", "c:out.csv", "a\\b.csv", "a/..", "b\x01.csv",
]  # fmt: skip


def test_no_member_of_an_archive_is_written_beside_its_folder_and_each_has_a_fate(tmp_path, kaggle):
    kaggle([
        *((name, CSV) for name in EVIL),
        (link("link.csv"), "/etc/passwd"),
        ("a.csv", CSV),
        ("./a.csv", CSV),
    ])
    found = gather(tmp_path)
    lost = [page for page in found.values() if page.error]
    assert {page.error for page in lost} == {"refused"}
    assert len(lost) == len(EVIL) + 2
    assert sum(page.error is None for page in found.values()) == 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["a.csv", "refused.json"]


NAMES = st.lists(st.text("ab./\\:~ \0\x7fé", min_size=1, max_size=12), min_size=1, max_size=4)


@settings(max_examples=60)
@given(NAMES)
def test_whatever_the_names_nothing_leaves_the_folder_and_nothing_vanishes(tmp_path_factory, names):
    base = tmp_path_factory.mktemp("zip")
    with zipfile.ZipFile(base / "a.zip", "w") as archive:
        for name in dict.fromkeys(name.partition("\0")[0] for name in names):  # as zipfile cuts them
            archive.writestr(zipfile.ZipInfo(name), b"x")
        members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    (base / "files").mkdir()
    refused = list(unpack(base / "a.zip", base / "files", 1 << 20))
    inside = [path for path in (base / "files").rglob("*") if path.is_file()]
    assert len(inside) + len(refused) == len(members)
    assert {path.name for path in base.iterdir()} == {"a.zip", "files"}


def test_a_bomb_is_stopped_at_the_limit_whatever_its_header_says(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(3 << 20))
    (tmp_path / "files").mkdir()
    with pytest.raises(SourceError, match=r"more than max_gib allows, at 'a.csv'"):
        list(unpack(tmp_path / "a.zip", tmp_path / "files", 1 << 20))
    assert (tmp_path / "files/a.csv").stat().st_size <= 1 << 20


def test_a_member_that_is_damaged_is_refused_and_the_others_are_read(tmp_path, kaggle):
    class Damaged(Client):
        def dataset_download_files(self, dataset, path=None, **options):
            super().dataset_download_files(dataset, path, **options)
            packed = Path(path) / "reviews.zip"
            content = bytearray(packed.read_bytes())
            content[content.index(b"a.csv") + 8] ^= 255
            packed.write_bytes(content)

    client = kaggle()
    client.members, client.__class__ = [("a.csv", CSV), ("b.csv", CSV)], Damaged
    assert sorted(page.error or "" for page in gather(tmp_path).values()) == ["", "", "refused"]


def test_without_the_client_the_line_that_installs_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaggle", None)
    with pytest.raises(MissingExtra, match="pip install kaggle"):
        gather(tmp_path)


def test_a_client_that_ends_the_process_for_want_of_a_key_is_an_error_that_says_what_to_do(
    tmp_path, monkeypatch
):
    package = tmp_path / "kaggle"
    package.mkdir()
    (package / "__init__.py").write_text("print('Could not find kaggle.json')\nexit(1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "kaggle", raising=False)
    with pytest.raises(SourceError, match=r"has no key.*export KAGGLE_USERNAME"):
        gather(tmp_path)


def test_a_failed_fetch_leaves_nothing_and_hides_the_key(tmp_path, kaggle, monkeypatch):
    monkeypatch.setenv("KAGGLE_KEY", "s3cret")
    client = kaggle(error=RuntimeError("403 for key=s3cret"))
    with pytest.raises(SourceError, match=r"gave no version 3 of ann/reviews: RuntimeError 403 for key=…\."):
        gather(tmp_path)
    assert list((tmp_path / "work").iterdir()) == []
    client.error = None
    assert len(gather(tmp_path)) == 2


@pytest.mark.parametrize("path", ["/etc/*", "../*.csv", "~/x.csv", ["a.csv", "a/../../b"]])
def test_a_path_that_leads_out_of_the_data_set_is_refused(path):
    with pytest.raises(ValidationError, match="leads out of the data set"):
        Kaggle(dataset="a/b", version=1, path=path)


@pytest.mark.parametrize("dataset", ["reviews", "a/b/c", "../b", "a/b?key=1"])
def test_a_data_set_is_an_owner_and_a_name(dataset):
    with pytest.raises(ValidationError, match="dataset"):
        Kaggle(dataset=dataset, version=1, path="*.csv")
