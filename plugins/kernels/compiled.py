"""How kernels are compiled, and where the machine code is kept between processes.

Numba's own `cache=True` was rejected: it chooses its folder at import, raises there when the package is installed read-only, and does
not notice an edit to a kernel that another file inlines. So kernels are declared without a cache, and `use_cache` gives all
of them one folder, named by the hash of every kernel's source. Without it, or where nothing can be written, they compile
once a process: slower by some seconds, never wrong.
"""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

from schemas.fingerprint import fingerprint

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

HERE = Path(__file__).resolve().parent

_kernels: list[Any] = []
_folder: Path | None = None


class _ForgivingCache(FunctionCache):
    """A cache that cannot fail a build: a full disk or a damaged file costs a compilation."""

    @contextlib.contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        with contextlib.suppress(OSError, EOFError, ValueError, pickle.PickleError):
            yield


def compiled(function: Kernel) -> Kernel:
    """Declare a kernel: machine code without the GIL, compiled at its first call for the types it meets."""
    kernel = numba.njit(nogil=True)(function)
    _kernels.append(kernel)
    if _folder is not None:
        _enable(kernel, _folder)
    return kernel


def inlined(function: Kernel) -> Kernel:
    """Declare a piece of kernels that is copied into each of its callers: a call that passes an array counts a reference, and
    costs more than a short loop does."""
    piece: Kernel = numba.njit(nogil=True, inline="always")(function)
    return piece


def use_cache(path: Path) -> Path | None:
    """Keep machine code of every kernel under `path`, now and for kernels imported later in this process.

    Returns the folder in use, `path/kernels-<source_digest>`, or None where it cannot be written: then nothing is kept.
    Call it before the first kernel runs, in each worker process; calling it again is harmless.
    """
    global _folder
    folder = path.absolute() / f"kernels-{source_digest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        _folder = None
        return None
    _folder = folder
    for kernel in _kernels:
        _enable(kernel, folder)
    return folder


def _enable(kernel: Any, folder: Path) -> None:
    """Give one kernel its cache; numba reads the folder from its configuration, which is put back for other users of numba."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        kernel._cache = _ForgivingCache(kernel.py_func)  # noqa: SLF001 (numba's enable_caching offers no choice of class)
    except RuntimeError:
        return  # the source lies where numba finds no file, such as a zip: compile without
    finally:
        numba.config.CACHE_DIR = before


@cache
def source_digest() -> str:
    """Identity of what kernels compute and are compiled by: their source files and numba's version."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.py"))}
    return fingerprint({"sources": sources, "numba": version("numba"), "llvmlite": version("llvmlite")})
