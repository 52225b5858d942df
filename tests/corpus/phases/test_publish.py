"""publish puts a version in place whole or not at all, and its bytes show nothing of how the rows came."""

import fcntl
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builds import build_here, parquet_hashes, prose, write_recipe, write_site
from hypothesis import given, strategies as st

from corpus.engine.parquet import read_table
from corpus.phases.publish import TableWriter, file_records, place
from corpus.pipeline import Build, build
from corpus.query import query
from schemas.errors import StorageError, UserError
from schemas.fingerprint import identify, sha256_file
from schemas.runtime import Runtime
from schemas.store import SPLITS, Store
from schemas.tables import PUBLISHED

SCHEMA = pa.schema([
    pa.field("id", pa.string(), nullable=False),
    pa.field("text", pa.large_string()),
    pa.field("list", pa.list_(pa.int32())),
])


def table(texts: list[str | None]) -> pa.Table:
    rows = [
        {"id": identify(str(n)), "text": text, "list": [len(text)] if text else None}
        for n, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def written(folder: Path, rows: pa.Table, cuts: list[int], target: int) -> list[bytes]:
    """The files of `rows`, added in pieces that end at `cuts`."""
    writer = TableWriter(folder, "part", SCHEMA, "id", target)
    borders = [0, *sorted(min(cut, rows.num_rows) for cut in cuts), rows.num_rows]
    for start, stop in pairwise(borders):
        piece = rows.slice(start, stop - start)
        writer.add(piece, [len(text or "") for text in piece["text"].to_pylist()])
    writer.close()
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"part-{n:05d}.parquet" for n in range(len(files))]
    found = [file.read_bytes() for file in files]
    assert pa.concat_tables(read_table(file) for file in files).equals(rows.combine_chunks())
    for file in files:
        file.unlink()
    return found


@given(
    st.lists(st.none() | st.text(max_size=30), max_size=40),
    st.lists(st.integers(0, 40), max_size=5),
    st.sampled_from([1, 20, 200, 1 << 20]),
)
def test_files_do_not_depend_on_how_rows_are_batched(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str | None], cuts: list[int], target: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "writer"
    assert written(folder, table(texts), cuts, target) == written(folder, table(texts), [], target)


def test_a_row_more_moves_one_border_and_leaves_the_other_files_alone(tmp_path: Path) -> None:
    rows = table([prose(n, 60) for n in range(200)])
    added = pa.concat_tables([rows.slice(0, 100), table([None] * 500).slice(499), rows.slice(100)])
    before, after = (set(written(tmp_path / "t", each, [], 4000)) for each in (rows, added))
    assert len(before) > 10
    assert len(before - after) <= 2


def test_a_table_without_rows_has_a_file_that_shows_its_columns(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "empty", "part", SCHEMA, "id", 100)
    writer.close()
    assert pq.read_schema(tmp_path / "empty" / "part-00000.parquet").equals(SCHEMA)
    TableWriter(tmp_path / "none", "val", SCHEMA, "id", 100).close(at_least_one=False)
    assert not (tmp_path / "none").exists()


# ------------------------------------------------------------------------------------------------ a whole version


def test_every_table_has_the_columns_and_types_that_are_promised(built: Build) -> None:
    for name, schema in PUBLISHED.items():
        files = built.version.files(name)
        assert files
        for file in files:
            assert pq.read_schema(file).remove_metadata().equals(schema), file
    scores = pq.read_schema(built.version.files("scores")[0])
    types = {field.name: field.type for field in scores}
    assert types == {
        "doc_id": pa.string(),
        "lang": pa.string(),
        "lang_score": pa.float32(),
        "lang_line_share": pa.float32(),
        "n_words": pa.int64(),
        "n_chars": pa.int64(),
    }


@pytest.mark.parametrize(
    "name",
    ["pages", "fates", "rejects", "edits", *(f"{t}-{s}" for t in ("documents", "chunks") for s in SPLITS)],
)
def test_rows_lie_in_source_and_locator_order(built: Build, name: str) -> None:
    table_name, _, split = name.partition("-")
    files = built.version.files(table_name, split or None)
    rows = pa.concat_tables(pq.read_table(file) for file in files)
    places = query(
        built.version,
        "select f.doc_id, p.page_id, p.source, p.locator from pages p join fates f using (page_id)",
    )
    known = {
        row[key]: (row["source"], row["locator"])
        for row in places.to_dicts()
        for key in ("doc_id", "page_id")
    }
    key = "page_id" if table_name in {"pages", "fates"} else "doc_id"
    order = [known[value] for value in rows[key].to_pylist()]
    assert order
    assert order == sorted(order)


def test_the_manifest_names_every_file_with_its_hash_and_rows(built: Build) -> None:
    files = {
        path.relative_to(built.version.path).as_posix()
        for path in built.version.path.rglob("*")
        if path.is_file()
    }
    assert {record.path for record in built.manifest.files} == files - {
        "manifest.json",
        "manifest.json.sha256",
    }
    for record in built.manifest.files:
        path = built.version.path / record.path
        assert record.sha256 == sha256_file(path)
        assert record.rows == (pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None)


def test_a_version_without_duplicates_filters_or_test_split_is_typed_all_the_same(
    tmp_path: Path, tokenizer: Path
) -> None:
    (tmp_path / "site").mkdir()
    for n in range(4):
        (tmp_path / "site" / f"{n}.txt").write_text(prose(n))
    text = 'name = "tales"\n[[source]]\nuse = "files"\npath = "site/*"\n[split]\nval = 0.3\ntest = 0\n[tokens]\nmodel = "{model}"\n'
    made = build_here(write_recipe(tmp_path, tokenizer, text))
    for name in ("rejects", "duplicates", "edits"):
        (file,) = made.version.files(name)
        assert pq.read_metadata(file).num_rows == 0
        assert pq.read_schema(file).remove_metadata().equals(PUBLISHED[name])
    assert pq.read_table(made.version.files("scores")[0]).column_names == ["doc_id"]
    assert made.version.files("documents", "test") == []
    assert made.manifest.splits["test"].documents == 0
    assert "split: test" not in (made.version.path / "README.md").read_text()


# ------------------------------------------------------------------------------------------------ in place or not


@pytest.fixture
def recipe(tmp_path: Path, tokenizer: Path) -> Path:
    write_site(tmp_path / "site", pages=8)
    return write_recipe(tmp_path, tokenizer)


def test_what_a_killed_build_left_in_the_staging_folder_is_not_published(
    recipe: Path, tmp_path: Path
) -> None:
    left = tmp_path / ".gristmill/work/publish/tales/documents"
    left.mkdir(parents=True)
    (left / "train-00099.parquet").write_bytes(b"half a file")
    (left / "train-00099.parquet").chmod(0o444)
    made = build_here(recipe)
    assert made.version.spec == "tales@1"
    assert not (made.version.path / "documents" / "train-00099.parquet").exists()
    assert list((tmp_path / ".gristmill/work/publish").iterdir()) == []


def test_a_second_build_of_the_name_is_refused_while_the_first_runs(recipe: Path, tmp_path: Path) -> None:
    work = tmp_path / ".gristmill/work"
    work.mkdir(parents=True)
    with (work / "tales.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError, match='another build or crawl of "tales" is running under .*--root'):
            build_here(recipe)
    assert build_here(recipe).new, "the lock ends with its holder"


@pytest.mark.parametrize("root", ["a-file/below", "/proc/nothing"])
def test_a_root_that_cannot_be_written_is_told_before_any_work(
    recipe: Path, tmp_path: Path, root: str
) -> None:
    (tmp_path / "a-file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written: .*choose another folder with --root"):
        build(recipe, Runtime(root=tmp_path / root, workers=1, quiet=True))


def test_a_name_that_is_taken_is_left_as_it_is(built: Build, tmp_path: Path) -> None:
    store = Store(tmp_path)
    taken = store.corpora / "tales" / "v1"
    taken.mkdir(parents=True)
    (taken / "mine").write_text("precious")
    staged = tmp_path / "staged"
    staged.mkdir()
    with pytest.raises(StorageError, match="v1 cannot be created: .* Nothing that was published is harmed"):
        place(built.manifest, staged, store)
    assert [path.name for path in taken.iterdir()] == ["mine"]
    assert staged.exists()


def test_everything_published_is_read_only_and_the_manifest_is_among_it(built: Build) -> None:
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in built.version.path.rglob("*") if path.is_file()
    }
    assert set(modes.values()) == {0o444}
    assert {"manifest.json", "manifest.json.sha256", "README.md"} <= set(modes)


def test_a_damaged_manifest_does_not_keep_the_corpus_from_being_built_again(recipe: Path) -> None:
    first = build_here(recipe)
    hashes = parquet_hashes(first.version.path)
    manifest = first.version.path / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_bytes(manifest.read_bytes()[:-9])
    again = build_here(recipe)
    assert again.version.spec == "tales@2"
    assert parquet_hashes(again.version.path) == hashes


def test_file_records_do_not_depend_on_the_order_of_the_directory(tmp_path: Path) -> None:
    def made(names: list[str]) -> Any:
        folder = tmp_path / names[0]
        for name in names:
            path = folder / name / "part.txt"
            path.parent.mkdir(parents=True)
            path.write_text(name)
        return file_records(folder)

    assert made(["a", "b", "c"]) == made(["c", "a", "b"])
