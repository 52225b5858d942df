"""A sweep as it lies on disk, in `runs/<name>/sweeps/<n>.json`: what is tried, and what came of each so far."""

from __future__ import annotations

import fcntl
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from schemas.errors import GristmillError, NotFound, StorageError, UserError
from schemas.store import Store
from trainer.record import write_json
from trainer.runs import Run

if TYPE_CHECKING:
    from trainer.plan import Plan
    from trainer.sweeping.member import Member

Status = Literal["waiting", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Trial:
    """One combination, and what came of it."""

    overrides: dict[str, Any]
    run: str | None = None
    """name/number, once it has begun."""
    status: Status = "waiting"
    """waiting | finished | stopped (by the median rule) | failed."""
    val_loss: float | None = None
    """Of the adapter it kept."""
    steps: int | None = None
    minutes: float | None = None
    told: str = ""
    """Why it ended, or what it raised."""


@dataclass(frozen=True)
class Sweep:
    """A sweep, as far as it has come."""

    root: Path
    path: Path
    """Its file."""
    number: int
    name: str
    corpus: str
    recipe: str
    identity: str
    """H of the recipe's [train], the corpus and what is tried: only the same sweep goes on."""
    again: str
    """What to type to go on with it."""
    trials: tuple[Trial, ...]
    lines: tuple[str, ...] = field(default=())
    """The recipe's lines as the best run has them, where they differ, each under its header."""

    @property
    def best(self) -> Trial | None:
        """The lowest val loss; the earlier of two alike."""
        ranked = [one for one in self.trials if one.val_loss is not None]
        return min(ranked, key=lambda one: one.val_loss or 0.0, default=None)

    @property
    def waiting(self) -> int:
        """Runs still to do."""
        return sum(one.status == "waiting" for one in self.trials)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        best = self.best
        return {
            "sweep": self.number,
            "name": self.name,
            "corpus": self.corpus,
            "recipe": self.recipe,
            "identity": self.identity,
            "again": self.again,
            "best": best.run if best else None,
            "overrides": best.overrides if best else {},
            "lines": list(self.lines),
            "trials": [asdict(one) for one in self.trials],
        }


def begin(plan: Plan, recipe: Path, identity: str, again: str, members: Sequence[Member]) -> Sweep:
    """A new sweep's file."""
    folder = plan.store.runs / plan.version.name / "sweeps"
    trials = tuple(Trial(dict(member.overrides)) for member in members)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = max(itertools.chain(_numbers(folder), _of_runs(plan.store, plan.version.name)), default=0)
        while True:
            number += 1
            try:
                (folder / f"{number}.json").touch(exist_ok=False)
            except FileExistsError:
                continue  # another process took it
            break
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}. Name another place with --root DIR."
        ) from error
    made = Sweep(
        plan.store.root, folder / f"{number}.json", number, plan.version.name, plan.version.spec, str(recipe), identity, again, trials
    )  # fmt: skip
    write_json(made.path, made.to_json())
    return made


def take_up(plan: Plan, identity: str) -> Sweep:
    """The newest sweep of this corpus' name. Raises NotFound where there is none to go on with, UserError where it is another."""
    folder = plan.store.runs / plan.version.name / "sweeps"
    number = max(_numbers(folder), default=None)
    if number is None:
        raise NotFound(f"there is no sweep of {plan.version.name} to go on with. Leave out --resume.")
    found = read(plan.store, plan.version.name, number)
    if found.identity != identity:
        raise UserError(
            f"sweep {number} of {plan.version.name} tries something else, or its recipe or corpus has changed since. It was started with: "
            f"{found.again}. Go on with that, or leave out --resume to start a new one."
        )
    if not found.waiting and not any(one.status == "failed" for one in found.trials):
        raise NotFound(
            f"nothing to resume: sweep {number} of {plan.version.name} is done. Leave out --resume."
        )
    return found


def read(store: Store, name: str, number: int) -> Sweep:
    """A sweep from its file. Raises NotFound."""
    path = store.runs / name / "sweeps" / f"{number}.json"
    try:
        told = json.loads(path.read_bytes())
        trials = tuple(Trial(**one) for one in told["trials"])
        keys = ("name", "corpus", "recipe", "identity", "again")
        kept = {key: told[key] for key in keys}
        return Sweep(store.root, path, told["sweep"], **kept, trials=trials, lines=tuple(told["lines"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFound(
            f"{path} is no sweep that can be read: {error}. Start a new one without --resume."
        ) from error


def _numbers(folder: Path) -> Iterator[int]:
    return (int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal())


def _of_runs(store: Store, name: str) -> Iterator[int]:
    """The sweeps that runs are members of. Where a sweep's file was deleted, its number is not given again: its runs would be taken for the new one's."""
    for path in (store.runs / name).glob("*"):
        if path.name.isdecimal():
            try:
                yield Run(store.root, path).record.sweep or 0
            except GristmillError:
                continue  # not a record that can be read


@contextmanager
def locked(found: Sweep) -> Iterator[None]:
    """Hold a sweep. Raises UserError where another process does."""
    with found.path.with_name(f".{found.number}.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f"sweep {found.number} of {found.name} is at work in another process. Wait for it, or end that one first."
            ) from error
        yield
