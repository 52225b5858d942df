"""`losses.png`: training and validation loss over the steps, with the adapter that was kept marked."""

from __future__ import annotations

from pathlib import Path

from trainer.journal import Journal

TRAIN, VAL, INK = "#9db4c0", "#b5442e", "#333333"


def draw(journal: Journal, path: Path, *, title: str, best_step: int | None, note: str) -> None:
    """Draw the losses of a run; `note` stands under the title. Uses no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    train, val = list(journal.of("train")), list(journal.of("val"))
    axes.plot(
        [row["step"] for row in train],
        [row["loss"] for row in train],
        color=TRAIN,
        lw=1.6,
        label="train, each step",
    )
    if val:
        axes.plot(
            [row["step"] for row in val],
            [row["loss"] for row in val],
            color=VAL,
            lw=2,
            marker="o",
            ms=4,
            label="val",
        )
    kept = next((row for row in val if row["step"] == best_step), None)
    if kept:
        axes.axvline(kept["step"], color=VAL, lw=1, ls=":")
        axes.plot([kept["step"]], [kept["loss"]], color=VAL, marker="o", ms=11, mfc="none", mew=2, ls="none",
                  label=f"best: {kept['loss']:.3f} at step {kept['step']}")  # fmt: skip
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("loss (nats per trained token)")
    axes.set_title(f"{title}\n", fontsize=13, color=INK, loc="left")
    axes.text(0, 1.02, note, transform=axes.transAxes, fontsize=9, color=INK)
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=120, format="png")
    temporary.replace(path)
