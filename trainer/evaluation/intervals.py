"""How far a measure would move on another draw of documents: percentile bootstrap intervals.

Tokens of one document are not independent draws, nor are documents of one thread, so whole groups are drawn (a cluster
bootstrap): drawing tokens would give intervals many times too narrow. Base and tuned model are measured on the same draws, so that the interval of
their difference leaves out what is hard for both (paired bootstrap, Koehn 2004, "Statistical Significance Tests for Machine Translation
Evaluation"). Intervals by the normal distribution were rejected: losses of documents are skewed, and an accuracy ends at 0 and 1.

Of a share of so many prompts, which has no groups to draw, `share` gives Wilson's interval.

Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile intervals, 1,000 draws or more).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Vector = np.ndarray[Any, Any]

DRAWS = 1000
LEVEL = 0.95
FEW = 20
"""Groups below which a percentile interval comes out too narrow, so that whoever prints one says how few it stands on."""


@dataclass(frozen=True)
class Interval:
    """Where 95 % of the draws lie."""

    low: float
    high: float

    def exp(self) -> Interval:
        """Of exp(x): percentiles move with any rising function."""
        return Interval(*(math.exp(end) if end < 700 else math.inf for end in (self.low, self.high)))


def group_sums(values: Vector, groups: Vector) -> Vector:
    """Sums of the columns of `values` (parts, columns) over each group; `groups` (parts) numbers them from 0. Float64."""
    sums = np.zeros((int(groups.max()) + 1 if len(groups) else 0, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def intervals(
    sums: Mapping[str, Vector], weights: Vector, differences: Mapping[str, tuple[str, str]], *, seed: int = 0
) -> dict[str, Interval]:
    """Of each ratio `sum of sums[name] / sum of weights`, and of each difference (first minus second) of two of them.

    `sums` and `weights` hold one number a group. All come from the same draws of groups, with replacement. Without at least two groups there is
    nothing to draw, and the answer is empty.
    """
    units = len(weights)
    if units < 2:
        return {}
    columns = np.column_stack([*sums.values(), weights]).astype(np.float64)
    random = np.random.default_rng(seed)
    drawn = np.empty((DRAWS, columns.shape[1]))
    for n in range(DRAWS):  # one draw at a time: all at once would take a thousand numbers a group
        drawn[n] = np.bincount(random.integers(0, units, units), minlength=units) @ columns
    ratios = dict(zip(sums, (drawn[:, :-1] / drawn[:, -1:]).T, strict=True))
    ratios |= {name: ratios[one] - ratios[other] for name, (one, other) in differences.items()}
    return {name: _middle(values) for name, values in ratios.items()}


def share(hits: int, tried: int) -> Interval:
    """Where 95 % of the shares lie that `hits` of `tried` may stand for: 0 of 16 is no proof of 0 (Wilson 1927, the score interval).

    >>> found = share(0, 16)
    >>> f"{found.low:.0%} to {found.high:.0%}"
    '0% to 19%'
    """
    z = 1.959964
    middle, spread = hits + z * z / 2, z * math.sqrt(hits * (tried - hits) / tried + z * z / 4)
    return Interval(
        max(0.0, middle - spread) / (tried + z * z), min(tried + z * z, middle + spread) / (tried + z * z)
    )


def _middle(values: Vector) -> Interval:
    if not np.isfinite(values).all():
        return Interval(math.nan, math.nan)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
