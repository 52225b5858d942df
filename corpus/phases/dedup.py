"""dedup: all documents that passed → which of them repeat another, which one stays, and how alike they are.

By address where the recipe asks for it, then exact, then fuzzy, all in survivor order: the recipe's keys, nulls last, ties by doc_id. Of
documents with one address, and of those with equal text, the first represents the others; representatives go through the leader-first
pass of `corpus.phases.dedup_fuzzy`. Documents of other corpora stand before all of ours and stay. So every dropped document names one
that is kept and to which its true similarity was computed, whatever the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from corpus.phases.dedup_fuzzy import THREADS, Proven, ReadTexts, Signed, find_near
from corpus.phases.dedup_url import first_with_address, likeness as likeness_of
from schemas.recipe import Dedup, Fuzzy
from schemas.tables import DUPLICATES, EDGES

Numbers = npt.NDArray[np.int64]
Strings = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Deduped:
    """What dedup found."""

    duplicates: pa.Table
    """schemas.tables.DUPLICATES: one row a dropped document, by doc_id."""
    edges: pa.Table
    """schemas.tables.EDGES: every proven pair, those between dropped documents and within exact groups too."""
    counts: dict[str, int]
    """documents; exact, fuzzy, url (dropped by each); candidate_pairs (proposed by LSH), compared_pairs (similarity computed),
    verified_pairs (it reached the threshold), capped_buckets (more kept documents than were compared with)."""


@dataclass(frozen=True)
class Others:
    """Documents of other corpora, which ours must not repeat."""

    keys: Strings
    """What `read_texts` knows each by: unlike any doc_id of ours."""
    doc_ids: Strings
    names: Strings
    """The corpus each is of."""
    signatures: pa.Table
    """exact_hash, n_shingles, minhash (schemas.tables.SIGNATURES), row for row."""


def dedup(
    candidates: pa.Table,
    options: Dedup,
    read_texts: ReadTexts,
    others: Others | None = None,
    threads: int = THREADS,
) -> Deduped:
    """Find the duplicates among `candidates`, and those of `others`.

    `candidates` has doc_id (unique), exact_hash, n_shingles, minhash (schemas.tables.SIGNATURES), url where `options.url`, and the columns
    that `options.survivor` names. `read_texts` is asked, perhaps several times, for the texts of documents that share an LSH bucket; so many
    `threads` read and shingle them, each a table at a time.

    A row of `duplicates` has method "url" where the address is the same, whatever the similarity; "exact" where the survivor's text is
    the same, similarity 1; and "fuzzy" where it is alike, also for an exact copy of a document that was itself dropped for the survivor's sake.
    """
    order = survivor_order(candidates, options.survivor)
    line = _line_up(candidates, options, order, others)
    chosen, proven = np.zeros(0, np.int64), Proven.nothing()
    signed = _signed(candidates, others, order, line)
    if options.fuzzy is not None and signed is not None:
        chosen, signatures = signed
        proven = find_near(signatures, options.fuzzy, read_texts, threads)
    leader, likeness = line.representative.copy(), np.ones(len(line.keys))
    leader[chosen], likeness[chosen] = chosen[proven.leader], proven.likeness
    likeness = likeness[line.representative]  # a copy is as like the survivor as what it copies
    leader = leader[line.representative]
    gone = line.gone
    leader[gone] = leader[line.by_address[gone]]
    pairs = list(zip(line.keys[gone].tolist(), line.keys[leader[gone]].tolist(), strict=True))
    sizes = 2 * candidates["n_shingles"].take(order).to_numpy()[gone[line.fixed :]]  # of each pair, roughly
    likeness[gone] = likeness_of(pairs, sizes.tolist(), (options.fuzzy or Fuzzy()).ngram, read_texts)

    duplicates = _duplicates(line, leader, likeness, others)
    methods = dict(duplicates["method"].value_counts().iter_rows())
    counts = {
        "documents": len(order),
        **{method: methods.get(method, 0) for method in ("exact", "fuzzy", "url")},
        "candidate_pairs": proven.candidate_pairs,
        "compared_pairs": proven.compared_pairs,
        "verified_pairs": len(proven.a),
        "capped_buckets": proven.capped_buckets,
    }
    return Deduped(_arrow(duplicates.sort("doc_id"), DUPLICATES), _edges(line, chosen, proven), counts)


@dataclass(frozen=True)
class _Line:
    """All documents by rank: those of other corpora, then ours in survivor order."""

    keys: Strings
    fixed: int
    """So many are of other corpora."""
    by_address: Numbers
    """The first with the same address: the document itself where addresses do not count."""
    representative: Numbers
    """The first with the same text, of those that their address lets stay."""

    @property
    def ranks(self) -> Numbers:
        return np.arange(len(self.keys))

    @property
    def gone(self) -> npt.NDArray[np.bool_]:
        """Those that another one with their address stands for."""
        return self.by_address != self.ranks


def _line_up(candidates: pa.Table, options: Dedup, order: Numbers, others: Others | None) -> _Line:
    keys = candidates["doc_id"].to_numpy(zero_copy_only=False)[order]
    hashes = [candidates["exact_hash"].take(order)]
    fixed = 0
    if others is not None:
        fixed = len(others.keys)
        keys = np.concatenate([others.keys, keys])
        hashes.insert(0, others.signatures["exact_hash"])
    by_address = np.arange(len(keys))
    if options.url:
        urls = pl.Series(pl.from_arrow(candidates["url"])).gather(order)
        by_address[fixed:] = first_with_address(urls) + fixed
    gone = by_address != np.arange(len(keys))
    return _Line(keys, fixed, by_address, _representatives(hashes, gone, exact=options.exact))


def _duplicates(
    line: _Line, leader: Numbers, likeness: npt.NDArray[np.float64], others: Others | None
) -> pl.DataFrame:
    """A row for each of ours that is not its own leader."""
    dropped = (leader != line.ranks) & (line.ranks >= line.fixed)
    exact = (line.representative != line.ranks) & (leader == line.representative)
    method = np.where(line.gone, "url", np.where(exact, "exact", "fuzzy"))
    survivors, names = line.keys.copy(), np.full(len(line.keys), None, dtype=object)
    if others is not None:
        survivors[: line.fixed], names[: line.fixed] = others.doc_ids, others.names
    return pl.DataFrame({
        "doc_id": pl.Series(line.keys[dropped].tolist(), dtype=pl.String),
        "survivor_id": pl.Series(survivors[leader[dropped]].tolist(), dtype=pl.String),
        "similarity": likeness[dropped],
        "method": pl.Series(method[dropped].tolist(), dtype=pl.String),
        "against": pl.Series(names[leader[dropped]].tolist(), dtype=pl.String),
    })


def survivor_order(candidates: pa.Table, keys: tuple[str, ...]) -> Numbers:
    """Row numbers of `candidates`, whoever stays first: "-" means descending, nulls last, ties by doc_id."""
    directions = {key.removeprefix("-"): key.startswith("-") for key in reversed((*keys, "doc_id"))}
    named = dict(reversed(directions.items()))  # where a key is given twice, its first place counts
    frame = pl.DataFrame({name: pl.from_arrow(candidates[name]) for name in named}).with_row_index("row")
    ordered = frame.sort(list(named), descending=list(named.values()), nulls_last=True)
    return ordered["row"].to_numpy().astype(np.int64)


def _representatives(hashes: list[pa.ChunkedArray], gone: npt.NDArray[np.bool_], *, exact: bool) -> Numbers:
    """The first of equal text that is not `gone`, for each document that is not; both by rank."""
    ranks = np.arange(len(gone))
    if not exact:
        return ranks
    texts = pl.concat([pl.Series(pl.from_arrow(part)).cast(pl.String).alias("hash") for part in hashes])
    frame = pl.DataFrame([texts, pl.Series("rank", ranks)]).filter(~pl.Series(gone))
    first = frame.select(pl.col("rank").min().over("hash")).to_series().to_numpy()
    representative = ranks.copy()
    representative[~gone] = first
    return representative


def _signed(
    candidates: pa.Table, others: Others | None, order: Numbers, line: _Line
) -> tuple[Numbers, Signed] | None:
    """The ranks that go through the fuzzy pass, with their signatures; None where no document has any."""
    tables = [candidates.select(["n_shingles", "minhash"])]
    if others is not None:
        tables.insert(0, others.signatures.select(["n_shingles", "minhash"]))
    rows = np.concatenate([
        np.arange(line.fixed),
        order + line.fixed,
    ])  # rank -> row of `tables` one after the other
    valid = np.concatenate([table["minhash"].is_valid().to_numpy() for table in tables])
    if not valid.any():
        return None
    chunks = [chunk for table in tables for chunk in table["minhash"].chunks]
    flat = np.concatenate([chunk.flatten().to_numpy() for chunk in chunks])
    signatures = flat.reshape(int(valid.sum()), -1)
    place = np.cumsum(valid) - 1  # the row of `signatures` that belongs to a row of `tables`
    chosen = line.ranks[~line.gone & (line.representative == line.ranks) & valid[rows]]
    n_shingles = np.concatenate([table["n_shingles"].to_numpy() for table in tables])
    return chosen, Signed(
        doc_ids=line.keys[chosen].tolist(),
        n_shingles=n_shingles[rows[chosen]],
        signatures=signatures[place[rows[chosen]]],
        fixed=int(np.searchsorted(chosen, line.fixed)),
    )


def _edges(line: _Line, chosen: Numbers, proven: Proven) -> pa.Table:
    """EDGES: copies of one text, and the proven pairs of the `chosen` ranks. What only another corpus joins is no pair of ours."""
    copies = line.ranks[(line.representative != line.ranks) & (line.representative >= line.fixed)]
    a = np.concatenate([copies, chosen[proven.a]])
    b = np.concatenate([line.representative[copies], chosen[proven.b]])
    frame = pl.DataFrame({
        "one": pl.Series(line.keys[a].tolist(), dtype=pl.String),
        "other": pl.Series(line.keys[b].tolist(), dtype=pl.String),
        "similarity": np.concatenate([np.ones(len(copies)), proven.pair_likeness]),
    })
    swapped = pl.col("one") > pl.col("other")
    first = pl.when(swapped).then("other").otherwise("one").alias("doc_a")
    second = pl.when(swapped).then("one").otherwise("other").alias("doc_b")
    return _arrow(frame.select(first, second, "similarity").sort("doc_a", "doc_b"), EDGES)


def _arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """`frame` in the types of `schema`; an empty column of ids has none of its own."""
    return pa.Table.from_arrays(
        [frame[name].to_arrow().cast(schema.field(name).type) for name in schema.names], schema=schema
    )
