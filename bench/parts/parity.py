"""The same decisions? English documents through datatrove's filters with spaCy's words, and through gristmill's with its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bench.debian import SCHEMA
from bench.measure import run as measure
from bench.parts.filters import NAMES, agree
from bench.setting import DATA, Setting, say
from plugins.filters.language import Language

DEBIAN = 1500
"""English documents of the corpus, beside all English pages of WCXB."""
EXAMPLES = 40
"""Differences kept by filter."""


def run(setting: Setting) -> dict[str, Any]:
    """Decisions by filter and set, and where they differ."""
    sets = {"wcxb": web_pages(), "debian": manuals(setting)}
    if setting.documents:
        sets = {name: texts.head(setting.documents) for name, texts in sets.items()}
    figures: dict[str, Any] = {}
    for name, texts in sets.items():
        if texts.height:
            figures[name] = _compare(setting, name, texts)
    differences = {
        name: found.pop("differences") for name, found in figures.items() if "differences" in found
    }
    path = setting.root / "parity.json"
    path.write_text(json.dumps(differences, indent=1, ensure_ascii=False), encoding="utf-8")
    say(f"differences lie in {path}")
    return figures


def _compare(setting: Setting, name: str, texts: pl.DataFrame) -> dict[str, Any]:
    folder = setting.root / "samples" / f"parity-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pq.write_table(texts.to_arrow().cast(SCHEMA), folder / "00000.parquet")
    say(f"parity: {texts.height} documents of {name}")
    names = list(NAMES)
    own = measure(setting.own("gristmill_filters.py", folder=str(folder), filters=names, decisions=True))
    peer = measure(setting.peer("datatrove_filters.py", folder=str(folder), filters=names))
    if "error" in own or "error" in peer:
        return {"error": own.get("error") or peer.get("error")}
    urls = dict(texts.select("doc_id", "url").iter_rows())
    differences = {}
    for filter_name, reasons in own["reasons"].items():
        pairs = zip(own["ids"], reasons, peer["reasons"][filter_name], strict=True)
        unlike = [
            {"url": urls[doc_id], "gristmill": mine or "kept", "datatrove": theirs or "kept"}
            for doc_id, mine, theirs in pairs
            if (mine == "") != (theirs == "")
        ]
        differences[filter_name] = {"count": len(unlike), "examples": unlike[:EXAMPLES]}
    return {"documents": texts.height, "agreement": agree(own, peer), "differences": differences}


def web_pages() -> pl.DataFrame:
    """The main content, by hand, of WCXB's English pages."""
    rows = []
    for path in sorted((DATA / "extraction/wcxb-dev/ground-truth").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        rows.append((path.stem, truth.get("url"), truth["ground_truth"].get("main_content") or ""))
    return english(pl.DataFrame(rows, schema=["doc_id", "url", "text"], orient="row"), len(rows))


def manuals(setting: Setting) -> pl.DataFrame:
    """English documents of the corpus, evenly spread."""
    folder: Path = setting.corpus
    tables = [pq.read_table(path) for path in sorted(folder.glob("*.parquet"))]
    whole = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))
    return english(whole.gather_every(max(1, whole.height // (3 * DEBIAN))), DEBIAN)


def english(documents: pl.DataFrame, count: int) -> pl.DataFrame:
    """The first `count` documents of whose language, English, gristmill is sure."""
    texts = documents.filter(pl.col("text").str.strip_chars() != "")
    found = Language().score(texts["text"])
    return texts.filter((found["lang"] == "en") & (found["lang_score"] >= 0.65)).head(count)


def table(figures: dict[str, Any]) -> str:
    """One row a filter and set."""
    lines = [
        (
            "English documents only (`language`, .65), the same text on both sides, each filter alone. datatrove 0.10 cuts words by spaCy's blank English; "
            "gristmill by its own kernel. Examples of every difference: `.bench/parity.json`."
        ),
        "",
        "| set | documents | filter | kept by datatrove | kept by gristmill | decided alike |",
        "|---|--:|---|--:|--:|--:|",
    ]
    for name, found in figures.items():
        if "error" in found:
            lines.append(f"| {name} | | failed: {found['error']} | | | |")
            continue
        for filter_name, agreed in found["agreement"].items():
            lines.append(
                f"| {name} | {found['documents']} | {filter_name} | {agreed['datatrove']} | {agreed['gristmill']} | {agreed['equal']:.2%} |"
            )
    return "\n".join(lines)
