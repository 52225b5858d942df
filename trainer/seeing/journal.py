"""`metrics.parquet`: every optimiser step and every evaluation of a run, written as it goes and read again to resume.

What shows a run (the bar, trackers) follows the journal: it hears each row as it is added, so all of them tell the same
numbers. Rejected: callbacks of transformers for each of them, which hear losses that transformers rounds and averages.
"""

from __future__ import annotations

import itertools
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
    pa.field("tokens_per_second", pa.float64()),
    pa.field("memory", pa.int64()),
])
"""`kind` is train (one row an optimiser step) or val (one row an evaluation; step 0 is before the first step). `loss` is nats per
trained token; `grad_norm` is before clipping; `tokens` are trained tokens since the start; `seconds` is time at work since the start,
pauses left out; `tokens_per_second` is that step's alone, evaluations left out, and null for the first step of a sitting, which
warms up; `memory` is the most bytes held so far: of the GPU by torch where one is used, else of the process. Runs from before
the last two columns have neither."""

Row = dict[str, Any]


class Journal:
    """The rows of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._followers: list[Callable[[Row], None]] = []
        self._since = time.monotonic()
        self._before = 0.0
        self._sitting = 0
        """Rows that earlier sittings left."""

    def take_up(self, step: int) -> None:
        """Read what an interrupted run wrote, up to and with `step`; followers do not hear it again."""
        self.rows = [row for row in read_rows(self.path) if row["step"] <= step]
        self._before = self.rows[-1]["seconds"] if self.rows else 0.0
        self._sitting = len(self.rows)

    def follow(self, hear: Callable[[Row], None]) -> None:
        """Let `hear` have every row from now on, as it is added."""
        self._followers.append(hear)

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
        seconds = self.seconds
        row = {"step": step, "epoch": epoch, "kind": kind, "loss": loss, "tokens": tokens, "seconds": seconds}
        if kind == "train" and len(self.rows) > self._sitting:
            taken = seconds - self.rows[-1]["seconds"]
            row["tokens_per_second"] = (tokens - self.tokens) / taken if taken > 0 else None
        row |= {"memory": _memory(), **more}
        self.rows.append(row)
        for hear in self._followers:
            hear(row)

    def of(self, kind: str) -> Iterator[Row]:
        """The rows of one kind, in order."""
        return (row for row in self.rows if row["kind"] == kind)

    def write(self) -> None:
        """Write all rows beside and rename: the file is always whole."""
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        pq.write_table(pa.Table.from_pylist(self.rows, METRICS), temporary)
        temporary.replace(self.path)


def read_rows(path: Path) -> list[Row]:
    """The rows of a `metrics.parquet`, of an older gristmill too: what it did not know is null. None where there is no file."""
    if not path.is_file():
        return []
    known = [name for name in pq.read_schema(path).names if name in METRICS.names]
    return [dict.fromkeys(METRICS.names) | row for row in pq.read_table(path, columns=known).to_pylist()]


def rate(rows: Sequence[Row], last: int | None = None) -> float | None:
    """Trained tokens a second over the last so many steps (by default all), evaluations left out; None where no step can be timed.

    A step is timed from the row before it, so the first row of all is not.

    >>> at = lambda kind, tokens, seconds: {"kind": kind, "tokens": tokens, "seconds": seconds}
    >>> rate([at("val", 0, 4.0), at("train", 100, 6.0), at("val", 100, 9.0), at("train", 200, 11.0)])
    50.0
    """
    timed = [
        (row["tokens"] - before["tokens"], row["seconds"] - before["seconds"])
        for before, row in itertools.pairwise(rows)
        if row["kind"] == "train"
    ]
    timed = timed[-last:] if last else timed
    seconds = sum(taken for _, taken in timed)
    return sum(tokens for tokens, _ in timed) / seconds if seconds > 0 else None


def _memory() -> int:
    """The most bytes held so far: on the GPU, where torch has one at work, else of this process."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_reserved())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else 1024 * int(peak)
