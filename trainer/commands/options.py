"""What the trainer's commands share: options of the same meaning, the check for the extra, and the line of JSON.

Mounted through the entry-point group `gristmill.commands`; what a command raises, `corpus.cli` prints. Nothing heavy is
imported before a command runs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

Root = Annotated[Path, typer.Option("--root", help="Holds corpora/, runs/ and .gristmill/.")]
Json = Annotated[bool, typer.Option("--json", help="End stdout with one line of JSON.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps; eval and chat also cuda:1.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="NAME (its newest run) or NAME/N.")]


def need_extra() -> None:
    """Say which extra is missing before an import fails in the middle of something."""
    from plugins.backends.peft import Peft
    from schemas.errors import MissingExtra

    if reason := Peft.unavailable():
        raise MissingExtra(reason)


def print_json(value: Any, *, as_json: bool) -> None:
    """End stdout with one line of JSON, where it was asked for."""
    if as_json:
        from trainer.record import finite

        sys.stdout.write(json.dumps(finite(value), ensure_ascii=False, allow_nan=False) + "\n")
