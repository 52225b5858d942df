"""docs/dedup.md shows the curves of the code, and its recipe is one."""

import re
import tomllib
from pathlib import Path

import pytest

from corpus.phases.dedup_fuzzy import CAP
from schemas.recipe import Dedup, Fuzzy, candidate_probability

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "dedup.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    lines = [line for line in TEXT.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_row_of_the_table_is_the_curve_of_its_setting(number: int) -> None:
    similarities, row = rows()[0][1:], rows()[number]
    setting = re.search(r"`(.+?)`: (\d+) bands of (\d+)", row[0])
    assert setting
    fuzzy = Fuzzy.model_validate(tomllib.loads(setting[1]))
    assert fuzzy.shape == (int(setting[2]), int(setting[3]))
    assert row[1:] == [f"{candidate_probability(float(s), *fuzzy.shape):.3f}" for s in similarities]


def test_the_recipe_is_one_and_the_bound_is_the_codes() -> None:
    recipe = re.search(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    assert recipe
    Dedup.model_validate(tomllib.loads(recipe[1])["dedup"])
    assert f"the first {CAP} kept" in TEXT
