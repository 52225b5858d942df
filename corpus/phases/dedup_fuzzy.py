"""Near-duplicates: LSH proposes pairs, the true Jaccard similarity decides, and whoever stands first in survivor order stays.

Signatures are cut into bands; documents equal in one band share a bucket (Leskovec, Rajaraman and Ullman, Mining of Massive
Datasets, section 3.4). Documents that hang together by buckets form a neighbourhood, which no other document can
influence: so the texts are read, and their shingle sets held, for as many neighbourhoods at a time as BATCH_SHINGLES allows.

What may be missed, never wrongly dropped: the share of pairs that `recall` in the recipe leaves; and in a bucket of more than CAP
documents, a pair whose first member is not among the first CAP kept (or first CAP dropped) of any bucket they share.
Rejected: connected components as duplicates (one chain of small differences melts a corpus), and trusting signatures
instead of texts (at 112 permutations the standard error of an estimate near 0.8 is 0.04).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from plugins.kernels.components import components
from plugins.kernels.leaders import Buckets, Leaders, leaders
from plugins.kernels.sets import write_sets
from plugins.kernels.words import Hashes
from schemas.errors import LedgerError
from schemas.recipe import Fuzzy

CAP = 64
"""In a hot bucket a document is compared with at most so many kept ones, and so many dropped ones: work stays linear."""

BATCH_SHINGLES = 1 << 26
"""Shingles held at a time: 512 MiB. One neighbourhood that is larger is held whole."""

THREADS = 2

Load = Callable[[], pa.Table]
"""Reads a table of (doc_id, text), in whatever thread."""
ReadTexts = Callable[[Sequence[str]], Iterator[Load]]
"""What reads the doc_ids given, in any order, a table at a time."""

Made = TypeVar("Made")

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Signed:
    """Documents with a signature, in survivor order."""

    doc_ids: Sequence[str]
    n_shingles: Numbers
    signatures: npt.NDArray[np.uint32]
    """One row a document."""
    fixed: int = 0
    """So many of them, the first ones, are of other corpora and stay."""


@dataclass(frozen=True)
class Proven:
    """What was found; documents are numbered as in `Signed`."""

    leader: Numbers
    """The kept document that each repeats: itself where it is kept."""
    likeness: Floats
    """Jaccard similarity to the leader; 1 where it is kept."""
    a: Numbers
    """First ends of the pairs proven to reach the threshold …"""
    b: Numbers
    """… their second ends …"""
    pair_likeness: Floats
    """… and similarities."""
    candidate_pairs: int
    compared_pairs: int
    capped_buckets: int

    @classmethod
    def nothing(cls) -> Proven:
        """Of no documents."""
        none = np.zeros(0, np.int64)
        return cls(none, np.zeros(0), none, none, np.zeros(0), 0, 0, 0)


def find_near(signed: Signed, options: Fuzzy, read_texts: ReadTexts, threads: int = THREADS) -> Proven:
    """Prove which documents repeat an earlier one. Raises LedgerError when a text is missing or is not the one signed."""
    documents = len(signed.doc_ids)
    leader, likeness = np.arange(documents), np.ones(documents)
    shared = _of_interest(buckets(signed.signatures, *options.shape), signed.fixed)
    parts: list[Leaders] = []
    pairs: list[tuple[Numbers, Numbers, Floats]] = [
        (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    ]
    for batch in batches(shared, signed.n_shingles):
        members = np.unique(batch["document"].to_numpy())
        sets, bounds = _sets(
            [signed.doc_ids[member] for member in members],
            signed.n_shingles[members],
            options.ngram,
            read_texts,
            threads,
        )
        fixed = int(np.searchsorted(members, signed.fixed))
        found = leaders(sets, bounds, _memberships(batch, members), options.threshold, CAP, fixed)
        leader[members], likeness[members] = members[found.leader], found.likeness
        pairs.append((members[found.a], members[found.b], found.pair_likeness))
        parts.append(found)
    a, b, pair_likeness = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return Proven(
        leader=leader,
        likeness=likeness,
        a=a,
        b=b,
        pair_likeness=pair_likeness,
        candidate_pairs=sum(part.proposed for part in parts),
        compared_pairs=sum(part.compared for part in parts),
        capped_buckets=sum(part.capped for part in parts),
    )


def buckets(signatures: npt.NDArray[np.uint32], bands: int, rows: int) -> pl.DataFrame:
    """(bucket, document) for every bucket of two documents or more.

    Raises ValueError when signatures are shorter than `bands * rows`.
    """
    if len(signatures) and signatures.shape[1] < bands * rows:
        raise ValueError(
            f"signatures have {signatures.shape[1]} values; {bands} bands of {rows} rows need {bands * rows}"
        )
    empty = {"bucket": np.zeros(0, np.int64), "document": np.zeros(0, np.int64)}
    frames, count = [pl.DataFrame(empty)], 0
    for band in range(bands if len(signatures) else 0):
        keys = _band_keys(signatures[:, band * rows : (band + 1) * rows])
        frame = (
            pl
            .DataFrame({"key": keys, "document": np.arange(len(keys))})
            .filter(pl.len().over("key") > 1)
            .select((pl.col("key").rank("dense").cast(pl.Int64) + (count - 1)).alias("bucket"), "document")
        )
        count += frame["bucket"].n_unique()
        frames.append(frame)
    return pl.concat(frames)


def _of_interest(shared: pl.DataFrame, fixed: int) -> pl.DataFrame:
    """The buckets that hold more than fixed documents: what another corpus repeats within itself is none of our business."""
    if not fixed:
        return shared
    return shared.filter(pl.col("document").max().over("bucket") >= fixed)


def _band_keys(band: npt.NDArray[np.uint32]) -> Hashes:
    """64 bits of each row of a band. Two bands hashed alike by chance only propose one pair more."""
    keys = np.zeros(len(band), np.uint64)
    for column in band.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def batches(shared: pl.DataFrame, n_shingles: Numbers) -> Iterator[pl.DataFrame]:
    """`shared` cut into whole neighbourhoods, so many at a time as fit BATCH_SHINGLES."""
    documents = shared["document"].to_numpy()
    firsts = shared.select(pl.col("document").min().over("bucket")).to_series().to_numpy()
    names, members = components(len(n_shingles), documents, firsts), np.unique(documents)
    weights = np.bincount(names[members], weights=n_shingles[members], minlength=len(n_shingles))
    batch_of, batch, held = np.zeros(len(n_shingles), np.int64), 0, 0
    for name in np.unique(names[members]).tolist():
        weight = int(weights[name])
        if held and held + weight > BATCH_SHINGLES:
            batch, held = batch + 1, 0
        batch_of[name], held = batch, held + weight
    numbered = shared.with_columns(batch=pl.Series(batch_of[names[documents]]))
    for number in range(batch + 1 if len(members) else 0):
        yield numbered.filter(pl.col("batch") == number)


def _memberships(batch: pl.DataFrame, members: Numbers) -> Buckets:
    """The buckets of each member, both renumbered from 0."""
    documents = np.searchsorted(members, batch["document"].to_numpy())
    _, numbers = np.unique(batch["bucket"].to_numpy(), return_inverse=True)
    offsets = np.zeros(len(members) + 1, np.int64)
    np.cumsum(np.bincount(documents, minlength=len(members)), out=offsets[1:])
    return Buckets(offsets, numbers[np.argsort(documents, kind="stable")].astype(np.int64))


def _sets(
    doc_ids: Sequence[str], n_shingles: Numbers, ngram: int, read_texts: ReadTexts, threads: int
) -> tuple[Hashes, Numbers]:
    """Shingle sets of the documents, each in the place that its signed size keeps free for it."""
    bounds = np.zeros(len(doc_ids) + 1, np.int64)
    np.cumsum(n_shingles, out=bounds[1:])
    flat, place_of = np.zeros(bounds[-1], np.uint64), {doc_id: place for place, doc_id in enumerate(doc_ids)}

    def fill(load: Load) -> Numbers:
        table = load()
        found = table["doc_id"].to_pylist()
        places = np.fromiter((place_of[doc_id] for doc_id in found), np.int64, count=len(found))
        wrong = write_sets(table["text"], ngram, places, bounds, flat)
        if wrong is not None:
            raise LedgerError(
                f"document {found[wrong]} has not the {n_shingles[places[wrong]]} shingles that were signed: its text changed between "
                "annotate and dedup. Delete .gristmill/work and build again."
            )
        return places

    missing = np.ones(len(doc_ids), np.bool_)
    for places in ahead(fill, read_texts(doc_ids), threads):
        missing[places] = False
    if missing.any():
        raise LedgerError(
            f"{missing.sum()} documents have a signature but no text, {doc_ids[int(missing.argmax())]} among them. "
            "Delete .gristmill/work and build again."
        )
    return flat, bounds


def ahead(work: Callable[[Load], Made], loads: Iterator[Load], threads: int) -> Iterator[Made]:
    """`work` of each load, in their order, by so many threads: decompressing and shingling leave the interpreter free.

    No more loads are begun than there are threads, so that no more tables are held at a time.
    """
    with ThreadPoolExecutor(threads) as pool:
        running = deque(pool.submit(work, load) for load in islice(loads, threads))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(work, load) for load in islice(loads, 1))
