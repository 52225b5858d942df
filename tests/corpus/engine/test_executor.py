"""Tasks are done once, wherever they run; a worker that dies is noticed, and so is a task that fails."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.engine.executor import Engine
from corpus.engine.parquet import read_table
from corpus.engine.progress import Progress
from corpus.engine.tasks import MAIN, Spec, Task, beside, perform
from schemas.errors import SourceError, TaskFailed
from schemas.runtime import Runtime

HERE = "engine_calls"
"""tests/engine_calls.py: what the tasks below call."""


def engine(root: Path, workers: int = 1) -> Engine:
    return Engine(Runtime(root=root, workers=workers, quiet=True), Progress(quiet=True))


def tasks(root: Path, count: int, call: str = "count", **inputs: object) -> list[Task]:
    return [
        Task(f"{HERE}:{call}", {"n": n, **inputs}, str(root / f"{n}.parquet"), weight=2) for n in range(count)
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_is_done_once(tmp_path: Path, workers: int) -> None:
    means = engine(tmp_path, workers)
    try:
        assert means.run("count", tasks(tmp_path, 5), "rows") == 10
        assert means.run("count", tasks(tmp_path, 7), "rows") == 4
    finally:
        means.close()
    assert means.performed == {"count": 14}
    assert [read_table(task.output)["n"].to_pylist() for task in tasks(tmp_path, 7)] == [
        [n] for n in range(7)
    ]


def test_a_task_whose_input_cannot_be_named_is_done_every_time(tmp_path: Path) -> None:
    means = engine(tmp_path)
    task = Task(f"{HERE}:count", {"n": 1}, str(tmp_path / "1.parquet"), always=True)
    assert [means.run("count", [task], "rows") for _ in range(2)] == [1, 1]


def test_a_dead_worker_is_noticed_and_the_rest_is_kept(tmp_path: Path) -> None:
    means = engine(tmp_path, 2)
    deadly = [
        *tasks(tmp_path, 3),
        Task(
            f"{HERE}:die",
            {"after": [str(tmp_path / f"{n}.parquet") for n in range(3)]},
            str(tmp_path / "x.parquet"),
        ),
    ]
    try:
        with pytest.raises(TaskFailed, match="a worker process died"):
            means.run("count", deadly, "rows")
        assert [task.done for task in deadly] == [True, True, True, False]
        assert means.run("count", tasks(tmp_path, 4), "rows") == 2, "a new pool takes over"
    finally:
        means.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_task_is_named_and_leaves_nothing(tmp_path: Path, workers: int) -> None:
    means = engine(tmp_path, workers)
    try:
        with pytest.raises(TaskFailed, match="engine_calls:fail failed on 0.parquet: ZeroDivisionError"):
            means.run("fail", tasks(tmp_path, 1, "fail"), "rows")
        with pytest.raises(SourceError, match="not there"):
            means.run("refuse", tasks(tmp_path, 1, "refuse"), "rows")
    finally:
        means.close()
    assert list(tmp_path.glob("*.parquet*")) == []


def test_the_main_table_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("corpus.engine.tasks.write_table", lambda table, path: written.append(path.name))
    perform(Task(f"{HERE}:several", {}, str(tmp_path / "out.parquet")))
    assert written[-1] == "out.parquet"
    assert set(written) == {"out.parquet", "out.edits.parquet", "out.merged.parquet"}
    assert beside(tmp_path / "out.parquet", "edits").name == "out.edits.parquet"
    assert beside(tmp_path / "out.parquet", MAIN).name == "out.parquet"


def test_a_spec_moves_with_options_code_and_libraries_and_nothing_else() -> None:
    base = Spec("p", {"a": 1}, ("corpus.engine.tasks",), ("polars",)).hash
    assert Spec("p", {"a": 1}, ("corpus.engine.tasks",), ("polars",)).hash == base
    others = [
        Spec("q", {"a": 1}, ("corpus.engine.tasks",), ("polars",)),
        Spec("p", {"a": 2}, ("corpus.engine.tasks",), ("polars",)),
        Spec("p", {"a": 1}, ("corpus.engine.progress",), ("polars",)),
        Spec("p", {"a": 1}, ("corpus.engine.tasks",), ("pyarrow",)),
    ]
    assert len({base, *(spec.hash for spec in others)}) == 5


def test_a_table_survives_the_way_through_a_worker(tmp_path: Path) -> None:
    means = engine(tmp_path, 2)
    try:
        means.run("count", tasks(tmp_path, 1), "rows")
    finally:
        means.close()
    assert read_table(tmp_path / "0.parquet").equals(
        pa.table({"n": [0], "pid": [read_table(tmp_path / "0.parquet")["pid"][0].as_py()]})
    )
    assert read_table(tmp_path / "0.parquet")["pid"][0].as_py() != os.getpid()
