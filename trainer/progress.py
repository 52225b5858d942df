"""What a run says while it runs, on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self


class Progress:
    """A bar with steps, losses, rate and time left; or one line an evaluation."""

    def __init__(self, steps: int, *, done: int = 0, quiet: bool = False) -> None:
        self._steps = steps
        self._done = done
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as Bar,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        if console.is_terminal and not self._quiet:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("training", total=self._steps, completed=self._done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, step: int, loss: float) -> None:
        """One optimiser step done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, description=f"train {loss:.3f}")

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, markup=False)
        else:
            say(line, quiet=self._quiet)


def say(line: str, *, quiet: bool = False) -> None:
    """One line on stderr."""
    if not quiet:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
