"""datasketch. In: folder, form, cores, permutations, threshold. Out: seconds, phases, removed (ids).

`form` is "plain": as its documentation shows it, one `update` a shingle, SHA-1; or "fast": `update_batch`, xxHash, signed in `cores` processes
at once. A document is removed where the index returns an earlier one that was kept, as its documentation does it, without a check.
"""

import json
import sys
import time
from multiprocessing import get_context

import xxhash
from datasketch import LeanMinHash, MinHash, MinHashLSH
from shingled import documents, shingles

BATCH = 500


def fast_hash(data: bytes) -> int:
    return xxhash.xxh32_intdigest(data)


def sign_plain(text: str, permutations: int) -> MinHash:
    sketch = MinHash(num_perm=permutations)
    for shingle in set(shingles(text)):
        sketch.update(shingle.encode())
    return sketch


def sign_fast(task: tuple[list[str], int]) -> list:
    texts, permutations = task
    sketches = []
    for text in texts:
        sketch = MinHash(num_perm=permutations, hashfunc=fast_hash)
        sketch.update_batch([shingle.encode() for shingle in set(shingles(text))])
        sketches.append(sketch.hashvalues)
    return sketches


def signed(pairs: list[tuple[str, str]], config: dict):
    """Signatures in order."""
    count = config["permutations"]
    if config["form"] == "plain":
        yield from (sign_plain(text, count) for _, text in pairs)
        return
    tasks = [([text for _, text in pairs[n : n + BATCH]], count) for n in range(0, len(pairs), BATCH)]
    first = MinHash(num_perm=count, hashfunc=fast_hash)
    with get_context("fork").Pool(config["cores"]) as pool:
        for values in pool.imap(sign_fast, tasks):
            for value in values:
                yield LeanMinHash(seed=first.seed, hashvalues=value, scheme=first.scheme)


def main() -> None:
    config = json.load(sys.stdin)
    start = time.perf_counter()
    pairs = list(documents(config["folder"]))
    index = MinHashLSH(threshold=config["threshold"], num_perm=config["permutations"])
    sketches = list(signed(pairs, config))
    middle = time.perf_counter()
    removed = []
    for (doc_id, _), sketch in zip(pairs, sketches, strict=True):
        if index.query(sketch):
            removed.append(doc_id)
        else:
            index.insert(doc_id, sketch)
    end = time.perf_counter()
    phases = {"sign": middle - start, "band": end - middle}
    print(
        json.dumps({
            "seconds": end - start,
            "phases": phases,
            "removed": removed,
            "shape": [index.b, index.r],
        })
    )


main()
