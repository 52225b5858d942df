"""Tasks on Ray or Slurm, through datatrove's executors.

One thin step that holds only strings: datatrove pickles its steps, and a class from a user's file inside one makes its pools
respawn for ever. Its completion markers are numbered by rank and would skip new work, so they are off: our outputs are the markers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datatrove.pipeline.base import PipelineStep

from corpus.engine.tasks import Task, perform
from schemas.errors import MissingExtra, TaskFailed, UserError
from schemas.fingerprint import fingerprint
from schemas.runtime import Runtime

POLL_SECONDS = 5.0
REFUSALS = 6
"""Times in a row that `squeue` may fail: a busy controller does so now and then, and for a job it has forgotten it always does."""


class TaskStep(PipelineStep):
    """Performs the task whose number is the rank."""

    name = "gristmill task"
    type = "gristmill"

    def __init__(self, tasks_file: str) -> None:
        super().__init__()
        self.tasks_file = tasks_file

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:
        """Perform task `rank`; there are no documents to pass on."""
        values = json.loads(Path(self.tasks_file).read_text(encoding="utf-8"))[rank]
        perform(Task(**values))
        return data


def run_cluster(phase: str, tasks: Sequence[Task], runtime: Runtime, work: Path) -> None:
    """Perform all tasks; raises TaskFailed naming those without output."""
    folder = work / "jobs" / f"{phase}-{fingerprint([task.output for task in tasks])}"
    shutil.rmtree(folder, ignore_errors=True)  # an earlier attempt's logs
    folder.mkdir(parents=True)
    tasks_file = folder / "tasks.json"
    tasks_file.write_text(json.dumps([task.to_json() for task in tasks]), encoding="utf-8")
    before = {task.output: _stamp(task) for task in tasks}
    if runtime.executor == "ray":
        _run_ray(str(tasks_file), tasks, runtime, folder)
    else:
        _run_slurm(phase, str(tasks_file), tasks, runtime, folder)
    missing = [task for task in tasks if _stamp(task) == (before[task.output] if task.always else None)]
    if missing:
        raise TaskFailed(
            f"{len(missing)} of {len(tasks)} tasks of {phase} left no output on {runtime.executor}; their logs are in {folder}. "
            "What was finished is kept: run the same command again."
        )


def _stamp(task: Task) -> int | None:
    path = Path(task.output)
    return path.stat().st_mtime_ns if path.exists() else None


def _run_ray(tasks_file: str, tasks: Sequence[Task], runtime: Runtime, folder: Path) -> None:
    try:
        import ray
        from datatrove.executor.ray import RayPipelineExecutor
    except ImportError:
        raise MissingExtra(
            "--executor ray needs the extra `ray`. Install it with: pip install 'gristmill[ray]'"
        ) from None
    if not ray.is_initialized():
        path = os.pathsep.join(entry for entry in sys.path if entry)
        ray.init(
            address=os.environ.get("RAY_ADDRESS") or None,
            num_cpus=None if os.environ.get("RAY_ADDRESS") else runtime.workers,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": path}},
        )
    RayPipelineExecutor(
        pipeline=[TaskStep(tasks_file)],
        tasks=len(tasks),
        workers=runtime.workers,
        logging_dir=str(folder / "logs"),
        skip_completed=False,
        mem_per_cpu_gb=1,
    ).run()


def slurm_executor(phase: str, tasks_file: str, count: int, runtime: Runtime, folder: Path) -> Any:
    """datatrove's executor for `count` tasks; `launch_job` writes its script and calls sbatch."""
    from datatrove.executor.slurm import SlurmPipelineExecutor

    return SlurmPipelineExecutor(
        pipeline=[TaskStep(tasks_file)],
        tasks=count,
        time=runtime.slurm.time,
        partition=runtime.slurm.partition,
        mem_per_cpu_gb=runtime.slurm.memory_gib,
        qos=runtime.slurm.qos,
        workers=runtime.workers,
        job_name=f"gristmill-{phase}",
        env_command=f"export PATH={Path(sys.executable).parent}:$PATH",
        logging_dir=str(folder / "logs"),
        skip_completed=False,
        mail_user=None,
    )


def _run_slurm(phase: str, tasks_file: str, tasks: Sequence[Task], runtime: Runtime, folder: Path) -> None:
    """Submit an array job and wait: later phases need what this one makes."""
    if shutil.which("sbatch") is None:
        raise UserError(
            "--executor slurm needs `sbatch` on the PATH: run gristmill on a login node of the cluster, or use --executor local."
        )
    executor = slurm_executor(phase, tasks_file, len(tasks), runtime, folder)
    executor.launch_job()
    refused = 0
    while not all(task.done for task in tasks):
        queued = subprocess.run(
            ["squeue", "-h", "-j", str(executor.job_id)], capture_output=True, text=True, check=False
        )
        refused = refused + 1 if queued.returncode else 0
        if refused == REFUSALS or not (queued.returncode or queued.stdout.strip()):
            return  # gone from the queue; run_cluster says which outputs are missing
        time.sleep(POLL_SECONDS)
