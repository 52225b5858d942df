"""Ends a run of a sweep that falls behind the others: the median stopping rule (Golovin et al. 2017, "Google Vizier", section 3.2.2).

A run is stopped at an evaluation if the best value it has reached is worse than the median of what the completed runs averaged up to
there. Its best against their averages is lenient on purpose: a run that starts slowly is not taken for a bad one. Beyond the paper:

- "there" is counted in trained tokens, not steps, so that runs of other batch sizes can be compared;
- the evaluation before the first step is left out, being the base model's in every run;
- nothing is judged before two completed runs and a second evaluation, since a median of one is that one, and a warm-up is no run;
- nor at the last step, where there is nothing left to save: the run is complete, and counts among those.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import PrivateAttr

from plugins.contracts import Callback

COMPLETED = 2
"""Completed runs before any is stopped."""
EVALUATIONS = 2
"""Evaluations behind the first step before a run is stopped."""

Curve = tuple[tuple[int, float], ...]
"""Trained tokens and val loss at each evaluation behind the first step."""


class MedianRule(Callback):
    """Watches one run; `curves` are those of the completed runs."""

    name: ClassVar = "median-rule"

    curves: tuple[Curve, ...] = ()
    _seen: list[float] = PrivateAttr(default_factory=list)
    _last: float = PrivateAttr(default=math.inf)
    """The step at which the run ends by itself."""

    def begin(self, run: Mapping[str, Any]) -> str | None:
        """Take up what a run that goes on has measured before."""
        self._last = run["steps"]
        self._seen[:] = [loss for _, loss in curve(run["rows"])]
        return None

    def evaluate(self, row: Mapping[str, Any]) -> str | None:
        """The reason to stop, where the rule says so."""
        if row["step"] == 0:
            return None
        self._seen.append(row["loss"] if math.isfinite(row["loss"]) else math.inf)
        if (
            row["step"] >= self._last
            or len(self._seen) < EVALUATIONS
            or (bar := median_of_averages(self.curves, row["tokens"])) is None
        ):
            return None
        best = min(self._seen)
        if best <= bar:
            return None
        return (
            f"val loss is {best:.4f} at best, worse than {bar:.4f}, the median of what the {len(self.curves)} completed runs averaged "
            f"up to {row['tokens']:,} tokens"
        )


def curve(rows: Sequence[Mapping[str, Any]]) -> Curve:
    """The curve of a journal's rows; a loss that is no number is infinitely bad."""
    return tuple(
        (row["tokens"], row["loss"] if math.isfinite(row["loss"]) else math.inf)
        for row in rows
        if row["kind"] == "val" and row["step"] > 0
    )


def median_of_averages(curves: Sequence[Curve], tokens: int) -> float | None:
    """The median over `curves` of each one's mean up to so many tokens; None where fewer than COMPLETED have come so far.

    >>> median_of_averages([((10, 3.0), (20, 1.0)), ((10, 2.0), (20, 2.0)), ((10, 4.0), (20, 5.0))], 20)
    2.0
    """
    reached = [[loss for at, loss in one if at <= tokens] for one in curves]
    averages = [statistics.fmean(losses) for losses in reached if losses]
    return statistics.median(averages) if len(averages) >= COMPLETED else None
