"""judge: scores → pass, or the first rule that failed, in recipe order. Thresholds only; nothing is read but scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import polars as pl

from corpus.phases.annotate import FAILED
from plugins.contracts import Filter, Rule
from plugins.specs import PluginSpec


def judge(scores: pl.DataFrame, filters: Sequence[PluginSpec]) -> pl.DataFrame:
    """VERDICTS for every row of `scores`, in its order.

    A score that is null fails its rule: what could not be measured is not known to be good.
    """
    if scores.height == 0:  # no filter ran, so its columns are not there
        return scores.select("doc_id", *_nothing())
    reasons: list[str] = []
    fails: list[pl.Expr] = []
    shown: list[tuple[str, str] | None] = []
    schema = scores.schema
    for spec in filters:
        plugin = cast(Filter, spec.make())
        reasons.append(f"{plugin.name}:failed")
        fails.append(pl.col(FAILED).str.starts_with(f"{plugin.name}\n").fill_null(value=False))
        shown.append(None)
        for rule in plugin.rules():
            reasons.append(f"{plugin.name}:{rule.reason}")
            fails.append(
                _fails(scores, rule)
                if schema.get(rule.column) == pl.Null
                else rule.fails.fill_null(value=True)
            )
            shown.append((rule.column, rule.bound))
    first = _first(scores, fails)
    # Few documents fail the same rule: each one's detail is written for the rule it failed, not for all.
    told = []
    for number in first.drop_nulls().unique().sort().to_list():
        detail = _detail(schema, *shown[number]) if shown[number] else _raised()
        columns = (pl.lit(reasons[number]).alias("reason"), detail.alias("detail"))
        told.append(scores.filter(first == number).select("doc_id", *columns))
    order = scores.select("doc_id")
    if not told:
        return order.with_columns(*_nothing())
    return order.join(pl.concat(told), on="doc_id", how="left", maintain_order="left")


def _nothing() -> list[pl.Expr]:
    return [pl.lit(None, pl.String).alias(name) for name in ("reason", "detail")]


def _first(scores: pl.DataFrame, fails: Sequence[pl.Expr]) -> pl.Series:
    """Row for row, the number of the first of `fails` that is true; null where none is."""
    if not fails:
        return pl.Series([None] * scores.height, dtype=pl.Int64)
    flags = scores.select(
        fail.cast(pl.Boolean, strict=True).alias(str(number)) for number, fail in enumerate(fails)
    ).to_numpy()
    return pl.Series(flags.argmax(axis=1)).set(~pl.Series(flags.any(axis=1)), None)


def _fails(scores: pl.DataFrame, rule: Rule) -> pl.Expr:
    """Where the rule fails. A score that is null throughout has no type that some rules could be asked of: it fails them."""
    try:
        scores.head(0).select(rule.fails)
    except pl.exceptions.PolarsError:
        return pl.lit(value=True)
    return rule.fails.fill_null(value=True)


def _raised() -> pl.Expr:
    """What a filter raised on a document."""
    return pl.col(FAILED).str.split("\n").list.slice(1).list.join(" ")


def _detail(schema: pl.Schema, column: str, bound: str) -> pl.Expr:
    """The score beside what it failed, such as "lang_score 0.42 < 0.65"."""
    value = pl.col(column).round(4) if schema[column].is_float() else pl.col(column)
    return pl.concat_str(
        pl.lit(column), value.cast(pl.String).fill_null("unknown"), pl.lit(bound), separator=" "
    )
