"""What TRL's trainer is told about checkpoints: written by ours, and read back whole, random numbers included.

Mixed in before `trl.SFTTrainer`, of which it replaces the five methods that write and read a training state; their names are transformers' own, and the
tests that compare a resumed run with one never stopped fail where one of them is no longer called. The trainer's loop goes through the rows it
has skipped itself, and asks for the random numbers after that.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.backends.base import check_weights
from schemas.errors import Mismatch
from trainer.watching.saved_state import read_state, write_state

if TYPE_CHECKING:
    from trainer.watching.watch import Watch

WEIGHTS = "adapter"
"""The folder of the weights in a checkpoint: as the run's own adapter lies."""
TRAINER = "trainer_state.json"
"""transformers' own: step, epoch, log."""


class Resumable:
    """The mixed-in part; what it uses of transformers' Trainer is declared here."""

    watch: Watch | None
    args: Any
    model: Any
    state: Any
    optimizer: Any
    lr_scheduler: Any
    accelerator: Any

    def restore(self, adapter: Path) -> None:
        """Put saved weights back into the model at hand."""
        check_weights(adapter)  # else transformers and PEFT would look for a pickle
        super()._load_from_checkpoint(str(adapter))  # type: ignore[misc]

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Called by every process, since each has random numbers of its own; the main one writes."""
        state = {
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.lr_scheduler.state_dict(),
            "scaler": self._scaler.state_dict() if self._scaler is not None else None,
            "random": self._all_random_numbers(),
        }

        if self.watch is None:
            return
        save = self.watch.save

        def fill(folder: Path) -> None:
            save(folder / WEIGHTS)
            write_state(folder, state)
            self.state.save_to_json(str(folder / TRAINER))

        self.watch.checkpoint(self.state.global_step, fill)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        check_weights(Path(resume_from_checkpoint) / WEIGHTS)
        super()._load_from_checkpoint(str(Path(resume_from_checkpoint) / WEIGHTS), model)  # type: ignore[misc]

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state = read_state(Path(checkpoint))
        self.optimizer.load_state_dict(state["optimizer"])
        self.lr_scheduler.load_state_dict(state["scheduler"])
        if self._scaler is not None and state["scaler"] is not None:
            self._scaler.load_state_dict(state["scaler"])

    def _load_scaler(self, checkpoint: str | None) -> None:
        """None: it lies beside the optimiser's."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        states = read_state(Path(checkpoint))["random"]
        if len(states) != self.args.world_size:
            raise Mismatch(
                f"{checkpoint} was written by {len(states)} processes, and there are {self.args.world_size}: dropout would draw other numbers. "
                f"Go on with as many: gristmill train RECIPE --resume --processes {len(states)}"
            )
        set_random_numbers(states[self.args.process_index])

    @property
    def _scaler(self) -> Any:
        """What float16 scales its gradients by; None for other numbers."""
        return getattr(self.accelerator, "scaler", None)

    def _all_random_numbers(self) -> list[dict[str, Any]]:
        if self.args.world_size == 1:
            return [random_numbers()]
        from accelerate.utils import gather_object

        return list(gather_object([random_numbers()]))


def random_numbers() -> dict[str, Any]:
    """The state of every generator a step may draw from: Python's, numpy's, torch's on the CPU and on each GPU."""
    import numpy as np
    import torch

    numpy = np.random.get_state()  # noqa: NPY002  libraries draw from the old global generator
    state = {"python": random.getstate(), "numpy": numpy, "cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = [one.cpu() for one in torch.cuda.get_rng_state_all()]
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_numbers(state: dict[str, Any]) -> None:
    """Put `random_numbers` back; those of a GPU that is not here are left out."""
    import numpy as np
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002  as above
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available():
        for number, one in enumerate(state.get("cuda", ())[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(one, number)
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(state["mps"])
