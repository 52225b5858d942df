"""The commands below `gristmill plugins`.

`gristmill plugins` alone lists, and `gristmill plugins cleaners` lists one kind with its options, as `list` does: a first word
that is no command here is a kind.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from corpus.commands import options
from corpus.commands.guard import guarded
from corpus.commands.program import program

HELP = frozenset({"-h", "--help"})


class ListsByDefault(TyperGroup):
    """A group whose `list` need not be typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` before what names no command; a kind that is named so is listed with its options, as it always was."""
        word = next((arg for arg in args if not arg.startswith("-")), None)
        if word not in self.commands and not (word is None and HELP & set(args)):
            args = ["list", *args, *(["--options"] if word else [])]
        return super().parse_args(ctx, args)


plugins = typer.Typer(
    cls=ListsByDefault,
    rich_markup_mode="rich",
    help="List what a recipe can name with `use`; with a KIND, each one's options too. Or start a plugin of your own, and test it.",
    epilog="Example: gristmill plugins cleaners",
)

PluginKind = Annotated[
    str | None,
    typer.Argument(
        metavar="KIND",
        help="scrapers, extractors, cleaners, filters, formats, backends, optimizers or callbacks.",
    ),
]
WithOptions = Annotated[bool, typer.Option("--options", help="Each one's options too.")]
PluginName = Annotated[str, typer.Argument(metavar="NAME", help="What a recipe writes after `use`.")]
OfKind = Annotated[
    str | None, typer.Option("--kind", metavar="KIND", help="Where two kinds have a plugin of that name.")
]
NewKind = Annotated[str, typer.Argument(metavar="KIND", help="scraper, cleaner or filter.")]
NewName = Annotated[
    str, typer.Argument(metavar="NAME", help="What recipes will write after `use`: lower-case-words.")
]
NewFolder = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="Where it goes; by default gristmill-NAME.")
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="PATH|NAME",
        help="A project's folder, a file that defines plugins, or the name of an installed plugin or distribution.",
    ),
]
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-o", metavar="KEY=VALUE", help="An option to test with, VALUE as TOML; can be repeated."
    ),
]
Seconds = Annotated[
    float, typer.Option("--seconds", min=1, metavar="N", help="The most that one plugin may take.")
]


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))


@plugins.command("list", epilog="Example: gristmill plugins list cleaners")
@guarded
def list_plugins(
    kind: PluginKind = None,
    with_options: WithOptions = False,  # noqa: FBT002  typer's flags are boolean arguments
    as_json: options.Json = False,  # noqa: FBT002
) -> None:
    """List what a recipe can name with `use`: kind, name, the distribution it comes from, what it does.

    Plugins in a file of your own need no installing: name the file in the recipe under `plugins`.
    """
    from corpus.commands.lists import plugin_lines, plugin_rows

    rows = plugin_rows(kind)
    if as_json:
        _print_json(rows)
    else:
        print(plugin_lines(rows, with_options=with_options))


@plugins.command("show", epilog="Example: gristmill plugins show whitespace")
@guarded
def show(
    name: PluginName,
    kind: OfKind = None,
    as_json: options.Json = False,  # noqa: FBT002
) -> None:
    """Show one plugin: what it does, and its options with type, default and meaning."""
    from corpus.commands.plugins.show import page, told

    found = told(name, kind)
    if as_json:
        _print_json(found)
    else:
        print("\n\n".join(map(page, found)))


@plugins.command("new", epilog="Example: gristmill plugins new cleaner strip-dice-rolls")
@guarded
def new(kind: NewKind, name: NewName, folder: NewFolder = None) -> None:
    """Write a working plugin project to start from: code, sample, test, README. Never overwrites a file."""
    from corpus.commands.plugins.new import new_plugin

    made = new_plugin(kind, name, folder)
    print(made)
    print(
        f"next:\n  pip install -e '{made}[dev]'\n  python -m pytest {made}\n  {program()} plugins test {made}",
        file=sys.stderr,
    )


@plugins.command("test", epilog='Example: gristmill plugins test files --option path="pages/*.html"')
@guarded
def hold(
    target: Target = ".",
    given: Given = None,
    seconds: Seconds = 120,
    as_json: options.Json = False,  # noqa: FBT002
) -> None:
    """Run a plugin against the contract, in processes of its own and without the network; exit 1 where a check fails.

    What a project's plugins are tested with stands in its pyproject.toml, under tool.gristmill.test.NAME.
    """
    from corpus.commands.plugins.contract import check, table
    from corpus.commands.plugins.subjects import subjects

    found = subjects(target, given or [])
    results = [(subject, check(subject, seconds=seconds)) for subject in found]
    if as_json:
        _print_json([
            {"kind": subject.kind, "name": subject.name, "checks": [one.to_json() for one in outcomes]}
            for subject, outcomes in results
        ])
    else:
        print("\n\n".join(table(subject, outcomes) for subject, outcomes in results))
    if any(one.state == "fail" for _, outcomes in results for one in outcomes):
        raise typer.Exit(1)
