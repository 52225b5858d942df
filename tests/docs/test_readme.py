"""What README says can be done: its recipe has no faults, its commands and paths exist, its numbers are not left blank."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from corpus.cli import app
from plugins.registry import load_recipe

REPO = Path(__file__).resolve().parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_recipe_on_the_first_screen_has_no_faults(tmp_path: Path) -> None:
    (recipe,) = blocks("toml")
    path = tmp_path / "recipe.toml"
    path.write_text(recipe)
    assert load_recipe(path).recipe.name == "hearthside"


@pytest.mark.parametrize(
    "line", [line for block in blocks("sh") for line in block.splitlines() if ".venv/bin/gristmill" in line]
)
def test_every_command_shown_exists_with_its_options(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    commands = get_command(app)
    command = commands.get_command(commands.make_context("gristmill", [], resilient_parsing=True), words[0])  # type: ignore[attr-defined]
    assert command is not None, words[0]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_just_recipe_named_exists() -> None:
    known = set(re.findall(r"^([a-z]+)(?: [^:=]*)?:(?!=)", (REPO / "justfile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\.venv/bin/just ([a-z]+)", README)) <= known


def test_every_path_named_exists() -> None:
    (tree,) = [block for block in blocks("text") if block.startswith("schemas/")]
    parent = ""
    for line in tree.splitlines():
        name = line.split()[0]
        parent = parent if line.startswith(" ") else name
        assert (REPO / (parent + name if line.startswith(" ") else name)).exists(), line
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (REPO / link).exists(), link


def test_the_python_example_names_what_exists() -> None:
    import corpus
    import trainer

    assert all(
        callable(getattr(module, name))
        for module, name in ((corpus, "build"), (corpus, "open"), (trainer, "train"), (trainer, "open"))
    )


def test_nothing_is_left_blank() -> None:
    assert "@@" not in README
