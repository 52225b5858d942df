"""docs/plugins.md tells every built-in plugin and option with its default, and its example works."""

import doctest
import re
from pathlib import Path

import polars as pl
import pytest

from corpus.commands.lists import plugin_rows
from plugins.contracts import KINDS, Filter
from plugins.entries import local_entries
from plugins.registry import load_recipe
from schemas.recipe import Recipe, read_toml

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "plugins.md").read_text(encoding="utf-8")
BUILT_IN = {(row["kind"], row["name"]): row for row in plugin_rows(None) if row["from"] == "gristmill"}
KIND = {f"{kind.capitalize()}s": kind for kind in KINDS}

Table = dict[str, str]


def told() -> dict[tuple[str, str], Table]:
    """Kind and name of every documented plugin, with its options and their defaults as written."""
    found: dict[tuple[str, str], Table] = {}
    for title, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL):
        for name, section in re.findall(
            r"^### `([\w-]+)`\n(.*?)(?=^### |\Z)", body, flags=re.MULTILINE | re.DOTALL
        ):
            rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, flags=re.MULTILINE)
            found[KIND[title], name] = {option: default.strip("`") for option, default in rows}
    return found


def block(language: str, number: int = 0) -> str:
    """A code block of the part on writing plugins."""
    told = TEXT.partition("## A cleaner of your own")[2]
    return re.findall(rf"^```{language}\n(.*?)^```$", told, flags=re.MULTILINE | re.DOTALL)[number]


def test_every_built_in_plugin_is_documented_and_no_other() -> None:
    assert told().keys() == BUILT_IN.keys()


@pytest.mark.parametrize("key", sorted(BUILT_IN), ids="-".join)
def test_options_and_defaults_are_those_of_the_plugin(key: tuple[str, str]) -> None:
    import json

    options = {
        name: "required"
        if option["required"]
        else "unset"
        if option["default"] is None
        else json.dumps(option["default"])
        for name, option in BUILT_IN[key]["options"].items()
    }
    assert told()[key] == options


def test_the_defaults_named_for_the_sections_are_the_recipes_own() -> None:
    recipe = Recipe.model_validate({"name": "a", "source": [{"use": "files"}]})
    assert f"`cpu_seconds` ({recipe.extract.cpu_seconds})" in TEXT
    assert f"`memory_mib` ({recipe.extract.memory_mib})" in TEXT
    assert f"Default: `{recipe.extract.use}`." in TEXT
    assert "Default: " + ", then ".join(f"`{step.use}`" for step in recipe.clean) in TEXT
    assert f"Default: `{recipe.tokens.format.use}`." in TEXT
    assert f"Default: `{recipe.train.backend.use}`, " in TEXT


def test_the_example_cleaner_does_what_its_docstring_says_and_loads_from_its_recipe(tmp_path: Path) -> None:
    file = tmp_path / "my_cleaners.py"
    file.write_text(block("python"), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(block("toml"), encoding="utf-8")
    (entry,) = local_entries(file)
    cleaner = entry.load()
    tests = doctest.DocTestFinder().find(cleaner, globs={cleaner.__name__: cleaner})
    results = [doctest.DocTestRunner().run(test) for test in tests]
    assert sum(result.attempted for result in results) == 1
    assert not any(result.failed for result in results)
    (_, spec) = load_recipe(tmp_path / "recipe.toml").cleaners
    assert spec.make().clean("She swings. [2d6+1: 9] It hits.") == "She swings. 9 It hits."
    assert read_toml(tmp_path / "recipe.toml")["plugins"] == ["./my_cleaners.py"]


def test_the_example_filter_scores_and_judges(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(block("python", 1), encoding="utf-8")
    (entry,) = local_entries(file)
    shouting = entry.load()()
    assert isinstance(shouting, Filter)
    scores = shouting.score(pl.Series(["QUITE loud", "quiet"]))
    (rule,) = shouting.rules()
    assert scores.select(rule.fails).to_series().to_list() == [True, False]


def test_every_entry_point_group_is_named() -> None:
    assert all(f"`gristmill.{kind}s`" in TEXT for kind in KINDS)
