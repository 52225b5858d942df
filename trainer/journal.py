"""`metrics.parquet`: every optimiser step and every evaluation of a run, written as it goes and read again to resume."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

METRICS = pa.schema([
    pa.field("step", pa.int32(), nullable=False),
    pa.field("epoch", pa.float64(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("loss", pa.float64(), nullable=False),
    pa.field("accuracy", pa.float64()),
    pa.field("learning_rate", pa.float64()),
    pa.field("grad_norm", pa.float64()),
    pa.field("tokens", pa.int64(), nullable=False),
    pa.field("seconds", pa.float64(), nullable=False),
])
"""`kind` is train (one row an optimiser step) or val (one row an evaluation; step 0 is before the first step). `loss` is nats per
trained token; `tokens` are trained tokens since the start; `seconds` is time at work since the start, pauses left out."""


class Journal:
    """The rows of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self._since = time.monotonic()
        self._before = 0.0

    def take_up(self, step: int) -> None:
        """Read what an interrupted run wrote, up to and with `step`."""
        table = pq.read_table(self.path) if self.path.is_file() else METRICS.empty_table()
        self.rows = [row for row in table.to_pylist() if row["step"] <= step]
        self._before = self.rows[-1]["seconds"] if self.rows else 0.0

    @property
    def seconds(self) -> float:
        """Time at work, earlier sittings counted."""
        return self._before + time.monotonic() - self._since

    @property
    def tokens(self) -> int:
        """Trained tokens so far."""
        return self.rows[-1]["tokens"] if self.rows else 0

    def add(self, kind: str, step: int, epoch: float, loss: float, tokens: int, **more: float | None) -> None:
        """One more row; `more` holds accuracy, learning_rate, grad_norm."""
        row = {
            "step": step,
            "epoch": epoch,
            "kind": kind,
            "loss": loss,
            "tokens": tokens,
            "seconds": self.seconds,
        }
        self.rows.append(row | more)

    def of(self, kind: str) -> Iterator[dict[str, Any]]:
        """The rows of one kind, in order."""
        return (row for row in self.rows if row["kind"] == kind)

    def write(self) -> None:
        """Write all rows beside and rename: the file is always whole."""
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        pq.write_table(pa.Table.from_pylist(self.rows, METRICS), temporary)
        temporary.replace(self.path)
