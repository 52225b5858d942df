"""How long a run may work and how many tokens it may train on: a run ends after the step that passes either."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.recipe import Train
from trainer.watching.stopping import End


@dataclass(frozen=True)
class Budget:
    """The bounds of [train] that are not counted in steps."""

    minutes: float | None
    """At work: what passes between an interruption and `--resume` does not count."""
    tokens: int | None
    """Trained tokens."""

    @classmethod
    def of(cls, train: Train) -> Budget:
        """As the recipe says."""
        return cls(train.max_minutes, train.max_tokens)

    def end(self, step: int, seconds: float, tokens: int) -> End | None:
        """Why a run that has worked so long must end, or None.

        >>> Budget(minutes=None, tokens=1000).end(7, 30.0, 1024).reason
        'max_tokens = 1,000 is spent: 1,024 tokens are trained after step 7'
        """
        if self.tokens is not None and tokens >= self.tokens:
            return End(
                "tokens",
                f"max_tokens = {self.tokens:,} is spent: {tokens:,} tokens are trained after step {step}",
            )
        if self.minutes is not None and seconds >= 60 * self.minutes:
            return End(
                "minutes",
                f"max_minutes = {self.minutes:g} is spent: {seconds / 60:.3g} minutes are worked after step {step}",
            )
        return None
