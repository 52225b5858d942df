"""What a run says while it runs, on stderr: one bar on a terminal, plain lines elsewhere.

It follows the journal, so it shows the numbers that are written. The time left counts the evaluations that are still due, at the
length the last ones had: with a long val split they can take longer than the steps.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

RECENT = 20
"""Steps the rate and the time left are taken over."""
HIDDEN = 64
"""Columns below which the line says it all without a bar."""


class Progress:
    """A bar with step, losses, tokens a second and time left; or one line an evaluation."""

    def __init__(self, steps: int, *, done: int = 0, every: int | None = None, quiet: bool = False) -> None:
        """`every` is the number of steps between evaluations; without it the time left counts none."""
        self._steps = steps
        self._done = done
        self._every = every
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._train: float | None = None
        self._val: float | None = None
        self._doing = ""
        self._before: Mapping[str, Any] | None = None
        self._paces: deque[tuple[int, float]] = deque(maxlen=RECENT)
        self._evaluations: deque[float] = deque(maxlen=3)

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, Progress as Bar, TextColumn

        console = Console(stderr=True)
        if console.is_terminal and not console.is_dumb_terminal and not self._quiet:
            bar = (BarColumn(bar_width=None),) if console.width >= HIDDEN else ()
            columns = (
                TextColumn("step {task.completed}/{task.total}"),
                *bar,
                TextColumn("{task.description}", markup=False),
            )
            self._bar = Bar(*columns, console=console, transient=True, expand=bool(bar), refresh_per_second=4)
            self._bar.start()
            self._task = self._bar.add_task("the first step", total=self._steps, completed=self._done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def see(self, row: Mapping[str, Any]) -> None:
        """A row of the journal, as it is added."""
        if self._before is not None:
            taken = row["seconds"] - self._before["seconds"]
            if row["kind"] == "train":
                self._paces.append((row["tokens"] - self._before["tokens"], taken))
            else:
                self._evaluations.append(taken)
        self._before = row
        if row["kind"] == "train":
            self.step(row["step"], row["loss"])
        else:
            self._val = row["loss"]
            self._doing = ""
            self._show()

    def step(self, step: int, loss: float) -> None:
        """One optimiser step done."""
        self._done, self._train, self._doing = step, loss, ""
        self._show()

    def evaluating(self, done: int, rows: int) -> None:
        """An evaluation is at work, and has measured so many of its rows."""
        self._doing = f"evaluating {done}/{rows}"
        self._show()

    @property
    def rate(self) -> float | None:
        """Trained tokens a second over the last steps, evaluations left out."""
        seconds = sum(taken for _, taken in self._paces)
        return sum(tokens for tokens, _ in self._paces) / seconds if seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds to the last step, the evaluations still due among them; None before the first step is timed."""
        if not self._paces:
            return None
        pace = sum(taken for _, taken in self._paces) / len(self._paces)
        evaluation = sum(self._evaluations) / len(self._evaluations) if self._evaluations else 0.0
        return pace * (self._steps - self._done) + evaluation * self._due()

    def line(self) -> str:
        """Where the run is, for a line that stays: step, losses, rate, time left."""
        self._doing = ""
        width = len(str(self._steps))
        return f"step {self._done:>{width}}/{self._steps}  {self._told(4)}"

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            say(line, quiet=self._quiet)

    def _due(self) -> int:
        """Evaluations after the present step: every so many steps, and after the last."""
        if not self._every or self._done >= self._steps:
            return 0
        return self._steps // self._every - self._done // self._every + bool(self._steps % self._every)

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, description=self._told(3))

    def _told(self, digits: int) -> str:
        losses = (("train", self._train), ("val", self._val))
        parts = [f"{kind} loss {loss:.{digits}f}" for kind, loss in losses if loss is not None]
        if self._bar is not None and digits == 3:  # a bar has no room to spare
            parts = [part.replace(" loss", "") for part in parts]
        if self._doing:
            return "  ".join([*parts, self._doing])
        if self.rate is not None:
            parts.append(f"{self.rate:,.0f} tok/s")
        if self.left is not None and self._done < self._steps:
            parts.append(f"{clock(self.left)} left")
        return "  ".join(parts)


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def say(line: str, *, quiet: bool = False) -> None:
    """One line on stderr."""
    if not quiet:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
