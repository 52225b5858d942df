"""`gristmill train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Device, Json, Root, need_extra, print_json
from trainer.steps.processes import is_main


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a TOML file.")],
    root: Root = Path(),
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only say what would be trained, and what memory and time it would take."
        ),
    ] = False,
    meant_for: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="MACHINE",
            help="With --dry-run: what it would take there, such as h100-80gb. The weights need not be here.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest run, killed before its end.")
    ] = False,
    version: Annotated[
        str | None, typer.Option("--version", metavar="NAME@N", help="Train on this version, not the newest.")
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="Train in so many processes at once, each on a GPU of its own.",
        ),
    ] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train the recipe's adapter on the newest version of its corpus."""
    need_extra()
    from trainer import sft

    if processes > 1 and not dry_run:
        raise typer.Exit(_several(processes, device))
    if dry_run:
        plan = sft.train(recipe, root=root, dry_run=True, device=device, version=version, meant_for=meant_for)
        print_json(plan.to_json(), as_json=as_json)
        return
    run = sft.train(recipe, root=root, resume=resume, device=device, version=version, meant_for=meant_for)
    if not is_main():
        return  # the main process tells it
    record, end = run.record, run.record.outcome
    told = {
        "run": record.run,
        "path": str(run.path),
        "corpus": record.corpus,
        "fingerprint": record.fingerprint,
    }
    if end:
        sys.stdout.write(f"{record.run}: {end.steps} steps; {end.stop_reason}\n")
        if end.first_val_loss is not None and end.val_loss is not None:
            sys.stdout.write(
                f"val loss {end.first_val_loss:.4f} before, {end.val_loss:.4f} in the {end.kept} adapter\n"
            )
        told |= end.model_dump(mode="json")
    sys.stdout.write(f"adapter: {run.path / 'adapter'}\n")
    print_json(told, as_json=as_json)


def _several(processes: int, device: str) -> int:
    """This command line in several processes; its exit code."""
    from plugins.backends.lora import device_of
    from trainer.steps.launch import launch, without

    return launch(processes, without("--processes", sys.argv), device=device_of(device))
