"""rensa. In: folder, form, permutations, threshold, bands. Out: seconds, phases, removed (ids).

`form` is "deduplicator": `RMinHashDeduplicator.add_pairs`, which keeps the first of a kind and compares sketches, its answer to the question
asked here; or "rho": its fastest, the one-shot flags of the Rho sketch, which say that a document shares a band with another one and
not which, so that the first of a kind is flagged with the rest: the figure is of its speed, and nothing may be removed by it alone.
Shingles are given in the order of the text, which Rho wants (it samples positions) and the other is free of.
"""

import json
import sys
import time

from rensa import RMinHash, RMinHashDeduplicator, RMinHashLSH
from shingled import documents, shingles

SEED = 42


def main() -> None:
    config = json.load(sys.stdin)
    count, bands = config["permutations"], config["bands"]
    start = time.perf_counter()
    pairs = list(documents(config["folder"]))
    sets = [shingles(text) for _, text in pairs]
    shingled = time.perf_counter()
    if config["form"] == "deduplicator":
        index = RMinHashDeduplicator(config["threshold"], count, use_lsh=True, num_bands=bands, seed=SEED)
        kept = index.add_pairs((doc_id, tokens) for (doc_id, _), tokens in zip(pairs, sets, strict=True))
        flags = [not keep for keep in kept]
    else:
        matrix = RMinHash.digest_matrix_from_token_sets_rho(sets, count, SEED)
        index = RMinHashLSH(config["threshold"], count, bands)
        flags = index.query_duplicate_flags_matrix_one_shot(matrix)
    end = time.perf_counter()
    removed = [doc_id for (doc_id, _), flag in zip(pairs, flags, strict=True) if flag]
    phases = {"shingle": shingled - start, "sign and band": end - shingled}
    print(
        json.dumps({
            "seconds": end - start,
            "phases": phases,
            "removed": removed,
            "shape": [bands, count // bands],
        })
    )


main()
