"""Globs to files: sorted, each once, named relative to the folder where the wildcards begin.

`*`, `?` and `[…]` match within a name, `**` any number of folders; nothing matches a leading dot but a pattern that writes it. Links to
folders are followed, save into a folder one already stands in: `glob` of the standard library runs such a loop 40 times.
A folder that cannot be read is a match with an error, since what lies in it would vanish otherwise.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SourceError

SHOWN = 5
"""Names an error lists at most."""

_WILD = re.compile(r"[*?\[]")
Trail = frozenset[tuple[int, int]]
"""Device and inode of every folder one stands in."""


@dataclass(frozen=True, slots=True)
class Match:
    """A file, and its name within the source."""

    locator: str
    path: str
    error: str | None = None
    """Why it cannot be read, where that is known already."""


def find(patterns: Sequence[str], base: Path) -> list[Match]:
    """The files the patterns name, in the order of their locators: paths relative to the deepest folder above all wildcards.

    Raises SourceError for a pattern that matches no file.
    """
    # normpath would take "link/.." for nothing, which it is not where the link leads elsewhere; tolerable in a recipe.
    absolute = [os.path.normpath(base.absolute() / Path(pattern).expanduser()) for pattern in patterns]
    heads = [_static(pattern) for pattern in absolute]
    root = os.path.commonpath([folder for folder, _ in heads])
    found: dict[str, str | None] = {}
    for pattern, written, (folder, segments) in zip(absolute, patterns, heads, strict=True):
        matches = dict(_expand(folder, segments, frozenset()))
        if not matches:
            raise SourceError(_nothing(pattern, written, folder))
        found.update(matches)
    return sorted(
        (Match(_printable(os.path.relpath(path, root)), path, error) for path, error in found.items()),
        key=lambda m: m.locator,
    )


def _static(pattern: str) -> tuple[Path, list[str]]:
    """The folder above the first wildcard, and the segments below it; a name that exists as written has no wildcards."""
    whole = Path(pattern)
    if os.path.lexists(pattern):
        return whole.parent, [whole.name]
    first = next((n for n, part in enumerate(whole.parts) if _WILD.search(part)), len(whole.parts) - 1)
    return Path(*whole.parts[:first]), list(whole.parts[first:])


def _expand(folder: Path, segments: list[str], trail: Trail) -> Iterator[tuple[str, str | None]]:
    """(path, error) of every file below `folder` that the segments match."""
    head, rest = segments[0], segments[1:]
    literal = folder / head
    if not _WILD.search(head) or (not rest and os.path.lexists(literal)):
        if rest and literal.is_dir():
            yield from _expand(literal, rest, trail)
        elif not rest and _is_page(literal):
            yield str(literal), None
        return
    deep = head == "**"
    if deep and rest:
        yield from _expand(folder, rest, trail)
    try:
        here, entries = _identity(folder), list(os.scandir(folder))
    except OSError as error:
        yield from [] if isinstance(error, FileNotFoundError) else [(f"{folder}/", error.strerror)]
        return
    matches = re.compile(fnmatch.translate("*" if deep else head)).match
    for entry in entries:
        if not matches(entry.name) or (entry.name.startswith(".") and not head.startswith(".")):
            continue
        path = Path(entry.path)
        if not entry.is_dir():
            yield from [(entry.path, None)] if not rest and _is_page(path) else []
        elif (deep or rest) and _identity(path) not in trail | {here}:
            yield from _expand(path, segments if deep else rest, trail | {here})


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _is_page(path: Path) -> bool:
    """A regular file, or a link to nothing, which must not vanish; no pipe or device, which would block."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _printable(path: str) -> str:
    r"""The path in POSIX form; bytes that are no UTF-8 are written as \xNN, so that Arrow takes it."""
    return path.replace(os.sep, "/").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_utf8(path: str) -> bool:
    """Whether the name can be written into a table."""
    return (
        "\\x"
        not in path
        .encode("utf-8", "surrogateescape")
        .decode("utf-8", "backslashreplace")
        .replace("\\x5c", "")
        or path.isascii()
    )


def _nothing(pattern: str, written: str, folder: Path) -> str:
    """What the error says: the pattern in full, and what is there instead."""
    if Path(pattern).is_dir():
        kinds = Counter(
            path.suffix for path in Path(pattern).iterdir() if path.suffix and path.name[0] != "."
        )
        suffix = kinds.most_common(1)[0][0] if kinds else ".html"
        return f'path "{written}" is a folder, {pattern}. Name its files: path = "{written.rstrip("/")}/**/*{suffix}"'
    wild = _WILD.search(pattern)
    what = f'no file matches "{written}"' if wild else f'there is no file "{written}"'
    nearest = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    names = sorted(_printable(path.name) for path in nearest.iterdir() if path.name[0] != ".")
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    held = f"{nearest} is there and holds {', '.join(names[:SHOWN]) or 'nothing'}{more}."
    braces = (
        ' Endings are not listed in braces but as paths: path = ["a/*.html", "a/*.md"].'
        if "{" in written
        else ""
    )
    return f"{what}, in full {pattern}. {held} Paths are relative to the recipe's folder.{braces}"
