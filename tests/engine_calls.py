"""What the tasks of tests/corpus/engine call."""

import os
import signal
import time
from pathlib import Path

import pyarrow as pa

from schemas.errors import SourceError


def count(n: int) -> dict[str, pa.Table]:
    return {"": pa.table({"n": [n], "pid": [os.getpid()]})}


def fail(n: int) -> dict[str, pa.Table]:
    return {"": pa.table({"n": [1 // n]})}


def refuse(n: int) -> dict[str, pa.Table]:
    raise SourceError("not there")


def several() -> dict[str, pa.Table]:
    table = pa.table({"n": [1]})
    return {"": table, "merged": table, "edits": table}


def die(after: list[str]) -> dict[str, pa.Table]:
    """Kill this worker once the other tasks are done."""
    while not all(Path(path).exists() for path in after):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}
