"""A build, from recipe to version: the phases in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from corpus.engine.alone import alone
from corpus.engine.executor import Engine
from corpus.engine.kernel_cache import keep_kernels_in, use_kernel_cache
from corpus.engine.parquet import read_table
from corpus.engine.progress import Progress
from corpus.identity import disturbed_fingerprint, version_fingerprint
from corpus.phases.against import others, reading, resolve_against
from corpus.phases.annotate import Annotated, annotate
from corpus.phases.assemble import Made, publish
from corpus.phases.clean import clean
from corpus.phases.dedup import dedup
from corpus.phases.dedup_fuzzy import Load, ReadTexts
from corpus.phases.extract import Extractions, extract
from corpus.phases.fates import losses
from corpus.phases.gather import Gathered, gather
from corpus.phases.judge import judge
from corpus.phases.mix import mix, nothing_dropped
from corpus.phases.rows import frame_of
from corpus.phases.split import split
from corpus.phases.tokenize_shards import tokenize_all, tokenizer_record
from plugins.contracts import Format
from plugins.models import resolve
from plugins.registry import load_recipe
from schemas.errors import Corruption, EmptyCorpus, Mismatch
from schemas.manifest import Manifest
from schemas.recipe import Dedup
from schemas.runtime import Runtime
from schemas.store import Store, VersionPath


@dataclass(frozen=True)
class Build:
    """What a build came to."""

    version: VersionPath
    manifest: Manifest
    seconds: dict[str, float]
    performed: dict[str, int]
    """Units of work really done, by phase; 0 where an earlier build's output was reused."""
    new: bool
    """False where the version already existed."""

    def to_json(self) -> dict[str, Any]:
        """The line `build --json` ends with."""
        counts = self.manifest.counts
        return {
            "version": self.version.spec,
            "fingerprint": self.manifest.fingerprint,
            **{name: counts[name] for name in ("pages", "documents", "chunks", "tokens")},
            "path": str(self.version.path),
            "new": self.new,
            "performed": self.performed,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }


def build(recipe: Path | str, runtime: Runtime | None = None) -> Build:
    """Build the next version of a recipe's corpus, or find that it already is.

    Raises RecipeError and other UserErrors before any work where they can be known then; nothing published is ever touched.
    """
    runtime = runtime or Runtime()
    resolved = load_recipe(recipe)
    store = Store(runtime.root.absolute())
    model = resolve(resolved.recipe.tokens.model, store.models, resolved.base)
    resolved = resolved.prepared(model)
    tokenizer = tokenizer_record(model, resolved)
    against = resolve_against(resolved, store)
    with _engine(resolved.recipe.name, store, runtime) as engine:
        for note in cast(Format, resolved.format.make()).notes():
            engine.progress.say(note)
        gathered = gather(resolved, engine)
        compared = [(entry.name, entry.digest) for entry in against]
        fingerprint = version_fingerprint(resolved, gathered.sources, tokenizer, compared)
        if published := _find(store, resolved.recipe.name, fingerprint):
            return Build(
                published, published.manifest(), engine.progress.seconds, engine.performed, new=False
            )
        texts = extract(gathered.pages, resolved, engine)
        fingerprint = disturbed_fingerprint(fingerprint, texts.disturbed)
        drafts = clean(gathered.pages, texts, resolved, engine)
        notes = annotate(drafts, resolved, engine, store.versions(resolved.recipe.name))
        foreign = others(against, resolved, engine)
        with engine.progress.phase("judge"):
            verdicts = judge(notes.scores, resolved.filters)
            passed = _passed(notes, verdicts)
            if passed.height == 0:
                raise EmptyCorpus(_nothing(gathered, texts, notes, verdicts))
        with engine.progress.phase("dedup"):
            _tell(resolved.recipe.dedup, engine)
            read_texts = reading(_reader(passed), against)
            candidates = _candidates(passed, notes)
            unique = dedup(candidates, resolved.recipe.dedup, read_texts, foreign, engine.runtime.workers)
            kept = passed.join(frame_of(unique.duplicates), on="doc_id", how="anti", maintain_order="left")
            if kept.height == 0:
                raise EmptyCorpus(
                    f"nothing is left to publish: all {passed.height} documents that passed repeat one of {', '.join(entry.name for entry in against)}."
                )
        mixed = nothing_dropped()
        if resolved.recipe.mix.active:
            with engine.progress.phase("mix"):
                mixed = mix(kept, resolved.recipe.mix)
                kept = kept.join(mixed.dropped, on="doc_id", how="anti", maintain_order="left")
        with engine.progress.phase("split"):
            placed = split(_splittable(passed, notes), kept["doc_id"], unique.edges, resolved.recipe.split)
        chunks = tokenize_all(
            passed, frame_of(placed.assignment)["doc_id"], tokenizer, model, resolved, engine
        )
        with engine.progress.phase("publish"):
            made = Made(gathered, texts, drafts, notes, verdicts, unique, mixed, placed, chunks)
            version = publish(made, resolved, fingerprint, tokenizer, store)
        return Build(version, version.manifest(), engine.progress.seconds, engine.performed, new=True)


def _tell(options: Dedup, engine: Engine) -> None:
    """Say what share of the pairs of each similarity will be compared: the S-curve of the bands in use."""
    if options.fuzzy is not None:
        bands, rows = options.fuzzy.shape
        curve = "  ".join(f"{found:.3f} at {near:.2f}" for near, found in options.fuzzy.curve.items())
        engine.progress.say(f"dedup: {bands} bands of {rows}; share of pairs compared: {curve}")


def _passed(notes: Annotated, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The drafts that cleaning and every filter let through, in document order."""
    good = verdicts.filter(pl.col("reason").is_null())
    return notes.drafts.join(good.select("doc_id"), on="doc_id", how="semi", maintain_order="left")


def _nothing(gathered: Gathered, texts: Extractions, notes: Annotated, verdicts: pl.DataFrame) -> str:
    """Why there is nothing to go on with: where the pages and documents went."""
    told = [
        gathered.pages.select(stage=pl.lit("gather"), reason="error"),
        texts.places.select(stage=pl.lit("extract"), reason="error"),
        notes.drafts.select("stage", "reason"),
        verdicts.select(stage=pl.lit("filter"), reason="reason"),
    ]
    return (
        f"nothing is left to publish of {gathered.pages.height} pages; most were lost to: {losses(pl.concat(told))}. "
        "Check what the sources hold, and the thresholds of the [[filter]] tables."
    )


def _candidates(passed: pl.DataFrame, notes: Annotated) -> pa.Table:
    return passed.join(notes.signatures, on="doc_id", how="left", maintain_order="left").to_arrow()


def _splittable(passed: pl.DataFrame, notes: Annotated) -> pa.Table:
    """The columns a recipe may group by: those of `documents` that are known now."""
    languages = notes.scores.select(
        "doc_id", *(name for name in ("lang", "lang_score") if name in notes.scores.columns)
    )
    known = passed.drop("locator", "file", "row", "stage", "reason", "detail")
    return known.join(languages, on="doc_id", how="left", maintain_order="left").to_arrow()


def _reader(passed: pl.DataFrame) -> ReadTexts:
    """Reads (doc_id, text) of chosen documents, a drafts file at a time."""

    def load(file: str, rows: pl.Series) -> pa.Table:
        return read_table(file, ["doc_id", "text"]).take(rows.to_arrow())

    def read(doc_ids: Sequence[str]) -> Iterator[Load]:
        wanted = passed.filter(pl.col("doc_id").is_in(pl.Series(doc_ids, dtype=pl.String).implode()))
        for (file,), rows in wanted.group_by("file", maintain_order=True):
            yield partial(load, str(file), rows["row"])

    return read


def _find(store: Store, name: str, fingerprint: str) -> VersionPath | None:
    """The newest version with this fingerprint. One that cannot be read is none: to build it again is how it is mended."""
    for version in reversed(store.versions(name)):
        try:
            if version.manifest().fingerprint == fingerprint:
                return version
        except (Corruption, Mismatch):  # damaged, or written by a newer gristmill
            continue
    return None


@contextmanager
def _engine(name: str, store: Store, runtime: Runtime) -> Iterator[Engine]:
    """The build's means."""
    with alone(store, name):
        keep_kernels_in(store.cache)
        use_kernel_cache()
        engine = Engine(runtime, Progress(runtime.quiet))
        try:
            yield engine
        finally:
            engine.close()
