"""When a run is beyond saving: its training loss is no number, or stays far above what it was.

A spike of one batch is common and passes (Chowdhery et al. 2022, PaLM, 5.1, counts some twenty in one run); so the loss must be `spike` nats above the
median of the last `window` good steps for `patience` steps in a row. Bad steps do not enter the median: a run that settled on a worse level stays
bad. Rejected: a multiple of the loss, which at a loss of 0.1 calls noise a catastrophe; the norm of the gradient, which is clipped.

While the loss is bad, no checkpoint is written (`doubtful`), so that those that stand stay those from before.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

from schemas.recipe_train import Divergence
from trainer.watching.stopping import End


@dataclass
class Divergences:
    """Sees the loss of every step, in nats per trained token."""

    rule: Divergence | None
    """None: only a loss that is no number ends the run."""
    first: int | None = None
    """The first bad step in a row; the weights that made its loss are those after the step before."""
    bad: int = 0
    _good: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self._good = deque(maxlen=self.rule.window if self.rule else 1)

    @property
    def doubtful(self) -> bool:
        """Whether the last step was bad."""
        return self.bad > 0

    def see(self, step: int, loss: float) -> End | None:
        """Take note of a step's loss; why the run must end, where it must."""
        if not math.isfinite(loss):
            self.first, self.bad = self.first if self.bad else step, self.bad + 1
            return End(
                "diverged",
                f"the run diverged: the training loss became {loss} at step {step}; {self._hint()}",
            )
        usual = median(self._good) if self._good else loss
        if self.rule is None or loss - usual <= self.rule.spike:
            self._good.append(loss)
            self.first, self.bad = None, 0
            return None
        self.first, self.bad = self.first if self.bad else step, self.bad + 1
        if self.bad < self.rule.patience:
            return None
        return End(
            "diverged",
            f"the run diverged: the training loss was {loss:.2f} at step {step} and more than {self.rule.spike:g} nats above its median of "
            f"{usual:.2f} for {self.bad} steps; {self._hint()}",
        )

    def lost(self, step: int, what: str) -> End:
        """The run must end because of what its last update did: `what` was found of the weights after `step`, whose own loss was good."""
        self.first, self.bad = self.first if self.bad else step + 1, self.bad + 1
        return End("diverged", f"the run diverged: {what} after step {step}; {self._hint()}")

    def _hint(self) -> str:
        return "a lower learning_rate, a longer warmup or a smaller max_grad_norm may help"
