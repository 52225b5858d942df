"""When each optimiser step of a contestant ended, counted from the start of its process."""

import os
import time
from pathlib import Path


def since_start():
    """Seconds since the kernel started this process, interpreter and imports included (proc(5): field 22 of stat)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def callback():
    """A transformers callback and the list it fills: the seconds at the end of each step."""
    from transformers import TrainerCallback

    ends = []

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **more):
            ends.append((since_start(), time.perf_counter()))

    return Clock(), ends


def figures(ends):
    """What every contestant of `train` reports: the seconds of all steps but the first, their number, and when the first was done."""
    times = [end for _, end in ends]
    return {"seconds": times[-1] - times[0], "steps": len(times) - 1, "first_step": ends[0][0]}
