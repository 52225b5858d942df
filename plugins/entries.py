"""Finds plugins by name: installed ones by entry point, local ones in files the recipe names.

Rejected: registration at import, which makes what exists depend on what happened to be imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from plugins.contracts import KINDS, Plugin
from plugins.local_files import local_classes
from schemas.errors import UserError


@dataclass(frozen=True)
class Entry:
    """One plugin that can be named."""

    kind: str
    name: str
    origin: str
    """The distribution it comes from, or the local file."""
    target: EntryPoint | type[Plugin]
    file: str | None = None

    def load(self) -> type[Plugin]:
        """The class; raises UserError where its module cannot be imported or is not what the contract asks."""
        if isinstance(self.target, type):
            return self.target
        try:
            found = self.target.load()
        except Exception as error:  # a stranger's module may raise anything
            raise UserError(
                f'{self.kind} "{self.name}" from {self.origin} cannot be imported: {type(error).__name__}: {error}. '
                f"Upgrade or uninstall {self.origin}."
            ) from error
        if not (isinstance(found, type) and issubclass(found, KINDS[self.kind])):
            raise UserError(
                f'{self.kind} "{self.name}" from {self.origin} is not a {KINDS[self.kind].__name__} (see plugins/contracts.py).'
            )
        return found


def entries(kind: str, local: tuple[Entry, ...] = ()) -> dict[str, Entry]:
    """All plugins of a kind by name, local files first: a recipe's own file may replace a built-in."""
    found = {entry.name: entry for entry in _installed(kind)}
    found.update({entry.name: entry for entry in local if entry.kind == kind})
    return dict(sorted(found.items()))


@cache
def _installed(kind: str) -> tuple[Entry, ...]:
    points = entry_points(group=f"gristmill.{kind}s")
    return tuple(
        Entry(kind, point.name, point.dist.name if point.dist else "unknown", point) for point in points
    )


def local_entries(file: Path) -> tuple[Entry, ...]:
    """The plugins a local file defines. Raises UserError with the file's own error."""
    return tuple(
        Entry(kind, found.name, str(file), found, str(file.resolve())) for kind, found in local_classes(file)
    )


def class_of(kind: str, use: str, file: str | None) -> type[Plugin]:
    """The class that `use` names, what stands behind its colon left out; `file` is a local plugin file."""
    local = local_entries(Path(file)) if file else ()
    return entries(kind, local)[use.partition(":")[0]].load()
