"""What a person has to type for `gristmill`: the bare word where the shell finds it, else the path they typed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def program() -> str:
    """`gristmill`, or `.venv/bin/gristmill` where only that is there."""
    typed = Path(sys.argv[0])
    if shutil.which("gristmill") or typed.name != "gristmill":
        return "gristmill"
    here = Path.cwd()
    return str(typed.relative_to(here)) if typed.is_absolute() and typed.is_relative_to(here) else str(typed)
