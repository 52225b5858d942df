"""datatrove's MinHash deduplication, its four stages through its own executor. In: folder, cores, bands, rows, hash. Out: seconds, phases,
removed (ids).

Workers are forked, so that they need not import anything again. SHA-1 hashes shingles: datatrove's default, xxHash, does not run with
xxhash 4 ("Strings must be encoded before hashing"). Stage 4 notes the ids of what is kept instead of writing its text.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import ParquetReader
from datatrove.utils.hashing import HashConfig
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import load_word_tokenizer


class NoteIds(PipelineStep):
    """Writes the ids of the documents that come through."""

    name = "note ids"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data, rank: int = 0, world_size: int = 1):
        with Path(self.folder, f"{rank:05}.ids").open("w") as out:
            for document in data:
                out.write(f"{document.id}\n")
                yield document


def stages(folder: str, work: str, config: dict) -> dict:
    """(pipeline, tasks) by stage."""
    shape = MinhashConfig(
        n_grams=5,
        num_buckets=config["bands"],
        hashes_per_bucket=config["rows"],
        hash_config=HashConfig(precision=64, hash_fc=config.get("hash", "sha1")),
    )
    read = ParquetReader(folder, id_key="doc_id")
    cores = config["cores"]
    return {
        "sign": ([read, MinhashDedupSignature(f"{work}/signatures", config=shape)], cores),
        "band": (
            [MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=shape)],
            config["bands"],
        ),
        "cluster": ([MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=shape)], 1),
        "filter": ([read, MinhashDedupFilter(f"{work}/remove"), NoteIds(work)], cores),
    }


def dedup(folder: str, config: dict) -> dict:
    """Every stage, timed; and what was removed."""
    phases = {}
    with tempfile.TemporaryDirectory() as work:
        for name, (pipeline, tasks) in stages(folder, work, config).items():
            start = time.perf_counter()
            LocalPipelineExecutor(
                pipeline,
                tasks=tasks,
                workers=min(tasks, config["cores"]),
                logging_dir=f"{work}/logs/{name}",
                start_method="fork",
            ).run()
            phases[name] = time.perf_counter() - start
        kept = {line for path in Path(work).glob("*.ids") for line in path.read_text().split()}
    everything = [document.id for document in ParquetReader(folder, id_key="doc_id").run()]
    return {"seconds": sum(phases.values()), "phases": phases, "removed": sorted(set(everything) - kept)}


def main() -> None:
    config = json.load(sys.stdin)
    load_word_tokenizer(Languages.english).word_tokenize("a text of some words to load the tokenizer by")
    print(json.dumps(dedup(config["folder"], config)))


main()
