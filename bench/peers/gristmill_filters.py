"""gristmill's filters, in one process. In: folder, filters, options. Out: as datatrove_filters.py.

`seconds` scores every document with every filter, whatever another one says, and judges: that is what a build does.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pyarrow.parquet as pq

from corpus.engine.kernel_cache import keep_kernels_in, use_kernel_cache
from corpus.phases.annotate import FAILED
from corpus.phases.judge import judge

MODULES = {
    "gopher-quality": "plugins.filters.gopher_quality",
    "gopher-repetition": "plugins.filters.gopher_repetition",
    "fineweb-quality": "plugins.filters.fineweb_quality",
    "c4": "plugins.filters.c4",
}


def made(name, options):
    """The filter of that name, whether or not it is installed as an entry point."""
    kinds = vars(import_module(MODULES[name])).values()
    (kind,) = (kind for kind in kinds if isinstance(kind, type) and getattr(kind, "name", None) == name)
    return kind(**options.get(name, {}))


def read(folder):
    """The documents, a file at a time, as a build's tasks read them."""
    for path in sorted(Path(folder).glob("*.parquet")):
        yield pl.from_arrow(pq.read_table(path, columns=["doc_id", "text"]))


def reasons(filters, folder, limit=None):
    """Why each document is dropped, per filter set; None is kept."""
    specs = [SimpleNamespace(make=lambda plugin=plugin: plugin) for plugin in filters]
    found = []
    for table in read(folder):
        rows = table.head(limit) if limit else table
        scores = pl.concat([plugin.score_documents(rows) for plugin in filters], how="horizontal")
        found.append(scores.with_columns(rows["doc_id"], pl.lit(None, pl.String).alias(FAILED)))
        if limit:
            break
    return judge(pl.concat(found), specs)  # once, as a build does


def main():
    config = json.load(sys.stdin)
    keep_kernels_in(Path(config["kernels"]))
    use_kernel_cache()
    filters = {name: made(name, config.get("options", {})) for name in config["filters"]}
    reasons(list(filters.values()), config["folder"], limit=10)
    start = time.perf_counter()
    verdicts = reasons(list(filters.values()), config["folder"])
    together = time.perf_counter() - start
    phases, single = {}, {}
    for name, plugin in filters.items():
        start = time.perf_counter()
        alone = reasons([plugin], config["folder"])
        phases[name] = time.perf_counter() - start
        single[name] = [(reason or "").partition(":")[2] for reason in alone["reason"]]
    figures = {"seconds": together, "phases": phases, "documents": verdicts.height}
    if config.get("decisions"):
        figures |= {"reasons": single, "ids": verdicts["doc_id"].to_list()}
    print(json.dumps(figures))


main()
