"""Runs contestants, each in a fresh process, in turn, and watches the memory of everything each of them starts.

A contestant is a script that reads one JSON object from stdin and ends stdout with another, which has `seconds`: measured by itself, so
that the start of the interpreter, imports and compilation do not count. Contestants alternate (A B A B …), so that what else the
machine does meets both; the median counts.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
EVERY = 0.2
"""Seconds between two looks at the memory."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A script of bench/peers and what it is told."""

    python: Path
    script: str
    config: Mapping[str, Any] = field(default_factory=dict)
    cores: int = 1
    """The processors it may use."""
    limit: float = 1800
    """Seconds until it is stopped."""
    runs: int | None = None
    """Fewer runs than asked for, for one that takes minutes."""


def alternate(contestants: Mapping[str, Contestant], runs: int) -> dict[str, Figures]:
    """Figures of each: those of its last run, with the median of `seconds` and of `phases`, all `timings`, the largest `peak_mb`.

    One that fails has `error` instead.
    """
    found: dict[str, list[Figures]] = {name: [] for name in contestants}
    for turn in range(runs):
        for name, contestant in contestants.items():
            if turn < (contestant.runs or runs) and not any("error" in figures for figures in found[name]):
                found[name].append(run(contestant))
                say(f"{name}, run {turn + 1}: {told(found[name][-1])}")
    return {name: settle(figures) for name, figures in found.items()}


def settle(runs: list[Figures]) -> Figures:
    """One set of figures of several runs.

    >>> settle([
    ...     {"seconds": 3.0, "peak_mb": 5},
    ...     {"seconds": 1.0, "peak_mb": 7},
    ...     {"seconds": 1.5, "peak_mb": 6},
    ... ])
    {'seconds': 1.5, 'peak_mb': 7, 'timings': [3.0, 1.0, 1.5]}
    """
    failed = [figures for figures in runs if "error" in figures]
    if failed:
        return failed[0]
    last = dict(runs[-1])
    last["seconds"] = median(figures["seconds"] for figures in runs)
    last["peak_mb"] = max(figures["peak_mb"] for figures in runs)
    if "phases" in last:
        last["phases"] = {
            name: median(figures["phases"].get(name, 0.0) for figures in runs) for name in last["phases"]
        }
    return {**last, "timings": [figures["seconds"] for figures in runs]}


def run(contestant: Contestant) -> Figures:
    """One run. `peak_mb` is the most memory that the process and all its children held together, in 10^6 bytes."""
    pinned = ["taskset", "-c", ",".join(map(str, cores(contestant.cores)))]
    command = [*pinned, str(contestant.python), str(HERE / "peers" / contestant.script)]
    threads = dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "POLARS_MAX_THREADS",
            "RAYON_NUM_THREADS",
            "NUMBA_NUM_THREADS",
        ),
        str(contestant.cores),
    )
    with tempfile.TemporaryFile("w+") as talk:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=talk,
            text=True,
            env={**os.environ, **threads, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        watch = Watch(process.pid)
        watch.start()
        try:
            answer, _ = process.communicate(json.dumps(contestant.config), timeout=contestant.limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {"error": f"stopped after {contestant.limit:.0f} s"}
        finally:
            watch.stop()
        talk.seek(0)
        lines = talk.read().strip().splitlines()
    if process.returncode or not answer.strip():
        return {"error": "; ".join(lines[-3:])[-600:] or f"exit {process.returncode}"}
    return {**json.loads(answer.strip().splitlines()[-1]), "peak_mb": round(watch.peak / 1e6)}


def cores(count: int) -> list[int]:
    """The first processors this process may use."""
    return sorted(os.sched_getaffinity(0))[:count]


class Watch(threading.Thread):
    """Looks at the memory of a process, its session and its descendants until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid = pid
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(EVERY):
            self.peak = max(self.peak, sum(map(held, family(self._pid))))

    def stop(self) -> None:
        """No further look."""
        self._done.set()
        self.join()


def family(pid: int) -> list[int]:
    """The process, all that share its session, and all that descend from either."""
    seen = {
        int(path.name): _parent_and_session(path) for path in Path("/proc").iterdir() if path.name.isdigit()
    }
    found = {other for other, (_, session) in seen.items() if session == pid} | {pid}
    while more := {other for other, (parent, _) in seen.items() if parent in found} - found:
        found |= more
    return sorted(found)


def _parent_and_session(process: Path) -> tuple[int, int]:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1, -1
    return int(fields[1]), int(fields[3])


def held(pid: int) -> int:
    """Bytes a process holds, pages shared with others counted in shares (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def told(figures: Figures) -> str:
    """A line for the person who waits."""
    if "error" in figures:
        return f"failed: {figures['error']}"
    return f"{figures['seconds']:.2f} s, {figures['peak_mb']} MB"


def machine() -> dict[str, Any]:
    """The computer, in words."""
    model = next(_facts("/proc/cpuinfo", "model name"), "unknown processor")
    memory = next(_facts("/proc/meminfo", "MemTotal"), "0 kB")
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory.split()[0]) * 1024 / 1e9, 1),
        "system": " ".join(os.uname()[i] for i in (0, 2, 4)),
        "python": sys.version.split()[0],
    }


def _facts(path: str, key: str) -> Iterator[str]:
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            yield value.strip()


def say(line: str) -> None:
    """One line of talk."""
    print(f"bench: {line}", file=sys.stderr, flush=True)
