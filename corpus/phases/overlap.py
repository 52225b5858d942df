"""overlap: kept documents of val and test that lie near one of another split, once a component too large to place has been cut.

Two kept documents lie near each other when they were proven alike, or when one dropped document was proven alike to both: with a
threshold t they then share at least 2 t - 1 (Jaccard distance obeys the triangle inequality). Longer chains say nothing about the
texts at their ends. Train gives nothing up; test gives up what is near train, val what is near train or what remains of test.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa


def near_elsewhere(whereabouts: pl.DataFrame, edges: pa.Table) -> pl.DataFrame:
    """(doc_id, reason, detail) of the documents to purge; `detail` names one that they overlap, the first by id, and its split.

    `whereabouts` is (doc_id, split) of kept documents.
    """
    hubs = _hubs(whereabouts, pl.DataFrame(edges.select(["doc_a", "doc_b"])))
    found = []
    for split, others in (("test", ["train"]), ("val", ["train", "test"])):
        named = pl.format("{} of {}", "doc_id", "split").min().alias("partner")
        partners = hubs.filter(pl.col("split").is_in(others)).group_by("hub").agg(named)
        purged = (
            hubs
            .filter(pl.col("split") == split)
            .join(partners, on="hub")
            .group_by("doc_id")
            .agg(pl.col("partner").min())
            .select("doc_id", reason=pl.lit("overlap"), detail=pl.format("near {}", "partner"))
        )
        hubs = hubs.join(purged, on="doc_id", how="anti")
        found.append(purged)
    return pl.concat(found)


def _hubs(whereabouts: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """(hub, doc_id, split): kept documents around a hub lie near each other. A hub is a document or a pair of kept ones."""
    both = pl.concat([edges, edges.select(doc_a="doc_b", doc_b="doc_a")])
    around = both.join(whereabouts, left_on="doc_b", right_on="doc_id").select(
        hub="doc_a", doc_id="doc_b", split="split"
    )
    dropped = around.join(whereabouts, left_on="hub", right_on="doc_id", how="anti")
    pairs = around.join(whereabouts, left_on="hub", right_on="doc_id", how="semi").with_columns(
        hub=pl.concat_str(pl.min_horizontal("hub", "doc_id"), pl.lit("+"), pl.max_horizontal("hub", "doc_id"))
    )
    return pl.concat([dropped, pairs])
