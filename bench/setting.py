"""What every part of the benchmark is given: where things lie, who is measured, how often and on how much."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import debian, environment
from bench.measure import Contestant, say

REPO = Path(__file__).resolve().parents[1]
DATA = REPO.parent / "shared" / "data"
CORES = 2
"""Of every whole run, on both sides."""


@dataclass(frozen=True)
class Setting:
    """One call of the benchmark."""

    root: Path
    runs: int
    documents: int | None = None
    """Instead of each part's own number."""

    @property
    def corpus(self) -> Path:
        return self.root / "corpus"

    @cached_property
    def peers(self) -> Path:
        """The Python of the peers."""
        return environment.peers(self.root, "bench")

    @cached_property
    def text_dedup(self) -> Path:
        """The Python of text-dedup."""
        return environment.peers(self.root, "bench-text-dedup")

    @cached_property
    def llamafactory(self) -> Path:
        """The Python of LLaMA-Factory."""
        return environment.peers(self.root, "bench-train")

    def sample(self, name: str, documents: int) -> Path:
        """A folder of so many documents of the corpus; 0 is all."""
        return debian.sample(self.corpus, self.documents or documents, self.root / "samples" / name)

    def own(self, script: str, *, cores: int = 1, **config: Any) -> Contestant:
        """One of gristmill's scripts."""
        kernels = str(self.root / "kernels")
        return Contestant(Path(sys.executable), script, {"kernels": kernels, "cores": cores, **config}, cores)

    def peer(self, script: str, *, cores: int = 1, runs: int | None = None, **config: Any) -> Contestant:
        """One of the peers' scripts."""
        return Contestant(self.peers, script, {"cores": cores, **config}, cores, runs=runs)


def ratio(slow: dict[str, Any], fast: dict[str, Any]) -> float | None:
    """How many times as fast, per document; None where one of them failed."""
    if "error" in slow or "error" in fast:
        return None
    return float(slow["seconds"] / fast["seconds"])


__all__ = ["CORES", "DATA", "REPO", "Setting", "ratio", "say"]
