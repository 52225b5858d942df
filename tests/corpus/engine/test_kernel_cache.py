"""Kernels are compiled once a machine: workers find what an earlier one left, and leave what they made."""

from pathlib import Path

import pyarrow as pa
import pytest

from corpus.engine.executor import Engine
from corpus.engine.kernel_cache import VARIABLE, keep_kernels_in
from corpus.engine.parquet import write_table
from corpus.engine.progress import Progress
from corpus.engine.tasks import Task
from schemas.runtime import Runtime


@pytest.mark.parametrize("name", ["first", "second"])
def test_workers_keep_compiled_kernels_where_this_build_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Twice: the second build of a process has other workers, and another root."""
    write_table(
        pa.table({"doc_id": ["a"], "text": pa.array(["one two three"], pa.large_string())}),
        tmp_path / "d.parquet",
    )
    monkeypatch.setenv(VARIABLE, "")
    keep_kernels_in(tmp_path / name)
    inputs = {"drafts": [(str(tmp_path / "d.parquet"), [0])], "ngram": 2, "permutations": 16}
    tasks = [Task("corpus.phases.annotate:sign", inputs, str(tmp_path / f"{n}.parquet")) for n in range(2)]
    engine = Engine(Runtime(root=tmp_path, workers=2, quiet=True), Progress(quiet=True))
    try:
        engine.run("annotate", tasks, "documents")
    finally:
        engine.close()
    assert list((tmp_path / name).rglob("*.nbi")), "numba's index of what it compiled"
