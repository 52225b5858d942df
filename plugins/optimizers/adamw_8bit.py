"""AdamW whose two moments are held in 8 bits: a quarter of adamw's state (Dettmers et al. 2022, 8-bit Optimizers via Block-wise
Quantization).

Tensors below 4096 numbers keep float32 moments, and so do embeddings, whose gradients are too uneven (the paper's section 2.3 asks for a
stable embedding; transformers does the same as here).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, ClassVar

from plugins.optimizers.adam import Moments
from schemas.errors import missing_extra


class AdamW8bit(Moments):
    """AdamW with both moments in 8 bits, by bitsandbytes: a quarter of the state's memory, nearly the same steps."""

    name: ClassVar[str] = "adamw-8bit"
    requires: ClassVar[tuple[str, ...]] = ("torch", "bitsandbytes")

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used here; None where it can."""
        if find_spec("bitsandbytes") is None:
            return str(missing_extra("qlora", "the optimiser adamw-8bit (bitsandbytes not installed)"))
        return None

    @property
    def state_bytes(self) -> float:
        """Two bytes, and two float32 scales for every 256 numbers."""
        return 2 + 8 / 256

    def make(self, groups: list[dict[str, Any]], *, learning_rate: float, weight_decay: float) -> Any:
        """`bitsandbytes.optim.AdamW8bit`."""
        import bitsandbytes

        return bitsandbytes.optim.AdamW8bit(groups, **self.options(learning_rate, weight_decay))
