"""The editors' schema accepts what gristmill accepts, and refuses what it refuses."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from corpus.schema import schema, write_schema
from corpus.shipped import recipes
from plugins.contracts import KINDS, Cleaner
from plugins.entries import entries
from plugins.registry import load_recipe
from schemas.errors import RecipeError, StorageError
from schemas.recipe import parse
from schemas.recipe_schema import recipe_schema

jsonschema = pytest.importorskip("jsonschema")

SHIPPED = sorted(recipes().rglob("*.toml"))
LEAST: dict[str, Any] = {"name": "a", "source": [{"use": "files", "path": "*.txt"}]}
FULL: dict[str, Any] = tomllib.loads((recipes() / "demo" / "recipe.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(schema())


def with_change(path: tuple[str | int, ...], value: Any, base: dict[str, Any] = FULL) -> dict[str, Any]:
    changed = copy.deepcopy(base)
    table: Any = changed
    for part in path[:-1]:
        table = table[part] if isinstance(part, int) else table.setdefault(part, {})
    table[path[-1]] = value
    return changed


def tables_in(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths of every table of a recipe."""
    if isinstance(value, list):
        return [found for n, item in enumerate(value) for found in tables_in(item, (*path, n))]
    if not isinstance(value, dict):
        return []
    return [path, *(found for key, item in value.items() for found in tables_in(item, (*path, key)))]


def test_the_schema_is_itself_valid(validator: Any) -> None:
    validator.check_schema(validator.schema)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: "-".join(path.relative_to(recipes()).parts))
def test_every_shipped_recipe_fits(validator: Any, path: Path) -> None:
    assert not list(validator.iter_errors(tomllib.loads(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", tables_in(FULL), ids=lambda path: ".".join(map(str, path)) or "root")
def test_an_unknown_key_is_refused_in_every_table(validator: Any, path: tuple[str | int, ...]) -> None:
    assert not validator.is_valid(with_change((*path, "no_such_key"), 1))


@pytest.mark.parametrize(
    ("path", "value", "fits"),
    [
        (("extract",), {"cpu_seconds": 3}, True),
        (("extract",), {"use": "none"}, True),
        (("extract",), {"use": "resiliparse", "favor": "recall"}, False),
        (("clean", 0, "use"), "unicod", False),
        (("clean",), [], True),
        (("clean", 0), {}, False),
        (("filter", 0, "min_score"), "high", False),
        (("tokens", "format"), {"use": "text"}, True),
        (("tokens", "format"), "tex", False),
        (("tokens", "max_tokens"), 4, False),
        (("train", "backend"), "auto", True),
        (("train", "backend"), {"use": "peft"}, True),
        (("train", "backend"), "cuda", False),
        (("train", "optimizer"), "sgd", True),
        (("train", "optimizer"), "lion_32bit", True),
        (("train", "optimizer"), {"use": "sgd", "momentum": 0.9}, True),
        (("train", "optimizer"), {"use": "sgd", "momentm": 0.9}, False),
        (("train", "optimizer"), {"use": "lion_32bit", "beta1": 0.9}, True),
        (("train", "callback"), [{"use": "target", "value": 2.5}, {"use": "stop-file"}], True),
        (("train", "callback"), [{"use": "target"}], False),
        (("train", "callback"), [{"use": "taget", "value": 2.5}], False),
        (("train", "early_stopping"), False, True),
        (("train", "early_stopping"), {"metric": "val_los"}, False),
        (("dedup", "fuzzy"), True, True),
        (("dedup", "fuzzy"), {"threshold": 1.5}, False),
        (("name",), "No Spaces", False),
        (("source",), [], False),
        (("source", 0), {"use": "files"}, False),
    ],
)
def test_schema_and_build_agree(validator: Any, tmp_path: Path, path: Any, value: Any, fits: bool) -> None:
    recipe = with_change(path, value)
    (tmp_path / "recipe.toml").write_text(as_toml(recipe), encoding="utf-8")
    assert validator.is_valid(recipe) is fits
    if fits:
        load_recipe(tmp_path / "recipe.toml")
    else:
        with pytest.raises(RecipeError):
            load_recipe(tmp_path / "recipe.toml")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "val": st.floats(-1, 2),
            "test": st.floats(-1, 0.4),
            "seed": st.integers(),
            "group": st.text(max_size=5),
            "leakage_bound": st.one_of(st.floats(-1, 2), st.integers(-1, 2)),
        },
    )
)
def test_what_a_table_says_is_judged_alike(split: dict[str, Any]) -> None:
    judged, _ = parse({**LEAST, "split": split})
    # The one rule that spans two keys is left to the build.
    spans = split.get("val", 0.05) + split.get("test", 0.05) >= 1
    assert VALIDATOR.is_valid({**LEAST, "split": split}) is (judged is not None) or spans


VALIDATOR = jsonschema.Draft202012Validator(
    recipe_schema({kind: dict.fromkeys(entries(kind)) for kind in KINDS})
)
"""Without the plugins' options: quick to make, and enough for the fixed sections."""


def test_names_are_open_where_the_recipe_brings_its_own_plugins(validator: Any) -> None:
    stranger = {**LEAST, "clean": [{"use": "strip-dice-rolls", "keep_totals": True}]}
    assert not validator.is_valid(stranger)
    assert validator.is_valid({**stranger, "plugins": ["./my_cleaners.py"]})


def test_a_plugin_that_cannot_be_imported_keeps_its_name_and_any_options() -> None:
    broken = jsonschema.Draft202012Validator(
        recipe_schema({"scraper": {"files": None}, "cleaner": {"mine": None}})
    )
    assert broken.is_valid({**LEAST, "clean": [{"use": "mine", "what": 1}]})
    assert not broken.is_valid({**LEAST, "clean": [{"use": "yours"}]})


def test_an_option_named_default_is_kept() -> None:
    class Odd(Cleaner):
        """Odd."""

        name = "odd"
        default: dict[str, int]

        def clean(self, text: str) -> str:
            return text

    made = jsonschema.Draft202012Validator(
        recipe_schema({"scraper": {"files": None}, "cleaner": {"odd": Odd}})
    )
    assert made.is_valid({**LEAST, "clean": [{"use": "odd", "default": {"a": 1}}]})
    assert not made.is_valid({**LEAST, "clean": [{"use": "odd"}]})


def test_null_is_never_offered() -> None:
    assert '"null"' not in json.dumps(schema())


def test_a_schema_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        write_schema(tmp_path / "absent" / "gristmill.schema.json")


def as_toml(recipe: dict[str, Any]) -> str:
    """A recipe as TOML, every table inline: JSON's literals are TOML's but for the colon."""
    return "\n".join(f"{key} = {inline(value)}" for key, value in recipe.items())


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)
