"""How the learning rate moves: one pure function from the step to the share of `learning_rate` it takes.

With s steps taken, n in all, w of them warm-up, f the floor and p = (s - w) / (n - w):

    warm-up               s / w                                               Goyal et al. 2017, section 2.2
    constant              1
    linear                f + (1 - f) (1 - p)
    cosine                f + (1 - f) (1 + cos πp) / 2                        Loshchilov & Hutter 2017 (SGDR), equation 5
    cosine-with-restarts  f + (1 - f) (1 + cos π(kp mod 1)) / 2, k waves      the same, with restarts
    polynomial            f + (1 - f) (1 - p)^power
    wsd                   1, then f + (1 - f) (1 - √q) over the last `decay`  Hu et al. 2024 (MiniCPM), section 4; the fall is
                          of the steps, q its own share of the way            that of Hägele et al. 2024, section 3: better than linear
    inverse-sqrt          the greater of f and √(t / (s - w + t)), t = w,     Vaswani et al. 2017, equation 3; Zhai et al. 2022,
                          or 10 000 without warm-up                           section 3.5

They are transformers' own where it has them, step for step (the floor lies below the fall only, not below the warm-up), so runs can be
compared with other people's. As there, the first step of a warm-up has rate 0. Rejected: handing transformers the names. It ignores the
warm-up of "constant", has no floor for most, and a scheduler of ours is one thing to restore when a run goes on.
"""

from __future__ import annotations

import math
from typing import Any

from schemas.errors import UserError, nearest
from schemas.recipe_train import Schedule

NAMES = ("constant", "linear", "cosine", "cosine-with-restarts", "wsd", "inverse-sqrt", "polynomial")
SLOW = 10_000
"""Steps after which inverse-sqrt without warm-up has fallen to √½, as in transformers."""


def check_schedule(schedule: Schedule) -> None:
    """Raise UserError for a schedule that does not exist, with the nearest match."""
    if _name(schedule) not in NAMES:
        hint = nearest(_name(schedule), NAMES) or f"Known: {', '.join(NAMES)}."
        raise UserError(f'train.schedule is "{schedule.use}", which is no schedule. {hint}')


def factor(schedule: Schedule, step: int, *, steps: int, warmup: int) -> float:
    """The share of `learning_rate` with which the optimiser takes its next step, `step` of `steps` having been taken.

    `warmup` of the steps rise; both are counts. Beyond the last step the share stays where it ended.
    """
    if step < warmup:
        return step / warmup
    name, floor = _name(schedule), schedule.floor
    gone = min(1.0, (step - warmup) / max(1, steps - warmup))
    if name == "constant":
        return 1.0
    if name == "inverse-sqrt":
        scale = warmup or SLOW
        return max(floor, math.sqrt(scale / (step - warmup + scale)))
    if name == "wsd":
        gone = _decayed(schedule.decay, step, steps, warmup)
    return floor + (1 - floor) * _left(name, gone, schedule)


def _left(name: str, gone: float, schedule: Schedule) -> float:
    """What is left of the rate once `gone` of the fall lies behind: 1 at 0, 0 at 1."""
    if name == "cosine-with-restarts":
        wave = (schedule.restarts * gone) % 1.0 if gone < 1 else 1.0
        return (1 + math.cos(math.pi * wave)) / 2
    if name == "cosine":
        return (1 + math.cos(math.pi * gone)) / 2
    if name == "wsd":
        return 1 - math.sqrt(gone)
    return (1 - gone) ** (schedule.power if name == "polynomial" else 1)


def _decayed(decay: float, step: int, steps: int, warmup: int) -> float:
    """How much of wsd's fall lies behind: 0 before it, 1 at the last step. It takes a step at least, and never the warm-up."""
    length = min(max(1, round(decay * steps)), max(1, steps - warmup))
    return min(1.0, max(0, step - (steps - length)) / length)


def scheduler(optimizer: Any, schedule: Schedule, *, steps: int, warmup: int) -> Any:
    """A torch `LambdaLR` over `optimizer` by `factor`; its state is the step alone."""
    from torch.optim.lr_scheduler import LambdaLR

    return LambdaLR(optimizer, lambda step: factor(schedule, step, steps=steps, warmup=warmup))


def _name(schedule: Schedule) -> str:
    return schedule.use.replace("_", "-")
