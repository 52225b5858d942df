"""Figures → RESULTS.md and results.json. Parts that were not run keep the figures of the last time."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS, FIGURES = HERE / "RESULTS.md", HERE / "results.json"

HEAD = """# gristmill and its peers

Written by `just bench`; every figure is in `results.json` too. Each contestant runs in a process of its own, pinned to the same cores, on the same
bytes, in turn with the others. Seconds are measured by itself, from opening the Parquet on: without the start of the interpreter, imports, and gristmill's
compilation of kernels: a few documents go first there; datatrove's filters get the same, its MinHash and pipeline load their word tokenizer first, datasketch, rensa and
text-dedup, which compile nothing, no warm-up. Memory is the peak of all its processes together (PSS, looked at five times a second).
Figures of one machine: the ratios travel better than the seconds.
"""


def update(figures: dict[str, Any], path: Path = FIGURES) -> dict[str, Any]:
    """Lay new figures over those of `path` and write both."""
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    parts = {**known.get("parts", {}), **figures.pop("parts", {})}
    merged = {**known, **figures, "parts": parts}
    path.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return merged


def write(figures: dict[str, Any], parts: dict[str, ModuleType], path: Path = RESULTS) -> None:
    """The whole report."""
    path.write_text(text(figures, parts), encoding="utf-8")


def text(figures: dict[str, Any], parts: dict[str, ModuleType]) -> str:
    """RESULTS.md: the machine, the corpus, a section a part."""
    machine, corpus = figures["machine"], figures["corpus"]
    sections = [
        HEAD,
        (
            "## Machine and versions\n\n"
            f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB; {machine['system']}; Python {machine['python']}.\n"
        ),
        *(
            f"{side}: {', '.join(f'{name} {version}' for name, version in found.items())}.\n"
            for side, found in figures["versions"].items()
        ),
        (
            "## Corpus\n\n"
            f"{corpus['pages']:,} HTML pages of {corpus['packages']} Debian documentation packages, brought to text by Resiliparse: {corpus['documents']:,} documents, "
            f"{corpus['megabytes']:.0f} MB of UTF-8. Several versions of some manuals (LLVM, Clang, Boost) and translations that are partly English lie side by side.\n"
        ),
    ]
    for name, part in parts.items():
        if name in figures["parts"]:
            found = figures["parts"][name]
            title = (part.__doc__ or name).partition("\n")[0].rstrip(".")
            note = f"Measured {found['measured']}, `python bench/run.py {found['call']}`."
            sections.append(f"## {name}: {title}\n\n{part.table(found['figures'])}\n\n{note}\n")
    return "\n".join(sections)
