"""Ctrl-C and SIGTERM while a run trains: the first is noted, so that the run ends after its step with a checkpoint; the second ends it at once.

Rejected: raising where the signal finds the program, which may be between a step's gradient and its update, or in a half-written file.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Interrupt:
    """Whether the run was asked to end."""

    signal: int | None = None
    """The number of the first signal."""

    @property
    def exit_code(self) -> int:
        """As a shell reports it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def listening(say: Callable[[str], None]) -> Iterator[Interrupt]:
    """Note the first signal and `say` what comes of it; a second goes to whoever listened before. Only in the main thread."""
    noted = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if noted.signal is None:
            noted.signal = number
            with suppress(RuntimeError):  # it came amid a line that is being written
                say(
                    "interrupted: the run ends after this step with a checkpoint; once more to end at once, without"
                )
            return
        for each, handler in before.items():
            signal.signal(each, handler)
        handler = before[number]
        if callable(handler):
            handler(number, frame)
        else:
            signal.raise_signal(number)

    for number in map(int, SIGNALS):
        # Who started it may have told it to ignore one (nohup, a shell's background job), and means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
