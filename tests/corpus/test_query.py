import json
from pathlib import Path

import duckdb
import polars as pl
import pytest
from handmade import SCHEMAS, contents, write_version

from corpus.query import TABLES, ask, connect, query
from schemas.errors import Mismatch, UserError
from schemas.manifest import sha_line


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return write_version(tmp_path_factory.mktemp("it's a root"))  # a quote in the path must not end a string


def test_every_table_can_be_asked_and_has_its_columns(version):
    assert set(TABLES) == set(SCHEMAS)
    for table in TABLES:
        assert query(version, f"select * from {table}").columns == SCHEMAS[table].names


def test_documents_and_chunks_unite_their_splits(version):
    answer = query(version, "select split, count(*) as n from documents group by all order by split")
    assert answer.rows() == [("test", 1), ("train", 2), ("val", 1)]
    assert query(version, "select count(distinct split) from chunks").item() == 3


def test_a_version_of_a_newer_layout_is_not_asked(tmp_path):
    newer = write_version(tmp_path)
    manifest = newer.path / "manifest.json"
    tables = json.loads(manifest.read_bytes()) | {"format_version": 99}
    for file in (newer.path, manifest, newer.path / "manifest.json.sha256"):
        file.chmod(0o755)
    manifest.write_text(json.dumps(tables))
    (newer.path / "manifest.json.sha256").write_text(sha_line(manifest.read_bytes()))
    with pytest.raises(Mismatch, match="has format 99.*Upgrade gristmill"):
        query(newer, "select 1")


def test_a_sum_of_whole_numbers_is_a_whole_number(version):
    answer = query(version, "select sum(n_tokens) as tokens, 1.50::decimal(5, 2) as price from chunks")
    assert answer.schema["tokens"] == pl.Int64
    assert str(answer["price"].item()) == "1.50"
    assert (
        query(
            version, "select sum(x) from (values (170141183460469231731687303715884105727::hugeint)) _(x)"
        ).item()
        > 2**63
    )


def test_times_are_utc_wherever_one_is(version):
    assert (
        query(version, "select fetched_at::varchar from pages where fetched_at is not null").item()
        == "2026-11-24 00:00:00+00"
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_files_still_has_typed_columns(table, tmp_path):
    empty = contents()
    empty.tables[table] = []
    version = write_version(tmp_path, made=empty)
    for path in version.files(table):
        path.unlink()
    assert query(version, f"select count(*) from {table}").item() == 0
    expected = ["doc_id"] if table == "scores" else SCHEMAS[table].names
    assert query(version, f"select * from {table}").columns == expected


def test_two_versions_stand_side_by_side(tmp_path):
    smaller = contents()
    smaller.tables["documents"].pop()
    first, second = write_version(tmp_path), write_version(tmp_path, number=2, made=smaller)
    with connect(first, second) as connection:
        sql = 'select doc_id from "hearthside@1".documents anti join "hearthside@2".documents using (doc_id)'
        assert ask(connection, sql).height == 1
        assert ask(connection, "select count(*) from documents").item() == 3, (
            "the last one named is the plain one"
        )


READS = [
    "explain select * from documents",
    "explain analyze select count(*) from chunks",
    "EXPLAIN (FORMAT json) SELECT 1",
    "/* why */ explain -- how\n select 1",
    "with kept as (from documents) select count(*) from kept",
    "from documents select title",
    "describe documents",
    "show tables",
    "summarize fates",
    "values (1), (2)",
    "select 1;",
    "select 'copy x to y; drop table documents'",
]


@pytest.mark.parametrize("sql", READS)
def test_what_only_reads_is_answered(sql, version):
    assert query(version, sql).height > 0


ESCAPES = {
    "copy out": "copy documents to '{out}/stolen.csv'",
    "copy a query out": "copy (select 1) to '{out}/stolen.parquet'",
    "copy over a published file": "copy (select 1) to '{version}/documents/train-00000.parquet'",
    "explain analyze copy": "explain analyze copy (select 1) to '{out}/stolen.csv'",
    "explain analyze copy into the version": "explain (analyze) copy (select 1) to '{version}/stolen.csv'",
    "commented explain analyze copy": "/* a */ explain /* b */ analyze copy (select 1) to '{version}/stolen.csv'",
    "export": "export database '{out}'",
    "attach": "attach '{out}/other.db'",
    "attach sqlite": "attach '{out}/other.db' (type sqlite)",
    "install": "install httpfs",
    "load": "load '{out}/evil.duckdb_extension'",
    "read a file": "select * from read_csv('/etc/passwd')",
    "read a text": "select * from read_text('/etc/passwd')",
    "read bytes": "select * from read_blob('{out}/secret.txt')",
    "a path as a table": "select * from '{out}/secret.csv'",
    "a path above the version": "select * from read_text('{version}/../../../secret.txt')",
    "list files": "select * from glob('/*')",
    "list files of the version": "select * from glob('{version}/*')",
    "sniff": "select * from sniff_csv('/etc/passwd')",
    "parquet elsewhere": "select * from parquet_metadata('{out}/secret.parquet')",
    "the network": "select * from read_parquet('https://localhost:1/x.parquet')",
    "environment": "select getenv('HOME')",
    "python variable": "select * from leaked_frame",
    "pragma": "pragma database_list",
    "set": "set enable_external_access = true",
    "reset": "reset lock_configuration",
    "call": "call pragma_version()",
    "create": "create table mine (a int)",
    "create a macro": "create macro f() as table select * from read_text('/etc/passwd')",
    "drop": "drop view documents",
    "insert": "insert into documents select * from documents",
    "insert in a with": "with x as (insert into documents select * from documents) select 1",
    "delete": "delete from documents",
    "prepare": "prepare p as select 1",
    "two statements": "select 1; select 2",
    "read then write": "select 1; copy documents to '{out}/stolen.csv'",
    "copy inside query()": "select * from query('copy (select 1) to ''{out}/stolen.csv''')",
    "set through a function": "select set_config('enable_external_access', 'true', false)",
    "nothing": "  -- only a comment",
}


@pytest.mark.parametrize("attempt", ESCAPES)
def test_what_would_write_or_reach_elsewhere_is_refused(attempt, version, tmp_path):
    leaked_frame = pl.DataFrame({"secret": [1]})
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    leaked_frame.write_csv(tmp_path / "secret.csv")
    leaked_frame.write_parquet(tmp_path / "secret.parquet")
    published = snapshot(version.path)
    before = snapshot(tmp_path)
    with pytest.raises(UserError):
        query(version, ESCAPES[attempt].format(out=tmp_path, version=str(version.path).replace("'", "''")))
    assert snapshot(version.path) == published
    assert snapshot(tmp_path) == before


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_locks_hold_without_the_parser(version, tmp_path):
    with connect(version) as connection:
        for sql in (
            f"copy documents to '{tmp_path}/a.csv'",
            "set enable_external_access = true",
            f"attach '{tmp_path}/a.db'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(sql)


def test_an_unknown_table_or_column_names_the_nearest_one(version):
    with pytest.raises(UserError, match='Nearest: "documents"'):
        query(version, "select * from document")
    with pytest.raises(
        UserError, match=r'Nearest: "lang_score"\. It is a column of documents, rejects, scores'
    ):
        query(version, "select lang_scor from documents")
    with pytest.raises(UserError, match="syntax error"):
        query(version, "selec 1")


def test_an_answer_of_a_type_nobody_can_show_says_to_cast_it(version):
    with pytest.raises(UserError, match="Cast it"):
        query(version, "select interval 1 day")


def test_an_answer_too_big_for_memory_spills_and_leaves_nothing_behind(version, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with connect(version, threads=1, memory="60MB") as connection:
        sorted_texts = connection.sql(
            "select repeat(md5(i::varchar), 8) as t from range(400000) _(i) order by t"
        )
        reader = sorted_texts.to_arrow_reader(1000)
        assert len(reader.read_next_batch()) > 0
        assert list(tmp_path.iterdir()) != []
        reader.close()
    assert list(tmp_path.iterdir()) == []
