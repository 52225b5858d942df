"""What a person sees while a build runs: a bar with counts, rate and time left on a terminal, plain lines elsewhere.

Everything goes to stderr: stdout belongs to data.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

EVERY = 10.0
"""Seconds between plain lines."""


class Meter(Protocol):
    """Counts one phase's work."""

    def advance(self, amount: int) -> None: ...


@dataclass
class Progress:
    """Reports phases and remembers how long each took."""

    quiet: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def say(self, line: str) -> None:
        """One line of talk."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; one that is entered again adds up."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    @contextmanager
    def line(self, name: str) -> Iterator[Callable[[str], None]]:
        """What long work without a known end says of itself: one line that is replaced on a terminal, now and then a line elsewhere."""
        if self.quiet:
            yield lambda _line: None
        elif sys.stderr.isatty():
            from rich.console import Console
            from rich.text import Text

            with Console(stderr=True).status(Text(name)) as status:
                yield lambda line: status.update(Text(f"{name:<9} {line}"))
        else:
            yield _now_and_then(name)

    @contextmanager
    def meter(self, name: str, total: int, unit: str) -> Iterator[Meter]:
        """A bar for `total` units of work."""
        if self.quiet or total == 0:
            yield _Silent()
        elif sys.stderr.isatty():
            with _bar(name, total, unit) as bar:
                yield bar
        else:
            lines = _Lines(name, total, unit)
            yield lines
            lines.end()


def _now_and_then(name: str) -> Callable[[str], None]:
    last = -EVERY

    def tell(line: str) -> None:
        nonlocal last
        if (now := time.perf_counter()) - last >= EVERY:
            last = now
            print(f"{name:<9} {line}", file=sys.stderr, flush=True)

    return tell


class _Silent:
    def advance(self, amount: int) -> None:
        """Nobody is looking."""


class _Lines:
    """For logs: a line every few seconds, and one at the end."""

    def __init__(self, name: str, total: int, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done = 0
        self.start = self.last = time.perf_counter()

    def advance(self, amount: int) -> None:
        self.done += amount
        now = time.perf_counter()
        if now - self.last >= EVERY and self.done < self.total:
            self.last = now
            rate = self.done / (now - self.start)
            left = (self.total - self.done) / rate if rate else 0
            print(
                f"{self.name:<9} {self.done:>9,} of {self.total:,} {self.unit}, {rate:,.1f}/s, {left:,.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    def end(self) -> None:
        seconds = time.perf_counter() - self.start
        rate = self.done / seconds if seconds > 0 else 0
        print(
            f"{self.name:<9} {self.done:>9,} {self.unit} in {seconds:,.1f} s, {rate:,.1f}/s",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def _bar(name: str, total: int, unit: str) -> Iterator[Meter]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress as Bars,
        ProgressColumn,
        Task as BarTask,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class _Rate(ProgressColumn):
        def render(self, task: BarTask) -> Text:
            return Text(f"{task.completed / task.elapsed if task.elapsed else 0:,.1f}/s")

    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        _Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(name, total=total)

        class Bar:
            def advance(self, amount: int) -> None:
                bars.advance(task, amount)

        yield Bar()
