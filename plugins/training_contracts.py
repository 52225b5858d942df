"""What a training plugin is: backends load models, optimisers move weights, callbacks watch a run; `plugins/contracts.py` has all kinds.

None of them knows transformers' Trainer: what a plugin sees is plain dicts, torch's parameter groups and the recipe, so that it outlives
the library that runs the loop.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from plugins.plugin import Plugin

if TYPE_CHECKING:
    from schemas.recipe import Train


@dataclass(frozen=True, slots=True)
class Loaded:
    """A base model with an adapter on it, or one to be trained whole, ready for TRL's SFTTrainer."""

    model: Any
    """A transformers model, wrapped by PEFT but with `method = "full"`."""
    tokenizer: Any
    arguments: dict[str, Any] = field(default_factory=dict)
    """Settings of `trl.SFTConfig` this backend needs."""


class Backend(Plugin):
    """Loads base models and puts adapters on them."""

    @classmethod
    @abstractmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used here, with the line that mends it; None where it can. Imports nothing heavy."""

    def prepare(self, device: str = "auto") -> None:
        """Import what must come first, for `device` as the user named it: called before the trainer imports transformers, peft or trl."""

    def check_run(self, train: Train, device: str) -> None:
        """Raise UserError, with what to type, for what `train` asks and this cannot do on `device`, a torch device: called before a run
        begins, and before anything is loaded."""

    @abstractmethod
    def load(
        self,
        model: Path,
        train: Train,
        *,
        max_length: int,
        adapter: Path | None = None,
        device: str = "cpu",
        trainable: bool = True,
    ) -> Loaded:
        """Load the base at `model` with a fresh LoRA as `train.lora` says, or with the one saved at `adapter`; with `method = "full"` the model
        itself, or the one saved at `adapter`.

        `max_length` is the longest row in tokens, `device` a torch device. A fresh LoRA depends on `train.seed` alone.
        """


class Optimizer(Plugin):
    """Moves the weights along their gradients."""

    full_batch: ClassVar[bool] = False
    """Whether a step takes all rows, so that there is one an epoch, whatever batch_size says."""

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used here, with the line that mends it; None where it can. Imports nothing heavy."""
        return None

    @property
    def state_bytes(self) -> float:
        """Bytes it keeps for each number it trains, for the estimate of memory: two float32 moments are 8."""
        return 8.0

    @abstractmethod
    def make(self, groups: list[dict[str, Any]], *, learning_rate: float, weight_decay: float) -> Any:
        """A `torch.optim.Optimizer` over `groups`, torch's parameter groups.

        Each has `params`, and `lr` or `weight_decay` where it differs from the two given; torch's own constructor takes them as they are.
        The schedule multiplies every group's `lr`. Its state must survive `state_dict`, or a run that goes on differs from one never stopped.
        """


class Callback(Plugin):
    """Is told how a run goes, and may end it.

    Rows are those of the journal (`trainer.seeing.journal.METRICS`), as dicts of plain values; they are copies. A method may return a reason, and
    the run ends as if its patience were spent: with the best adapter, and the reason in its record. What a method raises is said and recorded
    once, and never ends the run. State lives in private attributes (`_seen: int = PrivateAttr(0)`), since options are frozen.
    """

    def begin(self, run: Mapping[str, Any]) -> str | None:
        """Called before the first step: `run` ("name/3"), `folder`, `steps` (of the whole run), `step` (0, or the one it goes on after) and
        `rows` (those before)."""
        return None

    def step(self, row: Mapping[str, Any]) -> str | None:
        """Called after every optimiser step with its row of kind train."""
        return None

    def evaluate(self, row: Mapping[str, Any]) -> str | None:
        """Called after every evaluation with its row of kind val; step 0 is the base before training."""
        return None

    def end(self, run: Mapping[str, Any]) -> None:
        """Called once after the last step: as `begin`, with `step` the last one and `reason` why it ended."""
