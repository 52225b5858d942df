"""text-dedup's MinHash, its own command in this process. In: folder, cores, permutations, bands, rows. Out: seconds, removed (ids).

`seconds` is that of its command, which reads the Parquet through `datasets` and saves what it keeps.
"""

import json
import sys
import tempfile
import time

from datasets import load_from_disk
from shingled import documents
from text_dedup.minhash import main as command


def main() -> None:
    config = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as work:
        arguments = {
            "path": "parquet",
            "data_files": f"{config['folder']}/*.parquet",
            "split": "train",
            "cache_dir": f"{work}/cache",
            "output": f"{work}/kept",
            "column": "text",
            "ngram": 5,
            "num_perm": config["permutations"],
            "threshold": config["threshold"],
            "b": config["bands"],
            "r": config["rows"],
            "num_proc": config["cores"],
            "hash_func": "xxh3",
            "hash_bits": "64",
        }
        start = time.perf_counter()
        command(
            [part for key, value in arguments.items() for part in (f"--{key}", str(value))],
            standalone_mode=False,
        )
        seconds = time.perf_counter() - start
        kept = set(load_from_disk(f"{work}/kept")["doc_id"])
    removed = [doc_id for doc_id, _ in documents(config["folder"]) if doc_id not in kept]
    print(json.dumps({"seconds": seconds, "removed": removed}))


main()
