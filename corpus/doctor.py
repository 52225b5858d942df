"""`gristmill doctor`: what is installed, what works here, and the exact line that mends what does not.

Standard library only, and nothing of ours but `corpus.shadows` and `corpus.probes`: it must answer where half of the rest is missing
or another package stands in its place.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from corpus.probes import ONLINE, PROBES, Probe, run_probe
from corpus.shadows import HOME, PACKAGES, shadows

State = Literal["ok", "missing", "broken", "note"]

AREAS = ("core", "train", "unsloth", "qlora", "ray")
"""The core's dependencies, then the extras a user may want."""

OLDEST = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    area: str
    what: str
    state: State
    detail: str
    mend: str = ""
    """The line to type; empty where nothing is to be done."""
    fatal: bool = False
    """Whether the core cannot work without it."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def examine(root: Path, *, online: bool = False) -> list[Finding]:
    """Look at everything; where our own packages are shadowed, at nothing that would import them."""
    findings = [_python(), *_packages()]
    findings += _dependencies()
    if not any(finding.area == "packages" and finding.fatal for finding in findings):
        findings += _trials(root, {**PROBES, **(ONLINE if online else {})})
    return findings


def report(findings: list[Finding]) -> str:
    """The findings by area, the worst thing to do first at the end."""
    widths = [
        max(len(value) for value in column)
        for column in zip(*((f.what, f.state) for f in findings), strict=True)
    ]
    lines: list[str] = []
    area = None
    for finding in findings:
        if finding.area != area:
            area = finding.area
            lines += ["", area]
        lines.append(
            f"  {finding.what:<{widths[0]}}  {finding.state:<{widths[1]}}  {finding.detail}".rstrip()
        )
    return "\n".join([*lines[1:], "", *_verdict(findings)])


def _verdict(findings: list[Finding]) -> list[str]:
    fatal = _lines(finding for finding in findings if finding.fatal)
    other = _lines(finding for finding in findings if finding.mend and not finding.fatal)
    head = (
        ["the core does not work. Mend it with:", *fatal]
        if fatal
        else ["the core works: build, sql, versions and verify can be used."]
    )
    return [*head, *(["", "not needed for a build, and mended with:", *other] if other else [])]


def _lines(findings: Iterator[Finding]) -> list[str]:
    """Each line to type once, in order."""
    return list(dict.fromkeys(f"  {finding.mend}" for finding in findings))


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return Finding(
            "python",
            "Python",
            "broken",
            found,
            f"make a virtual environment with Python {wanted} or newer",
            fatal=True,
        )
    return Finding("python", "Python", "ok", found)


def _packages() -> list[Finding]:
    """Whether our four names lead to our files."""
    hidden = {shadow.name: shadow for shadow in shadows()}
    return [
        Finding("packages", name, "broken", str(hidden[name]), hidden[name].cure, fatal=name != "trainer")
        if name in hidden
        else Finding("packages", name, "ok", str(HOME / name))
        for name in PACKAGES
    ]


# ------------------------------------------------------------------------------------------------ dependencies


@dataclass(frozen=True)
class Requirement:
    """One line of the distribution's metadata."""

    area: str
    name: str
    bounds: str
    """Such as ">=2.1,<3"."""


def requirements(lines: list[str]) -> list[Requirement]:
    """The metadata's lines by area; those of other extras (dev) are left out.

    >>> requirements(["polars<3,>=2.1", 'ray<3,>=2.50; extra == "ray"', 'pytest; extra == "dev"'])
    [Requirement(area='core', name='polars', bounds='<3,>=2.1'), Requirement(area='ray', name='ray', bounds='<3,>=2.50')]
    """
    found = []
    for line in lines:
        # By hand: the doctor must run where anything is missing, `packaging` too.
        need, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        name, bounds = re.fullmatch(r"\s*([\w.-]+)(?:\[[^]]*\])?\s*(.*?)\s*", need).groups()  # type: ignore[union-attr]
        area = extra.group(1) if extra else "core"
        if area in AREAS and name != "gristmill":
            found.append(Requirement(area, name, bounds))
    found.sort(key=lambda need: (AREAS.index(need.area), need.name))
    # An extra that builds on another repeats its lines in the metadata.
    return list({need.name: need for need in reversed(found)}.values())[::-1]


def _dependencies() -> list[Finding]:
    try:
        lines = requires("gristmill") or []
    except PackageNotFoundError:
        return [
            Finding(
                "core",
                "gristmill",
                "missing",
                f"{HOME} is used without being installed",
                f"pip install -e {HOME}",
                fatal=True,
            )
        ]
    return [_dependency(need) for need in requirements(lines)]


def _dependency(need: Requirement) -> Finding:
    core = need.area == "core"
    mend = f"pip install '{need.name}{need.bounds}'" if core else f"pip install 'gristmill[{need.area}]'"
    try:
        have = version(need.name)
    except PackageNotFoundError:
        return Finding(need.area, need.name, "missing", "", mend, fatal=core)
    if not _fits(have, need.bounds):
        return Finding(
            need.area,
            need.name,
            "broken",
            f"{have}, wanted {need.bounds}",
            f"pip install '{need.name}{need.bounds}'",
            fatal=core,
        )
    return Finding(need.area, need.name, "ok", have)


def _fits(have: str, bounds: str) -> bool:
    """Whether a version is within bounds; taken to be where nothing can tell."""
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:
        return True
    return SpecifierSet(bounds).contains(have, prereleases=True)


# ------------------------------------------------------------------------------------------------ trials


def _trials(root: Path, probes: dict[str, Probe]) -> list[Finding]:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda name: run_probe(name, root), probes))
    findings = []
    for probe, outcome in zip(probes.values(), outcomes, strict=True):
        if outcome.works:
            findings.append(Finding("works", probe.about, "ok", outcome.detail))
        else:
            state: State = "broken" if probe.core else "note"
            findings.append(
                Finding("works", probe.about, state, outcome.detail, probe.mend, fatal=probe.core)
            )
    return findings
