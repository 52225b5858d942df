"""How evenly characters are spread over sources, sites, authors and groups."""

from __future__ import annotations

import math

import polars as pl

from corpus.diversity.records import Balance

NAMED = {"source": "source", "site": "site", "author": "author", "group": "group_id"}
"""What is counted → the column that names it."""

TOP = 3


def balances(documents: pl.DataFrame) -> dict[str, Balance]:
    """Of `documents`: source, site, author, group_id, n_chars. An author is one of its source."""
    found = {}
    for name, column in NAMED.items():
        keys = ["source", "author"] if name == "author" else [column]
        counted = (
            documents
            .filter(pl.col(column).is_not_null() & (pl.col("n_chars") > 0))
            .group_by(keys)
            .agg(pl.col("n_chars").sum(), documents=pl.len())
            .sort("n_chars", *keys, descending=[True, *[False] * len(keys)])
        )
        if counted.height:
            found[name] = _balance(counted, column)
    return found


def _balance(counted: pl.DataFrame, column: str) -> Balance:
    shares = counted["n_chars"] / counted["n_chars"].sum()
    entropy = float(-(shares * shares.log()).sum())
    return Balance(
        count=counted.height,
        effective=math.exp(entropy),
        evenness=entropy / math.log(counted.height) if counted.height > 1 else None,
        largest=str(counted[column][0]),
        share=float(shares[0]),
        top=float(shares.head(TOP).sum()),
        top_documents=int(counted["documents"].head(TOP).sum()),
    )
