"""Whether Python finds our packages under their names: `schemas`, `plugins`, `corpus` and `trainer` are common words.

A folder of one of these names that comes earlier on the path would be imported instead, with errors that name neither.
All four lie side by side, in a checkout and in a wheel, so ours are the ones beside this file. Standard library only: it
runs before the first import of any of them, at every start.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("schemas", "plugins", "corpus", "trainer")

HOME = Path(__file__).resolve().parent.parent
"""The folder that holds our four packages."""


@dataclass(frozen=True)
class Shadow:
    """A package of ours that Python does not find, or finds elsewhere."""

    name: str
    found: Path | None
    """The folder or file that is found instead."""

    def __str__(self) -> str:
        """What hides it, and the cure."""
        ours = HOME / self.name
        if self.found is None:
            return f'gristmill\'s package "{self.name}" is not at {ours}: the installation is incomplete. Mend it with: {self.cure}'
        return f'{self.found} shadows gristmill\'s own package "{self.name}" ({ours}). {self.cure}'

    @property
    def cure(self) -> str:
        """What to do about it."""
        if self.found is None:
            return "pip install --force-reinstall --no-deps gristmill"
        folder = self.found.parent
        named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if folder in (Path(entry).resolve() for entry in named if entry):
            return f"Take {folder} off PYTHONPATH (unset PYTHONPATH), or rename {self.found.name}."
        if owners := [owner for owner in packages_distributions().get(self.name, []) if owner != "gristmill"]:
            return f"It comes with {owners[0]}: give gristmill an environment of its own, or pip uninstall {owners[0]}."
        return f"Rename it, or run gristmill from another folder than {folder}."


def shadows() -> list[Shadow]:
    """The packages of ours that are hidden or missing; empty where all is well. Imports none of them."""
    return [shadow for name in PACKAGES if (shadow := _shadow(name))]


def _shadow(name: str) -> Shadow | None:
    found = locate(name)
    return None if found == HOME / name else Shadow(name, found)


def locate(name: str) -> Path | None:
    """The folder (or the file, of a single module) that `import name` would use or has used."""
    loaded = sys.modules.get(name)
    # find_spec raises for a module without a spec, such as one made by hand.
    spec = loaded.__spec__ if loaded else find_spec(name)
    places = list(spec.submodule_search_locations or []) if spec else []
    if places:
        return Path(places[0]).resolve()
    origin = spec.origin if spec else getattr(loaded, "__file__", None)
    return Path(origin).resolve() if origin else None
