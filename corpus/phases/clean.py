"""clean: extracted texts → drafts. The pages of a thread are folded into one document, the cleaners run in recipe order, and the
format says whether it can show the result to a model.

Every change a cleaner makes is a span in `edits`, so that nothing vanishes inside a document either (`corpus.phases.cleaning`). For dialogue a
cleaner works on messages; the document's text is those that say something, joined by blank lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from corpus.engine.boundaries import pieces
from corpus.engine.executor import Engine
from corpus.engine.parquet import read_rows, runs
from corpus.engine.tasks import MAIN, Spec, Task, beside
from corpus.phases.cleaning import removals, run_cleaner, run_learner
from corpus.phases.extract import Extractions
from corpus.phases.fold import LIGHT, fold, joined, units as folded
from corpus.phases.learn import REMOVED, Lesson, addressed, learn, learners, lessons_read, published, step_of
from corpus.phases.rows import ROW_BYTES, told
from plugins.contracts import Cleaner, Format, Learner
from plugins.registry import ResolvedRecipe
from plugins.specs import PluginSpec
from schemas.fingerprint import canonical, identify
from schemas.tables import DRAFTS, EDITS, MERGED

CODE = (
    "corpus.phases.clean",
    "corpus.phases.cleaning",
    "corpus.phases.edits",
    "corpus.phases.fold",
    "corpus.phases.learn",
    "corpus.phases.replay",
    "corpus.phases.rows",
)

SHARD_BYTES = 4 << 20
"""Raw bytes of the pages of a task, on average, with ROW_BYTES a page."""


@dataclass(frozen=True)
class Drafts:
    """The documents, by file in (source, locator) order."""

    files: tuple[str, ...]
    learned: pl.DataFrame = field(default_factory=lambda: published([], []))
    """The rows of table `learned`."""


def clean(pages: pl.DataFrame, extracted: Extractions, resolved: ResolvedRecipe, engine: Engine) -> Drafts:
    """Fold and clean what was extracted."""
    whole = with_text(pages, extracted)
    lessons: list[Lesson] = []
    if learners(resolved):
        whole = addressed(whole)
        lessons = learn(whole, extracted, resolved, engine)
    tasks: list[Task] = []
    for label in sorted(extracted.specs):
        options = {
            "extract": extracted.specs[label],
            "cleaners": [spec.identity() for spec in resolved.cleaners],
            "format": resolved.format.identity(),
        }
        folder = Spec("clean", options, CODE).folder(engine.work)
        tasks += _tasks(whole.filter(pl.col("source") == label), resolved, lessons, folder)
    engine.run("clean", tasks, "documents")
    files = tuple(task.output for task in tasks)
    return Drafts(files, published(lessons, [str(beside(file, "removed")) for file in files if lessons]))


def with_text(pages: pl.DataFrame, extracted: Extractions) -> pl.DataFrame:
    """The pages that have a text, and where it lies."""
    whole = pages.join(extracted.places, on="page_id", how="inner", maintain_order="left", suffix="_extract")
    return whole.filter(pl.col("error_extract").is_null())


def _tasks(
    pages: pl.DataFrame, resolved: ResolvedRecipe, lessons: Sequence[Lesson], folder: Path
) -> Iterator[Task]:
    units = folded(pages)
    columns = ("row_hash", "extract_key", "size", "file", "row", "extract_file", "extract_row")
    row_hash, key, size, file, row, extract_file, extract_row = (pages[name].to_list() for name in columns)
    identities = [identify(*(part for n in unit for part in (row_hash[n], key[n]))) for unit in units]
    sizes = [sum(size[n] + ROW_BYTES for n in unit) for unit in units]
    scopes = [_scopes(pages, units, lesson) for lesson in lessons]
    for start, stop in pieces(zip(identities, sizes, strict=True), SHARD_BYTES):
        rows = [n for unit in units[start:stop] for n in unit]
        inputs = {
            "pages": runs([file[n] for n in rows], [row[n] for n in rows]),
            "texts": runs([extract_file[n] for n in rows], [extract_row[n] for n in rows]),
            "units": [len(unit) for unit in units[start:stop]],
            "cleaners": [spec.to_json() for spec in resolved.cleaners],
            "form": resolved.format.to_json(),
            "lessons": [(lesson.step, lesson.file) for lesson in lessons],
            "scopes": [mine[start:stop] for mine in scopes],
        }
        told = [
            lesson.digests.get(scope, "")
            for lesson, mine in zip(lessons, scopes, strict=True)
            for scope in mine[start:stop]
        ]
        output = folder / f"{identify(*identities[start:stop], *told)}.parquet"
        yield Task("corpus.phases.clean:clean_documents", inputs, str(output), weight=stop - start)


def _scopes(pages: pl.DataFrame, units: Sequence[Sequence[int]], lesson: Lesson) -> list[str]:
    """The scope of each document: its first page's."""
    heads = pages[[unit[0] for unit in units]]
    return lesson.scopes(heads["address"].to_list(), heads["source"].to_list())


def clean_documents(
    pages: list[tuple[str, list[int]]],
    texts: list[tuple[str, list[int]]],
    units: list[int],
    cleaners: list[dict[str, Any]],
    form: dict[str, Any],
    lessons: Sequence[tuple[str, str]] = (),
    scopes: Sequence[Sequence[str]] = (),
) -> dict[str, pa.Table]:
    """The task: drafts, their edits, and the pages folded away; with lessons, what they took out."""
    rows = read_rows(pages, LIGHT).to_pylist()
    found = read_rows(texts).to_pylist()
    drafts, merged, at = [], [], 0
    for length in units:
        draft = fold(rows[at : at + length], found[at : at + length])
        merged += [
            {"page_id": row["page_id"], "doc_id": draft["doc_id"]} for row in rows[at + 1 : at + length]
        ]
        drafts.append(draft)
        at += length
    known = lessons_read(lessons, scopes)
    places = {
        step: dict(zip((d["doc_id"] for d in drafts), mine, strict=True))
        for (step, _), mine in zip(lessons, scopes, strict=True)
    }
    changes: list[dict[str, Any]] = []
    taken: list[dict[str, Any]] = []
    for n, spec in enumerate(map(PluginSpec.from_json, cleaners)):
        step, cleaner = step_of(n, spec), cast(Cleaner, spec.make())
        if isinstance(cleaner, Learner):
            made = run_learner(step, cleaner, drafts, places[step], known[step])
            taken += removals(step, cleaner, places[step], made)
        else:
            made = run_cleaner(step, cleaner, drafts)
        changes += made
    shown = cast(Format, PluginSpec.from_json(form).make())
    finished = [_finish(draft, shown) for draft in drafts]
    order = {draft["doc_id"]: n for n, draft in enumerate(drafts)}
    changes.sort(key=lambda change: order[change["doc_id"]])  # stable: steps stay in order within a document
    tables = {
        MAIN: pa.Table.from_pylist(finished, schema=DRAFTS),
        "edits": pa.Table.from_pylist(changes, schema=EDITS),
        "merged": pa.Table.from_pylist(merged, schema=MERGED),
    }
    return {**tables, "removed": pa.Table.from_pylist(taken, schema=REMOVED)} if lessons else tables


def _finish(draft: dict[str, Any], form: Format) -> dict[str, Any]:
    """Count and hash what is left, and refuse what the format cannot show the model: a survivor must be trainable."""
    if draft["messages"]:
        draft["text"] = joined(draft["messages"])
    if draft["stage"] is None and not draft["text"].strip():
        draft.update(stage="clean", reason="empty", detail="nothing was left after cleaning")
    if draft["stage"] is None:
        try:
            if not any(span.trained and span.text for span in form.render(draft["text"], draft["messages"])):
                draft.update(
                    stage="format", reason="untrained", detail=f'format "{form.name}" trains no part of it'
                )
        except Exception as error:  # noqa: BLE001 - a stranger's format may raise anything; it becomes the document's fate
            draft.update(stage="format", reason="refused", detail=told(error))
    draft["n_chars"] = len(draft["text"])
    draft["content_hash"] = identify(draft["text"], canonical(draft["messages"] or []))
    return draft
