"""What `gristmill build` says when it is done: what became of the pages, how many tokens each split has, what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from corpus.commands.columns import columns
from corpus.commands.program import program
from schemas.store import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corpus.crawling import Crawled
    from corpus.pipeline import Build
    from schemas.manifest import Manifest
    from schemas.store import VersionPath

FATES = "select stage, reason, count(*) as n from fates group by all order by bool_or(stage = 'kept') desc, n desc, stage, reason"


def build_summary(build: Build, recipe: Path, root: Path) -> str:
    """The lines a person reads after a build."""
    seconds = sum(build.seconds.values())
    spec = build.version.spec
    if not build.new:
        head = f"already is {spec}: the same recipe, sources and libraries, so nothing was built ({seconds:.1f} s)"
        return "\n".join([head, f"  {build.version.path}", *_next(spec, recipe, root)])
    return "\n".join([
        f"{spec} in {seconds:.1f} s: {_counted(build.manifest)}",
        f"  {build.version.path}",
        *version_summary(build.version, build.manifest),
        *_next(spec, recipe, root),
    ])


def crawl_summary(found: Sequence[Crawled], recipe: Path, root: Path) -> str:
    """The lines a person reads after a crawl."""
    lines = []
    for source in found:
        lines += [
            f"{source.source}: {source.fates.get('ok', 0):,} pages, {source.bytes:,} bytes, in {source.seconds:.1f} s",
            f"  {source.path}",
        ]
        lost = [(reason, count) for reason, count in source.fates.items() if reason != "ok"]
        lines += ["  not kept:", columns(lost, indent="    ")] if lost else []
    where = "" if root == Path() else f" --root {root}"
    return "\n".join([*lines, "", f"next: {program()} build {recipe}{where}"])


def _counted(manifest: Manifest) -> str:
    return ", ".join(
        f"{manifest.counts[name]:,} {name}" for name in ("pages", "documents", "chunks", "tokens")
    )


def version_summary(version: VersionPath, manifest: Manifest) -> list[str]:
    """Fates by stage and reason, then the splits."""
    from corpus.query import query

    fates = [(stage, reason, count) for stage, reason, count in query(version, FATES).iter_rows()]
    return [
        "",
        "what became of every document, and of every page without one (table `fates`):",
        columns(fates, indent="  "),
        *_mix(manifest),
        "",
        "splits:",
        columns(
            [
                (split, record.documents, "documents", record.chunks, "chunks", record.tokens, "tokens")
                for split in SPLITS
                if (record := manifest.splits.get(split))
            ],
            indent="  ",
        ),
        *_warnings(manifest),
    ]


def _mix(manifest: Manifest) -> list[str]:
    """What [mix] made of each source: its share of the characters before, as asked for, and now."""
    counts = next((record.counts for record in manifest.phases if record.name == "mix"), None)
    if counts is None:
        return []
    names = [key.removeprefix("chars:") for key in counts if key.startswith("chars:")]
    steps = ("chars_before", "chars_target", "chars")
    totals = {step: sum(counts[f"{step}:{name}"] for name in names) for step in steps}
    shares = [
        [f"{counts[f'{step}:{name}'] / (totals[step] or 1):.1%}".rjust(6) for step in steps] for name in names
    ]
    rows = [
        (name, before, "asked", asked, "now", now, counts[f"chars:{name}"], "characters")
        for name, (before, asked, now) in zip(names, shares, strict=True)
    ]
    return ["", "mix: share of each source before, as asked for, and now:", columns(rows, indent="  ")]


def _warnings(manifest: Manifest) -> list[str]:
    """What a reader of the numbers must know: leaks, and pages that ran out of time."""
    told = []
    leakage = manifest.leakage
    if leaking := leakage.val_leaking + leakage.test_leaking:
        told.append(
            f"{leaking:,} val or test documents share more than {leakage.bound:.0%} of their {leakage.ngram}-grams with train."
        )
    cut = next((record.counts for record in manifest.phases if record.name == "tokenize"), {})
    if lost := cut.get("lost"):
        told.append(
            f"{lost:,} tokens of context stand in no chunk, cut where a dialogue was longer than max_tokens (table `cuts`)."
        )
    if manifest.timeouts:
        told.append(
            f"{manifest.timeouts:,} pages ran out of time even when tried alone, so another machine might extract them."
        )
    return ["", *told] if told else []


def _next(spec: str, recipe: Path, root: Path) -> list[str]:
    place = "" if root == Path() else f" --root {root}"
    return [
        "",
        "next:",
        f"  {program()} sql {spec} \"select reason, detail, url from fates where stage <> 'kept' limit 10\"{place}",
        f"  {program()} train {recipe}{place}",
    ]
