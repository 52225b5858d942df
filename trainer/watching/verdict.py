"""What the two losses say about a run, in one sentence: overfitting, underfitting, or a fit.

Read from the journal alone, so that a run can be judged while it works and long after. The training loss at an evaluation is the mean of the
steps since the evaluation before; single steps are noise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

TURNED = 0.005
"""Share of its best value by which val loss must lie above it to have turned up; less is the noise of a small split …"""
RISEN = 0.001
"""… unless it rose at each of the last two evaluations, or more, and by this share at least."""
FALLING = 0.02
"""Share of the whole fall of a loss that its last quarter must bring for it to be still falling."""

Name = Literal["overfitting", "underfitting", "unsteady", "no gain", "fit"]


@dataclass(frozen=True)
class Verdict:
    """A word and a sentence."""

    name: Name
    sentence: str


@dataclass(frozen=True)
class _Curve:
    """The losses at the evaluations of a run: step, val loss, mean training loss since the evaluation before."""

    steps: list[int]
    val: list[float]
    train: list[float]


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict | None:
    """Judge the rows of a journal (`trainer.seeing.journal.METRICS`); None where fewer than three evaluations of val tell too little."""
    curve = _curve(rows)
    if len(curve.steps) < 3:
        return None
    best = min(range(len(curve.val)), key=curve.val.__getitem__)
    last, step = curve.val[-1], curve.steps[best]
    if last > curve.val[best] * (1 + (RISEN if _rising(curve.val[best:]) else TURNED)):
        # Before the first step nothing was trained, so there the steps until the next evaluation are what to fall below.
        fell = (
            curve.train[-1] < curve.train[1]
            if best == 0
            else _mean(curve.train[best + 1 :]) < curve.train[best]
        )
        if fell:
            losses = f"val {curve.val[best]:.4f} to {last:.4f}, train {curve.train[best or 1]:.4f} to {curve.train[-1]:.4f}"
            return Verdict(
                "overfitting",
                f"overfitting: val loss turned up after step {step} while the training loss fell ({losses})",
            )
        if best == 0:
            return Verdict(
                "no gain",
                f"no gain: val loss was lowest before the first step ({curve.val[0]:.4f}) and ended at {last:.4f}; a lower learning_rate may help",
            )
        return Verdict(
            "unsteady",
            f"unsteady: val loss turned up after step {step} and the training loss did not fall either; a lower learning_rate may help",
        )
    if _falling(curve.val) and _falling(curve.train[1:]):
        return Verdict(
            "underfitting",
            f"underfitting: both losses were still falling at the end (val {last:.4f}, train {curve.train[-1]:.4f}); more epochs or a higher "
            "learning_rate may help",
        )
    return Verdict("fit", f"fit: val loss levelled off at {last:.4f} and did not turn up")


def _curve(rows: Sequence[Mapping[str, Any]]) -> _Curve:
    trained = [row for row in rows if row["kind"] == "train" and math.isfinite(row["loss"])]
    evaluations = [row for row in rows if row["kind"] == "val" and math.isfinite(row["loss"])]
    steps, val, train, before = [], [], [], 0
    for row in sorted(evaluations, key=lambda row: row["step"]):
        since = [one["loss"] for one in trained if before < one["step"] <= row["step"]]
        if since or row["step"] == 0:
            steps.append(row["step"])
            val.append(row["loss"])
            train.append(_mean(since) if since else math.inf)  # before the first step nothing was trained
        before = row["step"]
    return _Curve(steps, val, train)


def _falling(losses: Sequence[float]) -> bool:
    """Whether the last quarter of a curve brought its share of the whole fall."""
    tail = max(1, len(losses) // 4)
    fall, late = losses[0] - losses[-1], losses[-1 - tail] - losses[-1]
    return len(losses) > 1 and fall > 0 and late > FALLING * fall


def _rising(losses: Sequence[float]) -> bool:
    """Whether a curve rose at every evaluation, of at least two."""
    return len(losses) > 2 and all(one < two for one, two in itertools.pairwise(losses))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
