"""What a filter owes: one row of scores a text, by that text alone, and rules that decide on scores only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from corpus.commands.plugins.case import Case
from corpus.commands.plugins.outcomes import Broken, Check, Skipped, shown
from corpus.commands.plugins.texts import PROSE
from plugins.contracts import READABLE, Filter, Threshold
from plugins.entries import entries
from plugins.registry import TAKEN
from schemas.errors import UserError
from schemas.fingerprint import digest

EXAMPLES: dict[str, tuple[str | None, ...]] = {
    "doc_id": ("0a1b", "ffff", "1234"),
    "url": ("https://example.org/maps?page=2", None, "not an address"),
    "source": ("crawl", "files", "crawl"),
    "locator": ("https://example.org/maps?page=2", "a/b.html", "\u00e9.txt"),
    "title": ("A tale", None, ""),
    "author": ("Ada", None, ""),
    "published": ("2026-11-24", None, "yesterday"),
    "license": ("CC-BY-4.0", None, "all rights reserved"),
}
"""Values of the columns that a filter may read."""


def documents(case: Case) -> pl.DataFrame:
    """Texts, a null one among them, with every column that can be read."""
    rows: list[str | None] = [*case.texts, None]
    columns = {name: [values[n % len(values)] for n in range(len(rows))] for name, values in EXAMPLES.items()}
    return pl.DataFrame(
        {"text": rows, **columns}, schema={"text": pl.String, **dict.fromkeys(columns, pl.String)}
    )


def given(case: Case) -> pl.DataFrame:
    """The documents with the columns it reads."""
    odd = sorted(set(case.plugin.reads) - set(READABLE))
    if odd:
        raise Broken(f'reads "{odd[0]}"', f"a filter may read {', '.join(READABLE)}")
    if case.plugin.reads and case.cls.score_documents is Filter.score_documents:  # type: ignore[attr-defined]
        raise Broken(
            f"reads {', '.join(case.plugin.reads)}, and scores by the text alone",
            "override `score_documents`, which is given those columns; or leave `reads` out",
        )
    return documents(case).select("text", *case.plugin.reads)


def scored_of(case: Case, rows: pl.DataFrame) -> pl.DataFrame:
    """Its scores, as the engine takes them. Raises Broken for what is no row a text, or not its columns."""
    names = list(case.plugin.columns())
    found = case.plugin.score_documents(rows)
    if not isinstance(found, pl.DataFrame):
        raise Broken(
            f"`score` gave {type(found).__name__}", "return a polars DataFrame of the columns in `scores`"
        )
    if found.height != rows.height or set(found.columns) != set(names):
        raise Broken(
            f"{found.height} rows of {found.columns} for {rows.height} texts",
            f"return one row a text, null and empty ones too, with the columns {names}",
        )
    return found.select(names)


def columns(case: Case) -> str:
    """Names of its scores: some, each once, none of gristmill's or of another filter's."""
    names = case.plugin.columns()
    if not names:
        raise Broken("it has no score", 'name its columns: scores = ("my_score",)')
    if len(set(names)) != len(names):
        raise Broken(f"names a score twice: {list(names)}", "give each its own name")
    for name in names:
        if name in TAKEN or name in READABLE or name == "text":
            raise Broken(
                f'"{name}" is a column of gristmill\'s', f'call it "{case.cls.name.replace("-", "_")}_{name}"'
            )
        owner = _owner(name, case)
        if owner:
            raise Broken(
                f'"{name}" is a score of "{owner}" too, so that no recipe could use both',
                f'call it "{case.cls.name.replace("-", "_")}_{name}"',
            )
    return ", ".join(names)


def _owner(score: str, case: Case) -> str | None:
    """Another installed filter that has a score of that name."""
    for entry in entries("filter").values():
        if entry.name == case.subject.name:
            continue
        try:
            found = entry.load()
        except UserError:
            continue
        if issubclass(found, Filter) and score in found.scores and not issubclass(case.cls, found):
            return entry.name
    return None


def every_text(case: Case) -> str:
    """A row for every text: null, empty and hostile ones, one alone, none at all."""
    rows = given(case)
    for n in sorted(range(rows.height), key=lambda n: len(rows["text"][n] or "")):
        try:
            scored_of(case, rows[n : n + 1])
        except Broken:
            raise
        except Exception as error:
            text = rows["text"][n]
            raise Broken(
                f"{type(error).__name__} on {'a null text' if text is None else shown(text)}: {error}",
                "give a null score where there is nothing to score; an exception costs the document",
            ) from error
    scored_of(case, rows[:0])
    whole = scored_of(case, rows)
    ordinary = whole.filter(rows["text"].is_in(PROSE))
    empty = [name for name in whole.columns if ordinary[name].null_count() == ordinary.height]
    if len(empty) == len(whole.columns) and not case.plugin.reads:
        raise Broken(
            f"{empty[0]} is null for ordinary prose", "score every text that has words; null fails every rule"
        )
    return f"{whole.height} texts"


def batching(case: Case) -> str:
    """A row's scores depend on that row alone."""
    rows = given(case)
    whole = scored_of(case, rows)
    halves = [scored_of(case, rows[:7]), scored_of(case, rows[7:])]
    single = [scored_of(case, rows[n : n + 1]) for n in range(rows.height)]
    turned = scored_of(case, rows.reverse()).reverse()
    for name, other in (
        ("in two halves", pl.concat(halves, how="vertical_relaxed")),
        ("one by one", pl.concat(single, how="vertical_relaxed")),
        ("in reverse order", turned),
    ):
        _same(whole, other, rows, name)
    _same(whole, scored_of(case, rows), rows, "a second time")
    return f"{rows.height} texts in 4 ways"


def _same(whole: pl.DataFrame, other: pl.DataFrame, rows: pl.DataFrame, how: str) -> None:
    for name in whole.columns:
        for n, (one, two) in enumerate(zip(whole[name].to_list(), other[name].to_list(), strict=True)):
            if one != two and not (one != one and two != two):  # noqa: PLR0124  not a number is not itself
                raise Broken(
                    f"{name} of {shown(rows['text'][n] or '')} is {one} among all and {two} {how}",
                    "let a row's scores depend on that row alone: no ranks, means or counts over the column, no state between calls",
                )


def rules(case: Case) -> str:
    """Each rule names a score and a reason, and decides by scores alone."""
    found = list(case.plugin.rules())
    names = case.plugin.columns()
    scores = scored_of(case, given(case))
    seen = set()
    for rule in found:
        if not re.fullmatch(r"[\w-]+", rule.reason):
            raise Broken(
                f'"{rule.reason}" is no reason', "one word, as `fates` shows it behind the filter's name"
            )
        if rule.reason in seen:
            raise Broken(f'two rules give "{rule.reason}"', "let each rule have a reason of its own")
        seen.add(rule.reason)
        if rule.column not in names:
            raise Broken(f'rule {rule.reason} shows "{rule.column}"', f"`column` is one of {list(names)}")
        try:
            verdicts = scores.select(rule.fails.alias("fails"))["fails"]
        except pl.exceptions.PolarsError as error:
            raise Broken(
                f"rule {rule.reason} cannot decide: {str(error).splitlines()[0]}",
                "let `fails` be an expression over the columns of `scores` alone",
            ) from error
        if verdicts.dtype != pl.Boolean or verdicts.len() not in {1, scores.height}:
            raise Broken(
                f"rule {rule.reason} gives {verdicts.dtype}", "let `fails` be true or false for each row"
            )
    return ", ".join(seen) or "none: it only scores"


def thresholds(case: Case) -> str:
    """What is marked Threshold decides only: no score reads it."""
    marked = case.cls.marked(Threshold)
    if not marked:
        raise Skipped("no option is marked Threshold")
    read: set[str] = set()

    class Watched(case.cls):  # type: ignore[name-defined]  # the class under test, with an ear on its options
        def __getattribute__(self, name: str) -> Any:
            if name in marked:
                read.add(name)
            return super().__getattribute__(name)

    options = {name: getattr(case.plugin, name) for name in case.cls.model_fields}
    watched = Watched.model_construct(**options)
    read.clear()
    watched.score_documents(given(case))
    if read:
        raise Broken(
            f"`score` reads {', '.join(f'`{name}`' for name in sorted(read))}, marked Threshold",
            "take the mark off: moving a Threshold recomputes no score, so the old ones would stay",
        )
    return ", ".join(sorted(marked))


def scored(case: Case) -> dict[str, str]:
    """Digests of its scores of every text."""
    rows = given(case)
    try:
        table = scored_of(case, rows)
    except Exception as error:  # noqa: BLE001  told by `every_text`
        return {"all": type(error).__name__}
    return {
        name: digest(repr(table[name].to_list()).encode("utf-8", "surrogatepass")) for name in table.columns
    }


CHECKS: Sequence[tuple[str, Check]] = (
    ("scores are named", columns),
    ("a score for every text", every_text),
    ("independent of batching", batching),
    ("rules decide by scores", rules),
    ("thresholds only decide", thresholds),
)
