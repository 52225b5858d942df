"""A killable child for calls that may hang, crash or eat the memory, one item at a time.

Extractors and parsers meet pages made to break them. They run in one long-lived child process (its imports cost a second, so it is kept),
under limits of the kernel's: CPU seconds and address space per item, by `setrlimit`, which also stops what is stuck in C; and a wide wall
limit for what sleeps. An item that hits a limit or kills the child costs itself and nothing else: it is tried once more,
alone and with four times as much, so that what fails does so on a busy machine and on an idle one alike.

The pool is pebble's. Two things are ours. The child is spawned, never forked, so that it inherits no memory, and *without* importing
the parent's `__main__`: a script that calls `corpus.build()` on its top level would otherwise build again in every child. And the child dies
with its parent, even by SIGKILL: the kernel sees to it on Linux (PR_SET_PDEATHSIG), a thread that waits for the parent elsewhere.
"""

from __future__ import annotations

import multiprocessing.spawn
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from corpus.engine import sandbox_child
from corpus.engine.sandbox_child import Limits
from schemas.errors import TaskFailed
from schemas.fingerprint import canonical

IN_FLIGHT = 8
"""Items handed to the child ahead of the one awaited, so that it never idles."""
RETRY_FACTOR = 4
"""How much more an item is given when it is tried again."""
WALL_FACTOR, WALL_SECONDS = 10, 30
"""Wall limit: so many times the CPU seconds, and so many seconds more. It is for what sleeps; a busy machine must not reach it."""
ITEMS_PER_CHILD = 5000
"""The child is replaced after so many items: parsers leak."""
BROKEN_POOLS = 3
"""Pools in a row that may break without an item done before it is the child itself that is wrong."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item."""

    value: Any = None
    error: str | None = None
    """timeout | memory | crashed | failed, or None."""
    detail: str | None = None
    """The limit, the signal, or the exception in one line."""
    retried: bool = False
    """It was tried twice; `value` or `error` is of the second time."""


class Sandbox:
    """Applies a function to items in a child under limits. A context manager; usable again after every `run`, but by one thread at a time.

    `function` is "package.module:name" or "path/to/file.py:name" of a `f(spec, item)` with picklable results; `spec` is JSON-like.
    """

    def __init__(self, function: str, spec: Any, limits: Limits) -> None:
        self._call = (function, spec)
        self._limits = limits
        self._pool: ProcessPool | None = None
        self._finalizer: Any = None
        self._owner = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the child; the next `run` would start another."""
        pool, self._pool = self._pool, None
        if self._finalizer is not None:
            self._finalizer.cancel()
        if pool is not None and self._owner == os.getpid():
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()

    def run(self, items: Iterable[Any]) -> Iterator[Outcome]:
        """The outcome of every item, in order. Raises TaskFailed where the function itself cannot be had or the child not started."""
        ahead: deque[tuple[Any, Future[Any]]] = deque()
        source = iter(items)
        done = False
        try:
            while True:
                while not done and len(ahead) < IN_FLIGHT:
                    try:
                        item = next(source)
                    except StopIteration:
                        done = True
                        break
                    ahead.append((item, self._schedule(item, self._limits)))
                if not ahead:
                    return
                yield self._settle(ahead)
        finally:
            # Left early: what is in flight would otherwise run on, and block the next run.
            if ahead:
                self.close()

    def _settle(self, ahead: deque[tuple[Any, Future[Any]]]) -> Outcome:
        """The outcome of the first in flight, after a second try where it needs one."""
        outcome = self._await(ahead, self._limits)
        item, _ = ahead[0]
        if outcome.error in {"timeout", "memory", "crashed"}:
            # Alone: nothing else in flight, so that no other item's death can be laid to its charge.
            wait([future for _, future in ahead])
            more = self._limits.times(RETRY_FACTOR)
            second = deque([(item, self._schedule(item, more))])
            again = self._await(second, more)
            outcome = Outcome(again.value, again.error, again.detail, retried=True)
        ahead.popleft()
        return outcome

    def _await(self, ahead: deque[tuple[Any, Future[Any]]], limits: Limits) -> Outcome:
        """The outcome of the first in flight; a pool that broke is replaced and the rest handed to the new one."""
        for _ in range(BROKEN_POOLS):
            try:
                return _outcome(ahead[0][1], limits)
            except BrokenProcessPool:
                # The child died between two items, or so fast that pebble cannot say over which.
                self.close()
                for index, (item, future) in enumerate(ahead):
                    if index == 0 or not future.done() or future.exception() is not None:
                        ahead[index] = (item, self._schedule(item, limits))
        function, _ = self._call
        raise TaskFailed(
            f"the child process for {function} died {BROKEN_POOLS} times before it could work. "
            "`gristmill doctor` says what works here; memory limits of the shell (ulimit -v) are a common cause."
        )

    def _schedule(self, item: Any, limits: Limits) -> Future[Any]:
        if self._pool is None:
            self._start()
        assert self._pool is not None
        wall = WALL_FACTOR * limits.cpu_seconds + WALL_SECONDS
        return self._pool.schedule(sandbox_child.call, args=(item, limits), timeout=wall)

    def _start(self) -> None:
        self._owner = os.getpid()
        self._pool = ProcessPool(
            max_workers=1,
            max_tasks=ITEMS_PER_CHILD,
            initializer=sandbox_child.prepare,
            initargs=(*self._call, self._owner),
            context=_Context(),
        )
        # Runs before multiprocessing joins its children at exit, in workers too, where atexit does not run.
        self._finalizer = Finalize(self, self.close, exitpriority=100)


def _outcome(future: Future[Any], limits: Limits) -> Outcome:
    try:
        error, value = future.result()
    except TimeoutError:
        return Outcome(
            error="timeout", detail=f"slept past {WALL_FACTOR * limits.cpu_seconds + WALL_SECONDS} s"
        )
    except ProcessExpired as expired:
        return _death(expired.exitcode, limits)
    except BrokenProcessPool:
        raise
    except Exception as failure:  # noqa: BLE001  what the child could not send back, whatever it is
        return Outcome(error="failed", detail=_line(f"{type(failure).__name__}: {failure}"))
    if error == "no function":
        raise TaskFailed(value)
    if error == "memory":
        return Outcome(error=error, detail=f"more than {limits.memory_mib} MiB")
    if error:
        return Outcome(error=error, detail=_line(value))
    try:
        return Outcome(pickle.loads(value))
    except Exception as failure:  # noqa: BLE001  unpickling runs the result's own code
        return Outcome(error="failed", detail=_line(f"{type(failure).__name__}: {failure}"))


def _death(exitcode: int | None, limits: Limits) -> Outcome:
    """What killed the child: its exit code is minus the signal."""
    if exitcode == -signal.SIGXCPU:
        return Outcome(error="timeout", detail=f"more than {limits.cpu_seconds} CPU seconds")
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        return Outcome(error="crashed", detail=name)
    return Outcome(error="crashed", detail=f"exit code {exitcode}")


def _line(text: str) -> str:
    """One line of at most 500 characters."""
    return " ".join(text.split())[:500]


# ------------------------------------------------------------------------------------- one child per process

_KEPT: dict[tuple[int, str], Sandbox] = {}


def sandbox(function: str, spec: Any, limits: Limits) -> Sandbox:
    """This process' sandbox for the call, kept for the next task; another call's is closed. It ends with the process."""
    key = (os.getpid(), canonical([function, spec, limits.cpu_seconds, limits.memory_mib]))
    if key not in _KEPT:
        close_kept()
        _KEPT[key] = Sandbox(function, spec, limits)
    return _KEPT[key]


def close_kept() -> None:
    """Close what `sandbox` keeps, now rather than at exit."""
    for kept in _KEPT.values():
        kept.close()
    _KEPT.clear()


# ------------------------------------------------------------------------------------- a child without our __main__


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802  multiprocessing's name
        from multiprocessing.popen_spawn_posix import Popen

        with _without_main():
            return Popen(process_obj)


class _Context(SpawnContext):
    """multiprocessing's spawn, leaving the parent's main module alone."""

    Process = _Process


_PATCH = threading.Lock()


@contextmanager
def _without_main() -> Iterator[None]:
    """While open, what *this thread* spawns is not told to import the parent's main module."""
    name = "get_preparation_data"
    prepare: Callable[[str], dict[str, Any]] = getattr(multiprocessing.spawn, name)
    thread = threading.get_ident()

    def bare(process: str) -> dict[str, Any]:
        data = prepare(process)
        if threading.get_ident() != thread:
            return data
        return {key: value for key, value in data.items() if not key.startswith("init_main")}

    with _PATCH:
        setattr(multiprocessing.spawn, name, bare)
        try:
            yield
        finally:
            setattr(multiprocessing.spawn, name, prepare)
