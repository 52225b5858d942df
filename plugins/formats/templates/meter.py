"""What a template may use up while it renders: steps, characters, and, as a last resort, seconds.

Steps are counted where a template can spend time: in the body of each loop and macro, at each call and filter, and by the size of what an
operator or a filter makes or reads. They depend on the template and the conversation alone, so a refusal is the same on every machine. Only a clock
stops what steps do not foresee; it is read at each step, and no single operation between two steps may be large.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

STEPS = 50_000
"""For a template, and …"""
STEPS_A_TURN = 2_000
"""… for each turn it shows; real templates take 5 to 40 a turn."""
SIZE = 1 << 20
"""Characters that one value may have, beside eight times what the conversation has; an entry of a list counts as eight."""
SECONDS = 10.0
"""The last resort."""
ENTRY = 8


class TemplateFault(ValueError):
    """A template that cannot be read, does what is not allowed, or takes too much."""


@dataclass
class Meter:
    """What is left of one rendering."""

    steps: int = STEPS
    size: int = SIZE
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    allowed: int = STEPS

    @classmethod
    def of(cls, turns: int, characters: int) -> Meter:
        """For a conversation of so many turns and characters."""
        steps = STEPS + STEPS_A_TURN * turns + characters // ENTRY
        return cls(steps=steps, size=SIZE + 8 * characters, allowed=steps)

    def tick(self, steps: int = 1) -> None:
        """Count steps. Raises TemplateFault where none are left."""
        self.steps -= steps
        if self.steps < 0:
            raise TemplateFault(
                f"it takes more than {self.allowed:,} steps: it loops for ever, or far longer than a chat template needs"
            )
        if time.monotonic() > self.until:
            raise TemplateFault(f"it takes more than {SECONDS:.0f} seconds")

    def room(self, characters: int, what: str) -> None:
        """Count a value about to be made, of so many characters. Raises TemplateFault where it is too large."""
        if characters > self.size:
            raise TemplateFault(
                f"{what} would make {characters:,} characters; at most {self.size:,} are allowed"
            )
        self.tick(1 + characters // 64)

    def weigh(self, value: Any, what: str = "a list") -> Any:
        """The value, counted with all that is in it, as often as it is in it: a list that holds itself twice over is large."""
        if not isinstance(value, list | tuple | dict):
            return value
        weight = entries = 0
        stack: list[Any] = [value]
        while stack:
            one = stack.pop()
            entries += 1
            weight += ENTRY + (len(one) if isinstance(one, str) else 0)
            if weight > self.size:
                raise TemplateFault(f"{what} would hold more than {self.size:,} characters")
            if isinstance(one, dict):
                stack += [*one.keys(), *one.values()]
            elif isinstance(one, list | tuple):
                stack += one
        self.tick(1 + entries // 8)
        return value

    def walk(self, values: Iterable[Any]) -> Iterator[Any]:
        """The values one by one, a step each."""
        for value in values:
            self.tick()
            yield value
