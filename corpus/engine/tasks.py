"""A task: one call of a module's function, whose output path says what went in.

`<work>/<phase>/<spec hash>/<input digest>.parquet`; a task that makes several tables writes the others beside it, named
`<input digest>.<table>.parquet`, and the plain one last. Where that file exists the task is done, by whomever and whenever.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.engine.parquet import write_stream, write_table
from plugins.specs import library_version, module_digest
from schemas.fingerprint import fingerprint

BASE = ("schemas.tables", "schemas.fingerprint")
"""Modules every output depends on: what columns it has, and how what it names is identified."""

MAIN = ""
"""Name of the table whose file marks the task as done."""


@dataclass(frozen=True)
class Spec:
    """What a phase does, apart from its inputs: its options and everything in code that can change its results."""

    phase: str
    options: Mapping[str, Any]
    code: tuple[str, ...]
    """Modules whose source is part of it."""
    libraries: tuple[str, ...] = ()
    """Distributions whose version is part of it."""

    @property
    def hash(self) -> str:
        return fingerprint({
            "phase": self.phase,
            "options": self.options,
            "code": {name: module_digest(name) for name in (*BASE, *self.code)},
            "libraries": {name: library_version(name) for name in self.libraries},
            "unicode": unicodedata.unidata_version,  # what a letter is, kernels and cleaners ask Python
        })

    def folder(self, work: Path) -> Path:
        """Where this phase's outputs lie."""
        return work / self.phase / self.hash


@dataclass(frozen=True)
class Task:
    """One call: `call` is "module:function", which takes `inputs` and returns tables by name, or streams of tables."""

    call: str
    inputs: dict[str, Any]
    """JSON values only: a task crosses processes and machines as text."""
    output: str
    """The path of its main table."""
    weight: int = 1
    """Units of progress."""
    always: bool = field(default=False)
    """Run it even where the output exists: its input cannot be named beforehand."""

    @property
    def done(self) -> bool:
        return not self.always and Path(self.output).exists()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def perform(task: Task) -> None:
    """Run one task and write what it returns."""
    module, _, name = task.call.partition(":")
    function: Callable[..., dict[str, pa.Table | Iterable[pa.Table]]] = getattr(
        importlib.import_module(module), name
    )
    tables = function(**task.inputs)
    for name in sorted(tables, reverse=True):  # MAIN sorts first, so it is written last
        made, path = tables[name], beside(task.output, name)
        if isinstance(made, pa.Table):
            write_table(made, path)
        else:
            write_stream(made, path)


def beside(output: str | Path, table: str) -> Path:
    """The path of a task's table; MAIN is the output itself."""
    path = Path(output)
    return path if table == MAIN else path.with_name(f"{path.stem}.{table}.parquet")
