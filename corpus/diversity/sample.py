"""The documents of a version that are read: their light columns all, their texts a sample of stated size.

A doc_id is a hash, so the documents with the smallest are a fair draw that depends on nothing else: not on files, order, or what other
parts a version has. Of each document the first LONGEST characters are read, of each part SIZE together; memory is bounded by both.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from corpus.engine.parquet import read_each
from corpus.phases.groups import host_of
from corpus.phases.rows import frame_of
from schemas.store import SPLITS, VersionPath

SIZE = 4_000_000
"""Characters of a part, about."""

LONGEST = 1 << 16
"""Characters of a document."""

LIGHT = ["doc_id", "source", "url", "author", "lang", "group_id", "split", "n_chars"]


def light(version: VersionPath) -> pl.DataFrame:
    """LIGHT of every kept document, and `site`; in document order within each split."""
    files = [path for split in SPLITS for path in version.files("documents", split)]
    frames = [frame_of(table) for table in read_each(files, LIGHT)]
    whole = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(LIGHT, pl.String))
    known = {url: host_of(url) for url in whole["url"].unique()}
    sites = pl.Series("site", [known[url] for url in whole["url"]], dtype=pl.String)
    return whole.with_columns(sites, n_chars=pl.col("n_chars").cast(pl.Int64).fill_null(0))


def drawn(documents: pl.DataFrame) -> list[str]:
    """The doc_ids of a part's sample, in order of draw."""
    sizes = documents.select("doc_id", read=pl.col("n_chars").clip(0, LONGEST)).sort("doc_id")
    return sizes.filter(pl.col("read").cum_sum() - pl.col("read") < SIZE)["doc_id"].to_list()


def texts_of(version: VersionPath, doc_ids: Iterable[str]) -> pl.DataFrame:
    """doc_id and text, cut to LONGEST characters, of the documents asked for; in document order within each split."""
    wanted = pa.array(sorted(set(doc_ids)), pa.string())
    files = [path for split in SPLITS for path in version.files("documents", split)]
    pieces = []
    for table in read_each(files, ["doc_id", "text"]):
        rows = table.filter(pc.is_in(table["doc_id"], wanted))
        cut = pc.utf8_slice_codeunits(rows["text"], 0, LONGEST)
        pieces.append(frame_of(pa.table({"doc_id": rows["doc_id"], "text": cut})))
    return pl.concat(pieces) if pieces else pl.DataFrame(schema={"doc_id": pl.String, "text": pl.String})
