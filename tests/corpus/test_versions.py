import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handmade import SCHEMAS, TEXTS, contents, doc_of, page_of, write_version

from corpus.ledger import LAWS
from corpus.versions import list_versions, verify
from schemas.errors import NotFound
from schemas.manifest import MANIFEST, MANIFEST_SHA, sha_line


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return write_version(tmp_path_factory.mktemp("pristine"))


def every_file():
    """Names of all files of a version."""
    split = [
        f"{table}/{name}-00000.parquet"
        for table in ("documents", "chunks")
        for name in ("train", "val", "test")
    ]
    whole = [f"{table}/part-00000.parquet" for table in SCHEMAS if table not in {"documents", "chunks"}]
    return [*split, *whole, "README.md", MANIFEST, MANIFEST_SHA]


def test_a_version_as_published_has_no_problems(pristine):
    assert verify(pristine) == []
    assert {
        path.relative_to(pristine.path).as_posix() for path in pristine.path.rglob("*") if path.is_file()
    } == set(every_file())


@pytest.mark.parametrize("name", every_file())
def test_one_flipped_byte_in_any_file_is_noticed(name, tmp_path):
    version = write_version(tmp_path)
    path = version.path / name
    data = path.read_bytes()
    for place in {0, len(data) // 3, len(data) // 2, len(data) - 1}:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x01]) + data[place + 1 :])
        assert any(name in problem for problem in verify(version)), (name, place)
    path.write_bytes(data)
    assert verify(version) == []


def test_every_byte_of_the_manifest_s_hash_counts(tmp_path):
    version = write_version(tmp_path)
    path = version.path / MANIFEST_SHA
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
        assert verify(version), place


@pytest.mark.parametrize("name", [name for name in every_file() if name != MANIFEST])
def test_a_missing_file_is_noticed(name, tmp_path):
    version = write_version(tmp_path)
    (version.path / name).unlink()
    assert any(name in problem for problem in verify(version))


def test_a_file_cut_short_is_noticed_by_its_size(tmp_path):
    version = write_version(tmp_path)
    path = version.path / "documents" / "train-00000.parquet"
    path.write_bytes(path.read_bytes()[:-7])
    assert len(verify(version)) == 1
    assert "were published" in verify(version)[0]


@pytest.mark.parametrize("name", ["documents/train-00001.parquet", "notes.txt", ".hidden"])
def test_a_file_that_was_not_published_is_noticed(name, tmp_path):
    version = write_version(tmp_path)
    shutil.copy(version.path / "documents" / "train-00000.parquet", version.path / name)
    assert verify(version) == [f"{name} was not published with this version"]


def test_a_link_in_place_of_a_file_is_noticed(tmp_path):
    version = write_version(tmp_path)
    path = version.path / "README.md"
    path.rename(tmp_path / "elsewhere.md")
    path.symlink_to(tmp_path / "elsewhere.md")
    assert verify(version) == ["README.md is a link; a version holds its own files"]


def test_a_version_copied_over_another_is_noticed(tmp_path):
    first, second = write_version(tmp_path), write_version(tmp_path, number=2)
    shutil.rmtree(second.path)
    shutil.copytree(first.path, second.path)
    assert any("hearthside@1" in problem for problem in verify(second))


def test_a_folder_without_manifest_is_told_to_be_no_version(tmp_path):
    version = write_version(tmp_path)
    (version.path / MANIFEST).unlink()
    assert "not a published version" in verify(version)[0]


# ---------------------------------------------------------------------------- laws, broken before the hashes were taken

KEPT, OTHER, GONE = doc_of("inn.html"), doc_of("mill.html"), doc_of("short.html")


def row_of(made, table, key, value):
    return next(row for row in made.tables[table] if row[key] == value)


def drop(table, key, value):
    def change(made):
        made.tables[table].remove(row_of(made, table, key, value))

    return change


def twice(table, key, value):
    def change(made):
        made.tables[table].append(row_of(made, table, key, value))

    return change


def put(table, key, value, **columns):
    def change(made):
        row_of(made, table, key, value).update(columns)

    return change


def first_chunk(made):
    return made.tables["chunks"][0]


def shorten_labels(made):
    first_chunk(made)["labels"] = first_chunk(made)["labels"][:-1]


def shift_a_label(made):
    labels = list(first_chunk(made)["labels"])
    labels[3] += 1
    first_chunk(made)["labels"] = labels


def mask_a_label(made):
    first_chunk(made)["labels"] = [-100, *first_chunk(made)["labels"][1:]]


def join_components(made):
    for row in made.tables["groups"]:
        row["component"] = "one"


BREAKS = {
    "a page_id stands once in pages": twice("pages", "page_id", page_of("empty.html")),
    "every page has a fate": drop("fates", "page_id", page_of("empty.html")),
    "every fate names a page": drop("pages", "page_id", page_of("empty.html")),
    "a document has one fate": twice("fates", "doc_id", GONE),
    "a page without a document has one fate": twice("fates", "page_id", page_of("empty.html")),
    "a fate's stage is a known one": put("fates", "page_id", page_of("empty.html"), stage="lost"),
    "a document with a fate is in documents or in rejects, once": drop("rejects", "doc_id", GONE),
    "a document has a fate": put("fates", "doc_id", GONE, doc_id=None),
    "the kept documents are those in documents": put("fates", "doc_id", KEPT, stage="filter"),
    "a document belongs to the page its fate names": put(
        "documents", "doc_id", KEPT, page_id=page_of("empty.html")
    ),
    "scores stand once for a document, and for every kept one": drop("scores", "doc_id", KEPT),
    "signatures stand once for a document": twice("signatures", "doc_id", KEPT),
    "an edit replaces as many characters as its span has": put("edits", "step", "0:unicode", before="ffi"),
    "a learned line stands on no more pages than its site has": put(
        "learned", "step", "1:boilerplate", n_pages=9
    ),
    "edits name a document": put("edits", "step", "0:unicode", doc_id="nobody"),
    "a document dropped as a duplicate names the survivor that duplicates has": put(
        "duplicates", "survivor_id", KEPT, survivor_id=OTHER
    ),
    "a survivor was itself kept by dedup, whatever came later": put(
        "duplicates", "survivor_id", KEPT, survivor_id=GONE
    ),
    "a group stands once in groups": twice("groups", "group_id", KEPT),
    "a component lies in one split": join_components,
    "a group counts its documents": put("groups", "group_id", KEPT, n_documents=7),
    "a document is in the split of its group": put("groups", "group_id", KEPT, split="test"),
    "a chunk is in the split and group of its document": put("chunks", "doc_id", KEPT, split="test"),
    "a chunk_id stands once in chunks": twice("chunks", "doc_id", KEPT),
    "a chunk has a label for each of its n_tokens": shorten_labels,
    "a label is its token or -100, and n_trained counts the former": shift_a_label,
    "the chunks of a document count from 0 and add up to its n_tokens": put(
        "chunks", "position", 1, position=4
    ),
    "a cut lies behind a chunk of its document or before the first, once": twice("cuts", "doc_id", KEPT),
    "a cut's level is a known one, and its counts are counts": put("cuts", "doc_id", KEPT, level="page"),
    "what a chunk repeats of others is not trained": put("cuts", "doc_id", KEPT, n_repeated=3),
}


def test_every_law_has_a_test_that_breaks_it():
    assert set(BREAKS) == {law.says for law in LAWS}


@pytest.mark.parametrize("says", BREAKS)
def test_a_broken_law_is_noticed_although_every_hash_is_right(says, tmp_path):
    made = contents()
    BREAKS[says](made)
    problems = verify(write_version(tmp_path, made=made))
    assert any(problem.startswith(f"law: {says};") for problem in problems), problems


def test_a_masked_label_must_be_counted_out_of_n_trained(tmp_path):
    made = contents()
    mask_a_label(made)
    assert len(verify(write_version(tmp_path / "wrong", made=made))) == 1
    first_chunk(made)["n_trained"] -= 1
    assert verify(write_version(tmp_path / "right", made=made)) == []


def test_a_chunk_longer_than_max_tokens_is_noticed(tmp_path):
    made = contents()
    chunk, document = first_chunk(made), row_of(made, "documents", "doc_id", first_chunk(made)["doc_id"])
    document["n_tokens"] += 100
    chunk.update(input_ids=chunk["input_ids"] + [5] * 100, labels=chunk["labels"] + [5] * 100)
    chunk.update(n_tokens=len(chunk["labels"]), n_trained=len(chunk["labels"]))
    assert any("at most 64" in problem for problem in verify(write_version(tmp_path, made=made)))


def republish(version, change):
    """Change the manifest and give it a fitting hash."""
    path = version.path / MANIFEST
    tables = json.loads(path.read_bytes())
    change(tables)
    data = json.dumps(tables).encode()
    path.write_bytes(data)
    (version.path / MANIFEST_SHA).write_text(sha_line(data), encoding="ascii")


def test_counts_in_the_manifest_are_held_against_the_tables(tmp_path):
    version = write_version(tmp_path)
    republish(version, lambda tables: tables["counts"].update(tokens=3))
    assert [problem.partition(" ")[2] for problem in verify(version)] == [
        f"are {version_tokens(version)} tokens; the manifest says 3"
    ]


def version_tokens(version):
    return sum(len(text) + 1 for split, text in TEXTS.values() if split)


def test_a_file_with_other_columns_is_noticed_although_its_hash_is_right(tmp_path):
    made = contents()
    version = write_version(tmp_path, made=made)
    path = version.path / "groups" / "part-00000.parquet"
    pq.write_table(pa.table({"group_id": [1]}), path)

    def change(tables):
        from schemas.fingerprint import sha256_file

        record = next(record for record in tables["files"] if record["path"] == "groups/part-00000.parquet")
        record.update(sha256=sha256_file(path), bytes=path.stat().st_size)

    republish(version, change)
    problems = verify(version)
    assert "groups/part-00000.parquet does not have the columns of `groups`" in problems
    assert any("1 rows; the manifest says 4" in problem for problem in problems)


# ---------------------------------------------------------------------------- lists


def test_versions_are_listed_by_name_and_oldest_first(tmp_path):
    for name, number in (("road", 1), ("hearthside", 10), ("hearthside", 2)):
        write_version(tmp_path, name, number)
    listed = list_versions(tmp_path)
    assert [version.version for version in listed] == ["hearthside@2", "hearthside@10", "road@1"]
    assert len({version.fingerprint for version in listed}) == 3
    assert listed[0].counts["documents"] == 4
    assert [version.version for version in list_versions(tmp_path, "road")] == ["road@1"]


def test_a_damaged_version_is_listed_with_its_problem(tmp_path):
    write_version(tmp_path)
    broken = write_version(tmp_path, number=2)
    (broken.path / MANIFEST).write_text("{}", encoding="utf-8")
    first, second = list_versions(tmp_path)
    assert first.problem is None
    assert second.fingerprint is None
    assert "changed after publishing" in second.problem


def test_no_corpora_give_an_empty_list_and_an_unknown_name_an_error(tmp_path):
    assert list_versions(tmp_path) == []
    write_version(tmp_path)
    with pytest.raises(NotFound, match='Nearest: "hearthside"'):
        list_versions(tmp_path, "hearthsid")
