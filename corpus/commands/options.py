"""Arguments and options of the commands: how they are written, and the help that stands beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option


def _show_version(wanted: bool) -> None:  # noqa: FBT001  typer calls it so
    if wanted:
        from importlib.metadata import version

        print(f"gristmill {version('gristmill')}")
        raise typer.Exit


VersionFlag = Annotated[
    bool, Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
]

Root = Annotated[Path, Option("--root", metavar="DIR", help="Holds corpora/, runs/ and .gristmill/.")]
Json = Annotated[bool, Option("--json", help="End stdout with one line of JSON.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="No progress on stderr.")]

Recipe = Annotated[Path, Argument(metavar="RECIPE", help="The recipe, a TOML file.")]
Workers = Annotated[
    int | None,
    Option(
        "--workers", min=1, metavar="N", help="Processes; by default one a core. 1 works in this process."
    ),
]
Executor = Annotated[
    Literal["local", "ray", "slurm"],
    Option("--executor", help="Where the tasks run; the result is the same."),
]

SLURM = "With --executor slurm"
"""Panel of the options that only a Slurm cluster reads."""
SlurmPartition = Annotated[
    str, Option("--slurm-partition", metavar="NAME", help="Partition of the jobs.", rich_help_panel=SLURM)
]
SlurmTime = Annotated[
    str, Option("--slurm-time", metavar="HH:MM:SS", help="Time limit of one job.", rich_help_panel=SLURM)
]
SlurmMemory = Annotated[
    int,
    Option("--slurm-memory", metavar="GIB", min=1, help="Memory of one job in GiB.", rich_help_panel=SLURM),
]
SlurmQos = Annotated[
    str, Option("--slurm-qos", metavar="NAME", help="Quality of service.", rich_help_panel=SLURM)
]

VersionSpec = Annotated[
    str, Argument(metavar="NAME[@N]", help="A corpus; without @N its newest version.", show_default=False)
]
SqlVersion = Annotated[
    str | None,
    Argument(
        metavar="NAME[@N]",
        help="A corpus; without @N its newest version. Not with --run.",
        show_default=False,
    ),
]
SqlRun = Annotated[
    str | None,
    Option(
        "--run",
        metavar="NAME[/N]",
        help="Ask this training run instead; without /N the newest.",
        show_default=False,
    ),
]
Statement = Annotated[
    str | None, Argument(metavar="SELECT", help="One SELECT; without it, from stdin or a prompt.")
]
Format = Annotated[Literal["table", "csv", "json"], Option("--format", help="How the answer is written.")]
CorpusName = Annotated[
    str | None, Argument(metavar="NAME", help="One corpus; without it, all of them.", show_default=False)
]

ModelName = Annotated[
    str, Argument(metavar="NAME", help="A name `gristmill models` lists, or a hub id ORG/NAME.")
]
TokenizerOnly = Annotated[bool, Option("--tokenizer", help="Only the tokenizer: all that a build needs.")]

TemplateName = Annotated[str, Argument(metavar="TEMPLATE", help="roleplay, fiction, docs, code or jsonl.")]
Folder = Annotated[
    Path | None,
    Argument(metavar="DIR", help="Where it goes; by default a folder named as the template."),
]
SchemaFile = Annotated[Path | None, Argument(metavar="FILE", help="Where it goes; by default stdout.")]

Online = Annotated[bool, Option("--online", help="Also try to reach the model hub.")]
Steps = Annotated[int | None, Option("--steps", min=1, metavar="N", help="Train at most N optimiser steps.")]
Refresh = Annotated[
    bool, Option("--refresh", help="Ask again for what is there; what did not change is not sent again.")
]
Again = Annotated[bool, Option("--again", help="Train a new adapter though one is already there.")]
