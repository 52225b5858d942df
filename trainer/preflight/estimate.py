"""What a run will take, before anything is loaded: memory by parts, each with its formula in words, and time.

Counted for the portable path (PEFT over transformers with memory-efficient attention, and a head computed in chunks); unsloth's kernels take
less. Activations follow Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large Transformer Models", section 4) with what
their 34 s b h became in the models of today: no dropout in between, gated feed-forward networks, no attention matrix. They are
read off the linear layers, so grouped-query attention and odd widths need no case of their own. docs/preflight.md holds the
formulas, and compares them with measurements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from plugins.backends.lora import recomputes
from plugins.contracts import Optimizer
from plugins.specs import PluginSpec
from schemas.recipe import Train
from trainer.evaluation.measure import SLICE
from trainer.preflight.machine import Machine
from trainer.preflight.shape import Shape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4 = 0.5 + 0.127 / 8
"""Bytes a number in 4-bit NF4 with doubly quantised block constants (Dettmers et al. 2023, QLoRA, section 3: 0.127 bits a number)."""
HEAD_CHUNK = 256
"""Tokens whose logits TRL's chunked loss holds at a time (trl.trainer.sft_trainer, 1.14)."""
LOSS = 24
"""Bytes that chunked loss takes for each logit beside the logit itself: its float32 copy, log-softmax, entropy and their gradients."""
LIBRARIES = {"cpu": 1.1e9, "gpu": 0.8e9}
"""Bytes that torch, transformers and TRL take themselves: in main memory (measured, with what the allocator does not give
back); on a GPU the CUDA context and its kernels."""
FAR = 2.0
"""More than so many times the free memory is an error and no warning: no estimate is that wrong."""


@dataclass(frozen=True)
class Part:
    """One part of the memory."""

    name: str
    bytes: int
    formula: str


@dataclass(frozen=True)
class Memory:
    """The memory of a run at its peak, on one device."""

    parts: tuple[Part, ...]
    """They stand together in memory while a micro-batch is computed."""
    evaluation: Part
    """What an evaluation needs beside what stays."""
    available: int
    machine: str

    @property
    def fixed(self) -> int:
        """What stays in memory between passes."""
        return sum(part.bytes for part in self.parts if part.name not in PASSING)

    @property
    def total(self) -> int:
        """The peak while training."""
        passing = sum(part.bytes for part in self.parts if part.name in PASSING)
        return self.fixed + passing

    @property
    def evaluating(self) -> int:
        """The peak while val is measured."""
        return self.fixed + self.evaluation.bytes

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"  memory: about {size(self.total)}, of {size(self.available)} that {self.machine} has"
        for part in (*self.parts, self.evaluation):
            yield f"    {part.name:<12}{size(part.bytes):>9}  {part.formula}"


PASSING = ("activations", "logits")


@dataclass(frozen=True)
class Time:
    """How long a run will take."""

    seconds: float
    basis: str

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"  time: about {duration(self.seconds)}, give or take a factor of two; {self.basis}"


def trainable_parameters(shape: Shape, train: Train) -> int:
    """Numbers the optimiser moves: all of them, or A and B of each adapted layer (and DoRA's length of each output)."""
    if train.method == "full":
        return shape.parameters
    return sum(
        train.lora.r * (outputs + inputs) + (outputs if train.lora.dora else 0)
        for outputs, inputs in shape.adapted(train.lora).values()
    )


def state_bytes(train: Train, optimizer: PluginSpec | None) -> float:
    """Bytes of optimiser state for each trained number: what the plugin says, or, of transformers' own optimisers, what their names say."""
    if optimizer is not None:
        plugin = optimizer.make()
        assert isinstance(plugin, Optimizer)
        return plugin.state_bytes
    use = train.optimizer.use.lower()
    if "adafactor" in use:
        return 0.02
    states = 1 if any(name in use for name in ("lion", "rmsprop", "adagrad", "sgd")) else 2
    return states * (0.52 if "4bit" in use else 1.02 if "8bit" in use else 4)


def memory(
    shape: Shape,
    train: Train,
    machine: Machine,
    precision: str,
    *,
    tokens: int,
    length: int,
    eval_tokens: int,
    optimizer: PluginSpec | None = None,
) -> Memory:
    """The memory of a run whose passes have `tokens` token places in rows of `length`, and its evaluation passes `eval_tokens`."""
    number = BYTES[precision]
    trained = trainable_parameters(shape, train)
    states = state_bytes(train, optimizer)
    gpu = machine.device != "cpu"
    parts = [
        _weights(shape, train, precision),
        Part("gradients", 4 * trained, f"{trained:,} trained numbers x 4 bytes (float32)"),
        Part("optimiser", int(states * trained), f"{trained:,} trained numbers x {states:.3g} bytes ({train.optimizer.use})"),
        _activations(shape, train, precision, tokens, length, checkpointing=recomputes(train, machine.device)),
        Part("logits", HEAD_CHUNK * shape.vocab * (number + LOSS), f"{HEAD_CHUNK} tokens x {shape.vocab:,} words x {number + LOSS} bytes (logits; softmax, entropy and gradients in float32)"),
        Part("libraries", int(LIBRARIES["gpu" if gpu else "cpu"]), "the CUDA context and its kernels" if gpu else "Python, torch, transformers, TRL"),
    ]  # fmt: skip
    if train.method == "lora":
        parts.insert(1, Part("adapter", 4 * trained, f"{trained:,} trained numbers x 4 bytes (float32)"))
    logits = eval_tokens * shape.vocab * 2 * number + min(eval_tokens, SLICE) * shape.vocab * 8
    through = eval_tokens * number * (4 * shape.hidden + 3 * shape.width)
    evaluation = Part(
        "evaluation",
        logits + through,
        f"{eval_tokens:,} token places x {shape.vocab:,} words x {2 * number} bytes (logits and a copy), and one layer's pass",
    )
    return Memory(tuple(parts), evaluation, machine.memory, machine.name)


def _weights(shape: Shape, train: Train, precision: str) -> Part:
    number, count = BYTES[precision], shape.parameters
    if train.method == "full":
        copies = number if number < 4 else 0
        more = f" + {copies} bytes for the {precision} copies of a pass" if copies else ""
        return Part("weights", (4 + copies) * count, f"{count:,} numbers x 4 bytes (float32){more}")
    if train.quantization == "4bit":
        small, rest = shape.linear_parameters, count - shape.linear_parameters
        told = f"{small:,} numbers of linear layers x {NF4:.3f} bytes (NF4) + {rest:,} others x {number} bytes ({precision})"
        return Part("weights", int(NF4 * small) + number * rest, told)
    return Part("weights", number * count, f"{count:,} numbers x {number} bytes ({precision})")


def block_bytes(shape: Shape, train: Train, precision: str, length: int) -> float:
    """Bytes of activations that one block keeps for each token of rows of `length`, for its backward pass.

    Outputs of its linear layers but the two that end in the residual stream; attention's output; what the two norms hand on; the gate's
    activation and the product behind it; the norms' inputs in float32. Packed rows have a mask, as numbers of
    length x length in each block, and grouped keys and values are repeated for each head. With LoRA in 16 bits each adapted layer casts
    its input for itself; dropout keeps its mask and its result.
    """
    number = BYTES[precision]
    outputs = sum(sides[0] for sides in shape.linear.values()) / shape.layers - 2 * shape.hidden
    kept = number * (outputs + shape.queries + 2 * shape.hidden + 2 * shape.width) + 8 * shape.hidden
    if train.packing:
        kept += number * (length + 2 * (shape.queries - shape.keys))
    if train.method == "lora":
        inputs = sum(sides[1] for sides in shape.adapted(train.lora).values()) / shape.layers
        kept += inputs * ((number if number < 4 else 0) + (5 if train.lora.dropout else 0))
    return kept


def _activations(
    shape: Shape, train: Train, precision: str, tokens: int, length: int, *, checkpointing: bool
) -> Part:
    number, block = BYTES[precision], block_bytes(shape, train, precision, length)
    # While one block is gone back through, the gradients of its two widest activations stand beside it.
    working = 2 * number * shape.width
    dequantised = 2 * shape.width * shape.hidden if train.quantization == "4bit" else 0
    if checkpointing:
        held = tokens * (shape.layers * number * shape.hidden + block + working)
        told = f"{tokens:,} tokens x ({shape.layers} layers x {shape.hidden:,} x {number} bytes kept + {block + working:,.0f} bytes of the one that is computed again)"
    else:
        held = tokens * (shape.layers * block + working)
        told = f"{tokens:,} tokens x ({shape.layers} layers x {block:,.0f} bytes + {working:,.0f} bytes of gradients)"
    return Part(
        "activations", int(held) + dequantised, told + (" + one matrix in 16 bits" if dequantised else "")
    )


def run_time(
    shape: Shape, train: Train, machine: Machine, *, steps: int, places: float, eval_places: int, length: int
) -> Time:
    """How long `steps` steps of `places` token places take, and the evaluations of `eval_places` between them.

    A token costs two operations for each number of the matrices it passes, forward; as many again backward for the gradient
    of what goes through, again for that of the weights where they are trained, and again forward where activations
    are computed twice (Kaplan et al. 2020, section 2.1; Korthikanti et al. 2022, appendix A).
    """
    head, attention = 2 * shape.vocab * shape.hidden, 4 * length * shape.hidden * shape.layers
    matrices = 2 * shape.linear_parameters
    backward = 2 if train.method == "full" else 1
    again = 1 if recomputes(train, machine.device) else 0
    step = places * (matrices * (1 + backward + again) + attention * (3 + again) + head * (2 + backward))
    evaluations = math.ceil(steps / train.eval_every) + 1 if eval_places else 0
    measuring = evaluations * eval_places * (matrices + attention + head)
    seconds = (steps * step + measuring) / machine.reached
    basis = (
        f"{steps:,} steps of {step / 1e12:,.3g} TFLOP and {evaluations:,} evaluations of {measuring / max(1, evaluations) / 1e12:,.3g}, "
        f"at {machine.reached / machine.speed:.0%} of {machine.basis}"
    )
    if train.max_minutes is not None and seconds > 60 * train.max_minutes:
        return Time(
            60 * train.max_minutes, f"max_minutes ends it; all steps would take {duration(seconds)}: {basis}"
        )
    return Time(seconds, basis)


def size(count: float) -> str:
    """Bytes for people.

    >>> size(512_000_000), size(14_500_000_000)
    ('512 MB', '14.5 GB')
    """
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(42), duration(600), duration(9000)
    ('42 s', '10 min', '2 h 30 min')
    """
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
