"""gristmill's language filter in one process of one thread. In: folder. Out: seconds, documents."""

import json
import sys
import time
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from plugins.filters.language import Language


def score(folder, limit=None):
    documents = 0
    for path in sorted(Path(folder).glob("*.parquet")):
        texts = pl.Series(pl.from_arrow(pq.read_table(path, columns=["text"])["text"]))
        documents += Language().score(texts.head(limit) if limit else texts).height
        if limit:
            break
    return documents


config = json.load(sys.stdin)
score(config["folder"], limit=10)
start = time.perf_counter()
documents = score(config["folder"])
print(json.dumps({"seconds": time.perf_counter() - start, "documents": documents}))
