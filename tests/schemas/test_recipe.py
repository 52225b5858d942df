"""A recipe's faults are told all at once, each with the key, its value and the nearest match."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field, ValidationError

from schemas.errors import RecipeError
from schemas.recipe import Recipe, band_shape, candidate_probability, faults_of, parse, read_toml

SOURCE = [{"use": "files", "path": "data/*.txt"}]


def faults(**tables: Any) -> dict[str, str]:
    _, found = parse({"name": "n", "source": SOURCE, **tables})
    return {fault.key: fault.message for fault in found}


def test_a_recipe_needs_only_a_name_and_a_source() -> None:
    recipe, found = parse({"name": "hearthside", "source": SOURCE})
    assert not found
    assert recipe is not None
    assert recipe.dedup.fuzzy is not None
    assert recipe.source[0].label == "files"
    assert recipe.source[0].options == {"path": "data/*.txt"}


def test_all_faults_are_told_together() -> None:
    found = faults(
        name="Not A Name",
        splt={},
        split={"val": 5, "tst": 0.1},
        tokens={"max_tokens": 0},
        dedup={"survivor": ["n_char"]},
    )
    assert set(found) == {"name", "splt", "split.val", "split.tst", "tokens.max_tokens", "dedup.survivor"}


@pytest.mark.parametrize(
    ("tables", "key", "words"),
    [
        ({"splt": {}}, "splt", 'Nearest: "split".'),
        ({"dedup": {"fuzzy": {"treshold": 0.8}}}, "dedup.fuzzy.treshold", 'Nearest: "threshold".'),
        ({"train": {"lora": {"alhpa": 1}}}, "train.lora.alhpa", 'Nearest: "alpha".'),
        ({"split": {"val": 5}}, "split.val", "Did you mean 0.05?"),
        ({"split": {"val": 0.6, "test": 0.5}}, "split", "must be below 1"),
        (
            {"train": {"early_stopping": {"metric": "valloss"}}},
            "train.early_stopping.metric",
            'Nearest: "val_loss".',
        ),
        ({"train": {"method": "full", "quantization": "4bit"}}, "train.quantization", "freezes the base"),
        ({"dedup": {"survivor": ["-nchars"]}}, "dedup.survivor", 'Nearest: "n_chars".'),
        ({"source": []}, "source", "at least one"),
        ({"source": [{"path": "x"}]}, "source.0.use", "missing"),
        ({"source": SOURCE * 2}, "source", 'two are called "files"'),
    ],
)
def test_a_fault_says_what_is_wrong_and_what_was_meant(tables: dict[str, Any], key: str, words: str) -> None:
    found = faults(**tables)
    assert words in found.get(key, found.get("recipe", "")), found


def test_true_and_false_switch_a_table_that_has_defaults() -> None:
    recipe, _ = parse({
        "name": "n",
        "source": SOURCE,
        "dedup": {"fuzzy": False},
        "train": {"early_stopping": True},
    })
    assert recipe is not None
    assert recipe.dedup.fuzzy is None
    assert recipe.train.early_stopping is not None


def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\nname = = 2')
    with pytest.raises(RecipeError, match="line 2"):
        read_toml(path)
    with pytest.raises(RecipeError, match="no such file"):
        read_toml(tmp_path / "other.toml")


@given(st.floats(0.3, 0.99), st.integers(32, 512), st.floats(0.5, 0.999))
def test_bands_reach_the_recall_or_are_as_many_as_can_be(
    threshold: float, permutations: int, recall: float
) -> None:
    bands, rows = band_shape(threshold, permutations, recall)
    assert bands * rows <= permutations
    assert candidate_probability(threshold, bands, rows) >= recall or rows == 1


def test_a_recipe_survives_a_round_trip() -> None:
    recipe, _ = parse(
        tomllib.loads('name = "n"\n[[source]]\nuse = "files"\npath = "x"\n[split]\nval = 0.1\n')
    )
    assert recipe is not None
    assert Recipe.model_validate(recipe.model_dump()) == recipe


def test_against_with_nothing_to_compare_by_is_a_fault():
    tables = {
        "name": "x",
        "source": [{"use": "files"}],
        "dedup": {"exact": False, "fuzzy": False, "against": ["a"]},
    }
    recipe, faults = parse(tables)
    assert recipe is None
    assert [(fault.key, fault.message) for fault in faults] == [
        ("dedup.against", "needs exact or fuzzy, which are both off; nothing would be compared")
    ]


class Options(BaseModel):
    """As a plugin's."""

    seeds: tuple[str, ...] = ()
    after: date | None = None
    dataset: Annotated[str, Field(pattern=r"^\w+/\w+$")] = "a/b"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": "https://a.example/"}, 'it must be a list: write ["https://a.example/"]'),
        ({"after": "2023"}, "it must be a day, such as 2020-01-31"),
        ({"dataset": "Pans"}, r"it must be a text that matches ^\w+/\w+$"),
    ],
)
def test_a_fault_of_a_plugins_option_says_what_to_write(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(options)
    (fault,) = faults_of(caught.value, Options)
    assert fault.message.endswith(message)
