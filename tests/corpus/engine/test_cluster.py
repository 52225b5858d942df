"""Slurm gets the script that is kept here; datatrove's step carries nothing but strings."""

import json
import pickle
import sys
from pathlib import Path

import pytest

from corpus.engine.cluster import TaskStep, run_cluster, slurm_executor
from corpus.engine.parquet import read_table
from corpus.engine.tasks import Task
from schemas.errors import TaskFailed, UserError
from schemas.runtime import Runtime, SlurmOptions

GOLDEN = Path(__file__).with_name("golden")


def tasks(folder: Path, count: int = 3) -> list[Task]:
    return [Task("engine_calls:count", {"n": n}, str(folder / f"{n}.parquet")) for n in range(count)]


def test_the_slurm_script_is_the_golden_one(tmp_path: Path) -> None:
    runtime = Runtime(executor="slurm", workers=8, slurm=SlurmOptions("batch", "01:30:00", 6, "high"))
    executor = slurm_executor("extract", str(tmp_path / "tasks.json"), 120, runtime, tmp_path)
    script = executor.get_launch_file_contents(
        executor.get_sbatch_args(120),
        f"srun -l -n 1 launch_pickled_pipeline {executor.logging_dir.resolve_paths('executor.pik')}",
    )
    plain = script.replace(str(tmp_path), "<job>").replace(str(Path(sys.executable).parent), "<bin>")
    assert plain == (GOLDEN / "extract.slurm").read_text()


def test_a_cluster_submission_asks_sbatch_and_waits_for_its_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for Slurm: `sbatch` runs every rank of the script's array at once, `squeue` finds nothing left."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "sbatch").write_text(SBATCH.format(python=sys.executable))
    (fake / "scontrol").write_text("#!/bin/sh\necho here\n")
    (fake / "squeue").write_text("#!/bin/sh\nexit 0\n")
    (fake / "srun").write_text(
        '#!/bin/sh\nwhile [ "$1" != "launch_pickled_pipeline" ]; do shift; done\nexec "$@"\n'
    )
    for program in fake.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    wanted = tasks(tmp_path)
    run_cluster("count", wanted, Runtime(root=tmp_path, executor="slurm", workers=2), tmp_path / "work")
    assert [read_table(task.output)["n"].to_pylist() for task in wanted] == [[0], [1], [2]]


SBATCH = """#!{python}
import os, pathlib, re, subprocess, sys
script = pathlib.Path(sys.argv[-1]).read_text()
last = int(re.search(r"--array=0-(\\d+)", script).group(1))
if "merge_stats" not in script:
    for rank in range(last + 1):
        env = {{**os.environ, "SLURM_ARRAY_TASK_ID": str(rank), "RUN_OFFSET": "0", "SLURM_NODELIST": "here"}}
        subprocess.run(["bash", "-c", script], env=env, check=True, stdout=sys.stderr)
print("Submitted batch job 4711")
"""


def test_without_sbatch_the_message_says_where_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="login node"):
        run_cluster("count", tasks(tmp_path), Runtime(root=tmp_path, executor="slurm"), tmp_path / "work")


def test_tasks_without_output_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corpus.engine.cluster._run_slurm", lambda *_: None)
    with pytest.raises(TaskFailed, match="3 of 3 tasks of count left no output"):
        run_cluster("count", tasks(tmp_path), Runtime(root=tmp_path, executor="slurm"), tmp_path / "work")


def test_a_step_holds_only_strings_and_performs_its_rank(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps([task.to_json() for task in tasks(tmp_path)]))
    step = pickle.loads(pickle.dumps(TaskStep(str(file))))
    step.run(None, rank=2, world_size=3)
    assert [task.done for task in tasks(tmp_path)] == [False, False, True]
