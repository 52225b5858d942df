"""`gristmill eval`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Device, Json, Root, RunName, need_extra, print_json

Memorisation = Annotated[
    int,
    typer.Option("--memorisation", min=0, metavar="N", help="Training passages to ask for; 0 leaves it out."),
]
Samples = Annotated[
    int,
    typer.Option("--samples", min=0, metavar="N", help="Val beginnings that both answer, beside each other."),
]
Prompts = Annotated[
    Path | None,
    typer.Option(
        "--prompts",
        metavar="FILE",
        help="Prompts that both answer in place of --samples, one a line, or .jsonl.",
    ),
]
Harness = Annotated[
    str | None,
    typer.Option(
        "--harness",
        metavar="TASKS",
        help="Tasks of lm-evaluation-harness, by comma; `test` is the run's own test split.",
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="Items of each harness task, for a trial.")
]
NoTest = Annotated[bool, typer.Option("--no-test", help="Leave the test split sealed.")]


def evaluate(
    run: RunName,
    memorisation: Memorisation = 16,  # trainer.evaluate.PASSAGES, which would import torch
    samples: Samples = 0,
    prompts: Prompts = None,
    harness: Harness = None,
    limit: Limit = None,
    no_test: NoTest = False,
    root: Root = Path(),
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Compare base and tuned model on the sealed test split (every opening is counted), and see what training text they give back."""
    need_extra()
    from trainer.evaluate import evaluate as measure_run
    from trainer.seeing.table import room

    tasks = tuple(task.strip() for task in (harness or "").split(",") if task.strip())
    found = measure_run(
        run,
        root=root,
        device=device,
        test=not no_test,
        memorisation=memorisation,
        samples=samples,
        prompts=prompts,
        harness=tasks,
        limit=limit,
    )
    sys.stdout.writelines(f"{line}\n" for line in found.lines(room()))
    print_json(found.to_json(), as_json=as_json)
