"""The `gristmill` group: its own commands, and those other packages mount through `gristmill.commands`.

A mounted command is imported only when it is called or help lists it, so that a build never pays for a trainer.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from corpus.commands.guard import complain, guarded
from corpus.shadows import shadows

GROUP = "gristmill.commands"


def mounted() -> dict[str, EntryPoint]:
    """Commands of other packages by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


class Commands(TyperGroup):
    """Own commands first, then the mounted ones by name."""

    def main(self, args: Any = None, *rest: Any, **extra: Any) -> Any:
        """Refuse to start where a stranger's package would be imported for ours; `doctor` may, to say so."""
        given = sys.argv[1:] if args is None else list(args)
        if given[:1] != ["doctor"] and (hidden := shadows()):
            complain("\n".join([*map(str, hidden), "`gristmill doctor` looks further."]))
            sys.exit(2)
        return super().main(args, *rest, **extra)

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(mounted()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        points = mounted()
        if own is None and cmd_name in points:
            own = self.commands[cmd_name] = _command(points[cmd_name])
        elif own is None:
            # Typer suggests from `self.commands` alone; a misspelt `trian` must find `train`.
            for name in points.keys() - self.commands.keys():
                self.commands[name] = _command(points[name])
        return own


def _command(point: EntryPoint) -> Any:
    """A mounted function or Typer application as a command; one that cannot be imported says so when called."""
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    try:
        target = point.load()
    except Exception as error:  # noqa: BLE001  a stranger's module may raise anything
        target = _unloadable(point, error)
    if isinstance(target, typer.Typer):
        command = typer.main.get_command(target)
        command.name = point.name
        return command
    single.command(point.name)(guarded(target))
    return typer.main.get_command(single)


def _unloadable(point: EntryPoint, error: Exception) -> Any:
    owner = point.dist.name if point.dist else "an unknown distribution"
    reason = f"`gristmill {point.name}` from {owner} cannot be imported: {type(error).__name__}: {error}"

    def command() -> None:
        from schemas.errors import UserError

        raise UserError(f"{reason}. `gristmill doctor` says what is missing.")

    command.__doc__ = f"(cannot be imported: {type(error).__name__}: {error})"
    return command
