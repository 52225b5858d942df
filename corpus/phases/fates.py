"""The ledger: one row for every document, and for every page that yielded none; and the laws it must obey."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from schemas.errors import LedgerError
from schemas.tables import FATES, STAGES


@dataclass(frozen=True)
class Outcomes:
    """What each phase decided; every frame names documents by doc_id, pages by page_id."""

    pages: pl.DataFrame
    """page_id, source, url, error, detail: all pages, in order."""
    extractions: pl.DataFrame
    """page_id, error, detail: the pages gather brought."""
    merged: pl.DataFrame
    """page_id, doc_id."""
    drafts: pl.DataFrame
    """doc_id, page_id, source, url, stage, reason, detail: all documents, in order."""
    verdicts: pl.DataFrame
    duplicates: pl.DataFrame
    mixed: pl.DataFrame
    """doc_id, reason, detail."""
    purged: pl.DataFrame
    """doc_id, reason, detail."""
    refusals: pl.DataFrame
    """doc_id, stage, reason, detail."""


def ledger(outcomes: Outcomes) -> pl.DataFrame:
    """FATES, pages in order. Raises LedgerError where the books do not balance (law 1)."""
    fates = pl.concat([_pages(outcomes), _documents(outcomes)]).select(FATES.names)
    order = outcomes.pages.select("page_id", place=pl.int_range(pl.len()))
    fates = (
        fates
        .join(order, on="page_id", how="left", maintain_order="left")
        .sort("place", "doc_id", nulls_last=True)
        .drop("place")
    )
    _balance(fates, outcomes)
    return fates


def losses(told: pl.DataFrame) -> str:
    """The commonest ways to be lost, of rows with stage and reason: "filter length:min_words (12), extract empty (3)"."""
    lost = told.filter(pl.col("reason").is_not_null()).group_by("stage", "reason").len()
    worst = lost.sort("len", "stage", "reason", descending=[True, False, False]).head(3)
    return ", ".join(f"{stage} {reason} ({count})" for stage, reason, count in worst.iter_rows())


def _pages(outcomes: Outcomes) -> pl.DataFrame:
    """Pages that yielded no document of their own."""
    known = outcomes.pages.select("page_id", "source", "url")
    lost = outcomes.pages.filter(pl.col("error").is_not_null()).select(
        "page_id", "error", "detail", stage=pl.lit("gather")
    )
    blank = outcomes.extractions.filter(pl.col("error").is_not_null()).select(
        "page_id", "error", "detail", stage=pl.lit("extract")
    )
    failed = pl.concat([lost, blank]).with_columns(survivor_id=pl.lit(None, pl.String))
    folded = outcomes.merged.select(
        "page_id",
        error=pl.lit(None, pl.String),
        detail=pl.lit(None, pl.String),
        stage=pl.lit("merged"),
        survivor_id="doc_id",
    )
    rows = (
        pl.concat([failed, folded]).rename({"error": "reason"}).with_columns(doc_id=pl.lit(None, pl.String))
    )
    return rows.join(known, on="page_id", how="left", maintain_order="left").select(FATES.names)


def _documents(outcomes: Outcomes) -> pl.DataFrame:
    """Documents, each by the first phase that refused it; the others are kept."""
    duplicates = outcomes.duplicates.select(
        "doc_id",
        "survivor_id",
        reason="method",
        detail=pl.concat_str(
            pl.lit("similarity "),
            pl.col("similarity").round(4).cast(pl.String),
            pl.concat_str(pl.lit(" to "), "against").fill_null(""),
        ),
    )
    frame = outcomes.drafts.select("doc_id", "page_id", "source", "url", "stage", "reason", "detail")
    for stage, decided in (
        ("filter", outcomes.verdicts.filter(pl.col("reason").is_not_null())),
        ("dedup", duplicates),
        ("mix", outcomes.mixed),
        ("split", outcomes.purged),
        (None, outcomes.refusals),
    ):
        marked = decided if stage is None else decided.with_columns(stage=pl.lit(stage))
        if "survivor_id" not in marked.columns:
            marked = marked.with_columns(survivor_id=pl.lit(None, pl.String))
        frame = _decide(frame, marked)
    return frame.with_columns(pl.col("stage").fill_null("kept")).select(FATES.names)


def _decide(frame: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """Mark documents that no earlier phase has."""
    columns = ("stage", "reason", "detail", "survivor_id")
    if "survivor_id" not in frame.columns:
        frame = frame.with_columns(survivor_id=pl.lit(None, pl.String))
    joined = frame.join(
        decided.select("doc_id", *columns), on="doc_id", how="left", suffix="_new", maintain_order="left"
    )
    fresh = pl.col("stage").is_null() & pl.col("stage_new").is_not_null()
    return joined.with_columns(
        pl.when(fresh).then(f"{name}_new").otherwise(name).alias(name) for name in columns
    ).select(frame.columns)


def _balance(fates: pl.DataFrame, outcomes: Outcomes) -> None:
    """Law 1, and the part of law 5 the ledger can show."""
    faults: list[str] = []
    pages = set(outcomes.pages["page_id"])
    if missing := pages - set(fates["page_id"]):
        faults.append(f"{len(missing)} pages have no fate, {min(missing)} among them")
    if strangers := set(fates["page_id"]) - pages:
        faults.append(
            f"{len(strangers)} fates name a page that was not gathered, {min(strangers)} among them"
        )
    documents = fates.filter(pl.col("doc_id").is_not_null())
    if documents.height != outcomes.drafts.height or documents["doc_id"].n_unique() != documents.height:
        faults.append(
            f"{outcomes.drafts.height} documents have {documents.height} fates for {documents['doc_id'].n_unique()} of them"
        )
    barren = fates.filter(pl.col("doc_id").is_null())
    if barren["page_id"].n_unique() != barren.height:
        faults.append("a page that yielded no document has two fates")
    if both := set(barren["page_id"]) & set(documents["page_id"]):
        faults.append(
            f"{len(both)} pages are told to have yielded a document and none, {min(both)} among them"
        )
    if orphans := set(outcomes.merged["doc_id"]) - set(documents["doc_id"]):
        faults.append(
            f"{len(orphans)} documents that pages were merged into are not there, {min(orphans)} among them"
        )
    if unknown := set(fates["stage"]) - set(STAGES):
        faults.append(f"stages {sorted(unknown)} are not known")
    kept = set(fates.filter(pl.col("stage") == "kept")["doc_id"])
    foreign = outcomes.duplicates.filter(pl.col("against").is_not_null()).select("doc_id")
    ours = fates.filter(pl.col("stage") == "dedup").join(foreign, on="doc_id", how="anti")
    survivors = ours["survivor_id"]
    # Kept by dedup, whatever came later: the mix or the split may have dropped it, the tokenizer may have made nothing of it.
    later = (outcomes.mixed, outcomes.purged, outcomes.refusals)
    stayed = kept.union(*(frame["doc_id"] for frame in later))
    if gone := survivors.null_count() + len(set(survivors.drop_nulls()) - stayed):
        faults.append(f"{gone} duplicates name a survivor that was not kept")
    if faults:
        raise LedgerError(
            "the ledger does not add up, so nothing is published: "
            + "; ".join(faults)
            + ". This is a fault in gristmill."
        )
