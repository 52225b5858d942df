"""`gristmill eval`."""

from __future__ import annotations

import sys
from pathlib import Path

from trainer.commands.options import Device, Json, Root, RunName, need_extra, print_json


def evaluate(run: RunName, root: Root = Path(), device: Device = "auto", as_json: Json = False) -> None:
    """Compare base and tuned model on the sealed test split; every opening is counted."""
    need_extra()
    from trainer.evaluate import evaluate as measure_run

    found = measure_run(run, root=root, device=device)
    sys.stdout.writelines(f"{line}\n" for line in found.lines())
    print_json(found.to_json(), as_json=as_json)
