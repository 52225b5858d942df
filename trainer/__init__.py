"""Version to adapter: train, evaluate, ask. Names are imported when they are used, so that `import trainer` is quick.

run = trainer.train("recipe.toml")        # or trainer.open("hearthside/1")
print(run.chat("The innkeeper looks up."))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.evaluate import Evaluation
    from trainer.runs import Run, open  # noqa: A004  `trainer.open` is the contract
    from trainer.seeing.comparison import listing
    from trainer.sft import train
    from trainer.sweeps import sweep

_WHERE = {
    "train": "trainer.sft",
    "open": "trainer.runs",
    "listing": "trainer.seeing.comparison",
    "sweep": "trainer.sweeps",
    "Run": "trainer.runs",
    "Evaluation": "trainer.evaluate",
}

__all__ = ["Evaluation", "Run", "listing", "open", "sweep", "train"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
