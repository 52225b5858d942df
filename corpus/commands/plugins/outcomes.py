"""What a check of a plugin ends as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["pass", "fail", "skip"]


@dataclass(frozen=True)
class Outcome:
    """One check: what was looked at, whether it holds, what was seen, and what to change."""

    check: str
    state: State
    seen: str = ""
    change: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Outcome:
        return cls(**values)


class Broken(Exception):
    """The contract is broken: what was seen, and what to change."""

    def __init__(self, seen: str, change: str) -> None:
        super().__init__(seen, change)
        self.seen, self.change = seen, change


class Skipped(Exception):
    """There is nothing here to check, or nothing to check it with."""


Check = Callable[[Any], "str | None"]
"""Takes the plugin as it is tested, returns what it saw; raises Broken or Skipped."""


def shown(text: str, most: int = 60) -> str:
    """A text in a message: quoted, and cut in the middle where it is long.

    >>> shown("a" * 100, 20)
    "'aaaaaaaa … aaaaaaaa' (100 characters)"
    """
    if len(text) <= most:
        return repr(text)
    half = most // 2 - 2
    return f"{text[:half] + ' … ' + text[-half:]!r} ({len(text):,} characters)"
