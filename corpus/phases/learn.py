"""learn: what cleaners must know of a whole site before they clean its pages, as one small table.

A learner (`plugins.contracts.Learner`) counts over every page as it was extracted, task by task, and each task's counts are remembered by
what went in; then the parent makes the learned table of them, once for each set of counts. What a document's cleaning depends on is
the rows of its own scope alone: their digest enters the key of a clean task, so a new page on one site cleans no other site anew.

Pages of equal bytes count once: a copy is dedup's business, and would make every line of a page look like furniture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from corpus.engine.boundaries import pieces
from corpus.engine.executor import Engine
from corpus.engine.parquet import read_rows, read_table, runs, write_table
from corpus.engine.tasks import MAIN, Spec, Task
from corpus.phases.extract import Extractions
from corpus.phases.rows import ROW_BYTES, frame_of
from plugins.contracts import Cleaner, Learner, Threshold
from plugins.registry import ResolvedRecipe
from plugins.specs import PluginSpec
from schemas.errors import TaskFailed
from schemas.fingerprint import identify
from schemas.tables import LEARNED, conform

CODE = ("corpus.phases.learn", "corpus.phases.rows")

SHARD_BYTES = 4 << 20
"""Raw bytes of the pages of a task, on average, with ROW_BYTES a page."""

LEARNS = pa.schema([f for f in LEARNED if f.name not in {"step", "n_removed"}])
"""What `Learner.learn` makes."""
TOLD = pa.schema([LEARNED.field("scope"), LEARNED.field("line")])
"""What `Learner.clean_learned` is told: no counts, since these move with every page."""
REMOVED = pa.schema([("step", pa.string()), ("scope", pa.string()), ("key", pa.string()), ("n", pa.int64())])
"""What a clean task took out, by `Learner.key`."""


def step_of(number: int, spec: PluginSpec) -> str:
    """How `edits` and `learned` name a cleaner of the recipe."""
    return f"{number}:{spec.use}"


@dataclass(frozen=True)
class Lesson:
    """What one step learned of all pages."""

    step: str
    learner: Learner
    table: pa.Table
    """LEARNS, sorted."""
    file: str
    """Where the table lies."""
    digests: dict[str, str] = field(default_factory=dict)
    """Of the rows of each scope that has some."""

    def scopes(self, urls: Sequence[str | None], sources: Sequence[str]) -> list[str]:
        """The scope of each page."""
        return [self.learner.scope_of(url, source) for url, source in zip(urls, sources, strict=True)]


def learn(
    whole: pl.DataFrame, extracted: Extractions, resolved: ResolvedRecipe, engine: Engine
) -> list[Lesson]:
    """A lesson for each learner of the recipe; `whole` are the pages that have a text, with `address` (see `addressed`)."""
    lessons = []
    for number, spec in enumerate(resolved.cleaners):
        learner = spec.make()
        if isinstance(learner, Learner):
            tasks, sizes = _tasks(whole, extracted, spec, learner, engine.work)
            engine.run("learn", tasks, "pages")
            lessons.append(_lesson(step_of(number, spec), spec, tasks, sizes, engine))
    return lessons


def learners(resolved: ResolvedRecipe) -> bool:
    """Whether some cleaner of the recipe learns."""
    return any(isinstance(cast(Cleaner, spec.make()), Learner) for spec in resolved.cleaners)


def addressed(whole: pl.DataFrame) -> pl.DataFrame:
    """`whole` with `address`: the URL each page came from, or else the one it says of itself."""
    said = [
        table["url"].to_pylist()
        for file in whole["extract_file"].unique(maintain_order=True)
        for table in (read_table(file, ["url"]),)
    ]
    files = dict(zip(whole["extract_file"].unique(maintain_order=True), said, strict=True))
    places = zip(whole["url"], whole["extract_file"], whole["extract_row"], strict=True)
    address = [url or files[file][row] for url, file, row in places]
    return whole.with_columns(pl.Series("address", address, dtype=pl.String))


def _tasks(
    whole: pl.DataFrame, extracted: Extractions, spec: PluginSpec, learner: Learner, work: Path
) -> tuple[list[Task], Counter[str]]:
    """The tasks that count, and the number of pages of each scope."""
    tasks: list[Task] = []
    sizes: Counter[str] = Counter()
    seen: set[tuple[str, str, str]] = set()
    for label in sorted(extracted.specs):
        pages = whole.filter(pl.col("source") == label)
        scopes = [learner.scope_of(url, label) for url in pages["address"]]
        hashed = extracted.specs[label]
        fresh = [
            n
            for n, named in enumerate(zip(scopes, [hashed] * len(scopes), pages["extract_key"], strict=True))
            if not (named in seen or seen.add(named))  # type: ignore[func-returns-value]
        ]
        sizes.update(scopes[n] for n in fresh)
        phase = Spec("learn", {"extract": hashed, "learner": spec.identity(without=Threshold)}, CODE)
        tasks += _counting(pages[fresh], [scopes[n] for n in fresh], spec, phase.folder(work))
    return tasks, sizes


def _counting(pages: pl.DataFrame, scopes: list[str], spec: PluginSpec, folder: Path) -> Iterator[Task]:
    identities = [identify(*named) for named in zip(scopes, pages["extract_key"], strict=True)]
    sizes = (pages["size"] + ROW_BYTES).to_list()
    files, rows = pages["extract_file"].to_list(), pages["extract_row"].to_list()
    for start, stop in pieces(zip(identities, sizes, strict=True), SHARD_BYTES):
        inputs = {
            "texts": runs(files[start:stop], rows[start:stop]),
            "scopes": scopes[start:stop],
            "learner": spec.to_json(),
        }
        output = folder / f"{identify(*identities[start:stop])}.parquet"
        yield Task("corpus.phases.learn:count_pages", inputs, str(output), weight=stop - start)


def count_pages(
    texts: list[tuple[str, list[int]]], scopes: list[str], learner: dict[str, Any]
) -> dict[str, pa.Table]:
    """The task: what some pages add to the counts."""
    made = cast(Learner, PluginSpec.from_json(learner).make())
    rows = read_rows(texts, ["text", "messages"]).to_pylist()
    return {MAIN: made.count([texts_of(row) for row in rows], scopes)}


def texts_of(row: dict[str, Any]) -> list[str]:
    """What a learner sees of a page or document: its messages where it is a dialogue, else its text."""
    if row["messages"]:
        return [message["content"] or "" for message in row["messages"]]
    return [row["text"] or ""]


@dataclass(frozen=True)
class _Counts:
    """The tables of all tasks, read anew each time they are gone through."""

    files: tuple[str, ...]

    def __iter__(self) -> Iterator[pa.Table]:
        return (read_table(file) for file in self.files)


def _lesson(step: str, spec: PluginSpec, tasks: list[Task], sizes: Counter[str], engine: Engine) -> Lesson:
    """The lesson of these counts, made once. Raises TaskFailed where the learner fails: it concerns no single document."""
    learner = cast(Learner, spec.make())
    files = tuple(sorted({task.output for task in tasks}))
    named = identify(
        *(f"{Path(file).parent.name}/{Path(file).name}" for file in files), *map(str, sorted(sizes.items()))
    )
    path = Spec("learned", {"learner": spec.identity()}, CODE).folder(engine.work) / f"{named}.parquet"
    if not path.exists():
        with engine.progress.phase("learn"):
            write_table(learned(learner, _Counts(files), sizes, step), path)
    table = read_table(path)
    return Lesson(step, learner, table, str(path), _digests(table))


def learned(learner: Learner, counts: Any, sizes: Counter[str], step: str) -> pa.Table:
    """What the learner makes of the counts, sorted, as LEARNS. Raises TaskFailed naming the step."""
    try:
        table = conform(learner.learn(counts, sizes), LEARNS)
    except Exception as error:
        raise TaskFailed(f'cleaner "{step}" could not learn: {type(error).__name__}: {error}') from error
    return table.sort_by([("scope", "ascending"), ("line", "ascending")])


def _digests(table: pa.Table) -> dict[str, str]:
    rows: dict[str, list[str]] = {}
    for scope, line in zip(table["scope"].to_pylist(), table["line"].to_pylist(), strict=True):
        rows.setdefault(scope, []).append(line)
    return {scope: identify(*lines) for scope, lines in rows.items()}


def lessons_read(lessons: Sequence[tuple[str, str]], scopes: Sequence[Sequence[str]]) -> dict[str, pa.Table]:
    """In a clean task: by step the rows of its own scopes, read from the lessons' files, given as (step, file)."""
    found = {}
    for (step, file), wanted in zip(lessons, scopes, strict=True):
        frame = frame_of(read_table(file, list(TOLD.names)))
        found[step] = frame.filter(pl.col("scope").is_in(sorted(set(wanted)))).to_arrow().cast(TOLD)
    return found


def published(lessons: Sequence[Lesson], removed: Sequence[str]) -> pl.DataFrame:
    """The rows of table `learned`, counted with what the clean tasks' files of REMOVED say."""
    took: Counter[tuple[str, str, str]] = Counter()
    for file in removed:
        for step, scope, key, n in frame_of(read_table(file)).iter_rows():
            took[step, scope, key] += n
    frames = [frame_of(LEARNED.empty_table())]
    for lesson in lessons:
        frame, key = frame_of(lesson.table), lesson.learner.key
        counts = [
            took[lesson.step, scope, key(line)] for scope, line in frame.select("scope", "line").iter_rows()
        ]
        frame = frame.with_columns(step=pl.lit(lesson.step), n_removed=pl.Series(counts, dtype=pl.Int64))
        frames.append(frame.select(LEARNED.names))
    return pl.concat(frames)
