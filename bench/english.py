"""English documents: what the quality filters were written for, and what their word lists are lists of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bench.debian import SCHEMA
from bench.setting import DATA, Setting
from plugins.filters.language import Language


def web_pages() -> pl.DataFrame:
    """The main content, by hand, of WCXB's English pages."""
    rows = []
    for path in sorted((DATA / "extraction/wcxb-dev/ground-truth").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        rows.append((path.stem, truth.get("url"), truth["ground_truth"].get("main_content") or ""))
    return english(pl.DataFrame(rows, schema=["doc_id", "url", "text"], orient="row"), len(rows))


def manuals(setting: Setting, count: int) -> pl.DataFrame:
    """So many English documents of the corpus, evenly spread."""
    tables = [pq.read_table(path) for path in sorted(setting.corpus.glob("*.parquet"))]
    whole = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))
    return english(whole.gather_every(max(1, whole.height // (3 * count))), count)


def english(documents: pl.DataFrame, count: int) -> pl.DataFrame:
    """The first `count` documents of whose language, English, gristmill is sure."""
    texts = documents.filter(pl.col("text").str.strip_chars() != "")
    found = Language().score(texts["text"])
    return texts.filter((found["lang"] == "en") & (found["lang_score"] >= 0.65)).head(count)


def folder_of(setting: Setting, name: str, texts: pl.DataFrame) -> Path:
    """The documents as a folder of one Parquet file."""
    folder = setting.root / "samples" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pq.write_table(texts.to_arrow().cast(SCHEMA), folder / "00000.parquet")
    return folder
