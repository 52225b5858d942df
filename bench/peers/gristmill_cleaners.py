"""gristmill's cleaners, one after the other in one process. In: sets, a folder of Parquet for each; cleaners. Out: for each cleaner and set, bytes and CPU seconds.

A cleaner gets texts in columns of 256, as a build's tasks give them; one that looks at a whole dialogue gets each text as a message of a dialogue of ten.
One that learns does so of all these texts first, as pages of one site. Texts go in as they are in the set: nothing was cleaned before.
"""

import json
import sys
import time
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from corpus.engine.kernel_cache import keep_kernels_in, use_kernel_cache
from plugins.contracts import Learner
from plugins.entries import class_of

COLUMN, DIALOGUE = 256, 10


def batched(items, size):
    """As `itertools.batched`, which Python 3.11 lacks."""
    left = iter(items)
    return iter(lambda: list(islice(left, size)), [])


def worker(cleaner, texts):
    """What cleans them all, once."""
    if isinstance(cleaner, Learner):
        pages, scopes = [[text] for text in texts], ["site"] * len(texts)

        def learned():
            counts = [cleaner.count(pages, scopes)]
            return cleaner.clean_learned(pages, scopes, cleaner.learn(counts, {"site": len(texts)}))

        return learned
    if callable(getattr(cleaner, "clean_messages", None)):
        names = [f"player{number}" for number in range(3)]
        dialogues = [
            [
                {"role": None, "name": names[n % 3], "content": text, "train": None}
                for n, text in enumerate(some)
            ]
            for some in batched(texts, DIALOGUE)
        ]
        return lambda: [cleaner.clean_messages(messages) for messages in dialogues]
    return lambda: [cleaner.clean_column(some) for some in batched(texts, COLUMN)]


def main():
    config = json.load(sys.stdin)
    keep_kernels_in(Path(config["kernels"]))
    use_kernel_cache()
    sets = {
        name: [
            text
            for path in sorted(Path(folder).glob("*.parquet"))
            for text in pq.read_table(path, columns=["text"])["text"].to_pylist()
        ]
        for name, folder in config["sets"].items()
    }
    figures, start = {}, time.perf_counter()
    for name, options in config["cleaners"].items():
        cleaner = class_of("cleaner", name, None)(**options)
        cleaner.check()
        figures[name] = {}
        for where, texts in sets.items():
            worker(cleaner, texts[:20])()  # compiles and loads what it needs
            clean = worker(cleaner, texts)
            begin = time.process_time()
            clean()
            figures[name][where] = time.process_time() - begin
    sizes = {name: sum(len(text.encode()) for text in texts) for name, texts in sets.items()}
    print(json.dumps({"seconds": time.perf_counter() - start, "cleaners": figures, "bytes": sizes}))


main()
