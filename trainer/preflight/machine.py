"""The machine a run is meant for: this one, measured, or another by name for a dry run (`--for h100-80gb`).

Of this machine the free memory and the speed of a matrix multiplication of the model's own size are measured; a full step cannot be
tried without loading the model. Of another, the maker's figures stand in a table: memory, and dense peak speed in
bfloat16 (float16 for the T4) without sparsity.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UserError, nearest

KNOWN = {
    "h200-141gb": (141e9, 989e12),
    "h100-80gb": (80e9, 989e12),
    "a100-80gb": (80e9, 312e12),
    "a100-40gb": (40e9, 312e12),
    "l40s-48gb": (48e9, 362e12),
    "a10-24gb": (24e9, 125e12),
    "l4-24gb": (24e9, 121e12),
    "rtx-4090-24gb": (24e9, 165e12),
    "rtx-3090-24gb": (24e9, 71e12),
    "t4-16gb": (16e9, 65e12),
}
"""Name: bytes of memory, floating-point operations a second. From the makers' data sheets."""
REACHED = {"gpu": 0.4, "cpu": 0.6}
"""The share of that speed a whole training step reaches. GPU: the usual model FLOPs utilisation of fine-tuning, .3 to .5 (Chowdhery et al.
2022, PaLM, appendix B, names .46 for pre-training); CPU: measured, see docs/preflight.md."""
TRIAL_SECONDS = 0.1
"""Long enough for the best of several to be that of a quiet moment: the figure is for a machine that does nothing else."""
TRIAL_TOKENS = {"cpu": 64, "gpu": 4096}
"""Rows multiplied. A GPU reads a matrix more slowly than it multiplies few rows by it: an H100 needs about 300 operations for each byte read
(989 TFLOP/s over 3.35 TB/s) to be busy, and 64 rows in bfloat16 are 64, which would show its memory's speed instead."""


@dataclass(frozen=True)
class Machine:
    """What a run may take."""

    name: str
    device: str
    """cpu, cuda or mps."""
    memory: int
    """Bytes that are free for it."""
    speed: float
    """Floating-point operations a second of a large matrix multiplication."""
    basis: str
    """What `speed` rests on, for people."""
    meant: bool = False
    """Another machine than this: nothing of it was measured."""

    @property
    def reached(self) -> float:
        """Operations a second that a training step may reach."""
        return self.speed * REACHED["cpu" if self.device == "cpu" else "gpu"]


def named(name: str) -> Machine:
    """A machine of the table. Raises UserError with the nearest for one that is not in it."""
    if name not in KNOWN:
        raise UserError(
            f'--for "{name}" is no machine known here. {nearest(name, list(KNOWN))} There are: {", ".join(KNOWN)}.'
        )
    memory, speed = KNOWN[name]
    return Machine(
        name,
        "cuda",
        int(memory),
        speed,
        f"{speed / 1e12:,.0f} TFLOP/s on the data sheet of {name}",
        meant=True,
    )


def this_machine(device: str, precision: str, *, hidden: int, width: int) -> Machine:
    """Measure the device: its free memory, and a multiplication of (`trial_tokens`, hidden) by (hidden, width)."""
    memory = free_memory(device)
    speed = multiplications(device, precision, hidden, width)
    basis = f"{speed / 1e9:,.0f} GFLOP/s, measured on {device} by multiplying {trial_tokens(device)} x {hidden} by {hidden} x {width} in {precision}"
    return Machine(f"this machine's {device}", device.partition(":")[0], memory, speed, basis)


def free_memory(device: str) -> int:
    """Bytes that a new process could take: of a GPU what its driver says is free, else main memory, no more than a container may have."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil  # type: ignore[import-untyped]  # comes with accelerate

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        allowed, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        cache = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return free  # no control group, or one that says "max"
    return min(free, allowed - used + (int(cache[1]) if cache else 0))


def trial_tokens(device: str) -> int:
    """Rows of the multiplication that measures a device."""
    return TRIAL_TOKENS["cpu" if device == "cpu" else "gpu"]


def multiplications(device: str, precision: str, hidden: int, width: int) -> float:
    """Floating-point operations a second, the best of what fits in TRIAL_SECONDS after one to warm up."""
    from plugins.backends.quiet import share_cores

    share_cores()
    import torch

    number = getattr(torch, precision)
    tokens = trial_tokens(device)
    a = torch.ones(tokens, hidden, dtype=number, device=device)
    b = torch.ones(hidden, width, dtype=number, device=device)
    taken: list[float] = []
    while len(taken) < 2 or sum(taken) < TRIAL_SECONDS:
        begun = time.perf_counter()
        a @ b
        if device != "cpu":
            getattr(torch, device.partition(":")[0]).synchronize()
        taken.append(time.perf_counter() - begun)
    return 2 * tokens * hidden * width / min(taken[1:])
