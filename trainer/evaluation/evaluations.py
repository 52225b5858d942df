"""`evaluations.jsonl`: every evaluation of a run with all its numbers, one a line, newest last. The record keeps only how often test was opened.

One file that grows, rather than a file an evaluation: a run's history is read in one go, by `gristmill sql` too. It is written anew beside itself and
renamed, under the run's lock, so that a kill or two evaluations at once lose no line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer import runs
from trainer.record import finite
from trainer.runs import Run

if TYPE_CHECKING:
    import pyarrow as pa

EVALUATIONS = "evaluations.jsonl"


def append(run: Run, values: dict[str, Any]) -> None:
    """Add one evaluation; a number that is none is null."""
    line = json.dumps(finite(values), ensure_ascii=False, allow_nan=False)
    path = run.path / EVALUATIONS
    with runs.locked(run, wait=True):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        write_text(path, f"{before}{line}\n")


def read(run: Run) -> list[dict[str, Any]]:
    """All evaluations of a run, oldest first."""
    path = run.path / EVALUATIONS
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step: the old one or the new one is there, never a part."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_table(path: Path, table: pa.Table) -> None:
    """The same for a table, as Parquet."""
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.tmp")
    pq.write_table(table, temporary)
    temporary.replace(path)
