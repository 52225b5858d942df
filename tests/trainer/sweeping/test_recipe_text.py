"""Values put into a recipe's text, and nothing else changed in it."""

import tomllib

import pytest

from schemas.errors import UserError
from trainer.sweeping.recipe_text import changed, put, with_values

RECIPE = """# mine
name = "tale"
[[source]]
use = "files"
path = "*.txt"

[tokens]
model = "m"

[train]
model = "m"
# the rate
learning_rate = 1e-4    # "low" # and slow
lora = { r = 16, alpha = 16 }
early_stopping = true
optimizer = "sgd"
trackers = [
  "tensorboard",  # here
]  # shown
"""


def lines_changed(text: str, values) -> tuple[list[str], list[str]]:
    before, after = text.split("\n"), with_values(text, values).split("\n")
    return [line for line in before if line not in after], [line for line in after if line not in before]


@pytest.mark.parametrize(
    ("values", "gone", "new"),
    [
        (
            {"train.learning_rate": 2e-4},
            ['learning_rate = 1e-4    # "low" # and slow'],
            ['learning_rate = 0.0002    # "low" # and slow'],
        ),
        (
            {"train.lora.r": 8, "train.lora.dropout": 0.1},
            ["lora = { r = 16, alpha = 16 }"],
            ["lora = { r = 8, alpha = 16, dropout = 0.1 }"],
        ),
        ({"train.early_stopping.patience": 5}, ["early_stopping = true"], ["early_stopping = { patience = 5 }"]),
        ({"train.optimizer.momentum": 0.9}, ['optimizer = "sgd"'], ['optimizer = { use = "sgd", momentum = 0.9 }']),
        (
            {"train.trackers": ["wandb", "trackio"]},
            ["trackers = [", '  "tensorboard",  # here', "]  # shown"],
            ['trackers = ["wandb", "trackio"]  # shown'],
        ),
        ({"train.epochs": 2}, [], ["epochs = 2"]),
    ],
    ids=["a value", "an inline table, twice", "a switch", "a bare name", "over several lines", "a new key"],
)  # fmt: skip
def test_one_statement_is_changed_and_its_comment_kept(values, gone, new):
    assert lines_changed(RECIPE, values) == (gone, new)


@pytest.mark.parametrize(
    "train",
    [
        "",
        "[train]",
        "[train]\nlora.alpha = 4\nepochs = 1",
        "[train]\nepochs = 1\n\n[train.lora]\nr = 16  # wide\n\n[split]\nval = 0.1",
        "[train.lora]\nalpha = 8",
        '[train]\nepochs = 1\n[[train.callback]]\nuse = "x"\nlearning_rate = 3',
        "[train]\nlora = { targets = [\n  \"a\", # one\n  'b']}",
        "[ train ]\n'learning_rate' = 5e-5",
    ],
    ids=["no table", "empty", "dotted", "below", "only below", "an array behind", "many lines", "odd quotes"],
)
def test_it_says_the_same_as_the_tables_however_the_recipe_was_written(train):
    head = 'name = "tale"\n\n'
    text = head + train
    values = {
        "train.learning_rate": 2e-4,
        "train.lora.r": 8,
        "train.backend.use": "peft",
        "train.optimizer.eps": 1e-6,
    }
    wanted = tomllib.loads(text)
    for key, value in values.items():
        put(wanted, tuple(key.split(".")), value)
    assert tomllib.loads(with_values(text, values)) == wanted
    assert with_values(text, values).startswith(head)
    assert wanted["train"]["optimizer"] == {"use": "adamw", "eps": 1e-6}


def test_a_key_below_a_plain_value_is_the_users_to_change():
    with pytest.raises(UserError, match=r"train.epochs.x is below train.epochs, which is 3 and no table"):
        with_values("[train]\nepochs = 3", {"train.epochs.x": 1})


def test_a_form_that_is_not_understood_is_an_error_and_never_a_wrong_recipe():
    with pytest.raises(UserError, match="train.epochs cannot be written into this recipe as it stands"):
        with_values('name = """\n[train]\n"""\n', {"train.epochs": 2})


def test_a_recipe_of_dotted_keys_without_a_header_gets_another_of_them():
    text = 'train.lora.r = 8  # few\nname = "tale"\n[tokens]\nmodel = "m"'
    written = with_values(text, {"train.seed": 3, "train.lora.alpha": 4})
    assert written.startswith("train.lora.r = 8  # few\n")
    assert tomllib.loads(written)["train"] == {"lora": {"r": 8, "alpha": 4}, "seed": 3}


@pytest.mark.parametrize("train", ["[train]\nlora.r = 8", "[train.lora]\nr = 8"], ids=["dotted", "a table"])
def test_a_whole_table_in_place_of_its_single_keys_is_the_users_to_write(train):
    with pytest.raises(UserError, match="train.lora cannot be written into this recipe as it stands"):
        with_values(train, {"train.lora": {"r": 16}})


def test_what_changed_is_told_under_its_header_also_where_another_table_has_the_same_line():
    text = "[split]\nseed = 1\n\n[train]\nseed = 7\n\n[train.lora]\nr = 8"
    assert changed(text, with_values(text, {"train.seed": 1, "train.lora.r": 16})) == [
        "[train]", "seed = 1", "[train.lora]", "r = 16",
    ]  # fmt: skip
    assert changed(text, text) == []
    assert changed("a = 1", with_values("a = 1", {"train.seed": 1})) == ["[train]", "seed = 1"]
