"""docs/hyperparameters.md tells every key of [train] and its tables, each with its default and in two sentences at least."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from schemas.recipe import Divergence, EarlyStopping, Lora, Step, Train
from schemas.recipe_train import Schedule
from trainer.steps.schedules import NAMES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "hyperparameters.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([\w.\[\]]+)`\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
TABLES: dict[str, type[BaseModel]] = {
    "[train]": Train,
    "[train.lora]": Lora,
    "schedule": Schedule,
    "early_stopping": EarlyStopping,
    "divergence": Divergence,
}
WRITTEN = {"early_stopping": "on", "divergence": "on", "lora": "see below"}
"""Keys whose default is a table of its own."""


def rows(section: str) -> dict[str, tuple[str, str]]:
    """Key → (default, what is told)."""
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", SECTIONS[section], flags=re.MULTILINE)
    return {key: (default.strip("`"), told) for key, default, told in found}


def default_of(key: str, value: Any) -> str:
    if key in WRITTEN:
        return WRITTEN[key]
    if value is None:
        return "unset"
    if value == ():
        return "none"
    named = value.use if isinstance(value, Step | Schedule) else value
    return json.dumps(named)


def test_no_section_is_missing_and_none_is_left_over() -> None:
    assert SECTIONS.keys() == TABLES.keys()


@pytest.mark.parametrize("section", TABLES)
def test_every_key_is_told_with_its_default_in_two_sentences_at_least(section: str) -> None:
    model = TABLES[section]()
    told = rows(section)
    assert {key: default for key, (default, _) in told.items()} == {
        key: default_of(key, getattr(model, key)) for key in type(model).model_fields
    }
    for key, (_, text) in told.items():
        assert len(re.findall(r"[.:;)] |\.$", text)) >= 2, key


@pytest.mark.parametrize("key", Train.model_fields)
def test_every_key_of_train_says_what_it_does_to_memory_or_to_the_fit(key: str) -> None:
    assert re.search(r"memor|fit|learned", rows("[train]")[key][1]), key


def test_the_words_of_the_guide_are_told() -> None:
    words = TEXT.partition("## The words")[2].partition("\n## ")[0].lower()
    for word in (
        "batch",
        "micro-batch",
        "learning rate",
        "step",
        "epoch",
        "underfitting",
        "overfitting",
        "convergence",
    ):
        assert word in words
    for name in ("`adam`", "`adamw`", "`sgd`", "`gd`"):
        assert name in words


def test_every_schedule_is_named() -> None:
    assert all(f"`{name}`" in rows("schedule")["use"][1] for name in NAMES)
