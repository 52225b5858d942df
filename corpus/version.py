"""A published version in Python's hands: `corpus.open("hearthside@1").sql("…")`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.manifest import Manifest
from schemas.store import VersionPath

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Version:
    """One published version; immutable, as what lies on disk is."""

    place: VersionPath

    @property
    def spec(self) -> str:
        """name@N, as commands take it."""
        return self.place.spec

    @property
    def path(self) -> Path:
        """Its folder; `<path>/<table>/*.parquet` are its tables."""
        return self.place.path

    @property
    def manifest(self) -> Manifest:
        """What it is and how it came to be. Raises Corruption where the file is not what was written."""
        return self.place.manifest()

    def sql(self, statement: str) -> pl.DataFrame:
        """The answer to one SELECT over its tables, in DuckDB's SQL; raises UserError for bad SQL."""
        from corpus.query import query

        return query(self.place, statement)

    def verify(self) -> list[str]:
        """One line for every file that is not what was written; empty where all is whole."""
        from corpus.versions import verify

        return verify(self.place)
