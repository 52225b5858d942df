"""`gristmill sweep`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.commands.options import Device, Json, Root, need_extra, print_json

if TYPE_CHECKING:
    from trainer.sweeping.sweep_record import Sweep


def sweep(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a TOML file.")],
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE,VALUE...",
            help="A key of the recipe's train table and what it is to be: train.lora.r=8,16.",
        ),
    ],
    random: Annotated[
        int | None,
        typer.Option("--random", metavar="N", min=1, help="Try so many combinations, drawn at random."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 0,
    keep_all: Annotated[
        bool,
        typer.Option(
            "--keep-all", help="Train each to its end: none is stopped for falling behind the others."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest sweep, killed before its end.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check and list what would be trained.")
    ] = False,
    version: Annotated[
        str | None, typer.Option("--version", metavar="NAME@N", help="Train on this version, not the newest.")
    ] = None,
    root: Root = Path(),
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a recipe with several values of its train keys, every combination in turn; the lowest val loss wins."""
    need_extra()
    from trainer import sweeps
    from trainer.sweeping import grid

    tried = grid.parse(values)
    if dry_run:
        members = sweeps.prepare(recipe, tried, random, seed)
        for n, member in enumerate(members, 1):
            sys.stdout.write(f"{n:>3}  {_put(member.overrides)}\n")
        print_json([dict(member.overrides) for member in members], as_json=as_json)
        return
    found = sweeps.sweep(
        recipe, tried, root=root, draws=random, seed=seed, keep_all=keep_all, resume=resume, device=device, version=version
    )  # fmt: skip
    sys.stdout.writelines(f"{line}\n" for line in lines(found))
    print_json({**found.to_json(), "path": str(found.path)}, as_json=as_json)


def lines(found: Sweep) -> Iterator[str]:
    """The best first, and what to paste."""
    from trainer.seeing.table import room, table
    from trainer.sweeping.recipe_text import literal

    ranked = sorted(found.trials, key=lambda one: float("inf") if one.val_loss is None else one.val_loss)
    keys = list(ranked[0].overrides)
    columns = {
        "run": [one.run or "" for one in ranked],
        **{key.removeprefix("train."): [literal(one.overrides[key]) for one in ranked] for key in keys},
        "steps": [str(one.steps or "") for one in ranked],
        "minutes": ["" if one.minutes is None else f"{one.minutes:.1f}" for one in ranked],
        "val loss": ["" if one.val_loss is None else f"{one.val_loss:.4f}" for one in ranked],
        "": [one.status if one.status == "finished" else f"{one.status}: {one.told}" for one in ranked],
    }
    yield from table(columns, width=room(), expendable=("minutes", "steps"), left=("run", ""))
    best = found.best
    if best is not None:
        yield f"the best is {best.run} with {_put(best.overrides)}: val loss {best.val_loss:.4f}. To train it so, write in the recipe:"
        yield from found.lines or ["# as it is"]


def _put(overrides: Mapping[str, object]) -> str:
    from trainer.sweeping.recipe_text import literal

    return ", ".join(f"{key} = {literal(value)}" for key, value in overrides.items())
