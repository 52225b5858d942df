"""assemble: what every phase decided → the contents of a version, its ledger, its manifest; then publish it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from corpus.engine.parquet import read_table
from corpus.engine.tasks import beside
from corpus.identity import libraries
from corpus.phases.annotate import Annotated
from corpus.phases.card import card
from corpus.phases.clean import Drafts
from corpus.phases.dedup import Deduped
from corpus.phases.extract import Extractions
from corpus.phases.fates import Outcomes, ledger, losses
from corpus.phases.gather import Gathered
from corpus.phases.mix import Mixed
from corpus.phases.publish import Contents, file_records, leakage, place, stage
from corpus.phases.rows import frame_of
from corpus.phases.split import Placed
from corpus.phases.tokenize_shards import Chunked
from plugins.registry import ResolvedRecipe
from schemas.errors import EmptyCorpus
from schemas.manifest import Manifest, PhaseRecord, SplitRecord, TokenizerRecord
from schemas.store import SPLITS, Store, VersionPath


@dataclass(frozen=True)
class Made:
    """What the phases left, on its way into a version."""

    gathered: Gathered
    texts: Extractions
    drafts: Drafts
    notes: Annotated
    verdicts: pl.DataFrame
    unique: Deduped
    mixed: Mixed
    placed: Placed
    chunks: Chunked

    @property
    def merged(self) -> pl.DataFrame:
        return pl.concat([frame_of(read_table(beside(path, "merged"))) for path in self.drafts.files])


def publish(
    made: Made,
    resolved: ResolvedRecipe,
    fingerprint: str,
    tokenizer: TokenizerRecord,
    store: Store,
) -> VersionPath:
    """Settle the ledger, write the tables, measure leakage, and put the version in place."""
    name = resolved.recipe.name
    fates = _fates(made)
    kept = fates.filter(pl.col("stage") == "kept").select("doc_id")
    if kept.height == 0:
        raise EmptyCorpus(
            f"no document is left to publish of {made.gathered.pages.height} pages; most were lost to: {losses(fates)}."
        )
    contents = _contents(made, fates, kept)
    folder = store.work / "publish" / name
    stage(contents, folder)
    certificate = leakage(folder, resolved.recipe.split.leakage_bound)
    splits = _splits(contents.assignment, made.chunks.counts, resolved)
    number = max(store.numbers(name), default=0) + 1
    licenses = sorted(made.gathered.pages["license"].drop_nulls().unique().to_list())
    (folder / "README.md").write_text(
        card(name, number, folder, splits, certificate, licenses), encoding="utf-8"
    )
    manifest = Manifest(
        name=name,
        version=number,
        fingerprint=fingerprint,
        recipe=resolved.corpus_sections(),
        sections=resolved.sections,
        sources=made.gathered.sources,
        phases=_phases(made, fates),
        splits=splits,
        leakage=certificate,
        tokenizer=tokenizer,
        timeouts=made.texts.timeouts,
        libraries=libraries(resolved),
        files=file_records(folder),
        counts={
            "pages": made.gathered.pages.height,
            "documents": kept.height,
            "rejects": made.notes.drafts.height - kept.height,
            "chunks": sum(record.chunks for record in splits.values()),
            "tokens": sum(record.tokens for record in splits.values()),
        },
    )
    return place(manifest, folder, store)


def _contents(made: Made, fates: pl.DataFrame, kept: pl.DataFrame) -> Contents:
    """The tables; groups and assignment without the documents that the tokenizer refused after they were placed."""
    assignment = frame_of(made.placed.assignment).join(kept, on="doc_id", how="semi", maintain_order="left")
    counted = assignment.group_by("group_id").agg(n_documents=pl.len().cast(pl.Int64))
    declared = frame_of(made.placed.groups).drop("n_documents")
    return Contents(
        pages=made.gathered.pages,
        fates=fates,
        scores=made.notes.scores.drop("failed"),
        duplicates=frame_of(made.unique.duplicates).sort("doc_id"),
        signatures=made.notes.signatures.join(
            made.notes.drafts.select("doc_id", "content_hash"), on="doc_id", how="left", maintain_order="left"
        ),
        groups=declared.join(counted, on="group_id", how="inner").sort("group_id"),
        learned=made.drafts.learned,
        assignment=assignment,
        tokens=made.chunks.counts.select("doc_id", "n_tokens"),
        drafts=made.drafts.files,
        chunks=made.chunks.files,
    )


def _fates(made: Made) -> pl.DataFrame:
    return ledger(
        Outcomes(
            pages=made.gathered.pages,
            extractions=made.texts.places,
            merged=made.merged,
            drafts=made.notes.drafts,
            verdicts=made.verdicts,
            duplicates=frame_of(made.unique.duplicates),
            mixed=made.mixed.dropped,
            purged=frame_of(made.placed.purged),
            refusals=made.chunks.refusals,
        )
    )


def _splits(
    assignment: pl.DataFrame, counts: pl.DataFrame, resolved: ResolvedRecipe
) -> dict[str, SplitRecord]:
    """Targets beside what came of them."""
    section = resolved.recipe.split
    targets = {"train": 1 - section.val - section.test, "val": section.val, "test": section.test}
    whole = assignment.join(counts, on="doc_id", how="left")
    records = {}
    for name in SPLITS:
        rows = whole.filter(pl.col("split") == name)
        records[name] = SplitRecord(
            target=round(targets[name], 6),
            groups=rows["group_id"].n_unique(),
            documents=rows.height,
            chunks=int(rows["n_chunks"].sum()),
            tokens=int(rows["n_tokens"].sum()),
        )
    return records


def _phases(made: Made, fates: pl.DataFrame) -> tuple[PhaseRecord, ...]:
    """Rows in and out of every phase: the same for a build that reused everything and one that reused nothing."""
    lost = dict(fates.group_by("stage").len().iter_rows())
    pages, drafts = made.gathered.pages.height, made.notes.drafts.height
    passed = made.verdicts["reason"].null_count()
    unique = passed - made.unique.duplicates.num_rows
    mixed = unique - made.mixed.dropped.height
    kept = lost.get("kept", 0)
    extraction = ",".join(sorted(set(made.texts.specs.values())))
    cut = {"lost": made.chunks.lost} if made.chunks.lost else {}
    more = {"dedup": made.unique.counts, "mix": made.mixed.counts, "tokenize": cut}
    rows = (
        ("gather", "", pages, pages - lost.get("gather", 0)),
        (
            "extract",
            extraction,
            pages - lost.get("gather", 0),
            pages - lost.get("gather", 0) - lost.get("extract", 0),
        ),
        ("clean", "", drafts + lost.get("merged", 0), made.verdicts.height),
        ("annotate", made.notes.specs["scores"], made.verdicts.height, made.verdicts.height),
        ("judge", "", made.verdicts.height, passed),
        ("dedup", made.notes.specs["signatures"], passed, unique),
        *([("mix", "", unique, mixed)] if made.mixed.counts else []),
        ("split", "", mixed, mixed - lost.get("split", 0)),
        ("tokenize", made.chunks.spec, mixed - lost.get("split", 0), kept),
    )
    return tuple(
        PhaseRecord(
            name=name,
            spec=spec,
            counts={"in": before, "out": after} | more.get(name, {}),
        )
        for name, spec, before, after in rows
    )
