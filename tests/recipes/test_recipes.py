"""Every shipped recipe is without faults, and none was forgotten."""

from pathlib import Path

import pytest

from plugins.registry import load_recipe

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
FOUND = sorted(path for path in RECIPES.rglob("*.toml") if ".gristmill" not in path.parts)


def test_no_recipe_is_lost() -> None:
    assert len(FOUND) == 11, (
        "the demo, the same as chat, five templates, the real run, five books, a 7B model's and the crawled documentation: say here what came or went"
    )


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.relative_to(RECIPES).as_posix())
def test_a_shipped_recipe_has_no_faults(path: Path) -> None:
    resolved = load_recipe(path)
    assert resolved.recipe.name
    assert resolved.recipe.split.val > 0, "a shipped recipe shows how to watch a val split"
