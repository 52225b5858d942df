"""A newcomer's first recipe: each template loads, builds, and overwrites nothing."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from corpus.init import init, templates
from corpus.pipeline import build
from corpus.schema import SCHEMA_FILE
from plugins.registry import load_recipe
from schemas.errors import NotFound, StorageError, UserError
from schemas.runtime import Runtime

TEMPLATES = ("code", "docs", "fiction", "jsonl", "roleplay")


def test_there_are_five_templates_and_each_says_what_it_is_for() -> None:
    assert tuple(templates()) == TEMPLATES
    assert all(len(template.about) > 20 for template in templates().values())


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_loads_as_it_was_written(tmp_path: Path, name: str) -> None:
    recipe = init(name, tmp_path / "new")
    assert load_recipe(recipe).recipe.name == name
    assert recipe.read_text(encoding="utf-8").startswith(f"#:schema ./{SCHEMA_FILE}\n")
    assert json.loads((recipe.parent / SCHEMA_FILE).read_text(encoding="utf-8"))["$schema"].endswith(
        "2020-12/schema"
    )


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_builds_on_its_sample(tmp_path: Path, tokenizer: Path, name: str) -> None:
    recipe = init(name, tmp_path / "new")
    text = re.sub(r'model = "[^"]*"', f'model = "{tokenizer}"', recipe.read_text(encoding="utf-8"))
    recipe.write_text(text, encoding="utf-8")
    made = build(recipe, Runtime(root=tmp_path, workers=1, quiet=True))
    assert made.version.spec == f"{name}@1"
    assert made.manifest.counts["documents"] > 0
    assert all(record.documents for record in made.manifest.splits.values())


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_copied_whole(tmp_path: Path, name: str) -> None:
    init(name, tmp_path)
    for file in templates()[name].files():
        copied, original = (tmp_path / file).read_bytes(), (templates()[name].folder / file).read_bytes()
        assert copied.endswith(original)
        assert (
            tomllib.loads(copied.decode()) == tomllib.loads(original.decode())
            if file.suffix == ".toml"
            else copied == original
        )


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="already holds recipe.toml"):
        init("docs", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]
    assert (tmp_path / "recipe.toml").read_text(encoding="utf-8") == "mine"


def test_a_second_template_of_other_files_is_refused_for_the_recipe(tmp_path: Path) -> None:
    first = init("docs", tmp_path).read_bytes()
    with pytest.raises(UserError, match=r"already holds .*nothing was written"):
        init("fiction", tmp_path)
    assert (tmp_path / "recipe.toml").read_bytes() == first


def test_an_unknown_template_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match='Nearest: "fiction".*code, docs, fiction, jsonl, roleplay'):
        init("ficton", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match="is a file"):
        init("docs", tmp_path / "taken")
    with pytest.raises(StorageError, match="cannot write"):
        init("docs", tmp_path / "taken" / "below")
