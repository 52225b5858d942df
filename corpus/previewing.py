"""`gristmill clean --preview`: what a recipe's cleaners change in a sample of its documents, without a build.

The sample is the documents with the smallest H(seed, page_id), so a page more changes it by one at most. Only their pages are extracted, and what is
extracted is remembered for the build. Learners learn of the sample's own sites, from at most LEARNED_PAGES pages: what they know in a
build may be more.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from corpus.engine.alone import alone
from corpus.engine.executor import Engine
from corpus.engine.parquet import read_rows, runs
from corpus.engine.progress import Progress
from corpus.phases.clean import with_text
from corpus.phases.cleaning import Draft, run_cleaner, run_learner
from corpus.phases.extract import extract
from corpus.phases.fold import LIGHT, fold, units
from corpus.phases.gather import gather, place_of
from corpus.phases.learn import TOLD, addressed, learned, step_of, texts_of
from plugins.contracts import Cleaner, Edit, Learner, Scraper
from plugins.registry import ResolvedRecipe, load_recipe
from schemas.errors import NotFound, SourceError, nearest
from schemas.fingerprint import identify
from schemas.runtime import Runtime
from schemas.store import Store

LEARNED_PAGES = 200
"""Pages, beside those of the sample, that learners see."""

LOOKED_AT = 10
"""Documents that are looked at for each one asked for, until enough are changed."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What one step changes in one text, or in one field of one message."""

    step: str
    turn: int | None
    speaker: str | None
    """Who says that message, before the step."""
    field: str | None
    before: str
    """The whole of it; edits are spans of this."""
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Previewed:
    """One document of the sample."""

    doc_id: str
    locator: str
    url: str | None
    title: str | None
    passages: tuple[Passage, ...]
    failure: str | None = None
    """The cleaner that failed on it, and how."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one cleaner did to all documents that were looked at."""

    step: str
    documents: int = 0
    spans: int = 0
    removed: int = 0
    """Characters."""
    added: int = 0
    seconds: float = 0.0
    """Wall clock, imports and compilation left out."""
    bytes: int = 0
    """UTF-8 of the texts it was given."""


@dataclass
class Preview:
    """A sample, cleaned."""

    documents: list[Previewed] = field(default_factory=list)
    """Those that are shown."""
    looked_at: int = 0
    changed: int = 0
    without_text: int = 0
    """Documents of the sample of which no text could be extracted."""
    tallies: list[Tally] = field(default_factory=list)
    learned: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Step of each learner → pages it learned from, lines it learned, in the largest batch."""


def preview(
    recipe: Path | str,
    runtime: Runtime | None = None,
    *,
    only: str | None = None,
    n: int = 20,
    seed: int = 0,
    every: bool = False,
) -> Preview:
    """Clean a sample. By default `n` documents that are changed, of at most ten times as many that are looked at; with `every`, `n` as they come.

    `only` names one cleaner: earlier ones run, too, and what it alone changes counts. Raises NotFound where the recipe has none of that name,
    SourceError where a source must gather first and has nothing yet.
    """
    runtime = runtime or Runtime()
    resolved = load_recipe(recipe)
    wanted = _wanted(resolved, only)
    store = Store(runtime.root.absolute())
    _gathered(resolved, store, recipe)
    with alone(store, resolved.recipe.name):
        engine = Engine(runtime, Progress(runtime.quiet))
        try:
            return _preview(
                _Sampler(gather(resolved, engine).pages, resolved, engine, seed), wanted, n, every=every
            )
        finally:
            engine.close()


def _wanted(resolved: ResolvedRecipe, only: str | None) -> set[str]:
    """The steps whose changes are shown."""
    steps = [step_of(number, spec) for number, spec in enumerate(resolved.cleaners)]
    found = {step for step in steps if only in (None, step, step.partition(":")[2])}
    if only is not None and not found:
        names = [spec.use for spec in resolved.cleaners]
        listed = f"Its cleaners: {', '.join(names)}." if names else "It has no cleaners."
        raise NotFound(
            f'{resolved.path.name} has no cleaner "{only}". {nearest(only, names)} {listed}'.replace(
                "  ", " "
            )
        )
    return found


def _gathered(resolved: ResolvedRecipe, store: Store, recipe: Path | str) -> None:
    """Raise SourceError where a source must first bring something from elsewhere."""
    for source, spec in zip(resolved.recipe.source, resolved.scrapers, strict=True):
        work = place_of(resolved, source.label, store.sources).work
        if cast(Scraper, spec.make()).gathers and not (work.is_dir() and any(work.iterdir())):
            root = "" if store.root == Path().absolute() else f" --root {store.root}"
            raise SourceError(
                f'source "{source.label}" has gathered nothing yet, and a preview does not. Type: gristmill crawl {recipe}{root}'
            )


def _preview(sampler: _Sampler, wanted: set[str], n: int, *, every: bool) -> Preview:
    made = Preview(tallies=[Tally(step) for step, _ in sampler.cleaners])
    for start in range(0, n if every else n * LOOKED_AT, n):
        batch = sampler.documents(start, start + n, made)
        made.looked_at += len(batch)
        passages = sampler.clean(batch, made)
        for draft in batch:
            mine = tuple(one for one in passages[draft["doc_id"]] if one.step in wanted)
            failed = f"{draft['reason']}: {draft['detail']}" if draft["stage"] else None
            made.changed += bool(mine)
            if (mine or failed or every) and len(made.documents) < n:
                names = (draft["doc_id"], draft["locator"], draft["url"], draft["title"])
                made.documents.append(Previewed(*names, mine, failed))
        if len(made.documents) >= n or start + n >= len(sampler.order):
            break
    made.tallies = [tally for tally in made.tallies if tally.step in wanted]
    return made


class _Sampler:
    """Draws documents of a recipe and cleans them."""

    def __init__(self, pages: pl.DataFrame, resolved: ResolvedRecipe, engine: Engine, seed: int) -> None:
        self.resolved, self.engine = resolved, engine
        self.cleaners = [
            (step_of(number, spec), cast(Cleaner, spec.make()))
            for number, spec in enumerate(resolved.cleaners)
        ]
        self.pages = pages.filter(pl.col("error").is_null())
        found: list[list[str]] = []
        for label in sorted(set(self.pages["source"])):
            mine = self.pages.filter(pl.col("source") == label)
            ids = mine["page_id"].to_list()
            found += [[ids[row] for row in unit] for unit in units(mine)]
        self.order = sorted(found, key=lambda unit: identify(str(seed), unit[0]))
        self.frame = pl.DataFrame()
        """The pages with a text of the last documents drawn."""

    def documents(self, start: int, stop: int, made: Preview) -> list[Draft]:
        """Extract and fold the documents [start, stop) of the sample."""
        chosen = self.order[start:stop]
        whole = self.frame = self._extracted([page for unit in chosen for page in unit])
        place = {page: row for row, page in enumerate(whole["page_id"])} if whole.height else {}
        names = ("file", "row", "extract_file", "extract_row")
        file, row, extract_file, extract_row = (whole[name].to_list() for name in names)
        drafts = []
        for unit in chosen:
            at = [place[page] for page in unit if page in place]
            if not at:
                made.without_text += 1
                continue
            pages = read_rows(runs([file[n] for n in at], [row[n] for n in at]), LIGHT).to_pylist()
            texts = read_rows(runs([extract_file[n] for n in at], [extract_row[n] for n in at])).to_pylist()
            drafts.append(fold(pages, texts))
        return drafts

    def _extracted(self, page_ids: Sequence[str]) -> pl.DataFrame:
        pages = self.pages.filter(pl.col("page_id").is_in(list(page_ids)))
        return addressed(with_text(pages, extract(pages, self.resolved, self.engine)))

    def clean(self, drafts: list[Draft], made: Preview) -> dict[str, list[Passage]]:
        """Run every cleaner; what each changes, by document."""
        passages: dict[str, list[Passage]] = {draft["doc_id"]: [] for draft in drafts}
        for number, (step, cleaner) in enumerate(self.cleaners):
            before = {draft["doc_id"]: (draft["text"], draft["messages"]) for draft in drafts}
            size = sum(len("".join(texts_of(draft)).encode()) for draft in drafts)
            lesson = self._lesson(step, cleaner, made) if isinstance(cleaner, Learner) else None
            if not made.tallies[number].bytes:  # imports and compilation are not what a cleaner costs
                _run(step, cleaner, copy.deepcopy(drafts), lesson)
            start = time.perf_counter()
            rows = _run(step, cleaner, drafts, lesson)
            spent = time.perf_counter() - start
            made.tallies[number] = _added(made.tallies[number], rows, spent, size)
            for doc_id, mine in groupby(rows, lambda row: row["doc_id"]):
                passages[doc_id] += _passages(mine, *before[doc_id])
        return passages

    def _lesson(self, step: str, learner: Learner, made: Preview) -> pa.Table:
        """What is learned of the sites of the last documents drawn."""
        scopes = {
            learner.scope_of(url, source)
            for url, source in self.frame.select("address", "source").iter_rows()
        }
        have = set(self.frame["page_id"])
        places = {
            page: (url, source)
            for page, url, source in self.pages.select("page_id", "url", "source").iter_rows()
        }
        more = [
            page
            for unit in self.order
            for page in unit
            # The address that a page says of itself is known when it is extracted; until then its source stands for it.
            if page not in have and (places[page][0] is None or learner.scope_of(*places[page]) in scopes)
        ][:LEARNED_PAGES]
        whole = self._extracted([*have, *more]).unique(
            ["source", "extract_key"], keep="first", maintain_order=True
        )
        if not whole.height:
            return TOLD.empty_table()
        rows = read_rows(
            runs(whole["extract_file"].to_list(), whole["extract_row"].to_list()), ["text", "messages"]
        )
        named = [
            learner.scope_of(url, source) for url, source in whole.select("address", "source").iter_rows()
        ]
        counts = learner.count([texts_of(row) for row in rows.to_pylist()], named)
        table = learned(learner, [counts], Counter(named), step).select(TOLD.names)
        made.learned[step] = max(made.learned.get(step, (0, 0)), (len(named), table.num_rows))
        return table


def _run(step: str, cleaner: Cleaner, drafts: list[Draft], lesson: pa.Table | None) -> list[dict[str, Any]]:
    if lesson is None or not isinstance(cleaner, Learner):
        return run_cleaner(step, cleaner, drafts)
    scopes = {draft["doc_id"]: cleaner.scope_of(draft["url"], draft["source"]) for draft in drafts}
    return run_learner(step, cleaner, drafts, scopes, lesson)


def _passages(
    rows: Iterator[dict[str, Any]], text: str, messages: list[dict[str, Any]] | None
) -> Iterator[Passage]:
    for (step, turn, changed), group in groupby(rows, lambda row: (row["step"], row["turn"], row["field"])):
        mine = list(group)
        edits = tuple(Edit(row["start"], row["end"], row["after"]) for row in mine)
        if turn is None or messages is None:
            yield Passage(step, None, None, None, text, edits)
        else:
            whole = mine[0]["before"] if changed else messages[turn]["content"] or ""
            yield Passage(step, turn, messages[turn]["name"] or messages[turn]["role"], changed, whole, edits)


def _added(tally: Tally, rows: Sequence[dict[str, Any]], seconds: float, size: int) -> Tally:
    return replace(
        tally,
        documents=tally.documents + len({row["doc_id"] for row in rows}),
        spans=tally.spans + len(rows),
        removed=tally.removed + sum(len(row["before"]) for row in rows if row["field"] is None),
        added=tally.added + sum(len(row["after"]) for row in rows if row["field"] is None),
        seconds=tally.seconds + seconds,
        bytes=tally.bytes + size,
    )
