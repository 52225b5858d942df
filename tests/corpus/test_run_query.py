"""SQL over a training run: its journal and the runs beside it, and nothing else."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.run_query import query_run
from schemas.errors import NotFound, UserError


def write_run(root: Path, number: int = 1, *, metrics: bool = True, **more) -> Path:
    """A run's folder as an older gristmill left it."""
    folder = root / "runs/tale" / str(number)
    folder.mkdir(parents=True)
    record = {
        "run": f"tale/{number}", "status": "finished", "corpus": "tale@1", "base": {"name": "tiny"}, "backend": "peft", "device": "cpu",
        "train": {"learning_rate": 2e-4}, "outcome": {"steps": 2, "val_loss": 2.5}, "openings": [{"at": "then", "tuned_loss": 2.75}, {"at": "now"}],
    }  # fmt: skip
    (folder / "gristmill.json").write_text(json.dumps(record | more))
    if metrics:
        rows = [
            {"step": 0, "kind": "val", "loss": 3.0, "tokens": 0, "seconds": 1.0},
            {"step": 1, "kind": "train", "loss": 2.9, "tokens": 10, "seconds": 2.0},
            {"step": 1, "kind": "val", "loss": 2.5, "tokens": 10, "seconds": 3.0},
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / "metrics.parquet")
    return folder


def test_the_journal_is_asked_by_its_columns_those_of_a_later_gristmill_too(tmp_path):
    write_run(tmp_path)
    found = query_run(
        "tale/1",
        "select step, tokens_per_second from metrics where kind = 'val' order by step",
        root=tmp_path,
    )
    assert found.rows() == [(0, None), (1, None)]


def test_every_run_is_a_row_of_runs_the_unreadable_one_too(tmp_path):
    write_run(tmp_path)
    write_run(tmp_path, 2, metrics=False, status="started", outcome=None, openings=[])
    (write_run(tmp_path, 10) / "gristmill.json").write_text("{")
    sql = "select run, status, steps, val_loss, test_loss, (train->>'learning_rate')::double from runs"
    assert query_run("tale/1", sql, root=tmp_path).rows() == [
        ("tale/1", "finished", 2, 2.5, 2.75, 2e-4),
        ("tale/2", "started", None, None, None, 2e-4),
        ("tale/10", "unreadable", None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("copy metrics to 'stolen.csv'", "COPY is not allowed"),
        ("explain analyze copy metrics to 'stolen.csv'", "not allowed"),
        ("select * from read_parquet('{other}')", "SQL here reads metrics, runs and nothing else"),
        ("select * from read_text('{record}')", "SQL here reads metrics, runs and nothing else"),
        ("set enable_external_access = true", "not allowed"),
        ("select * from metric", 'Nearest: "metrics". The tables are: metrics, runs.'),
        ("select los from metrics", 'Nearest: "loss". It is a column of metrics.'),
    ],
)
def test_only_a_select_of_these_two_runs(tmp_path, sql, message):
    folder, other = write_run(tmp_path), write_run(tmp_path, 2)
    asked = sql.format(other=other / "metrics.parquet", record=folder / "gristmill.json")
    with pytest.raises(UserError, match=message):
        query_run("tale/1", asked, root=tmp_path)
    assert not list(tmp_path.rglob("stolen*"))


def test_a_run_that_has_measured_nothing_yet_says_so(tmp_path):
    write_run(tmp_path, metrics=False)
    with pytest.raises(NotFound, match="written at the first evaluation"):
        query_run("tale", "select 1", root=tmp_path)


def ask(*args, **more):
    return CliRunner().invoke(app, ["sql", *map(str, args)], **more)


def test_the_command_takes_the_statement_beside_run_or_from_stdin(tmp_path):
    write_run(tmp_path)
    sql = "select count(*) as n from metrics"
    told = ask("--run", "tale", sql, "--format", "json", "--root", tmp_path)
    assert json.loads(told.stdout) == [{"n": 3}]
    assert ask("--run", "tale/1", "--format", "json", "--root", tmp_path, input=sql).stdout == told.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tale", "select 1", "--run", "tale/1"], "a run and a version are asked apart"),
        ([], "gristmill sql --run NAME"),
        (["--run", "tail", "select 1"], 'Nearest: "tale"'),
    ],
    ids=["both", "neither", "no such run"],
)
def test_a_question_to_nobody_or_to_two_is_a_users_error(tmp_path, args, message):
    write_run(tmp_path)
    told = ask(*args, "--root", tmp_path)
    assert told.exit_code == 2
    assert message in told.stderr
