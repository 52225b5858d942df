"""Runs a list of tasks, here or elsewhere. What is done already is skipped, so every executor resumes.

`local` is the standard process pool: it notices a worker that dies, where datatrove's own pool waits for ever. `ray` and `slurm` hand
the same tasks to datatrove's executors.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path

from corpus.engine.kernel_cache import VARIABLE
from corpus.engine.progress import Progress
from corpus.engine.tasks import Task, perform
from schemas.errors import GristmillError, TaskFailed
from schemas.runtime import Runtime
from schemas.store import Store


@dataclass
class Engine:
    """One build's means: where it works, with how many hands, and who is told. Close it when done."""

    runtime: Runtime
    progress: Progress
    performed: dict[str, int] = field(default_factory=dict)
    """Units of work really done, by phase."""
    _pool: ProcessPoolExecutor | None = field(default=None, repr=False)

    @property
    def work(self) -> Path:
        return Store(self.runtime.root).work.absolute()

    @property
    def sources(self) -> Path:
        return Store(self.runtime.root).sources.absolute()

    def run(self, phase: str, tasks: Sequence[Task], unit: str) -> int:
        """Perform all tasks that are not done; returns the units of work performed.

        Raises TaskFailed naming the task, or the task's own GristmillError.
        """
        todo = [task for task in tasks if not task.done]
        total = sum(task.weight for task in todo)
        self.performed[phase] = self.performed.get(phase, 0) + total
        with self.progress.phase(phase), self.progress.meter(phase, total, unit) as meter:
            if not todo:
                return 0
            if self.runtime.executor != "local":
                from corpus.engine.cluster import run_cluster

                run_cluster(phase, todo, self.runtime, self.work)
                meter.advance(total)
            elif self.runtime.workers == 1:
                for task in todo:
                    _named(task)
                    meter.advance(task.weight)
            else:
                self._run_pool(todo, meter.advance)
        return total

    def _run_pool(self, tasks: Sequence[Task], advance: object) -> None:
        assert callable(advance)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.runtime.workers,
                mp_context=get_context("forkserver"),
                initializer=_start_worker,
                # Told, not inherited: the fork server has the environment of the first build of this process.
                initargs=(os.environ.get(VARIABLE, ""),),
            )
        futures = {self._pool.submit(_named, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                future.result()
                advance(futures[future].weight)
        except BrokenProcessPool as error:
            self._pool = None
            waiting = [
                Path(task.output).stem
                for future, task in futures.items()
                if not future.done() or future.exception()
            ]
            raise TaskFailed(
                f"a worker process died (out of memory, or killed) with {len(waiting)} tasks of {tasks[0].call} open. "
                "What was finished is kept: run the same command again, with fewer --workers if memory ran out."
            ) from error
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _named(task: Task) -> None:
    """Perform a task; an error that is not ours says which task it was."""
    try:
        perform(task)
    except GristmillError:
        raise
    except Exception as error:
        raise TaskFailed(
            f"{task.call} failed on {Path(task.output).name}: {type(error).__name__}: {error}. "
            "What was finished is kept; --debug shows where."
        ) from error


def _start_worker(kernel_cache: str) -> None:
    """Use one core, and end when the build that started this worker is gone, even by `kill -9`."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallelism
    os.environ[VARIABLE] = kernel_cache
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
