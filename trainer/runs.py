"""Runs on disk: begin one, take one up again, open one and use it.

A run's folder is made whole under a temporary name and renamed to its number. While a run is at work it holds a lock
on the folder, which the system drops when the process dies, however it dies: so a killed run is known without guessing.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from schemas.errors import NotFound, StorageError, UserError
from schemas.fingerprint import fingerprint
from schemas.recipe import Train
from schemas.store import Store
from trainer.record import RECORD, RunRecord, read_record, write_record
from trainer.watching.checkpoints import Checkpoints

if TYPE_CHECKING:
    import pyarrow as pa

    from trainer.evaluate import Evaluation
    from trainer.export import Exported
    from trainer.generate import Speaker

ADAPTER = "adapter"
CHECKPOINTS = "checkpoints"
BEST = "best"
RECIPE = "recipe.toml"
METRICS = "metrics.parquet"
LOCK = ".lock"
ROOM = "Free some space, or name another place with --root DIR."
FREE = frozenset({"micro_batch_size", "eval_batch_size", "gradient_checkpointing", "max_minutes", "trackers"})
"""What a resumed run may have otherwise: how it is computed and how long, not what is learned from which rows."""


@dataclass(frozen=True)
class Run:
    """One training run on disk."""

    root: Path
    path: Path

    @property
    def spec(self) -> str:
        """name/number."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def store(self) -> Store:
        """The folders it lives among."""
        return Store(self.root)

    @property
    def record(self) -> RunRecord:
        """`gristmill.json`, read anew each time: evaluations add to it."""
        return read_record(self.path)

    @property
    def adapter(self) -> Path:
        """The folder of the saved adapter. Raises NotFound where the run is not finished."""
        record = self.record
        if record.status != "finished":
            raise NotFound(
                f"{self.spec} is not finished, so it has no adapter yet. Go on with: gristmill train RECIPE --resume"
            )
        if record.outcome and record.outcome.kept == "none":
            raise NotFound(
                f"{self.spec} has no adapter: {record.outcome.stop_reason}. Train again: gristmill train RECIPE"
            )
        return self.path / ADAPTER

    @property
    def at_work(self) -> bool:
        """Whether a living process holds it."""
        try:
            with (self.path / LOCK).open(encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except BlockingIOError:
            return True
        except OSError:
            return False  # no lock was ever made, or it may not be read: nobody is known to hold it

    def metrics(self) -> pa.Table:
        """`metrics.parquet` (schema `trainer.seeing.journal.METRICS`)."""
        import pyarrow.parquet as pq

        return pq.read_table(self.path / METRICS)

    def evaluate(self, **options: Any) -> Evaluation:
        """Open the sealed test split: base against tuned; options as `trainer.evaluate.evaluate`."""
        from trainer.evaluate import evaluate

        return evaluate(self, **options)

    def chat(self, prompt: str, **options: Any) -> str:
        """The adapter's answer; options as `trainer.generate.Speaker.answer`. The model stays loaded for the next call."""
        return self._speaker.answer(prompt, **options)

    def export(self, folder: Path | str, **options: Any) -> Exported:
        """Take the model home; options as `trainer.export.export`."""
        from trainer.export import export

        return export(self, folder, **options)

    @cached_property
    def _speaker(self) -> Speaker:
        from trainer.generate import Speaker

        return Speaker.open(self)


def open(spec: str | Path, *, root: Path | str = ".") -> Run:  # noqa: A001  `trainer.open("hearthside/1")` is the contract
    """A run by `name`, `name/N`, or its folder. Raises NotFound."""
    store = Store(Path(root))
    path = Path(spec)
    return Run(store.root, path if (path / RECORD).is_file() else store.run(str(spec)))


# ------------------------------------------------------------------------------------------------ writing


def begin(store: Store, name: str, record: RunRecord, recipe: Path, text: str | None = None) -> Run:
    """Make the next run's folder with its record and a copy of the recipe, or with `text` in its place. Raises StorageError."""
    folder = store.runs / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}. Name another place with --root DIR."
        ) from error
    try:
        (stage / RECIPE).write_bytes(recipe.read_bytes() if text is None else text.encode())
        (stage / LOCK).touch()
        number = max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0) + 1
        while True:
            write_record(stage, record.model_copy(update={"run": f"{name}/{number}"}))
            try:
                stage.rename(folder / str(number))
            except OSError:
                if not (folder / str(number)).exists():
                    raise
                number += 1  # another process took it
                continue
            (folder / str(number)).chmod(0o755)
            return Run(store.root, folder / str(number))
    except OSError as error:
        raise StorageError(f"cannot begin a run in {folder}: {error.strerror}. {ROOM}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def locked(run: Run, *, wait: bool = False) -> Iterator[None]:
    """Hold a run. Raises UserError where another process does, unless told to `wait` for it."""
    try:
        file = (run.path / LOCK).open("w", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write in {run.path}: {error.strerror}. Make it writable, or train under another --root."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            raise UserError(
                f"{run.spec} is at work in another process. Wait for it, or end that one first."
            ) from error
        yield


def unfinished(store: Store, record: RunRecord, run: Run | None = None) -> Run:
    """The newest run of this name, or `run`, to be taken up again. Raises NotFound where it is finished, UserError where it differs."""
    name = record.run.partition("/")[0]
    run = run or Run(store.root, store.run(name))
    old = run.record
    if old.status == "finished":
        raise NotFound(
            f"nothing to resume: {run.spec} is finished ({old.outcome.stop_reason if old.outcome else 'done'}). Leave out --resume."
        )
    # A run of an earlier gristmill has no digest of its rows.
    theirs, ours = _identity(old), _identity(record if old.rows else record.model_copy(update={"rows": {}}))
    changed = sorted(key for key in ours.keys() | theirs.keys() if theirs.get(key) != ours.get(key))
    if changed:
        told = "; ".join(f"{key} was {theirs.get(key)}, is {ours.get(key)}" for key in changed)
        back = f"go on with --resume --version {old.corpus}" if "corpus" in changed else "put that back"
        raise UserError(
            f"{run.spec} cannot go on: {told}. Either {back}, or leave out --resume to start a new run."
        )
    return run


def checkpoints_of(run: Run, record: RunRecord) -> Checkpoints:
    """The checkpoints of a run, sealed with what it is: its name, its random key, and all that must not change within it."""
    owner = fingerprint([record.run, record.key, _identity(record)])
    return Checkpoints(run.path / CHECKPOINTS, owner)


def _identity(record: RunRecord) -> dict[str, Any]:
    """What must not change within one run."""
    try:
        train = Train.model_validate(record.train).model_dump(mode="json")
    except ValidationError:
        train = record.train  # of another gristmill: what it cannot read will differ
    train = {key: value for key, value in train.items() if key not in FREE}
    parts = {
        "corpus": record.corpus,
        "fingerprint": record.fingerprint,
        "model": record.base.digest,
        "backend": record.backend,
        "processes": record.processes,
    }
    rows = {f"rows.{split}": value for split, value in record.rows.items()}
    return parts | rows | {f"train.{key}": value for key, value in train.items()}
