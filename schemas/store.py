"""Where versions, runs, models and work lie under a root, and how `name@N` and `name/N` are opened.

    <root>/corpora/<name>/v<N>/          published versions: read-only, whole or absent
    <root>/runs/<name>/<n>/              training runs
    <root>/.gristmill/sources/<name>/    what scrapers brought from elsewhere: crawls with their archives
    <root>/.gristmill/work/              task outputs, content-addressed; safe to delete
    <root>/.gristmill/cache/             compiled kernels
    <root>/.gristmill/models/<name>/     base models and tokenizers

Paths and manifests only: whoever needs the tables reads the Parquet files this module points to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import NotFound, nearest
from schemas.manifest import Manifest, read_manifest

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names of corpora: one path component, the same on every file system."""

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Store:
    """The folders under one root."""

    root: Path

    @property
    def corpora(self) -> Path:
        return self.root / "corpora"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def sources(self) -> Path:
        return self.root / ".gristmill" / "sources"

    @property
    def work(self) -> Path:
        return self.root / ".gristmill" / "work"

    @property
    def cache(self) -> Path:
        return self.root / ".gristmill" / "cache"

    @property
    def models(self) -> Path:
        return self.root / ".gristmill" / "models"

    def names(self) -> list[str]:
        """Corpora with at least one published version, sorted."""
        return sorted(path.name for path in self.corpora.glob("*") if self.numbers(path.name))

    def numbers(self, name: str) -> list[int]:
        """Published version numbers of `name`, ascending."""
        return sorted(
            int(path.name[1:])
            for path in (self.corpora / name).glob("v*")
            if path.name[1:].isdecimal() and (path / "manifest.json").is_file()
        )

    def versions(self, name: str) -> list[VersionPath]:
        """Published versions of `name`, oldest first."""
        return [
            VersionPath(name, number, self.corpora / name / f"v{number}") for number in self.numbers(name)
        ]

    def version(self, spec: str) -> VersionPath:
        """Open `name` (its newest version) or `name@N`.

        Raises NotFound, with what exists and the nearest match.
        """
        name, _, number = spec.partition("@")
        numbers = self.numbers(name) if NAME.fullmatch(name) else []
        if not numbers:
            known = self.names()
            listed = (
                f"There are: {', '.join(known)}."
                if known
                else "There are none yet: `gristmill build RECIPE` makes one."
            )
            raise NotFound(
                f'no corpus named "{name}" under {self.corpora}. {nearest(name, known)} {listed}'.replace(
                    "  ", " "
                )
            )
        wanted = number.removeprefix("v") if number else str(numbers[-1])
        if not wanted.isdecimal() or int(wanted) not in numbers:
            raise NotFound(f'{name} has no version "{number}"; it has {", ".join(map(str, numbers))}.')
        return VersionPath(name, int(wanted), self.corpora / name / f"v{int(wanted)}")

    def run(self, spec: str) -> Path:
        """The folder of run `name` (its newest) or `name/N`; raises NotFound."""
        name, _, number = spec.strip("/").partition("/")
        numbers = sorted(int(path.name) for path in (self.runs / name).glob("*") if path.name.isdecimal())
        if not NAME.fullmatch(name) or not numbers:
            known = sorted(path.name for path in self.runs.glob("*"))
            listed = (
                f"There are: {', '.join(known)}."
                if known
                else "There are none yet: `gristmill train RECIPE` makes one."
            )
            raise NotFound(
                f'no run named "{name}" under {self.runs}. {nearest(name, known)} {listed}'.replace("  ", " ")
            )
        wanted = number or str(numbers[-1])
        if not wanted.isdecimal() or int(wanted) not in numbers:
            raise NotFound(f'{name} has no run "{number}"; it has {", ".join(map(str, numbers))}.')
        return self.runs / name / str(int(wanted))


@dataclass(frozen=True)
class VersionPath:
    """One published version on disk."""

    name: str
    number: int
    path: Path

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.number}"

    def manifest(self) -> Manifest:
        """Read and check `manifest.json`; raises Corruption when it is not what was written."""
        return read_manifest(self.path)

    def files(self, table: str, split: str | None = None) -> list[Path]:
        """The Parquet files of `table` in row order; with `split`, of that split only."""
        pattern = f"{split}-*.parquet" if split else "*.parquet"
        return sorted((self.path / table).glob(pattern))
