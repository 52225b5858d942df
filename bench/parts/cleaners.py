"""Cleaners: megabytes a second on one core, with their default options."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.english import folder_of, web_pages
from bench.measure import run as measure
from bench.setting import Setting
from plugins.entries import entries

DOCUMENTS = 2000
FLOOR = 2.0
"""What each must reach in MB a second, unless its page says why not."""
SLOW = {"presidio"}
"""Not measured: what it calls is a language model."""
OPTIONS: dict[str, dict[str, Any]] = {"filler": {"lists": ["en"]}}
"""For cleaners that do nothing by default."""


def run(setting: Setting) -> dict[str, Any]:
    """Every installed cleaner on web pages and on manuals."""
    sets = {
        "WCXB": str(folder_of(setting, "cleaners-wcxb", web_pages())),
        "Debian": str(setting.sample("cleaners", DOCUMENTS)),
    }
    names = sorted(set(entries("cleaner")) - SLOW)
    found = [
        measure(
            setting.own(
                "gristmill_cleaners.py", sets=sets, cleaners={name: OPTIONS.get(name, {}) for name in names}
            )
        )
        for _ in range(setting.runs)
    ]
    if broken := next((one for one in found if "error" in one), None):
        return broken
    speeds = {
        name: {
            where: found[0]["bytes"][where] / 1e6 / median(one["cleaners"][name][where] for one in found)
            for where in sets
        }
        for name in names
    }
    return {"bytes": found[0]["bytes"], "speeds": speeds, "peak_mb": found[0]["peak_mb"]}


def table(figures: dict[str, Any]) -> str:
    """One row a cleaner; what is under the floor stands in bold."""
    if "error" in figures:
        return f"Not measured: {figures['error']}"
    sizes = figures["bytes"]
    lines = [
        "One process, CPU seconds, the median of the runs; texts that no other cleaner had before: "
        + ", ".join(f"{where} {size / 1e6:.1f} MB" for where, size in sizes.items())
        + f". The house asks for {FLOOR:g} MB/s; what has less stands in bold, and its page says why.",
        "",
        f"| cleaner | {' | '.join(f'{where}, MB/s' for where in sizes)} |",
        f"|---|{'--:|' * len(sizes)}",
    ]
    for name, speeds in figures["speeds"].items():
        cells = (f"{speed:.1f}" if speed >= FLOOR else f"**{speed:.1f}**" for speed in speeds.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
