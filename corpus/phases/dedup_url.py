"""One address, one document: pages that were gathered twice, from two crawls or under two spellings of their address.

What an address comes down to: courlan's normal form (lower-case host, no default port, parameters sorted, those that only track left out;
Barbaresi 2021), without scheme, a leading "www.", the fragment and a closing slash. What cannot be read as an address stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from courlan import normalize_url

from plugins.kernels.jaccard import UNLIKE, similarity
from plugins.kernels.words import Hashes, distinct, shingles

Numbers = npt.NDArray[np.int64]

BATCH_SHINGLES = 1 << 26
"""Shingles held at a time: 512 MiB."""


def address(url: str) -> str:
    """The address in the form that is compared.

    >>> address("HTTPS://www.Example.com:443/inn/?utm_source=mail&b=2&a=1#top")
    'example.com/inn?a=1&b=2'
    """
    try:
        normal = normalize_url(url)
    except ValueError:
        return url
    rest = normal.partition("://")[2] or normal
    path, mark, query = rest.partition("#")[0].removeprefix("www.").partition("?")
    return f"{path.rstrip('/')}{mark}{query}"


def first_with_address(urls: pl.Series) -> Numbers:
    """For each place of `urls`, the first place with the same address; a null is like no other."""
    addresses = [address(url) if url else None for url in urls]
    named = pl.Series(
        "address", [found or None for found in addresses], dtype=pl.String
    )  # "#top" names no page
    frame = named.to_frame().with_row_index("rank").with_columns(pl.col("rank").cast(pl.Int64))
    first = pl.when(pl.col("address").is_null()).then("rank").otherwise(pl.col("rank").min().over("address"))
    return frame.select(first).to_series().to_numpy()


def likeness(
    pairs: Sequence[tuple[str, str]],
    n_shingles: Sequence[int],
    ngram: int,
    read_texts: Callable[[Sequence[str]], Iterator[Callable[[], pa.Table]]],
) -> list[float]:
    """The true Jaccard similarity of each pair of documents, whose texts the loads of `read_texts` hold; two without a word have 0.

    `n_shingles` says how many each pair has: so many pairs are compared at a time as fit BATCH_SHINGLES, since each time reads files anew.
    """
    found: list[float] = []
    numbers = (np.cumsum(n_shingles) // BATCH_SHINGLES).tolist()
    for _number, group in groupby(zip(numbers, pairs, strict=True), itemgetter(0)):
        batch = [pair for _, pair in group]
        sets: dict[str, Hashes] = {}
        for load in read_texts(sorted({doc_id for pair in batch for doc_id in pair})):
            table = load()
            hashed = map(distinct, shingles(table["text"], ngram))
            sets.update(zip(table["doc_id"].to_pylist(), hashed, strict=True))
        found += [max(similarity(sets[one], sets[other], 0.0), UNLIKE + 1) for one, other in batch]
    return found
