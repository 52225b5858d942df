"""Runtime: what changes the machine's work but never the data. Nothing here is ever hashed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ExecutorName = Literal["local", "ray", "slurm"]


def available_cores() -> int:
    """The cores this process may use (a container's or `taskset`'s share, not the machine's)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class SlurmOptions:
    """What a Slurm cluster wants to know of a job."""

    partition: str = "cpu"
    time: str = "04:00:00"
    memory_gib: int = 4
    """Per core."""
    qos: str = "normal"


@dataclass(frozen=True)
class Runtime:
    """Where and how a build or a run is executed."""

    root: Path = Path()
    """Holds `corpora/`, `runs/` and `.gristmill/`."""
    workers: int = field(default_factory=available_cores)
    """Worker processes; 1 runs in this process."""
    executor: ExecutorName = "local"
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    slurm: SlurmOptions = SlurmOptions()
    quiet: bool = False
    """No progress on stderr."""
