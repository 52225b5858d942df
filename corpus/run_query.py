"""SQL over a training run: its `metrics.parquet` as the view `metrics`, and every run under the root as the table `runs`.

As safe as SQL over a version (`corpus.query`): SELECT only, and no other file. A run's record is read as plain JSON, because this
package knows nothing of the trainer's; what is not there, in the record of an older or a newer gristmill, is null.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.query import ask, lock, opened, texts
from schemas.errors import NotFound
from schemas.store import Store

TABLES = ("metrics", "runs")
LATER = {"tokens_per_second": "DOUBLE", "memory": "BIGINT"}
"""Columns that a journal written by an older gristmill lacks."""
OUTCOME = {
    "steps": pa.int64(),
    "best_step": pa.int64(),
    "first_val_loss": pa.float64(),
    "val_loss": pa.float64(),
    "last_val_loss": pa.float64(),
    "train_loss": pa.float64(),
    "trained_tokens": pa.int64(),
    "tokens_per_second": pa.float64(),
    "seconds": pa.float64(),
    "kept": pa.string(),
    "stop_reason": pa.string(),
    "verdict": pa.string(),
}
"""Of a run that ended, as its record says."""
RUNS = pa.schema([
    pa.field("run", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),
    pa.field("corpus", pa.string()),
    pa.field("base", pa.string()),
    pa.field("backend", pa.string()),
    pa.field("device", pa.string()),
    *(pa.field(name, kind) for name, kind in OUTCOME.items()),
    pa.field("openings", pa.int64()),
    pa.field("test_loss", pa.float64()),
    pa.field("sweep", pa.int64()),
    pa.field("train", pa.string()),
])
"""One row a run. `status` is finished, started (at work, or killed) or unreadable; `test_loss` is of the last opening of the test split that measured it;
`train` is the recipe's [train] as JSON: `train->>'learning_rate'`."""


def query_run(spec: str, sql: str, *, root: Path | str = ".") -> pl.DataFrame:
    """The answer to one SELECT over the run `name` (its newest) or `name/N`.

    Raises NotFound where there is no such run or it has not measured anything yet, and UserError as `corpus.query.query`.
    """
    store = Store(Path(root))
    folder = store.run(spec)
    metrics = folder / "metrics.parquet"
    if not metrics.is_file():
        raise NotFound(
            f"{folder} holds no metrics.parquet yet: it is written at the first evaluation. Ask again when that is done."
        )
    connection = opened()
    try:
        present = set(pq.read_schema(metrics).names)
        later = "".join(f", NULL::{kind} AS {name}" for name, kind in LATER.items() if name not in present)
        source = f"read_parquet({texts([str(metrics.absolute())])}, hive_partitioning = false)"
        connection.execute(f"CREATE VIEW metrics AS SELECT *{later} FROM {source}")
        connection.register("found", every_run(store))
        connection.execute("CREATE TABLE runs AS SELECT * FROM found")
        connection.unregister("found")
        lock(connection, [str(metrics.absolute())])
        return ask(connection, sql, TABLES)
    finally:
        connection.close()


def every_run(store: Store) -> pa.Table:
    """Every run under a root, by name and number (schema `RUNS`)."""
    folders = [path for path in store.runs.glob("*/*") if path.name.isdecimal() and path.is_dir()]
    ordered = sorted(folders, key=lambda path: (path.parent.name, int(path.name)))
    return pa.Table.from_pylist([_row(path) for path in ordered], RUNS)


def _row(folder: Path) -> dict[str, Any]:
    name = f"{folder.parent.name}/{folder.name}"
    try:
        record = json.loads((folder / "gristmill.json").read_bytes())
        end, openings = record.get("outcome") or {}, record.get("openings") or []
        return {
            "run": name,
            "status": record["status"],
            "corpus": record.get("corpus"),
            "base": record.get("base", {}).get("name"),
            "backend": record.get("backend"),
            "device": record.get("device"),
            **{column: end.get(column) for column in OUTCOME},
            "openings": len(openings),
            "test_loss": next(
                (loss for one in reversed(openings) if (loss := one.get("tuned_loss")) is not None), None
            ),
            "sweep": record.get("sweep"),
            "train": json.dumps(record.get("train")),
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {"run": name, "status": "unreadable"}
