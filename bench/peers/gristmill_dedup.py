"""gristmill's dedup, whole: read, sign in `cores` processes, band, read the candidates again, verify. In: folder, cores, kernels, fuzzy, exact.
Out: seconds, phases, removed (ids), counts.

The workers are started and the kernels loaded before the clock starts. Survivors are the first in the order of the files, as with the peers.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.engine.kernel_cache import VARIABLE, keep_kernels_in, use_kernel_cache
from corpus.phases.dedup import dedup
from plugins.kernels.signatures import exact_hashes, sign
from schemas.recipe import Dedup, Fuzzy


def signed(path, ngram, permutations, exact, limit=None):
    """One file's documents, signed; without their texts."""
    use_kernel_cache()
    table = pq.read_table(path, columns=["doc_id", "text"])
    table = table.slice(0, limit) if limit else table
    columns = sign(table["text"], ngram, permutations)
    return pa.table({
        "doc_id": table["doc_id"],
        "exact_hash": exact_hashes(table["text"]) if exact else table["doc_id"],
        "n_shingles": columns["n_shingles"],
        "minhash": columns["minhash"],
    })


def start_worker(kernels, path, ngram, permutations, exact):
    import os

    os.environ[VARIABLE] = kernels
    signed(path, ngram, permutations, exact, limit=10)


def reader(files):
    """Reads the texts asked for, a file at a time."""

    def load(path, wanted):
        table = pq.read_table(path, columns=["doc_id", "text"])
        return table.filter(pl.from_arrow(table["doc_id"]).is_in(wanted).to_arrow())

    def read(doc_ids):
        wanted = pl.Series(list(doc_ids), dtype=pl.String).implode()
        return (partial(load, path, wanted) for path in files)

    return read


def whole(files, options, pool):
    bands, rows = options.fuzzy.shape
    start = time.perf_counter()
    ngram, permutations = options.fuzzy.ngram, bands * rows
    largest_first = sorted(
        files, key=lambda path: -Path(path).stat().st_size
    )  # so that no worker waits long for another
    running = {path: pool.submit(signed, path, ngram, permutations, options.exact) for path in largest_first}
    table = pa.concat_tables([running[path].result() for path in files])
    table = table.append_column("position", pa.array(range(table.num_rows)))
    middle = time.perf_counter()
    found = dedup(table, options, reader(files))
    end = time.perf_counter()
    return found, {"sign": middle - start, "band and verify": end - middle}


def main():
    config = json.load(sys.stdin)
    keep_kernels_in(Path(config["kernels"]))
    use_kernel_cache()
    options = Dedup(exact=config["exact"], fuzzy=Fuzzy(**config["fuzzy"]), survivor=("position",))
    files = sorted(str(path) for path in Path(config["folder"]).glob("*.parquet"))
    bands, rows = options.fuzzy.shape
    first = (config["kernels"], files[0], options.fuzzy.ngram, bands * rows, options.exact)
    with ProcessPoolExecutor(
        config["cores"], mp_context=get_context("forkserver"), initializer=start_worker, initargs=first
    ) as pool:
        list(pool.map(time.sleep, [0.3] * config["cores"]))
        few = signed(files[0], *first[2:], limit=10)
        few = few.append_column("position", pa.array(range(few.num_rows)))
        twice = pa.concat_tables([
            few,
            few.set_column(0, "doc_id", pa.array([f"{n}" for n in range(few.num_rows)])),
        ])
        warm_texts = pq.read_table(files[0], columns=["text"])["text"].slice(0, 10)
        dedup(
            twice,
            Dedup(exact=False, fuzzy=options.fuzzy, survivor=("position",)),
            lambda _: iter([
                lambda: pa.table({
                    "doc_id": twice["doc_id"],
                    "text": pa.chunked_array([*warm_texts.chunks, *warm_texts.chunks]),
                })
            ]),
        )
        found, phases = whole(files, options, pool)
    removed = found.duplicates["doc_id"].to_pylist()
    figures = {"seconds": sum(phases.values()), "phases": phases, "removed": removed}
    print(json.dumps({**figures, "counts": found.counts, "shape": [bands, rows]}))


if __name__ == "__main__":
    main()
