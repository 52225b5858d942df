"""`gristmill runs`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from trainer.commands.options import Json, Root, print_json


def runs(root: Root = Path(), as_json: Json = False) -> None:
    """List training runs: what they were trained on, how they ended, how often their test split was opened."""
    from trainer.runs import listing

    found = listing(root)
    if not found:
        sys.stderr.write(f"no runs under {root / 'runs'} yet: `gristmill train RECIPE` makes one.\n")
    for row in found:
        loss = f"val {row.val_loss:.4f}" if row.val_loss is not None else ""
        parts = [
            row.run,
            row.status,
            row.corpus or "",
            row.model or "",
            f"{row.steps} steps" if row.steps else "",
            loss,
        ]
        opened = f"test opened {row.openings}x" if row.openings else ""
        sys.stdout.write("  ".join(part for part in [*parts, opened, row.stop_reason or ""] if part) + "\n")
    print_json([asdict(row) for row in found], as_json=as_json)
