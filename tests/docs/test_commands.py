"""docs/commands.md names every command and every option, and nothing that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from corpus.cli import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(
    re.findall(r"^## `gristmill ([\w -]+)`\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL)
)
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command, with those of a group below it."""
    context = typer.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        yield f"{path}{name}", found
        if hasattr(found, "list_commands"):
            yield from commands(found, f"{path}{name} ")


COMMANDS = dict(commands(typer.main.get_command(app)))


def options(command: Any) -> set[str]:
    given = (name for one in command.params for name in (*one.opts, *one.secondary_opts))
    return {name for name in given if name.startswith("-")}


def test_commands_and_sections_are_the_same() -> None:
    assert SECTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_documented_and_every_documented_option_exists(name: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", SECTIONS[name], flags=re.MULTILINE | re.DOTALL)
    told = {option for code in re.findall(r"`([^`]*)`", prose) for option in OPTION.findall(code)}
    assert told == options(COMMANDS[name])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_section_has_a_synopsis_and_an_example(name: str) -> None:
    block = re.search(r"^```\n(.*?)^```$", SECTIONS[name], flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = block[1].splitlines()
    assert len(lines) >= 1
    assert all(line.startswith(f"gristmill {name}") for line in lines)
    for line in lines:
        assert set(OPTION.findall(re.sub(r'"[^"]*"', "", line))) <= options(COMMANDS[name])


def test_what_stands_before_all_commands_is_documented_too() -> None:
    shared = TEXT.partition("\n## ")[0]
    for option in options(typer.main.get_command(app)) - {"--help", "-h"}:
        assert option in shared
