"""Language identification: gristmill's filter, one process of one thread."""

from __future__ import annotations

from typing import Any

from bench.measure import alternate
from bench.setting import Setting


def run(setting: Setting) -> dict[str, Any]:
    """The whole corpus, or as many documents as asked for."""
    folder = str(setting.sample("language", 0))
    found = alternate({"gristmill": setting.own("gristmill_language.py", folder=folder)}, setting.runs)[
        "gristmill"
    ]
    return found if "error" in found else {**found, "per_second": found["documents"] / found["seconds"]}


def table(figures: dict[str, Any]) -> str:
    """One line."""
    if "error" in figures:
        return f"Not measured: {figures['error']}"
    return (
        f"{figures['per_second']:,.0f} documents a second on one core, one thread: {figures['documents']} documents in "
        f"{figures['seconds']:.2f} s (median of {len(figures['timings'])}, reading the Parquet included), {figures['peak_mb']} MB."
    )
