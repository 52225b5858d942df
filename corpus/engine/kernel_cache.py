"""Where this process and its workers keep compiled kernels: told once by the build, passed on in the environment."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

VARIABLE = "GRISTMILL_KERNEL_CACHE"


def keep_kernels_in(folder: Path) -> None:
    """Tell this process and every worker it starts."""
    os.environ[VARIABLE] = str(folder)


@cache
def use_kernel_cache() -> None:
    """Call before the first kernel of a process runs."""
    from plugins.kernels.compiled import use_cache

    if folder := os.environ.get(VARIABLE):
        use_cache(Path(folder))
