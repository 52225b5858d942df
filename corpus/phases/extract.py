"""extract: a page's bytes → its text. The slow step, so it is remembered per page.

HTML goes to the scraper's own `parse` where it has one, else to the extractor, in a killable child with a CPU and memory limit; other
text passes through decoded. The memo is the union of this spec's earlier outputs, looked up by `extract_key`: grouping pages into
fixed shards instead made one inserted file re-extract 701 of 701 (measured).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from corpus.engine.boundaries import pieces
from corpus.engine.executor import Engine
from corpus.engine.parquet import read_rows, read_table, runs
from corpus.engine.sandbox import sandbox
from corpus.engine.sandbox_child import Limits
from corpus.engine.tasks import MAIN, Spec, Task
from corpus.phases.rows import ROW_BYTES, table_of
from plugins.contracts import Brings
from plugins.extractors.encoding import NotText, decode
from plugins.extractors.head import read_head
from plugins.registry import ResolvedRecipe
from plugins.specs import PluginSpec
from schemas.fingerprint import canonical, digest, identify
from schemas.tables import EXTRACTED

CODE = (
    "corpus.phases.extract",
    "corpus.phases.rows",
    "corpus.engine.sandbox",
    "corpus.engine.sandbox_child",
    "plugins.extractors.encoding",
    "plugins.extractors.head",
)
LIBRARIES = ("resiliparse", "charset-normalizer")

SHARD_BYTES = 4 << 20
"""Raw bytes a task extracts, on average, with ROW_BYTES a page: some seconds of work, which is what a kill can cost."""


PASSING = ("changed", "unreadable")
"""Errors of the moment, not of the bytes: the file was rewritten under the build, or a disk was away. No later build believes them."""


@dataclass(frozen=True)
class Extractions:
    """Where each page's text lies."""

    places: pl.DataFrame
    """page_id, extract_key, extract_file, extract_row, error, detail; in the order of the pages. Pages gather lost are not in it."""
    specs: dict[str, str]
    """Spec hash by source."""
    timeouts: int

    @property
    def disturbed(self) -> list[str]:
        """The pages lost to an error of the moment: the same recipe on the same bytes would keep them, so they are in the fingerprint."""
        return self.places.filter(pl.col("error").is_in(PASSING))["page_id"].to_list()


def extract(pages: pl.DataFrame, resolved: ResolvedRecipe, engine: Engine) -> Extractions:
    """Extract what no earlier build has."""
    specs = _specs(resolved)
    keyed = pages.filter(pl.col("error").is_null())
    keyed = keyed.with_columns(
        extract_key=_keys(keyed),
        spec=pl.col("source").replace_strict(
            {label: spec.hash for label, spec in specs.items()}, return_dtype=pl.String
        ),
    )
    known: list[pl.DataFrame] = []
    tasks: list[Task] = []
    for hashed, label in {spec.hash: label for label, spec in specs.items()}.items():
        folder = specs[label].folder(engine.work)
        memo = _memo(folder)
        wanted = keyed.filter(pl.col("spec") == hashed).unique(
            "extract_key", keep="first", maintain_order=True
        )
        missing = wanted.join(memo, on="extract_key", how="anti", maintain_order="left")
        known.append(memo.with_columns(spec=pl.lit(hashed)))
        tasks += _tasks(missing, specs[label], resolved, label, folder)
    engine.run("extract", tasks, "pages")
    made = [
        _memo_file(path).with_columns(spec=pl.lit(path.parent.name))
        for path in (Path(task.output) for task in tasks)
    ]
    places = keyed.select("page_id", "extract_key", "spec").join(
        pl.concat([*known, *made]), on=["spec", "extract_key"], how="left", maintain_order="left"
    )
    timeouts = int((places["error"] == "timeout").sum())
    return Extractions(places.drop("spec"), {label: spec.hash for label, spec in specs.items()}, timeouts)


def _keys(pages: pl.DataFrame) -> pl.Series:
    pairs = zip(pages["content_hash"].to_list(), pages["content_type"].to_list(), strict=True)
    return pl.Series(
        [identify(content_hash, content_type or "") for content_hash, content_type in pairs], dtype=pl.String
    )


def _specs(resolved: ResolvedRecipe) -> dict[str, Spec]:
    """One spec a source: a scraper that parses its own pages gives other texts than the extractor."""
    section = resolved.recipe.extract
    made: dict[str, Spec] = {}
    for source, scraper in zip(resolved.recipe.source, resolved.scrapers, strict=True):
        parser = scraper.identity(without=Brings) if hasattr(scraper.make(), "parse") else None
        options = {
            "extractor": resolved.extractor.identity(),
            "parser": parser,
            "cpu_seconds": section.cpu_seconds,
            "memory_mib": section.memory_mib,
        }
        made[source.label] = Spec("extract", options, CODE, LIBRARIES)
    return made


def _memo(folder: Path) -> pl.DataFrame:
    """Where every extraction this spec ever made lies, errors of the moment left out; of two, the first in file name order."""
    frames = [_memo_file(path) for path in sorted(folder.glob("[!.]*.parquet"))]
    empty = pl.DataFrame(
        schema={
            "extract_key": pl.String,
            "extract_file": pl.String,
            "extract_row": pl.Int64,
            "error": pl.String,
            "detail": pl.String,
        }
    )
    whole = pl.concat([empty, *frames])
    lasting = whole.filter(~pl.col("error").is_in(PASSING).fill_null(value=False))
    return lasting.unique("extract_key", keep="first", maintain_order=True)


def _memo_file(path: Path) -> pl.DataFrame:
    frame = cast(pl.DataFrame, pl.from_arrow(read_table(path, ["extract_key", "error", "detail"])))
    return frame.select(
        "extract_key",
        pl.lit(str(path)).alias("extract_file"),
        pl.int_range(pl.len(), dtype=pl.Int64).alias("extract_row"),
        "error",
        "detail",
    )


def _tasks(
    missing: pl.DataFrame, spec: Spec, resolved: ResolvedRecipe, label: str, folder: Path
) -> list[Task]:
    keys, sizes = missing["extract_key"].to_list(), (missing["size"] + ROW_BYTES).to_list()
    files, rows = missing["file"].to_list(), missing["row"].to_list()
    scraper = next(
        plugin
        for source, plugin in zip(resolved.recipe.source, resolved.scrapers, strict=True)
        if source.label == label
    )
    section = resolved.recipe.extract
    common: dict[str, Any] = {
        "extractor": resolved.extractor.to_json(),
        "parser": scraper.to_json() if spec.options["parser"] else None,
        "cpu_seconds": section.cpu_seconds,
        "memory_mib": section.memory_mib,
    }
    return [
        Task(
            "corpus.phases.extract:extract_pages",
            {"refs": runs(files[start:stop], rows[start:stop]), "keys": keys[start:stop], **common},
            str(folder / f"{identify(*keys[start:stop])}.parquet"),
            weight=stop - start,
            always=True,  # an output of this name holds nothing but errors of the moment, or it would have been found
        )
        for start, stop in pieces(zip(keys, sizes, strict=True), SHARD_BYTES)
    ]


def extract_pages(
    refs: list[tuple[str, list[int]]],
    keys: list[str],
    extractor: dict[str, Any],
    parser: dict[str, Any] | None,
    cpu_seconds: int,
    memory_mib: int,
) -> dict[str, pa.Table]:
    """The task: the pages at `refs`, as EXTRACTED, one row a key."""
    pages = read_rows(refs, ["content", "path", "content_type", "content_hash"]).to_pylist()
    child = sandbox(
        "corpus.phases.extract:extract_html",
        {"extractor": extractor, "parser": parser},
        Limits(cpu_seconds=cpu_seconds, memory_mib=memory_mib),
    )
    outcomes = child.run(page for page in pages if _is_html(page))
    rows = []
    for key, page in zip(keys, pages, strict=True):
        if not _is_html(page):
            found = read_text(page)
        elif (outcome := next(outcomes)).error:
            found = {"error": outcome.error, "detail": outcome.detail}
        else:
            found = outcome.value
        rows.append({**dict.fromkeys(EXTRACTED.names), **found, "extract_key": key})
    return {MAIN: table_of(rows, EXTRACTED, _unfit)}


def _unfit(row: dict[str, Any], why: str) -> dict[str, Any]:
    return {"extract_key": row["extract_key"], "error": "failed", "detail": why}


def _media(page: dict[str, Any]) -> str:
    return (page["content_type"] or "text/html").partition(";")[0].strip().lower()


def _is_html(page: dict[str, Any]) -> bool:
    return _media(page) in HTML


HTML = frozenset({"text/html", "application/xhtml+xml"})


def read_text(page: dict[str, Any]) -> dict[str, Any]:
    """One page of plain text → the columns of EXTRACTED. Decoding is ours and ends, so it needs no child."""
    media = _media(page)
    if not media.startswith("text/"):
        return {"error": "unsupported", "detail": f"{media} has no extractor"}
    decoded = _decoded(page, html=False)
    return decoded if isinstance(decoded, dict) else {"text": decoded}


def extract_html(spec: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
    """In the child: one page of HTML → the columns of EXTRACTED."""
    html = _decoded(page, html=True)
    if isinstance(html, dict):
        return html
    head = read_head(html)
    found = _plugin(canonical(spec["parser"])).parse(html) if spec["parser"] else None
    note = None
    if found is None or not (found.text or found.messages):
        found = _plugin(canonical(spec["extractor"])).extract_page(html)
        if spec["parser"]:
            note = f"{spec['parser']['use']} found nothing; text by {spec['extractor']['use']}"
    note = "; ".join(filter(None, (note, found.note))) or None
    if not (found.text and found.text.strip()) and not found.messages:
        return {"error": "empty", "detail": "the page has no main text"}
    columns = {
        name: getattr(found, name) or getattr(head, name)
        for name in ("title", "author", "published", "url", "license")
    }
    metadata = json.dumps(found.metadata, sort_keys=True, ensure_ascii=False) if found.metadata else None
    return {"text": found.text, "messages": found.messages, "metadata": metadata, "detail": note, **columns}


def _decoded(page: dict[str, Any], *, html: bool) -> str | dict[str, Any]:
    """The page's text, or why there is none."""
    try:
        data = page["content"] if page["content"] is not None else Path(page["path"]).read_bytes()
    except OSError as error:
        return {"error": "unreadable", "detail": error.strerror}
    if page["content"] is None and digest(data) != page["content_hash"]:
        return {
            "error": "changed",
            "detail": f"{page['path']} was rewritten while the build ran; build again",
        }
    if not data.strip():
        return {"error": "empty", "detail": "only white space" if data else "0 bytes"}
    try:
        return decode(data, page["content_type"], html=html).text
    except NotText as error:
        return {"error": "binary", "detail": str(error)}


@cache
def _plugin(spec: str) -> Any:
    """An extractor, or a scraper that parses; made once a child."""
    return PluginSpec.from_json(json.loads(spec)).make()
