"""gather: every source's scraper → pages, in (source, locator) order.

A source is cut into parts by its scraper, a part is one task. What comes back is a plan of the whole corpus: one light row a page,
with the place of its bytes. Contents stay where they are: in the source's files, or in the task's output for records of a table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from corpus.engine.executor import Engine
from corpus.engine.parquet import read_table
from corpus.engine.tasks import MAIN, Spec, Task
from corpus.phases.rows import ROW_BYTES, UNFIT, table_of, told
from plugins.contracts import Locates, Page, Part, Place, Scraper
from plugins.registry import ResolvedRecipe
from plugins.specs import PluginSpec
from schemas.errors import EmptyCorpus, SourceError
from schemas.fingerprint import digest, digest_file, fingerprint, identify
from schemas.manifest import SourceRecord
from schemas.tables import GATHERED

TABLE_BYTES = 8 << 20
"""Contents in a table that a task hands on: what is read again at once, where a later phase wants a few of them."""

CODE = ("corpus.phases.gather", "corpus.phases.rows")


@dataclass(frozen=True)
class Gathered:
    """All pages, without their contents."""

    pages: pl.DataFrame
    """GATHERED less `content` and `metadata`, with `file` and `row`: where the whole row lies. Sorted by (source, locator)."""
    sources: tuple[SourceRecord, ...]


def gather(resolved: ResolvedRecipe, engine: Engine) -> Gathered:
    """Fetch or read every source. Raises SourceError for what is not there, EmptyCorpus where no source has a page."""
    tasks: list[Task] = []
    for source, spec in zip(resolved.recipe.source, resolved.scrapers, strict=True):
        with engine.progress.line(source.label) as tell:
            place = place_of(resolved, source.label, engine.sources, tell, engine.progress.say)
            tasks += _tasks(source.label, spec, place, engine.work)
    engine.run("gather", tasks, "parts")
    frames = [_plan(Path(task.output)) for task in tasks]
    pages = pl.concat(frames).sort("source", "locator", maintain_order=True) if frames else pl.DataFrame()
    if pages.height == 0:
        raise EmptyCorpus(
            "no source yielded a single page, so there is nothing to build. Check the `path` of each [[source]]."
        )
    _refuse_twins(pages)
    records = [
        _record(pages.filter(pl.col("source") == source.label), source.label, source.use)
        for source in resolved.recipe.source
    ]
    return Gathered(pages, tuple(records))


def place_of(
    resolved: ResolvedRecipe,
    label: str,
    sources: Path,
    tell: Callable[[str], None] = lambda _line: None,
    say: Callable[[str], None] = lambda _line: None,
    *,
    refresh: bool = False,
    retry: bool = False,
) -> Place:
    """Where the scraper of a source stands. One build of a name runs at a time, so nobody else keeps state there, nor rewrites what is read
    live while this build reads it."""
    return Place(resolved.base, sources / resolved.recipe.name / label, tell, say, refresh, retry)


def _tasks(label: str, spec: PluginSpec, place: Place, work: Path) -> list[Task]:
    scraper = cast(Scraper, spec.make())
    phase = Spec("gather", {"source": label, "scraper": spec.identity(without=Locates)}, CODE)
    folder = phase.folder(work)
    tasks = []
    for part in scraper.parts(place):
        named = part.digest or f"live-{fingerprint([str(place.work), str(place.base), part.where])}"
        inputs = {
            "label": label,
            "plugin": spec.to_json(),
            "base": str(place.base),
            "state": str(place.work),
            "where": part.where,
        }
        tasks.append(
            Task(
                "corpus.phases.gather:fetch_part",
                inputs,
                str(folder / f"{named}.parquet"),
                always=part.digest is None,
            )
        )
    return tasks


def fetch_part(
    label: str, plugin: dict[str, Any], base: str, state: str, where: dict[str, Any]
) -> dict[str, Iterator[pa.Table]]:
    """The task: all pages of one part, as GATHERED."""
    scraper = cast(Scraper, PluginSpec.from_json(plugin).make())
    return {MAIN: page_tables(label, scraper.fetch(Place(Path(base), Path(state)), Part(where)))}


def page_tables(label: str, pages: Iterable[Page]) -> Iterator[pa.Table]:
    """Pages as rows of GATHERED, identities and hashes filled in; a table at a time, since a part may be a file of any size."""
    rows, size = [], 0
    for page in pages:
        rows.append(_row(label, page))
        size += len(page.content or b"") + ROW_BYTES
        if size >= TABLE_BYTES:
            yield table_of(rows, GATHERED, _malformed)
            rows, size = [], 0
    yield table_of(rows, GATHERED, _malformed)


def _malformed(row: dict[str, Any], why: str) -> dict[str, Any]:
    """What is left of a page with a field that no table holds: its name."""
    bare = Page(row["locator"], error="malformed", detail=why)
    return _row(row["source"], bare)


def _row(label: str, page: Page) -> dict[str, Any]:
    size, content_hash, error, detail = page.size, page.content_hash, page.error, page.detail
    try:
        metadata = json.dumps(page.metadata, sort_keys=True, ensure_ascii=False) if page.metadata else None
    except UNFIT as failure:
        metadata, error, detail = None, error or "malformed", detail or f"metadata: {told(failure)}"
    if error is None and page.content is not None:
        size, content_hash = len(page.content), digest(page.content)
    elif error is None and (size is None or content_hash is None):
        try:
            path = Path(page.path or "")
            size, content_hash = path.stat().st_size, digest_file(path)
        except OSError as failure:
            size, content_hash, error, detail = 0, None, "unreadable", failure.strerror
    row: dict[str, Any] = {
        "page_id": identify(label, page.locator),
        "source": label,
        "locator": page.locator,
        "url": page.url,
        "status": page.status,
        "fetched_at": page.fetched_at,
        "content_type": page.content_type,
        "license": page.license,
        "content_hash": content_hash,
        "raw_path": page.raw_path,
        "raw_offset": page.raw_offset,
        "size": size or 0,
        "title": page.title,
        "author": page.author,
        "published": page.published,
        "group": page.group,
        "position": page.position,
        "fold": page.fold,
        "metadata": metadata,
        "error": error,
        "detail": detail,
    }
    row["row_hash"] = identify(*("\0" if value is None else str(value) for value in row.values()))
    return {**row, "path": page.path, "content": page.content}


def _plan(output: Path) -> pl.DataFrame:
    light = [name for name in GATHERED.names if name not in {"content", "metadata"}]
    frame = cast(pl.DataFrame, pl.from_arrow(read_table(output, light)))
    return frame.with_columns(
        pl.lit(str(output)).alias("file"), pl.int_range(pl.len(), dtype=pl.Int64).alias("row")
    )


def _refuse_twins(pages: pl.DataFrame) -> None:
    twins = pages.filter(pl.col("page_id").is_duplicated())
    if twins.height:
        first = twins.row(0, named=True)
        raise SourceError(
            f'source "{first["source"]}" yields "{first["locator"]}" {twins.filter(pl.col("page_id") == first["page_id"]).height} times. '
            "A locator names one page: let its `path` patterns not overlap, or map an `id` column whose values differ."
        )


def _record(pages: pl.DataFrame, label: str, use: str) -> SourceRecord:
    rows: Sequence[str] = pages["row_hash"].to_list()
    return SourceRecord(
        name=label, use=use, digest=identify(*rows), pages=pages.height, bytes=int(pages["size"].sum())
    )
