"""dedup: all documents that passed → which of them repeat another, which one stays, and how alike they are.

First exact, then fuzzy, both in survivor order: the recipe's keys, nulls last, ties by doc_id. Of documents with equal text the first
represents the others; representatives go through the leader-first pass of `corpus.phases.dedup_fuzzy`. So every dropped
document names one that is kept and to which its true similarity was computed, whatever the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from corpus.phases.dedup_fuzzy import Proven, ReadTexts, Signed, find_near
from schemas.recipe import Dedup
from schemas.tables import DUPLICATES, EDGES

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Deduped:
    """What dedup found."""

    duplicates: pa.Table
    """schemas.tables.DUPLICATES: one row a dropped document, by doc_id."""
    edges: pa.Table
    """schemas.tables.EDGES: every proven pair, those between dropped documents and within exact groups too."""
    counts: dict[str, int]
    """documents, exact, fuzzy (dropped by either); candidate_pairs (proposed by LSH), compared_pairs (similarity computed),
    verified_pairs (it reached the threshold), capped_buckets (more kept documents than were compared with)."""


def dedup(candidates: pa.Table, options: Dedup, read_texts: ReadTexts) -> Deduped:
    """Find the duplicates among `candidates`.

    `candidates` has doc_id (unique), exact_hash, n_shingles, minhash (schemas.tables.SIGNATURES) and the columns that `options.survivor`
    names. `read_texts` is asked, perhaps several times, for the texts of documents that share an LSH bucket.

    A row of `duplicates` has method "exact" where the survivor's text is the same, similarity 1; and "fuzzy" where it is alike,
    also for an exact copy of a document that was itself dropped for the survivor's sake.
    """
    order = survivor_order(candidates, options.survivor)
    doc_ids = candidates["doc_id"].to_numpy(zero_copy_only=False)[order]
    representative = _representatives(candidates["exact_hash"], order, exact=options.exact)
    leader, likeness = representative.copy(), np.ones(len(order))
    chosen, proven = _fuzzy(candidates, options, order, representative, read_texts)
    leader[chosen], likeness[chosen] = chosen[proven.leader], proven.likeness
    likeness = likeness[representative]  # a copy is as like the survivor as what it copies
    leader = leader[representative]

    ranks = np.arange(len(order))
    dropped, copies = leader != ranks, representative != ranks
    exact = copies & (leader == representative)
    method = np.where(exact, "exact", "fuzzy")
    duplicates = pl.DataFrame({
        "doc_id": doc_ids[dropped],
        "survivor_id": doc_ids[leader[dropped]],
        "similarity": likeness[dropped],
        "method": method[dropped],
    })
    ends = (
        np.concatenate([ranks[copies], chosen[proven.a]]),
        np.concatenate([representative[copies], chosen[proven.b]]),
    )
    edges = _edges(doc_ids, *ends, np.concatenate([np.ones(copies.sum()), proven.pair_likeness]))
    counts = {
        "documents": len(order),
        "exact": int((dropped & exact).sum()),
        "fuzzy": int((dropped & ~exact).sum()),
        "candidate_pairs": proven.candidate_pairs,
        "compared_pairs": proven.compared_pairs,
        "verified_pairs": len(proven.a),
        "capped_buckets": proven.capped_buckets,
    }
    return Deduped(_arrow(duplicates.sort("doc_id"), DUPLICATES), edges, counts)


def survivor_order(candidates: pa.Table, keys: tuple[str, ...]) -> Numbers:
    """Row numbers of `candidates`, whoever stays first: "-" means descending, nulls last, ties by doc_id."""
    directions = {key.removeprefix("-"): key.startswith("-") for key in reversed((*keys, "doc_id"))}
    named = dict(reversed(directions.items()))  # where a key is given twice, its first place counts
    frame = pl.DataFrame({name: pl.from_arrow(candidates[name]) for name in named}).with_row_index("row")
    ordered = frame.sort(list(named), descending=list(named.values()), nulls_last=True)
    return ordered["row"].to_numpy().astype(np.int64)


def _representatives(hashes: pa.ChunkedArray, order: Numbers, *, exact: bool) -> Numbers:
    """The first of equal text, for each document; both by rank in survivor order."""
    ranks = np.arange(len(order))
    if not exact:
        return ranks
    frame = pl.DataFrame({"hash": pl.Series(pl.from_arrow(hashes)).gather(order), "rank": ranks})
    return frame.select(pl.col("rank").min().over("hash")).to_series().to_numpy()


def _fuzzy(
    candidates: pa.Table, options: Dedup, order: Numbers, representative: Numbers, read_texts: ReadTexts
) -> tuple[Numbers, Proven]:
    """The ranks of representatives that have a signature, and what was proven about them."""
    minhash = candidates["minhash"]
    if options.fuzzy is None or minhash.null_count == len(minhash):
        nothing = np.zeros(0, np.int64)
        return nothing, Proven(nothing, np.zeros(0), nothing, nothing, np.zeros(0), 0, 0, 0)
    valid = minhash.is_valid().to_numpy()
    signatures = np.concatenate([chunk.flatten().to_numpy() for chunk in minhash.chunks])
    place = np.cumsum(valid) - 1  # the row of `signatures` that belongs to a row of `candidates`
    ranks = np.arange(len(order))
    chosen = ranks[valid[order] & (representative == ranks)]
    rows = order[chosen]
    signed = Signed(
        doc_ids=candidates["doc_id"].take(rows).to_pylist(),
        n_shingles=candidates["n_shingles"].to_numpy()[rows],
        signatures=signatures.reshape(int(valid.sum()), -1)[place[rows]],
    )
    return chosen, find_near(signed, options.fuzzy, read_texts)


def _edges(
    doc_ids: npt.NDArray[np.object_], a: Numbers, b: Numbers, likeness: npt.NDArray[np.float64]
) -> pa.Table:
    """Pairs of ranks as EDGES."""
    one, other = pl.Series("one", doc_ids[a], pl.String), pl.Series("other", doc_ids[b], pl.String)
    frame = pl.DataFrame([one, other, pl.Series("similarity", likeness)])
    swapped = pl.col("one") > pl.col("other")
    first = pl.when(swapped).then("other").otherwise("one").alias("doc_a")
    second = pl.when(swapped).then("one").otherwise("other").alias("doc_b")
    return _arrow(frame.select(first, second, "similarity").sort("doc_a", "doc_b"), EDGES)


def _arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """`frame` in the types of `schema`; an empty column of ids has none of its own."""
    return pa.Table.from_arrays(
        [frame[name].to_arrow().cast(schema.field(name).type) for name in schema.names], schema=schema
    )
