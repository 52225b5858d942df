"""clean: extracted texts → drafts. The pages of a thread are folded into one document, the cleaners run in recipe order, and the
format says whether it can show the result to a model.

Every change a cleaner makes is a span in `edits`, so that nothing vanishes inside a document either (`corpus.phases.cleaning`). For dialogue a
cleaner works on messages; the document's text is those that say something, joined by blank lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa

from corpus.engine.boundaries import pieces
from corpus.engine.executor import Engine
from corpus.engine.parquet import read_rows, runs
from corpus.engine.tasks import MAIN, Spec, Task
from corpus.phases.cleaning import run_cleaner
from corpus.phases.extract import Extractions
from corpus.phases.rows import ROW_BYTES, told
from plugins.contracts import Cleaner, Format
from plugins.registry import ResolvedRecipe
from plugins.specs import PluginSpec
from schemas.fingerprint import canonical, identify
from schemas.tables import DRAFTS, EDITS, MERGED

CODE = ("corpus.phases.clean", "corpus.phases.cleaning", "corpus.phases.edits", "corpus.phases.rows")

SHARD_BYTES = 4 << 20
"""Raw bytes of the pages of a task, on average, with ROW_BYTES a page."""

PARAGRAPH = "\n\n"
"""Joins the pages of a folded document, and the messages of a dialogue."""


@dataclass(frozen=True)
class Drafts:
    """The documents, by file in (source, locator) order."""

    files: tuple[str, ...]


def clean(pages: pl.DataFrame, extracted: Extractions, resolved: ResolvedRecipe, engine: Engine) -> Drafts:
    """Fold and clean what was extracted."""
    whole = pages.join(extracted.places, on="page_id", how="inner", maintain_order="left", suffix="_extract")
    whole = whole.filter(pl.col("error_extract").is_null())
    tasks: list[Task] = []
    for label in sorted(extracted.specs):
        options = {
            "extract": extracted.specs[label],
            "cleaners": [spec.identity() for spec in resolved.cleaners],
            "format": resolved.format.identity(),
        }
        folder = Spec("clean", options, CODE).folder(engine.work)
        tasks += _tasks(whole.filter(pl.col("source") == label), resolved, folder)
    engine.run("clean", tasks, "documents")
    return Drafts(tuple(task.output for task in tasks))


def _tasks(pages: pl.DataFrame, resolved: ResolvedRecipe, folder: Path) -> list[Task]:
    units = list(_units(pages))
    columns = ("row_hash", "extract_key", "size", "file", "row", "extract_file", "extract_row")
    row_hash, key, size, file, row, extract_file, extract_row = (pages[name].to_list() for name in columns)
    identities = [identify(*(part for n in unit for part in (row_hash[n], key[n]))) for unit in units]
    sizes = [sum(size[n] + ROW_BYTES for n in unit) for unit in units]
    tasks = []
    for start, stop in pieces(zip(identities, sizes, strict=True), SHARD_BYTES):
        rows = [n for unit in units[start:stop] for n in unit]
        inputs = {
            "pages": runs([file[n] for n in rows], [row[n] for n in rows]),
            "texts": runs([extract_file[n] for n in rows], [extract_row[n] for n in rows]),
            "units": [len(unit) for unit in units[start:stop]],
            "cleaners": [spec.to_json() for spec in resolved.cleaners],
            "form": resolved.format.to_json(),
        }
        output = folder / f"{identify(*identities[start:stop])}.parquet"
        tasks.append(Task("corpus.phases.clean:clean_documents", inputs, str(output), weight=stop - start))
    return tasks


def _units(pages: pl.DataFrame) -> Iterator[list[int]]:
    """The row numbers of each document's pages, documents in the order of their first page."""
    groups: dict[str, list[int]] = {}
    units: list[list[int]] = []
    for n, (fold, group) in enumerate(pages.select("fold", "group").iter_rows()):
        if not fold or group is None:
            units.append([n])
        elif group in groups:
            groups[group].append(n)
        else:
            groups[group] = [n]
            units.append(groups[group])
    position, locator = pages["position"].to_list(), pages["locator"].to_list()
    for unit in units:
        unit.sort(key=lambda n: (position[n] is None, position[n] or 0, natural(locator[n])))
    return iter(sorted(units, key=lambda unit: locator[unit[0]]))


def natural(locator: str) -> list[tuple[int, int, str]]:
    """A key that sorts page 2 before page 10.

    >>> sorted(["t/page-10.html", "t/page-2.html", "t/index.html"], key=natural)
    ['t/index.html', 't/page-2.html', 't/page-10.html']
    """
    parts = re.split(r"(\d+)", locator)
    return [(1, int(part), "") if part.isdecimal() and part.isascii() else (0, 0, part) for part in parts]


def clean_documents(
    pages: list[tuple[str, list[int]]],
    texts: list[tuple[str, list[int]]],
    units: list[int],
    cleaners: list[dict[str, Any]],
    form: dict[str, Any],
) -> dict[str, pa.Table]:
    """The task: drafts, their edits, and the pages folded away."""
    light = [
        "page_id",
        "source",
        "locator",
        "url",
        "title",
        "author",
        "published",
        "license",
        "group",
        "position",
        "metadata",
    ]
    rows = read_rows(pages, light).to_pylist()
    found = read_rows(texts).to_pylist()
    drafts, merged, at = [], [], 0
    for length in units:
        draft = _fold(rows[at : at + length], found[at : at + length])
        merged += [
            {"page_id": row["page_id"], "doc_id": draft["doc_id"]} for row in rows[at + 1 : at + length]
        ]
        drafts.append(draft)
        at += length
    changes: list[dict[str, Any]] = []
    for n, spec in enumerate(cleaners):
        changes += run_cleaner(f"{n}:{spec['use']}", cast(Cleaner, PluginSpec.from_json(spec).make()), drafts)
    shown = cast(Format, PluginSpec.from_json(form).make())
    finished = [_finish(draft, shown) for draft in drafts]
    order = {draft["doc_id"]: n for n, draft in enumerate(drafts)}
    changes.sort(key=lambda change: order[change["doc_id"]])  # stable: steps stay in order within a document
    return {
        MAIN: pa.Table.from_pylist(finished, schema=DRAFTS),
        "edits": pa.Table.from_pylist(changes, schema=EDITS),
        "merged": pa.Table.from_pylist(merged, schema=MERGED),
    }


def _fold(rows: list[dict[str, Any]], found: list[dict[str, Any]]) -> dict[str, Any]:
    """One document of the pages of a unit; what is known of it is what its first page says, the recipe's columns first."""
    first, head = rows[0], found[0]
    # A dialogue only where every page is one: the text of a page that is none would have no place among the messages.
    spoken = all(one["messages"] for one in found)
    messages = [message for one in found for message in one["messages"]] if spoken else []
    text = PARAGRAPH.join(
        filter(None, ("" if spoken else one["text"] or _joined(one["messages"]) for one in found))
    )
    return {
        **first,
        **{name: first[name] or head[name] for name in ("url", "title", "author", "published", "license")},
        "doc_id": identify(first["page_id"], ""),
        "text": text,
        "messages": messages or None,
        "position": first["position"] if len(rows) == 1 else None,
        "metadata": _metadata(head["metadata"], first["metadata"]),
        "stage": None,
        "reason": None,
        "detail": next((one["detail"] for one in found if one["detail"]), None),
    }


def _metadata(extracted: str | None, gathered: str | None) -> str | None:
    """What a page's content says of it, and what the source said, which counts."""
    if extracted is None or gathered is None:
        return gathered or extracted
    return json.dumps({**json.loads(extracted), **json.loads(gathered)}, sort_keys=True, ensure_ascii=False)


def _joined(messages: Sequence[dict[str, Any]] | None) -> str:
    return PARAGRAPH.join(message["content"] for message in messages or () if message["content"])


def _finish(draft: dict[str, Any], form: Format) -> dict[str, Any]:
    """Count and hash what is left, and refuse what the format cannot show the model: a survivor must be trainable."""
    if draft["messages"]:
        draft["text"] = _joined(draft["messages"])
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
