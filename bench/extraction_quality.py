r"""Word F1 of extracted text against the gold of the 1,337 WCXB pages, through gristmill's own extract phase, with floors.

    .venv/bin/python bench/extraction_quality.py [--pages all|sample] [--extractor trafilatura|resiliparse] [--workers N]

The metric is that of ../shared/data/README.md: multiset word precision, recall and F1 over `\w+`, lower-cased, mean over pages. A page
that yields no text counts as 0. Exits 1 below a floor; a floor is lowered by editing this file, where it is seen, and in no other way.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl

from corpus.engine.executor import Engine
from corpus.engine.parquet import read_rows, runs
from corpus.engine.progress import Progress
from corpus.phases.extract import extract
from corpus.phases.gather import gather
from plugins.registry import load_recipe
from schemas.runtime import Runtime

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

FLOORS = {
    "all": 0.82,
    "article": 0.92,
    "documentation": 0.90,
    "service": 0.76,
    "forum": 0.69,
    "product": 0.61,
    "listing": 0.59,
    "collection": 0.58,
}
"""Of all 1,337 pages with trafilatura's default; measured .827, .930, .915, .773, .706, .626, .604 and .593."""

EVERY = 9
"""The sample: every ninth page by name."""


def word_f1(gold: str, text: str) -> float:
    """Multiset word F1.

    >>> round(word_f1("a b b c", "b b c d"), 2)
    0.75
    """
    want, got = Counter(re.findall(r"\w+", gold.lower())), Counter(re.findall(r"\w+", text.lower()))
    common = sum((want & got).values())
    return 2 * common / (sum(want.values()) + sum(got.values())) if common else 0.0


def extracted(pages: str, extractor: str, workers: int, data: Path = DATA) -> dict[str, str]:
    """Page number → text, by the phases a build uses."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        html = root / "html"
        html.mkdir()
        names = sorted(path.name for path in (data / "extraction/wcxb-dev/html").glob("*.html.gz"))
        for name in names[:: EVERY if pages == "sample" else 1]:
            (html / name).symlink_to(data / "extraction/wcxb-dev/html" / name)
        recipe = root / "recipe.toml"
        recipe.write_text(
            f'name = "wcxb"\n[[source]]\nuse = "files"\npath = "html/*.html.gz"\n[extract]\nuse = "{extractor}"\n'
        )
        resolved = load_recipe(recipe)
        engine = Engine(Runtime(root=root, workers=workers), Progress())
        try:
            gathered = gather(resolved, engine)
            found = extract(gathered.pages, resolved, engine)
        finally:
            engine.close()
        rows = gathered.pages.join(found.places, on="page_id", maintain_order="left")
        texts = read_rows(runs(rows["extract_file"].to_list(), rows["extract_row"].to_list()), ["text"])[
            "text"
        ].to_pylist()
        return {name.split(".")[0]: text or "" for name, text in zip(rows["locator"], texts, strict=True)}


def scores(texts: dict[str, str], data: Path = DATA) -> pl.DataFrame:
    """page, kind, f1."""
    rows = []
    for page, text in texts.items():
        truth = json.loads(
            (data / "extraction/wcxb-dev/ground-truth" / f"{page}.json").read_text(encoding="utf-8")
        )
        kind = truth["_internal"]["page_type"]["primary"]
        rows.append({"page": page, "kind": kind, "f1": word_f1(truth["ground_truth"]["main_content"], text)})
    return pl.DataFrame(rows)


def means(table: pl.DataFrame) -> dict[str, float]:
    """Mean F1 of all pages, and by kind."""
    kinds = dict(table.group_by("kind").agg(pl.col("f1").mean()).iter_rows())
    return {"all": float(table["f1"].mean()), **{kind: kinds[kind] for kind in sorted(kinds)}}  # type: ignore[arg-type]


def main() -> int:
    """Print the means and the counts; 1 where a floor is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", choices=("all", "sample"), default="all")
    parser.add_argument("--extractor", default="trafilatura")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    table = scores(extracted(options.pages, options.extractor, options.workers))
    counts: dict[str, int] = defaultdict(int, table.group_by("kind").len().iter_rows())
    missed = []
    for kind, mean in means(table).items():
        floor = FLOORS.get(kind) if options.extractor == "trafilatura" and options.pages == "all" else None
        missed += [kind] if floor and mean < floor else []
        print(
            f"{kind:<14} {counts[kind] or table.height:>5} pages  F1 {mean:.3f}"
            + (f"  floor {floor:.2f}" if floor else "")
        )
    if missed:
        print(f"below the floor: {', '.join(missed)}", file=sys.stderr)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
