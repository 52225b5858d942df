"""Exports: whole or absent, nothing overwritten, what a format cannot hold is counted; and every import comes out again as it went in."""

import csv
import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from builds import build_here, write_recipe
from handmade import contents, write_version
from typer.testing import CliRunner

from corpus.cli import app
from corpus.convert import convert
from corpus.export import export
from corpus.exports.records import alpaca, openai, sharegpt
from corpus.pipeline import Build
from schemas.errors import NotFound, SourceError, UserError
from schemas.store import VersionPath

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "chats"
CHATS = """\
name = "chats"

[[source]]
use = "chats"
path = ["chats/*.json*", "chats/*.log", "chats/*.raw.txt", "chats/*.csv"]

[split]
val = 0.2
test = 0.2

[tokens]
model = "{model}"
max_tokens = 256
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Build:
    """All samples, built once."""
    base = tmp_path_factory.mktemp("chats")
    shutil.copytree(SAMPLES, base / "chats")
    return build_here(write_recipe(base, tokenizer, CHATS))


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> VersionPath:
    return write_version(tmp_path_factory.mktemp("handmade"))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def everything(folder: Path) -> list[dict]:
    """The records of all splits."""
    read = [
        json.loads(path.read_text()) if path.suffix == ".json" else lines(path)
        for path in sorted(folder.glob("t*.json*")) + sorted(folder.glob("val.json*"))
    ]
    return [record for part in read for record in part]


def source_records(name: str) -> list[dict]:
    path = SAMPLES / name
    return json.loads(path.read_text()) if path.suffix == ".json" else lines(path)


# ------------------------------------------------------------------------------------------------ round trips


@pytest.mark.parametrize(
    ("file", "form"), [("sharegpt.jsonl", "sharegpt"), ("openai.jsonl", "openai"), ("alpaca.json", "alpaca")]
)
def test_records_go_through_a_build_and_come_out_equal(
    file: str, form: str, made: Build, tmp_path: Path
) -> None:
    export(made.version, tmp_path / "out", form)
    found = everything(tmp_path / "out")
    assert len(source_records(file)) > 1
    for record in source_records(file):
        assert record in found


def test_conversations_of_every_sample_go_through_a_build_and_come_out_equal(
    made: Build, tmp_path: Path
) -> None:
    before = convert(str(SAMPLES / "*"), tmp_path / "before.jsonl", "jsonl")
    exported = export(made.version, tmp_path / "out", "jsonl")
    texts = {json.dumps(row["messages"]) for row in everything(tmp_path / "out")}
    assert texts == {json.dumps(row["messages"]) for row in lines(tmp_path / "before.jsonl")}
    assert sum(file.rows for file in exported.files) == before.conversations == 24


def test_every_conversation_survives_openai_and_back(tmp_path: Path) -> None:
    first = convert(str(SAMPLES / "*"), tmp_path / "a.jsonl", "openai")
    again = convert(str(tmp_path / "a.jsonl"), tmp_path / "b.jsonl", "openai")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert first.conversations == again.conversations
    assert first.messages == again.messages


def test_the_ledger_names_what_no_conversation_came_of(made: Build) -> None:
    from corpus.query import query

    lost = query(made.version, "select stage, reason from fates where stage <> 'kept'").rows()
    assert lost == [("gather", "unlinked")]


# ------------------------------------------------------------------------------------------------ what is written


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_tables_are_written_row_for_row(form: str, made: Build, tmp_path: Path) -> None:
    export(made.version, tmp_path / "out", form)
    for split in ("train", "val", "test"):
        table = pl.concat([pl.read_parquet(path) for path in made.version.files("documents", split)])
        if form == "parquet":
            assert pl.read_parquet(tmp_path / "out" / f"{split}.parquet").equals(table)
        elif form == "jsonl":
            assert [row["doc_id"] for row in lines(tmp_path / "out" / f"{split}.jsonl")] == table[
                "doc_id"
            ].to_list()
        else:
            with (tmp_path / "out" / f"{split}.csv").open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            assert [row["text"] for row in rows] == table["text"].to_list()
            assert [json.loads(row["messages"]) for row in rows] == table["messages"].to_list()


def test_the_record_says_where_the_files_come_from(made: Build, tmp_path: Path) -> None:
    exported = export(made.version, tmp_path / "out", "openai", splits=["val", "train"])
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (told["version"], told["fingerprint"]) == ("chats@1", made.manifest.fingerprint)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "export.json",
        "train.jsonl",
        "val.jsonl",
    ]
    for file in told["files"]:
        data = (tmp_path / "out" / file["path"]).read_bytes()
        assert (file["sha256"], file["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        assert file["rows"] == data.count(b"\n") == made.manifest.splits[file["split"]].documents
    assert exported.losses == told["losses"]


def test_the_same_export_has_the_same_bytes(made: Build, tmp_path: Path) -> None:
    for form in ("parquet", "sharegpt"):
        one, two = (export(made.version, tmp_path / f"{form}{n}", form) for n in (1, 2))
        assert one.files == two.files


def test_documents_without_messages_become_answers_and_are_counted(
    handmade: VersionPath, tmp_path: Path
) -> None:
    exported = export(handmade, tmp_path / "out", "sharegpt", splits=["val"])
    assert lines(tmp_path / "out" / "val.jsonl") == [
        {"conversations": [{"from": "gpt", "value": contents().tables["documents"][2]["text"]}]}
    ]
    assert exported.losses == {"texts_as_answers": 1}


def test_other_tables_are_one_file(handmade: VersionPath, tmp_path: Path) -> None:
    export(handmade, tmp_path / "fates", "csv", table="fates")
    with (tmp_path / "fates" / "fates.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(contents().tables["fates"])
    export(handmade, tmp_path / "pages", "jsonl", table="pages")
    assert any(
        row["fetched_at"] == "2026-11-24T00:00:00+00:00" for row in lines(tmp_path / "pages" / "pages.jsonl")
    )
    export(handmade, tmp_path / "chunks", "parquet", table="chunks", splits=["test"])
    assert pq.read_table(tmp_path / "chunks" / "test.parquet").num_rows == 2


# ------------------------------------------------------------------------------------------------ losses


def row(*messages: tuple, **more: object) -> dict:
    told = [
        dict(zip(("role", "content", "name", "train"), (*m, None, None)[:4], strict=True)) for m in messages
    ]
    return {"messages": told, "text": None, "metadata": None, **more}


def test_what_alpaca_cannot_hold_is_counted() -> None:
    losses: Counter[str] = Counter()
    record = alpaca(
        row(
            ("user", "a", "ann"),
            ("user", "b"),
            ("assistant", "c", None, False),
            ("user", "d"),
            ("assistant", "e"),
            ("user", "f"),
        ),
        losses,
    )
    assert record == {"instruction": "d", "input": "", "output": "e", "history": [["a\n\nb", "c"]]}
    assert +losses == {"names": 1, "joined_messages": 1, "train_flags": 1, "unanswered_messages": 1}
    assert alpaca(row(("user", "a"), ("tool", "b")), losses) is None
    assert alpaca(row(("user", "a")), losses) is None
    assert (losses["unfit_roles"], losses["without_answer"]) == (1, 1)
    assert alpaca(row(("assistant", "Hello.")), Counter()) == {
        "instruction": "",
        "input": "",
        "output": "Hello.",
    }


def test_an_alpaca_input_is_parted_only_where_its_length_still_fits() -> None:
    def asked(content: str, chars: object) -> tuple[str, str]:
        record = alpaca(
            row(("user", content), ("assistant", "x"), metadata=json.dumps({"input_chars": chars})), Counter()
        )
        return record["instruction"], record["input"]

    assert asked("do\n\nthis", 4) == ("do", "this")
    assert asked("do\n\nthat thing", 4) == ("do\n\nthat thing", "")
    assert asked("do\n\nthis", 99) == ("do\n\nthis", "")
    assert asked("do\n\nthis", "4") == ("do\n\nthis", "")


def test_names_stay_in_openai_and_are_counted_in_sharegpt() -> None:
    one = row(("user", "a", "Old Marta"), ("narrator", "b"))
    losses: Counter[str] = Counter()
    assert openai(one, losses)["messages"][0] == {"role": "user", "content": "a", "name": "Old Marta"}
    assert +losses == {"without_model": 1}
    assert sharegpt(one, losses)["conversations"][1] == {"from": "human", "value": "b"}
    assert +losses == {"without_model": 2, "names": 1, "roles_as_user": 1}


# ------------------------------------------------------------------------------------------------ refusals


def test_nothing_is_overwritten(handmade: VersionPath, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        export(handmade, tmp_path / "out", "jsonl")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]
    (tmp_path / "out" / "mine.txt").unlink()
    export(handmade, tmp_path / "out", "jsonl")
    assert (tmp_path / "out" / "export.json").is_file()


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    version = write_version(tmp_path)
    broken = version.files("documents", "val")[0]
    broken.write_bytes(broken.read_bytes()[:-20])
    with pytest.raises(Exception, match=r"[Pp]arquet"):
        export(version, tmp_path / "out", "jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["corpora"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"form": "jsonlines"}, UserError, 'Nearest: "jsonl"'),
        ({"form": "jsonl", "table": "document"}, NotFound, 'Nearest: "documents"'),
        ({"form": "openai", "table": "chunks"}, UserError, "--table documents"),
        ({"form": "jsonl", "splits": ["dev"]}, UserError, "train, val, test"),
        ({"form": "jsonl", "table": "fates", "splits": ["val"]}, UserError, "leave --split out"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_type(
    options: dict, error: type[Exception], says: str, handmade: VersionPath, tmp_path: Path
) -> None:
    with pytest.raises(error, match=says):
        export(handmade, tmp_path / "out", **options)


# ------------------------------------------------------------------------------------------------ commands


def test_the_command_exports_and_ends_with_json(made: Build, tmp_path: Path) -> None:
    root = str(made.version.path.parents[2])
    done = CliRunner().invoke(
        app,
        [
            "export",
            "chats",
            str(tmp_path / "out"),
            "--format",
            "sharegpt",
            "--split",
            "train",
            "--root",
            root,
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["version"], told["format"], [file["split"] for file in told["files"]]) == (
        "chats@1",
        "sharegpt",
        ["train"],
    )
    again = CliRunner().invoke(app, ["export", "chats", str(tmp_path / "out"), "--root", root])
    assert again.exit_code == 2


def test_csv_becomes_json_lines_in_one_line(tmp_path: Path) -> None:
    out = tmp_path / "chats.jsonl"
    done = CliRunner().invoke(app, ["convert", str(SAMPLES / "pairs.csv"), str(out)])
    assert done.exit_code == 0, done.output
    assert lines(out)[0] == {
        "messages": [
            {"role": "user", "content": "Where is the key?"},
            {"role": "assistant", "content": "Under the other stone."},
        ]
    }
    assert CliRunner().invoke(app, ["convert", str(SAMPLES / "pairs.csv"), str(out)]).exit_code == 2


def test_convert_takes_the_scrapers_options_and_tells_what_it_could_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("who,line\nann,hello\nbo,hi\n")
    argv = ["convert", str(tmp_path / "a.csv"), str(tmp_path / "a.json"), "--json"]
    refused = CliRunner().invoke(app, argv)
    assert refused.exit_code == 2
    assert not (tmp_path / "a.json").exists()
    done = CliRunner().invoke(app, [*argv, "-o", "speaker=who", "-o", "text=line", "-o", "assistant=bo"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["losses"] == {"names": 2}
    assert json.loads((tmp_path / "a.json").read_text()) == [
        {"instruction": "hello", "input": "", "output": "hi"}
    ]


def test_convert_counts_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"messages":[{"role":"user","content":"x"}]}\n{"messages":3}\n{no}\n')
    made = convert(str(tmp_path / "a.jsonl"), tmp_path / "b.jsonl")
    assert (made.conversations, made.written, made.failed) == (1, 1, {"failed": 1, "malformed": 1})
    assert len(made.faults) == 2


@pytest.mark.parametrize(
    ("target", "options", "says"),
    [
        ("b.txt", {}, "--format"),
        ("b.jsonl", {"options": {"gap": "soon"}}, "2h"),
        ("b.jsonl", {"options": {"colour": 1}}, "plugins show chats"),
    ],
)
def test_convert_refuses_what_it_cannot_do(target: str, options: dict, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        convert(str(SAMPLES / "pairs.csv"), tmp_path / target, **options)
    assert list(tmp_path.iterdir()) == []


def test_convert_names_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        convert(str(tmp_path / "none.csv"), tmp_path / "b.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_what_cleaning_emptied_is_not_exported_as_said():
    from collections import Counter

    from corpus.exports.records import openai

    said = [("user", "A"), ("user", ""), ("user", "B"), ("assistant", "C")]
    row = {"text": "", "messages": [{"role": r, "name": None, "content": c, "train": None} for r, c in said]}
    losses = Counter()
    assert [one["content"] for one in openai(row, losses)["messages"]] == ["A", "B", "C"]
    assert losses["empty_messages"] == 1


def test_a_bare_carriage_return_stays_inside_its_cell(tmp_path):
    import csv
    from collections import Counter

    import pyarrow as pa

    from corpus.exports.writers import write

    table = pa.table({"a": ["one\rtwo"], "b": ["c"]})
    write([table], table.schema, tmp_path / "t.csv", "csv", Counter())
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["a", "b"], ["one\rtwo", "c"]]
