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
    reason = pl.lit(None, pl.String)
    detail = pl.lit(None, pl.String)
    if scores.height == 0:  # no filter ran, so its columns are not there
        return scores.select("doc_id", reason.alias("reason"), detail.alias("detail"))
    for spec in reversed(filters):
        plugin = cast(Filter, spec.make())
        for rule in reversed(plugin.rules()):
            fails = _fails(scores, rule)
            reason = pl.when(fails).then(pl.lit(f"{plugin.name}:{rule.reason}")).otherwise(reason)
            detail = pl.when(fails).then(_detail(scores, rule.column, rule.bound)).otherwise(detail)
        raised = pl.col(FAILED).str.starts_with(f"{plugin.name}\n").fill_null(value=False)
        reason = pl.when(raised).then(pl.lit(f"{plugin.name}:failed")).otherwise(reason)
        detail = (
            pl
            .when(raised)
            .then(pl.col(FAILED).str.split("\n").list.slice(1).list.join(" "))
            .otherwise(detail)
        )
    return scores.select("doc_id", reason.alias("reason"), detail.alias("detail"))


def _fails(scores: pl.DataFrame, rule: Rule) -> pl.Expr:
    """Where the rule fails, null included. A score that is null throughout has no type that some rules could be asked of: it fails them."""
    try:
        scores.head(0).select(rule.fails)
    except pl.exceptions.PolarsError:
        if scores.schema.get(rule.column) != pl.Null:
            raise
        return pl.lit(value=True)
    return rule.fails.fill_null(value=True)


def _detail(scores: pl.DataFrame, column: str, bound: str) -> pl.Expr:
    """The score beside what it failed, such as "lang_score 0.42 < 0.65"."""
    value = pl.col(column).round(4) if scores.schema[column].is_float() else pl.col(column)
    return pl.concat_str(
        pl.lit(column), value.cast(pl.String).fill_null("unknown"), pl.lit(bound), separator=" "
    )
