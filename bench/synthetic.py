"""Documents by the million, out of the corpus' own: sentences of one package, shuffled, some words exchanged, about 3.3 KB each.

One in TEN is a near duplicate of an earlier one of the same file or an earlier file: a few of its words exchanged. Every document follows from
the seed and its number alone. They lie in drafts files (schemas.tables.DRAFTS), as `clean` leaves them.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.fingerprint import identify
from schemas.tables import DRAFTS

TEN = 10
CHARACTERS = 3300
LEAST, MOST = 40, 400
"""Characters of a sentence; others are left out."""
POOL = 500
"""A package with fewer sentences is left out."""
FILE_ROWS = 10_000
"""About 32 MB of text."""
SENTENCE = re.compile(r"[^.!?\n]+[.!?]")


class Maker:
    """Makes document n of a seeded sequence."""

    def __init__(self, texts: Iterable[tuple[str, str]], seed: int = 7) -> None:
        """`texts` are (package, text); a package is of one language, nearly."""
        pools: dict[str, dict[str, None]] = {}
        for package, text in texts:
            found = (" ".join(match.split()) for match in SENTENCE.findall(text))
            pools.setdefault(package, {}).update(
                dict.fromkeys(one for one in found if LEAST <= len(one) <= MOST)
            )
        self.pools = [list(pool) for _, pool in sorted(pools.items()) if len(pool) >= POOL]
        self.words = [
            sorted({word for sentence in pool for word in sentence.split() if word.isalpha()})
            for pool in self.pools
        ]
        self.seed = seed

    def original(self, number: int) -> str:
        """Sentences drawn anew, in paragraphs; every twelfth word or so another one, so that no sentence stands twice."""
        draw = random.Random(f"{self.seed} {number}")
        pool = draw.randrange(len(self.pools))
        choices, sentences, size = self.pools[pool], [], 0
        while size < CHARACTERS:
            sentences.append(choices[int(draw.random() * len(choices))])
            size += len(sentences[-1]) + 1
        paragraphs = (" ".join(sentences[start : start + 5]) for start in range(0, len(sentences), 5))
        return self.exchanged("\n".join(paragraphs), draw, 0.08, pool)

    def exchanged(self, text: str, draw: random.Random, share: float, pool: int) -> str:
        """`text` with about this share of its words exchanged; line breaks stay."""
        parts, words = text.split(" "), self.words[pool]
        place = int(draw.expovariate(share))
        while place < len(parts):
            if "\n" not in parts[place]:
                parts[place] = words[int(draw.random() * len(words))]
            place += 1 + int(draw.expovariate(share))
        return " ".join(parts)

    def repeats(self, number: int) -> int | None:
        """The earlier document that this one nearly is; None for most."""
        draw = random.Random(f"{self.seed} repeats {number}")
        if number % TEN != TEN - 1:
            return None
        earlier = draw.randrange(number)
        return earlier if earlier % TEN != TEN - 1 else earlier - 1

    def document(self, number: int) -> str:
        """Document n: in nine of ten cases an original, else an earlier original with one word in a hundred exchanged."""
        earlier = self.repeats(number)
        if earlier is None:
            return self.original(number)
        pool = random.Random(f"{self.seed} {earlier}").randrange(len(self.pools))
        return self.exchanged(self.original(earlier), random.Random(f"{self.seed} twin {number}"), 0.01, pool)


def drafts(maker: Maker, numbers: range) -> pa.Table:
    """These documents as rows of a drafts file."""
    texts = [maker.document(number) for number in numbers]
    ids = [identify("synthetic", str(number)) for number in numbers]
    known = {
        "doc_id": ids,
        "page_id": ids,
        "source": ["synthetic"] * len(texts),
        "locator": [f"{number:09}" for number in numbers],
        "text": texts,
        "n_chars": [len(text) for text in texts],
        "content_hash": [identify(text) for text in texts],
    }
    columns = [
        pa.array(known[field.name], field.type) if field.name in known else pa.nulls(len(texts), field.type)
        for field in DRAFTS
    ]
    return pa.table(columns, schema=DRAFTS)


_maker: Maker | None = None


def start(folder: str, seed: int) -> None:
    """Load the sentences, once a process: of every second file of the corpus."""
    global _maker
    files = sorted(Path(folder).glob("*.parquet"))[::2]
    rows = (row for path in files for row in pq.read_table(path).to_pylist())
    _maker = Maker(((row["url"].partition("/")[0], row["text"]) for row in rows), seed)


def write(output: str, first: int, last: int) -> int:
    """Documents first … last - 1 as one file; returns its bytes of text."""
    assert _maker is not None
    table = drafts(_maker, range(first, last))
    scratch = Path(output).with_suffix(".new")
    pq.write_table(table, scratch)
    scratch.rename(output)
    return sum(table["n_chars"].to_pylist())


def text_bytes(path: Path) -> int:
    """UTF-8 bytes of a file's texts, by its own statistics."""
    found = pq.ParquetFile(path).metadata
    column = found.schema.names.index("text")
    return sum(found.row_group(n).column(column).total_uncompressed_size for n in range(found.num_row_groups))


def build(corpus: Path, folder: Path, documents: int, workers: int = 2, seed: int = 7) -> list[Path]:
    """The files of the first `documents` documents, made where they are missing; smaller sets are prefixes of larger ones."""
    from concurrent.futures import ProcessPoolExecutor

    folder.mkdir(parents=True, exist_ok=True)
    files = {
        folder / f"{first:09}-{min(first + FILE_ROWS, documents):09}.parquet": (
            first,
            min(first + FILE_ROWS, documents),
        )
        for first in range(0, documents, FILE_ROWS)
    }
    todo = {path: bounds for path, bounds in files.items() if not path.exists()}
    if todo:
        with ProcessPoolExecutor(workers, initializer=start, initargs=(str(corpus), seed)) as pool:
            firsts, lasts = zip(*todo.values(), strict=True)
            for number, _ in enumerate(pool.map(write, map(str, todo), firsts, lasts), 1):
                if number % 10 == 0:
                    print(f"synthetic: {number} of {len(todo)} files", file=sys.stderr, flush=True)
    return list(files)
