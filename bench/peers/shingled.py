"""What the peers that bring no shingles of their own are given: word 5-grams made in Python, a document at a time."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

WORD = re.compile(r"\w+")


def documents(folder: str) -> Iterator[tuple[str, str]]:
    """(doc_id, text) in the order of the files."""
    for path in sorted(Path(folder).glob("*.parquet")):
        table = pq.read_table(path, columns=["doc_id", "text"])
        yield from zip(table["doc_id"].to_pylist(), table["text"].to_pylist(), strict=True)


def shingles(text: str, ngram: int = 5) -> list[str]:
    """Word n-grams in the order of the text; one of all words where it has fewer.

    >>> shingles("A b, c d e f.")
    ['a b c d e', 'b c d e f']
    """
    words = WORD.findall(text.lower())
    return [" ".join(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))]
