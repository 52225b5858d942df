"""The learning rate's schedules: their corners, and transformers' own where it has the same one."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from schemas.errors import UserError
from schemas.recipe_train import Schedule
from trainer.steps.schedules import NAMES, check_schedule, factor, scheduler

STEPS, WARMUP = 40, 8


def at(step: int, *, steps: int = STEPS, warmup: int = WARMUP, **options) -> float:
    return factor(Schedule(**options), step, steps=steps, warmup=warmup)


@pytest.mark.parametrize("use", NAMES)
def test_every_schedule_rises_in_a_straight_line_and_is_at_its_top_when_the_warm_up_is_over(use):
    assert [at(step, use=use) for step in range(0, WARMUP + 1, 2)] == [0, 0.25, 0.5, 0.75, 1]
    assert at(0, use=use, warmup=0) == 1


@pytest.mark.parametrize(
    ("options", "halfway", "last", "end"),
    [
        ({"use": "constant"}, 1, 1, 1),
        ({"use": "linear"}, 1 / 2, 1 / 32, 0),
        ({"use": "linear", "floor": 0.2}, 0.6, 0.2 + 0.8 / 32, 0.2),
        ({"use": "cosine"}, 1 / 2, (1 + math.cos(math.pi * 31 / 32)) / 2, 0),
        ({"use": "cosine", "floor": 0.1}, 0.55, 0.1 + 0.9 * (1 + math.cos(math.pi * 31 / 32)) / 2, 0.1),
        ({"use": "cosine-with-restarts"}, 1, (1 + math.cos(math.pi * 15 / 16)) / 2, 0),
        ({"use": "cosine-with-restarts", "restarts": 4, "floor": 0.5}, 1, 0.5 + (1 + math.cos(math.pi * 7 / 8)) / 4, 0.5),
        ({"use": "polynomial", "power": 2}, 1 / 4, 1 / 32**2, 0),
        ({"use": "wsd"}, 1, 1 - math.sqrt(7 / 8), 0),
        ({"use": "wsd", "decay": 0.1, "floor": 0.25}, 1, 0.25 + 0.75 * (1 - math.sqrt(3 / 4)), 0.25),
        ({"use": "inverse-sqrt"}, math.sqrt(8 / 24), math.sqrt(8 / 39), math.sqrt(8 / 40)),
        ({"use": "inverse-sqrt", "floor": 0.5}, math.sqrt(8 / 24), 0.5, 0.5),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)  # fmt: skip
def test_it_is_where_its_formula_says_halfway_at_the_last_step_and_beyond(options, halfway, last, end):
    middle = WARMUP + (STEPS - WARMUP) // 2
    assert at(middle, **options) == pytest.approx(halfway, abs=1e-12)
    assert at(STEPS - 1, **options) == pytest.approx(last, abs=1e-12)
    if options["use"] != "inverse-sqrt":  # it never ends
        assert at(STEPS + 5, **options) == pytest.approx(end, abs=1e-12)
    assert at(STEPS, **options) == pytest.approx(end, abs=1e-12)


def test_wsd_keeps_its_rate_until_the_share_that_decays():
    found = [at(step, use="wsd", decay=0.25) for step in range(WARMUP, STEPS + 1)]
    assert found[: STEPS - 10 - WARMUP + 1] == [1] * (STEPS - 10 - WARMUP + 1)
    assert all(later < earlier for earlier, later in pairwise(found[22:]))


def test_a_wave_of_cosine_with_restarts_begins_at_the_top_again():
    found = [at(step, use="cosine-with-restarts", restarts=4) for step in range(WARMUP, STEPS)]
    assert [n for n, value in enumerate(found) if value == 1] == [0, 8, 16, 24]


THEIRS = [
    ({"use": "linear"}, "linear", {}),
    ({"use": "cosine"}, "cosine", {}),
    ({"use": "cosine", "floor": 0.1}, "cosine_with_min_lr", {"min_lr_rate": 0.1}),
    ({"use": "cosine_with_restarts", "restarts": 3}, "cosine_with_restarts", {"num_cycles": 3}),
    ({"use": "constant"}, "constant_with_warmup", {}),
    ({"use": "inverse_sqrt"}, "inverse_sqrt", {}),
    ({"use": "polynomial", "power": 2, "floor": 0.05}, "polynomial", {"power": 2, "lr_end": 0.05 * 0.1}),
    ({"use": "wsd", "decay": 0.25}, "warmup_stable_decay", {"num_decay_steps": 10, "decay_type": "1-sqrt"}),
]


@pytest.mark.parametrize(("options", "name", "settings"), THEIRS, ids=[name for _, name, _ in THEIRS])
@pytest.mark.parametrize("warmup", [0, WARMUP])
def test_it_is_transformers_own_step_for_step(options, name, settings, warmup):
    import torch
    from transformers import get_scheduler

    def rates(make) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        moved = make(optimizer)
        found = []
        for _ in range(STEPS):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            moved.step()
        return found

    ours = rates(lambda it: scheduler(it, Schedule(**options), steps=STEPS, warmup=warmup))
    theirs = rates(
        lambda it: get_scheduler(
            name, it, num_warmup_steps=warmup, num_training_steps=STEPS, scheduler_specific_kwargs=settings
        )
    )
    assert ours == pytest.approx(theirs, abs=1e-12)


@given(
    use=st.sampled_from(NAMES),
    steps=st.integers(1, 60),
    share=st.floats(0, 0.99),
    decay=st.floats(0.01, 0.99),
    floor=st.floats(0, 0.9),
)
def test_no_step_leaves_the_range_from_floor_to_top_however_short_the_run(use, steps, share, decay, floor):
    warmup = min(round(share * steps), steps - 1)
    found = [
        at(step, use=use, decay=decay, floor=floor, steps=steps, warmup=warmup) for step in range(steps + 1)
    ]
    assert all(floor <= value <= 1 for value in found[warmup:])
    assert found[warmup] == 1, "the first step after the warm-up has the rate of the recipe"


def test_an_unknown_schedule_is_an_error_with_the_nearest_match():
    with pytest.raises(UserError, match='"cosin", which is no schedule. Nearest: "cosine"'):
        check_schedule(Schedule(use="cosin"))
    check_schedule(Schedule(use="cosine_with_restarts"))
