"""An end from outside: a file that appears. For runs that nobody sits before, on machines where Ctrl-C has no terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import PrivateAttr

from plugins.contracts import Callback


class StopFile(Callback):
    """End the run once a file appears in its folder: `touch runs/NAME/N/STOP`."""

    name: ClassVar[str] = "stop-file"

    file: str = "STOP"
    """Its name, relative to the run's folder."""

    _path: Path | None = PrivateAttr(None)

    def begin(self, run: Mapping[str, Any]) -> str | None:
        """Where to look. A file left from before counts as well."""
        self._path = Path(run["folder"], self.file)
        return self._reason()

    def step(self, row: Mapping[str, Any]) -> str | None:
        return self._reason()

    def _reason(self) -> str | None:
        return f"{self._path} appeared" if self._path and self._path.exists() else None
