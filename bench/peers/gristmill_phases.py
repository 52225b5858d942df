"""annotate, judge and dedup through the functions a build calls, on drafts files. In: files, recipe, root, workers. Out: seconds, phases,
documents, passed, removed, counts, reasons.

Phases: `annotate` (every filter's scores), `sign` (exact hashes and MinHash), `judge`, `dedup`. A few hundred documents go first, so that workers and kernels are there when the clock starts.
"""

import json
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from corpus.engine.executor import Engine
from corpus.engine.kernel_cache import keep_kernels_in, use_kernel_cache
from corpus.engine.progress import Progress
from corpus.phases.annotate import annotate
from corpus.phases.clean import Drafts
from corpus.phases.dedup import dedup
from corpus.phases.judge import judge
from corpus.pipeline import _candidates, _passed, _reader
from plugins.registry import load_recipe
from schemas.runtime import Runtime

WARM, FILES = 50, 8


def phases(files, resolved, engine):
    """What a build does between clean and split."""
    notes = annotate(Drafts(tuple(files)), resolved, engine)
    with engine.progress.phase("judge"):
        verdicts = judge(notes.scores, resolved.filters)
        passed = _passed(notes, verdicts)
    with engine.progress.phase("dedup"):
        found = dedup(_candidates(passed, notes), resolved.recipe.dedup, _reader(passed))
    return notes, verdicts, passed, found


def few(path, folder):
    """A few hundred documents in as many files as wake every worker, one kernel each."""
    table = pq.read_table(path).slice(0, WARM * FILES)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(FILES):
        pq.write_table(table.slice(number * WARM, WARM), folder / f"{number}.parquet")
    return sorted(map(str, folder.glob("*.parquet")))


def main():
    config = json.load(sys.stdin)
    keep_kernels_in(Path(config["kernels"]))
    use_kernel_cache()
    resolved = load_recipe(config["recipe"])
    root = Path(config["root"])
    engine = Engine(Runtime(root, workers=config["workers"], quiet=True), Progress(quiet=True))
    try:
        phases(few(config["files"][0], root / "few"), resolved, engine)
        engine.progress.seconds.clear()
        start = time.perf_counter()
        notes, verdicts, passed, found = phases(config["files"], resolved, engine)
        seconds = time.perf_counter() - start
    finally:
        engine.close()
    reasons = dict(verdicts["reason"].drop_nulls().value_counts(sort=True).head(12).iter_rows())
    print(
        json.dumps({
            "seconds": seconds,
            "phases": engine.progress.seconds,
            "documents": notes.drafts.height,
            "passed": passed.height,
            "removed": found.duplicates.num_rows,
            "counts": found.counts,
            "reasons": reasons,
        })
    )


if __name__ == "__main__":
    main()
