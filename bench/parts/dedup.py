"""Near-duplicates, whole against whole: from the Parquet to the list of what is removed, 2 cores, and how right that list is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import oracle
from bench.debian import SCHEMA
from bench.measure import Contestant, alternate, say
from bench.setting import CORES, DATA, Setting, ratio

SHAPE = {"permutations": 112, "bands": 14, "rows": 8, "threshold": 0.8}
"""datatrove's own: 14 buckets of 8 hashes."""
JUDGED = 4000
"""Documents whose neighbours are looked up exactly."""


def contestants(setting: Setting, folder: Path) -> dict[str, Contestant]:
    """Everybody, on this folder; those that take minutes run once or twice."""
    common = {"folder": str(folder), "cores": CORES, **SHAPE}

    def own(*, exact: bool, **fuzzy: Any) -> Contestant:
        return setting.own("gristmill_dedup.py", folder=str(folder), cores=CORES, exact=exact, fuzzy=fuzzy)

    def peer(script: str, runs: int | None = None, **more: Any) -> Contestant:
        return Contestant(setting.peers, script, {**common, **more}, CORES, runs=runs)

    return {
        "gristmill 14x8": own(exact=False, permutations=112, bands=14),
        "datatrove 14x8": peer("datatrove_minhash.py", runs=2),
        "gristmill default": own(exact=True),
        "datasketch": peer("datasketch_lsh.py", runs=1, form="plain"),
        "datasketch, fast": peer("datasketch_lsh.py", form="fast"),
        "rensa deduplicator": peer("rensa_lsh.py", form="deduplicator"),
        "rensa Rho flags": peer("rensa_lsh.py", form="rho"),
        "text-dedup": Contestant(setting.text_dedup, "text_dedup_minhash.py", common, CORES, runs=1),
    }


def run(setting: Setting) -> dict[str, Any]:
    """Time on the corpus, rightness on a sample of it and on two sets of known pairs."""
    folder = setting.sample("dedup", 0)
    found = alternate(contestants(setting, folder), setting.runs)
    rows = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
    sample = np.linspace(0, rows.num_rows - 1, min(JUDGED, rows.num_rows)).astype(int).tolist()
    say(f"exact neighbours of {len(sample)} documents among {rows.num_rows}")
    near = oracle.pairs(oracle.index(text.as_py() for text in rows["text"]), sample, 0.80)
    known = {
        name: _known(setting, name, texts, pairs)
        for name, (texts, pairs) in {"books": books(), "articles": articles()}.items()
        if pairs
    }
    base = found["datatrove 14x8"]
    ids = rows["doc_id"].to_pylist()
    for figures in found.values():
        gone = set(figures.pop("removed", ()))
        if "error" not in figures:
            figures["removed"] = len(gone)
            figures["quality"] = oracle.judge(near, np.array([doc_id in gone for doc_id in ids]), sample)
            figures["ratio"] = ratio(base, figures)
    return {"documents": rows.num_rows, "judged": len(sample), "tools": found, "known": known}


def _known(
    setting: Setting, name: str, texts: dict[str, str], pairs: list[tuple[str, str]]
) -> dict[str, Any]:
    """How many of the known pairs are left with both their members, by tool."""
    folder = setting.root / "samples" / name
    folder.mkdir(parents=True, exist_ok=True)
    ids = sorted(texts)
    for number in range(2):
        part = ids[number::2]
        rows = {"doc_id": part, "url": part, "text": [texts[doc_id] for doc_id in part]}
        pq.write_table(pa.table(rows, schema=SCHEMA), folder / f"{number:05}.parquet")
    say(f"{name}: {len(ids)} documents, {len(pairs)} pairs")
    found = alternate(contestants(setting, folder), 1)
    left = {}
    for tool, figures in found.items():
        if "error" not in figures:
            gone = set(figures["removed"])
            both = sum(one not in gone and other not in gone for one, other in pairs)
            left[tool] = {"removed": len(gone), "pairs_left": both}
    return {"documents": len(ids), "pairs": len(pairs), "tools": left}


def books() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Book files and the pairs of them with a similarity of .80 or more; HTML ones, whose text depends on an extractor, are left out."""
    table = DATA / "dedup/book_edition_pairs.tsv"
    texts: dict[str, str] = {}
    pairs = []
    if table.exists():
        with table.open(encoding="utf-8") as lines:
            rows = [
                row
                for row in csv.DictReader(lines, delimiter="\t")
                if row["a"].endswith(".txt") and row["b"].endswith(".txt")
            ]
        for row in rows:
            for name in (row["a"], row["b"]):
                texts.setdefault(name, _book(DATA / name))
        shingler = oracle.Shingler()
        sets = {name: shingler.shingles(text) for name, text in texts.items()}
        for row in rows:
            a, b = sets[row["a"]], sets[row["b"]]
            shared = len(np.intersect1d(a, b))
            if shared / max(len(a) + len(b) - shared, 1) >= 0.80:
                pairs.append((row["a"], row["b"]))
    return texts, pairs


def _book(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def articles() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """McCormick's 2,500 articles and their planted pairs."""
    folder = DATA / "dedup/mccormick-minhash/data"
    if not folder.exists():
        return {}, []
    lines = (folder / "articles_2500.train").read_text(encoding="utf-8").splitlines()
    texts = {name: text for name, _, text in (line.partition(" ") for line in lines) if text}
    truth = (folder / "articles_2500.truth").read_text(encoding="utf-8").splitlines()
    return texts, [(one, other) for one, _, other in (line.partition(" ") for line in truth) if other]


def table(figures: dict[str, Any]) -> str:
    """One row a tool, and what the columns mean."""
    lines = [
        (
            f"{figures['documents']:,} documents, {CORES} cores. Seconds from the Parquet to the list of removed documents. “residual”: of the true pairs "
            f"(exact Jaccard similarity of word 5-grams, {figures['judged']:,} documents against all) the share of which both were kept. “resembles nothing”: "
            "removed documents that reach .80 with no other document; “nothing kept”: with none that was kept, so that their content is lost. "
            "gristmill at 14x8 is datatrove's shape; its default, 18 bands of 6 after exact dedup, proposes more pairs. It proves every pair; the peers trust the sketch. "
            "Seconds are medians; datatrove ran twice at most, datasketch as documented and text-dedup once, since they take minutes."
        ),
        "",
        "| tool | bands x rows | seconds | ratio to datatrove | peak MB | removed | residual ≥ .80 | residual ≥ .85 | resembles nothing | nothing kept |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, found in figures["tools"].items():
        if "error" in found:
            lines.append(f"| {name} | failed: {found['error']} | | | | | | | | |")
            continue
        quality, shape = found["quality"], "x".join(map(str, found.get("shape", (14, 8))))
        times = f"{found['ratio']:.1f}" if found["ratio"] else "–"
        lines.append(
            f"| {name} | {shape} | {found['seconds']:.1f} | {times} | {found['peak_mb']:,} | {found['removed']:,} | {quality['residual_80']:.2%} "
            f"| {quality['residual_85']:.2%} | {quality['no_neighbour']} | {quality['no_kept_neighbour']} |"
        )
    any_quality = next((found["quality"] for found in figures["tools"].values() if "quality" in found), {})
    lines += [
        "",
        f"True pairs in the sample: {any_quality.get('pairs_80', 0):,} at .80, {any_quality.get('pairs_85', 0):,} at .85.",
    ]
    lines += [
        "Similarity is by gristmill's words. datatrove shingles spaCy's words with numbers made 0 and punctuation gone, so some of what it removes is alike "
        "by its definition only; text-dedup removes all but one of the documents shorter than 5 words. Rho flags mark every member of a bucket, the first too: "
        "of its speed and what it misses the row speaks, nothing may be removed by it alone. Seconds by phase: "
        + "; ".join(
            f"{name} {', '.join(f'{phase} {seconds:.1f}' for phase, seconds in found['phases'].items())}"
            for name, found in figures["tools"].items()
            if "phases" in found
        )
        + ".",
    ]
    for name, found in figures["known"].items():
        told = ", ".join(f"{tool} {left['pairs_left']}" for tool, left in found["tools"].items())
        lines += [
            "",
            f"{name}: {found['documents']} documents, {found['pairs']} true pairs; pairs left with both members: {told}.",
        ]
    return "\n".join(lines)
