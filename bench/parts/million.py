"""How the phases grow: 10,000, 100,000 and a million synthetic documents through annotate, judge and dedup of a build, 2 workers."""

from __future__ import annotations

import shutil
from typing import Any

from bench import synthetic
from bench.measure import run as measure
from bench.setting import CORES, Setting, say

SIZES = (10_000, 100_000, 1_000_000)

RECIPE = """name = "synthetic"

[[source]]
use = "files"
path = "none/*"

{filters}
[dedup]
exact = true
fuzzy = {{ threshold = 0.8, ngram = 5 }}
survivor = ["locator"]
"""

FILTERS = ("language", "gopher-quality", "gopher-repetition", "c4", "fineweb-quality")


def run(setting: Setting) -> dict[str, Any]:
    """Every size, once: the largest takes minutes."""
    sizes = [setting.documents] if setting.documents else list(SIZES)
    recipe = setting.root / "million.toml"
    recipe.write_text(RECIPE.format(filters="".join(f'[[filter]]\nuse = "{name}"\n' for name in FILTERS)))
    found = {}
    for size in sizes:
        files = synthetic.build(setting.corpus, setting.root / "synthetic", size, CORES)
        root = setting.root / "million"
        shutil.rmtree(root, ignore_errors=True)
        figures = measure(
            setting.own(
                "gristmill_phases.py",
                cores=CORES,
                files=[str(path) for path in files],
                recipe=str(recipe),
                root=str(root),
                workers=CORES,
            )
        )
        figures["megabytes"] = round(sum(map(synthetic.text_bytes, files)) / 1e6)
        found[str(size)] = figures
        say(f"{size} documents: {figures.get('phases', figures.get('error'))}, {figures.get('peak_mb')} MB")
        shutil.rmtree(root, ignore_errors=True)
    return {"sizes": found}


def table(figures: dict[str, Any]) -> str:
    """One row a size."""
    names = ("annotate", "sign", "judge", "dedup")
    lines = [
        (
            f"Filters {', '.join(FILTERS)}; MinHash 112 permutations, 18 bands; {CORES} workers; one run a size. Sentences of one Debian package each, shuffled, "
            "8 % of the words exchanged; one document in ten is a near duplicate of an earlier one (true Jaccard similarity .79 to 1, .9 in the middle). "
            "Peak memory is that of all processes together (PSS). “removed” is of those that passed the filters. Ten thousand documents lie in one file, which one worker takes."
        ),
        "",
        f"| documents | text MB | {' | '.join(f'{name} s' for name in names)} | whole s | documents /s | peak MB | passed | removed |",
        "|--:|" + "--:|" * (len(names) + 6),
    ]
    for size, found in figures["sizes"].items():
        if "error" in found:
            lines.append(f"| {size} | {found['megabytes']} | failed: {found['error']} |")
            continue
        phases = " | ".join(f"{found['phases'].get(name, 0):.1f}" for name in names)
        lines.append(
            f"| {int(size):,} | {found['megabytes']:,} | {phases} | {found['seconds']:.1f} | {found['documents'] / found['seconds']:,.0f} "
            f"| {found['peak_mb']:,} | {found['passed']:,} | {found['removed']:,} |"
        )
    return "\n".join(lines)
