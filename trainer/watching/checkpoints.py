"""Checkpoints: what an interrupted run goes on from, each sealed with the hash of every file and with whose it is.

A checkpoint is written under a temporary name, its files brought to disk, sealed, and renamed: a kill leaves it whole or absent. What is sealed
and does not match was changed by someone, and is refused; what has no seal is not whole, and is passed over for the one before it. There is no
pickle in it (see `trainer.watching.saved_state`). Rejected: transformers' own checkpoint, which is written in place and has three of them.

Two stand at any time, so that a run that goes bad can go back to the one whose weights were proven by the step after it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import Corruption, Mismatch, StorageError
from schemas.fingerprint import sha256_file
from trainer.record import write_json

SEAL = "seal.json"
KEPT = 2
"""Checkpoints that stand at a time."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Checkpoint:
    """One that stands: whole, by its seal."""

    path: Path
    step: int
    best: int | None
    """The step of the best adapter when it was written, which a resumed run needs …"""
    best_digest: str | None = None
    """… and what it was (`trainer.record.adapter_digest`)."""
    ended: str | None = None
    """Why a callback ended the run at this step: a run killed while it ends only ends anew."""


@dataclass(frozen=True)
class Checkpoints:
    """Those of one run."""

    folder: Path
    owner: str
    """Whose they are: by `trainer.runs.checkpoints_of`."""

    def write(
        self,
        step: int,
        fill: Callable[[Path], None],
        best: int | None = None,
        best_digest: str | None = None,
        ended: str | None = None,
    ) -> None:
        """Let `fill` write the files of a step, then seal them; older ones than `KEPT` go. OSError leaves those that stand as they are."""
        stage = self.folder / f".new-{step}"
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        try:
            fill(stage)
            files = {name: sha256_file(path) for name, path in _files(stage)}
            for _, path in _files(stage):
                _to_disk(path)
            seal = {
                "owner": self.owner,
                "step": step,
                "best": best,
                "best_digest": best_digest,
                "ended": ended,
                "files": files,
            }
            write_json(stage / SEAL, seal)
            place = self.folder / f"checkpoint-{step}"
            shutil.rmtree(place, ignore_errors=True)
            stage.rename(place)
            _to_disk(self.folder)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        for old in self.standing()[KEPT:]:
            gone = (
                self.folder / f".old-{old.step}"
            )  # renamed first: a kill amid the deleting must not leave a part under its name
            old.path.rename(gone)
            shutil.rmtree(gone)

    def clear_up(self) -> None:
        """Drop what a kill left half written or half deleted. Only while the run is held."""
        for pattern in (".new-*", ".old-*"):
            for path in self.folder.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)

    def standing(self) -> list[Checkpoint]:
        """Every one with a seal, newest first; what is in them is not looked at."""
        found = []
        for path in self.folder.glob("checkpoint-*"):
            seal = _seal(path)
            if seal is not None and path.name == f"checkpoint-{seal['step']}":  # not someone's copy beside it
                more = (seal.get(key) for key in ("best", "best_digest", "ended"))
                found.append(Checkpoint(path, int(seal["step"]), *more))
        return sorted(found, key=lambda one: one.step, reverse=True)

    def torn(self) -> list[Path]:
        """Folders without a seal: a kill, or an earlier gristmill, left them."""
        return sorted(path for path in self.folder.glob("checkpoint-*") if _seal(path) is None)

    def newest(self) -> Checkpoint | None:
        """The newest that stands, every file of it checked. Raises Mismatch or Corruption."""
        for one in self.standing():
            self.check(one)
            return one
        return None

    def before(self, step: int) -> Checkpoint | None:
        """The newest whose weights a loss before `step` proved to be sound: that of the step after it."""
        for one in self.standing():
            if 0 < one.step < step - 1:
                self.check(one)
                return one
        return None

    def check(self, one: Checkpoint) -> None:
        """Raises Mismatch where it is another run's, Corruption naming the file that was changed, added or taken away."""
        seal = _seal(one.path) or {}
        back = f"Put the run's own back, or delete it to go on from the one before: rm -r {one.path}"
        if seal.get("owner") != self.owner:
            raise Mismatch(
                f"{one.path} is another run's checkpoint: its seal says {seal.get('owner')}, this run is {self.owner}. Going on from it would "
                f"give an adapter that its record does not describe. {back}"
            )
        written, there = seal["files"], dict(_files(one.path))
        names = sorted(written.keys() | there.keys())
        wrong = [
            name
            for name in names
            if name not in there or name not in written or sha256_file(there[name]) != written[name]
        ]
        if wrong:
            raise Corruption(
                f"{one.path / wrong[0]} is not what the run wrote: it was changed, added or taken away, so going on from it would not be this "
                f"run. {back}"
            )


def _seal(path: Path) -> dict[str, Any] | None:
    try:
        seal = json.loads((path / SEAL).read_bytes())
        return seal if isinstance(seal["files"], dict) and isinstance(seal["step"], int) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file but the seal, by its name in the folder."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in {SEAL, f".{SEAL}.tmp"}:
            yield name, path


def _to_disk(path: Path) -> None:
    """Have the system write a file, or a folder's names, before anything is built on it."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def unwritable(error: Exception, what: str, hint: str) -> StorageError | None:
    """The error for a disk that is full or will not be written, or None where `error` means another thing.

    safetensors raises an error of its own, which has the system's only as text.
    """
    told = str(error)
    number = getattr(error, "errno", None)
    if number in FULL or any(f"os error {code}" in told for code in FULL):
        return StorageError(f"{what} cannot be written: the disk is full ({told}). {hint}")
    if number in {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}:
        return StorageError(f"{what} cannot be written: {told}. {hint}")
    return None
