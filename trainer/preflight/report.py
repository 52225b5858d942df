"""What a run will do, before it does it (law 7): every token counted, what it costs, and three rows as the model will read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from trainer.preflight.estimate import Memory, Time
from trainer.preflight.preview import Preview, colours


@dataclass(frozen=True)
class SplitReport:
    """What one split holds, in rows and tokens."""

    rows: int
    tokens: int
    trained: int
    """Tokens a loss is taken on."""
    masked: int
    """Tokens read but not trained, each row's first among them."""
    too_short: int
    """Rows of a single token, left out: nothing in them can be predicted."""
    longest: int
    packed_rows: int
    """Rows after packing; `rows` where packing is off."""
    efficiency: float
    """Tokens over the token places the model computes; the rest is padding."""

    @property
    def places(self) -> int:
        """Token places the model computes in one pass over the split."""
        return round(self.tokens / self.efficiency) if self.efficiency else 0


@dataclass(frozen=True)
class Preflight:
    """What a run will do."""

    corpus: str
    fingerprint: str
    model: str
    max_length: int
    packing: bool
    splits: dict[str, SplitReport]
    steps: int
    steps_per_epoch: int
    warmup_steps: int
    tokens_per_step: int
    """Trained tokens in a mean optimiser step."""
    parameters: int
    """Numbers in the base model."""
    trainable: int
    """Numbers the optimiser moves."""
    memory: Memory
    time: Time
    previews: tuple[Preview, ...]
    """Rows of the train split."""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values, the sums included."""
        values = asdict(self)
        values["memory"] |= {"total": self.memory.total, "evaluating": self.memory.evaluating}
        return values

    def lines(self, *, colour: bool | None = None) -> Iterator[str]:
        """For people; coloured where stderr is a terminal, unless said otherwise."""
        yield f"{self.corpus} on {self.model}: {self.steps} steps of about {self.tokens_per_step:,} trained tokens"
        for name, split in self.splits.items():
            packed = f", packed into {split.packed_rows:,}" if self.packing else ""
            short = f", {split.too_short:,} rows of one token left out" if split.too_short else ""
            yield (
                f"  {name}: {split.rows:,} rows{packed} ({split.efficiency:.0%} full), {split.tokens:,} tokens: "
                f"{split.trained:,} trained, {split.masked:,} masked, 0 cut (longest {split.longest:,} of {self.max_length:,}){short}"
            )
        yield (
            f"  trains all {self.parameters:,} numbers of the base"
            if self.trainable == self.parameters
            else f"  trains {self.trainable:,} numbers beside the {self.parameters:,} of the base ({self.trainable / self.parameters:.2%})"
        )
        yield from self.memory.lines()
        yield from self.time.lines()
        for preview in self.previews:
            yield from preview.lines(colour=colours() if colour is None else colour)
        for warning in self.warnings:
            yield f"warning: {warning}"
