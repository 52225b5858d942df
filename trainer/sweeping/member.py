"""One run of a sweep, as `trainer.sft.train` is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugins.contracts import Callback
from plugins.registry import ResolvedRecipe

if TYPE_CHECKING:
    from trainer.runs import Run


@dataclass(frozen=True)
class Member:
    """An ordinary run, but for where its recipe comes from and who else may end it."""

    sweep: int
    """The sweep's number."""
    overrides: Mapping[str, Any]
    """What it puts in place of the recipe's values, by dotted key."""
    text: str
    """The recipe with these values in it: the run's copy."""
    resolved: ResolvedRecipe
    """The same, read."""
    again: str
    """What to type to go on with the sweep."""
    rule: Callback | None = None
    """Ends it early where it falls behind the others."""
    run: Run | None = None
    """Its run, where one was killed and is taken up."""
    brief: bool = False
    """Whether its preflight has been told for another, all but its first line."""

    @property
    def noted(self) -> dict[str, Any]:
        """What its record says of it."""
        return {"sweep": self.sweep, "overrides": dict(self.overrides)}
