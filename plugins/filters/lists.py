"""Lists in files: one entry a line, UTF-8. What follows "#" at the start of a line is a remark, an empty line nothing.

A file is read once a process for as long as it stays the same: a block list of millions of domains is shared by all tasks.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

Files = str | tuple[str, ...] | None
"""The type of an option that names files."""


def paths(files: Files) -> tuple[str, ...]:
    """The paths that such an option holds."""
    return (files,) if isinstance(files, str) else files or ()


def entries(files: Files) -> Iterable[str]:
    """Every entry of the files, in order, without spaces around it. Raises OSError, and ValueError for a file that is not UTF-8."""
    for path in paths(files):
        yield from _entries(path, *stamp(path))


def stamp(path: str) -> tuple[int, int]:
    """What tells one content of a file from the next within a process."""
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=32)
def _entries(path: str, _size: int, _modified: int) -> tuple[str, ...]:
    try:
        lines = map(str.strip, Path(path).read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 (byte {error.start}); bring it to UTF-8, as with `iconv -f windows-1252 -t utf-8`"
        ) from None
    return tuple(line for line in lines if line and not line.startswith("#"))
