"""A run in pictures, as PNG: `losses.png`, `learning_rate.png` and `grad_norm.png`, 1200 pixels wide and readable at 800.

Drawn on matplotlib's own canvas: no display, no pyplot, no state that another library's figures would meet. Rejected: one
panel of three, which a model card or a report could not take the losses from.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError
from trainer.seeing.journal import Row
from trainer.watching.verdict import verdict

if TYPE_CHECKING:
    from trainer.record import Outcome, RunRecord

RAW, SMOOTH, VAL, SHADE, INK = "#b8c7cf", "#2f6690", "#b5442e", "#b5442e", "#333333"
WIDTH = 100
"""Characters of a note on one line."""
FEWEST = 8
"""Steps below which a smoothed line would say nothing more."""
SPIKES = 20
"""Losses below which all are shown."""


@dataclass(frozen=True)
class Story:
    """What a run's pictures tell."""

    title: str
    rows: Sequence[Row]
    """The journal's (schema `trainer.seeing.journal.METRICS`)."""
    note: str = ""
    """Why it stopped, and what is to be thought of it, under the title."""
    best_step: int | None = None
    """The evaluation whose adapter was kept."""
    overfits_from: int | None = None
    """The step after which training only memorised."""
    clip: float = 0.0
    """`max_grad_norm`; 0 where gradients are left as they are."""

    def of(self, kind: str, column: str) -> tuple[list[int], list[float]]:
        """Steps and the finite values of a column."""
        found = [(row["step"], row[column]) for row in self.rows if row["kind"] == kind]
        shown = [(step, value) for step, value in found if value is not None and math.isfinite(value)]
        return [step for step, _ in shown], [value for _, value in shown]


def story_of(record: RunRecord, outcome: Outcome, rows: Sequence[Row]) -> Story:
    """The pictures' story of a run that ended so."""
    judged = verdict(rows)
    vals = [row for row in rows if row["kind"] == "val" and math.isfinite(row["loss"])]
    turned = judged is not None and judged.name == "overfitting"
    return Story(
        title=f"{record.run}: {record.base.name} on {record.corpus}",
        rows=rows,
        note=". ".join([outcome.stop_reason, *([judged.sentence] if judged else [])]),
        best_step=outcome.best_step if outcome.kept == "best" else None,
        overfits_from=min(vals, key=lambda row: row["loss"])["step"] if turned else None,
        clip=float(record.train.get("max_grad_norm") or 0.0),
    )


def draw(story: Story, folder: Path) -> list[Path]:
    """Draw what there is to draw into `folder`; returns the files. A picture appears whole or not at all."""
    drawn = []
    for name, picture in (("losses", _losses), ("learning_rate", _rates), ("grad_norm", _norms)):
        figure, axes = _figure(height=4.6 if name == "losses" else 3.4)
        if picture(axes, story):
            _frame(axes, story, note=name == "losses")
            drawn.append(_save(figure, folder / f"{name}.png"))
    return drawn


def draw_together(
    curves: Mapping[str, Sequence[Row]], path: Path, *, title: str, best: str | None = None
) -> None:
    """Val losses of several runs over trained tokens, which runs of other batch sizes share; `best` is drawn bold."""
    from matplotlib import colormaps

    figure, axes = _figure(height=4.6)
    colours = colormaps["viridis"]
    for n, (name, rows) in enumerate(curves.items()):
        points = [
            (row["tokens"], row["loss"])
            for row in rows
            if row["kind"] == "val" and math.isfinite(row["loss"])
        ]
        if points:
            wide = (
                {"lw": 2.4, "marker": "o", "ms": 5} if name == best else {"lw": 1.2, "marker": ".", "ms": 5}
            )
            axes.plot(*zip(*points, strict=True), color=VAL if name == best else colours(0.85 * n / len(curves)), label=name, **wide)  # fmt: skip
    axes.set_ylabel("val loss (nats per token)")
    _frame(axes, Story(title, ()), note=False, x="trained tokens")
    _save(figure, path)


def smoothed(values: Sequence[float]) -> list[float]:
    """An exponential moving average over about a tenth of the values, without the pull of its start (Kingma & Ba 2015, section 3).

    >>> smoothed([3.0, 3.0, 3.0])
    [3.0, 3.0, 3.0]
    """
    keep = 1 - 2 / (max(5, len(values) // 10) + 1)
    average, found = 0.0, []
    for n, value in enumerate(values, 1):
        average = keep * average + (1 - keep) * value
        found.append(round(average / (1 - keep**n), 12))
    return found


def _losses(axes: Any, story: Story) -> bool:
    steps, losses = story.of("train", "loss")
    vals, val_losses = story.of("val", "loss")
    if not losses and not val_losses:
        return False
    _line(axes, steps, losses, "train")
    axes.plot(vals, val_losses, color=VAL, lw=2, marker="o", ms=4, label="val" if vals else "_")
    kept = dict(zip(vals, val_losses, strict=True)).get(-1 if story.best_step is None else story.best_step)
    if kept is not None:
        axes.plot([story.best_step], [kept], color=VAL, marker="o", ms=11, mfc="none", mew=2, ls="none",
                  label=f"kept: {kept:.3f} at step {story.best_step}")  # fmt: skip
    last = max([*steps, *vals])
    if story.overfits_from is not None and story.overfits_from < last:
        axes.axvspan(story.overfits_from, last, color=SHADE, alpha=0.09, lw=0, label="overfitting")
    axes.set_ylabel("loss (nats per token)")
    _keep_in_sight(axes, [*losses, *val_losses])
    return True


def _rates(axes: Any, story: Story) -> bool:
    steps, rates = story.of("train", "learning_rate")
    if not rates:
        return False
    axes.plot(steps, rates, color=SMOOTH, lw=2, marker=_dots(rates))
    peak = max(rates)
    axes.plot([], [], " ", label=f"peak {peak:.2g} at step {steps[rates.index(peak)]}, last {rates[-1]:.2g}")
    axes.set_ylim(0, 1.12 * peak or 1)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    axes.set_ylabel("learning rate")
    return True


def _norms(axes: Any, story: Story) -> bool:
    steps, norms = story.of("train", "grad_norm")
    if not norms:
        return False
    _line(axes, steps, norms, "before clipping")
    if story.clip:
        over = sum(norm > story.clip for norm in norms) / len(norms)
        told = f"clipped at {story.clip:g}: {over:.0%} of the steps"
        if max(norms) * 3 >= story.clip:
            axes.axhline(story.clip, color=VAL, lw=1.2, ls="--", label=told)
        else:
            axes.plot([], [], " ", label=f"{told} (above the frame)")
    if min(norms) > 0 and max(norms) / min(norms) > 50:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_ylabel("gradient norm")
    return True


def _line(axes: Any, steps: list[int], values: list[float], name: str) -> None:
    """Each step pale, and over it the smoothed line."""
    few = len(values) < FEWEST
    axes.plot(steps, values, color=SMOOTH if few else RAW, lw=1.8 if few else 1, marker=_dots(values), label=f"{name}, each step" if values else "_")  # fmt: skip
    if not few:
        axes.plot(steps, smoothed(values), color=SMOOTH, lw=2, label=f"{name}, smoothed")


def _dots(values: list[float]) -> str:
    """A mark for each of a few values: a line through one is none."""
    return "." if len(values) < FEWEST else ""


def _keep_in_sight(axes: Any, values: list[float]) -> None:
    """A spike a hundred times as high would press the rest flat: it leaves the frame, and the legend says so.

    Of a few values none is a spike: what stands above the rest is where the run began.
    """
    if len(values) < SPIKES:
        return
    ordered = sorted(values)
    low, high = ordered[0], ordered[int(0.9 * (len(ordered) - 1))]
    room = max(high - low, 1e-3)
    if ordered[-1] > high + 4 * room:
        out = sum(value > high + room for value in values)
        axes.set_ylim(low - 0.1 * room, high + room)
        axes.plot([], [], " ", label=f"{out} above the frame, up to {ordered[-1]:.3g}")


def _figure(*, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _frame(axes: Any, story: Story, *, note: bool, x: str = "optimiser step") -> None:
    """What all pictures share: title, note, axes, legend."""
    from matplotlib.ticker import MaxNLocator

    lines = textwrap.wrap(story.note, WIDTH, max_lines=3, placeholder=" …") if note else []
    axes.set_title(story.title + "\n" * len(lines), fontsize=12, color=INK, loc="left", pad=8)
    if lines:
        axes.annotate("\n".join(lines), (0, 1), xytext=(0, 6), xycoords="axes fraction", textcoords="offset points",
                      fontsize=9, color=INK, va="bottom", linespacing=1.25)  # fmt: skip
    axes.set_xlabel(x, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.25)
    axes.margins(x=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)


def _save(figure: Any, path: Path) -> Path:
    if not path.parent.is_dir():
        raise UserError(
            f"there is no folder {path.parent} to draw {path.name} in. Make it: mkdir -p {path.parent}"
        )
    temporary = path.with_name(f".{path.name}.tmp")
    figure.savefig(temporary, dpi=150, format="png")
    temporary.replace(path)
    return path
