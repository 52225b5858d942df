"""What a sweep tries."""

import math

import pytest
from hypothesis import given, strategies as st

from schemas.errors import RecipeError, UserError
from trainer.sweeping import grid


def test_values_are_read_as_the_recipe_has_them_and_bare_words_are_texts():
    words = ["train.learning_rate=1e-4,2e-4", "train.schedule=cosine,{ use = 'wsd', decay = 0.1 }", 'train.lora.targets="all-linear",[q_proj,"a,b"]', "train.packing=true,false"]  # fmt: skip
    assert grid.parse(words) == {
        "train.learning_rate": [1e-4, 2e-4],
        "train.schedule": ["cosine", {"use": "wsd", "decay": 0.1}],
        "train.lora.targets": ["all-linear", ["q_proj", "a,b"]],
        "train.packing": [True, False],
    }


def test_words_that_are_no_assignment_are_told_together():
    with pytest.raises(RecipeError) as raised:
        grid.parse(["train.epochs", "train.lora.r=", "train.seed=1", "train.seed=2"])
    assert [fault.key for fault in raised.value.faults] == ["train.epochs", "train.lora.r=", "train.seed"]


def test_only_keys_of_train_can_be_swept_and_all_that_are_none_are_told_with_the_nearest():
    tried = {"learning_rate": [1], "tokens.max_tokens": [256, 512], "trian.lora.r": [8], "train.epochs": [1, 1], "train.seed": []}  # fmt: skip
    told = {fault.key: fault.message for fault in grid.faults(tried)}
    assert told.keys() == tried.keys()
    assert 'Nearest: "train.learning_rate"' in told["learning_rate"]
    assert "changes the corpus" in told["tokens.max_tokens"]
    assert 'Nearest: "train.lora.r"' in told["trian.lora.r"]
    assert "twice: 1, 1" in told["train.epochs"]
    assert "no value" in told["train.seed"]


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    draws=st.integers(1, 50),
    seed=st.integers(0, 9),
)
def test_every_combination_comes_once_and_draws_are_different_ones_of_them(sizes, draws, seed):
    tried = {f"train.k{n}": list(range(size)) for n, size in enumerate(sizes)}
    every = grid.combinations(tried)
    keys = [tuple(one.values()) for one in every]
    assert keys == sorted(set(keys))
    assert len(keys) == len({*keys}) == math.prod(sizes)
    drawn = [tuple(one.values()) for one in grid.combinations(tried, draws, seed)]
    assert len(set(drawn)) == len(drawn) == min(draws, len(keys))
    assert set(drawn) <= set(keys)
    assert grid.combinations(tried, draws, seed) == grid.combinations(tried, draws, seed)


def test_too_many_runs_say_how_to_draw_some():
    with pytest.raises(UserError, match=r"that is 1,000,000 runs. Draw some of them: --random 20"):
        grid.combinations({f"train.k{n}": list(range(10)) for n in range(6)})


def test_values_of_numpy_and_single_ones_are_plain_and_none_is_no_value_of_a_recipe():
    import numpy as np

    found = grid.plain({
        "train.learning_rate": np.array([0.5, 0.25]),
        "train.seed": np.arange(2),
        "train.schedule": "cosine",
    })
    assert found == {"train.learning_rate": [0.5, 0.25], "train.seed": [0, 1], "train.schedule": ["cosine"]}
    assert {type(value) for values in found.values() for value in values} == {float, int, str}
    assert "None" in grid.faults({"train.max_steps": [None, 3]})[0].message


def test_a_key_with_a_blank_behind_it_is_the_same_key_and_no_draws_are_refused():
    with pytest.raises(RecipeError, match="is given twice"):
        grid.parse(["train.epochs=1", "train.epochs =2"])
    with pytest.raises(UserError, match="leave nothing to train"):
        grid.combinations({"train.seed": [1, 2]}, 0)
