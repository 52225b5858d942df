"""`gristmill plugins test`: what the contract asks (plugins/contracts.py), asked of one plugin.

Each plugin runs in two children, so that a stranger's code can neither end nor hang nor change this process: the first goes
through the checks and tells each as it is done, the second, with another hash seed, makes everything again. Neither reaches
the network (`quiet.py`). What no run can show is left to the author: that a result is right, that `requires` is complete
beyond what the plugin's own file imports.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from corpus.commands.columns import columns
from corpus.commands.plugins.children import ask
from corpus.commands.plugins.outcomes import Outcome
from corpus.commands.plugins.subjects import Distribution, Subject
from corpus.engine.kernel_cache import VARIABLE

AFRESH = "same in a fresh process"


def check(subject: Subject, *, seconds: float = 120) -> list[Outcome]:
    """Every check of one plugin, in order. Raises nothing for what the plugin does: dying and hanging are outcomes too.

    `seconds` is the most that each of its two processes may take.
    """
    with tempfile.TemporaryDirectory(prefix="gristmill-plugin-") as folder:
        described = _describe(subject.distribution, Path(folder)) if subject.distribution else []
        question = {"subject": subject.to_json(), "path": described}
        # Both processes share compiled kernels, unless a build that runs us keeps them already.
        environment = {VARIABLE: os.environ.get(VARIABLE, str(Path(folder) / "kernels"))}
        told, end = ask(
            {"mode": "checks", **question},
            seconds=seconds,
            environment={**environment, "PYTHONHASHSEED": "0"},
        )
        outcomes = [Outcome.from_json(line["outcome"]) for line in told if "outcome" in line]
        begun = [line["begin"] for line in told if "begin" in line]
        if end:
            struck = begun[len(outcomes)] if len(begun) > len(outcomes) else "start"
            return [*outcomes, Outcome(struck, "fail", end, _mend(end))]
        first = next((line["made"] for line in told if "made" in line), None)
        if first is None:
            return outcomes
        again, end = ask(
            {"mode": "make", **question}, seconds=seconds, environment={**environment, "PYTHONHASHSEED": "1"}
        )
        second = next((line["made"] for line in again if "made" in line), None)
        return [*outcomes, _compared(first, second, end)]


def _describe(distribution: Distribution, folder: Path) -> list[str]:
    """Write what importlib.metadata reads of an installed distribution; returns what to put on the path."""
    info = folder / f"{re.sub('[^A-Za-z0-9]+', '_', distribution.name)}-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution.name}\nVersion: {distribution.version}\n",
        encoding="utf-8",
    )
    lines = [
        line
        for group, points in distribution.points.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return [str(folder), *distribution.roots]


def _mend(end: str) -> str:
    if end.startswith("no end"):
        return "bound what it does with a text or page, such as a regular expression that backtracks; or allow more: --seconds N"
    return "let nothing end the process: raise on what cannot be handled, and catch what a library does"


def _compared(first: dict[str, str], second: dict[str, str] | None, end: str | None) -> Outcome:
    """Whether another process, with another hash seed, made the same."""
    if end or second is None:
        return Outcome(AFRESH, "fail", end or "the second process made nothing", _mend(end or ""))
    odd = sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
    if odd:
        return Outcome(
            AFRESH,
            "fail",
            f"another process made something else of {odd[0]}"
            + (f" and {len(odd) - 1} more" if odd[1:] else ""),
            "let nothing depend on the order of a set, on hash(), id(), the clock, random numbers without a seed, or the "
            "process' own state; sort sets before you walk them",
        )
    return Outcome(AFRESH, "pass", f"{len(first)} results")


def table(subject: Subject, outcomes: list[Outcome]) -> str:
    """One line a check, and below them for each that failed what to change."""
    rows = [("FAIL" if one.state == "fail" else one.state, one.check, one.seen) for one in outcomes]
    failed = [one for one in outcomes if one.state == "fail"]
    skipped = sum(one.state == "skip" for one in outcomes)
    count = f"{len(outcomes)} checks, {len(failed)} failed" + (f", {skipped} skipped" if skipped else "")
    lines = [f"{subject.kind} {subject.name}: {count}", columns(rows, indent="  ")]
    lines += [f'  to mend "{one.check}": {one.change}' for one in failed]
    if subject.note:
        lines.append(f"  note: {subject.note}")
    return "\n".join(lines)
