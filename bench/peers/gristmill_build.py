"""A whole `gristmill build`. In: recipe, root, workers. Out: seconds, phases, and the counts of the version."""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from corpus.pipeline import build
from schemas.errors import EmptyCorpus
from schemas.runtime import Runtime


def main():
    config = json.load(sys.stdin)
    for warm in config[
        "warm"
    ]:  # builds of ten other pages under the same root: then the kernels are compiled
        with suppress(EmptyCorpus):
            build(warm, Runtime(Path(config["root"]), workers=config["workers"], quiet=True))
    start = time.perf_counter()
    made = build(config["recipe"], Runtime(Path(config["root"]), workers=config["workers"], quiet=True))
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "phases": made.seconds, "counts": made.manifest.counts}))


if __name__ == "__main__":
    main()
