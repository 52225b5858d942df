"""The inside of a sandbox: runs in the child, so it imports little."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1 << 20
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one item may take."""

    cpu_seconds: int
    memory_mib: int
    """MiB of address space it may add to what the child has."""

    def times(self, factor: int) -> Limits:
        """So many times as much."""
        return Limits(self.cpu_seconds * factor, self.memory_mib * factor)


_CALL: tuple[str, Any] = ("", None)
_FUNCTION: Callable[[Any, Any], Any] | None = None


def prepare(function: str, spec: Any, parent: int) -> None:
    """What the child does first: tie its life to the parent's, and note what it will be asked to call."""
    global _CALL
    _CALL = (function, spec)
    die_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def die_with(parent: int) -> None:
    """End this process when its parent does, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(1)
    threading.Thread(target=_follow, name="parent-watch", daemon=True).start()


def _follow() -> None:
    """Wait for the parent's end, and end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def call(item: Any, limits: Limits) -> tuple[str | None, Any]:
    """(None, pickled result) of the function, or the kind of error and its text. Raises nothing: an exception may not be picklable."""
    global _FUNCTION
    name, spec = _CALL
    if _FUNCTION is None:
        try:
            _FUNCTION = find(name)
        except Exception as error:  # noqa: BLE001  a module may raise anything at import
            return "no function", f"{name} cannot be loaded: {type(error).__name__}: {error}"
    try:
        with _limited(limits):
            return None, pickle.dumps(_FUNCTION(spec, item), protocol=pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return "memory", None
    except BaseException as error:  # noqa: BLE001  SystemExit of a page is that page's failure too
        return "failed", f"{type(error).__name__}: {error}"


def find(name: str) -> Callable[[Any, Any], Any]:
    """The function "package.module:name" or "path/to/file.py:name" means."""
    where, _, attribute = name.rpartition(":")
    if not where.endswith(".py"):
        return getattr(importlib.import_module(where), attribute)
    path = Path(where)
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(found)
    sys.modules[path.stem] = module
    found.loader.exec_module(module)
    return getattr(module, attribute)


@contextlib.contextmanager
def _limited(limits: Limits) -> Iterator[None]:
    """CPU and address space as they are now, plus the limits; the process is ended by SIGXCPU at the first, refused memory at the second."""
    cpu, memory = resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_AS)
    seconds = int(time.process_time()) + 1 + limits.cpu_seconds
    _lower(resource.RLIMIT_CPU, seconds, cpu[1])
    _lower(resource.RLIMIT_AS, _address_space() + limits.memory_mib * MIB, memory[1])
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, memory)
        resource.setrlimit(resource.RLIMIT_CPU, cpu)


def _lower(kind: int, soft: int, hard: int) -> None:
    within = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    # macOS refuses to limit address space; there the page lives with the machine's own limit.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (within, hard))


def _address_space() -> int:
    """Bytes of address space in use; where the kernel does not say, enough to make the limit void."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except OSError:
        return 1 << 46
