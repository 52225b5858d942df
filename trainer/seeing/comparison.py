"""Runs side by side: one row each, and between some of them what differs in recipe and corpus.

A row is honest about what is not there: a run at work or killed has the numbers of its journal so far, one that cannot be read
says why, and a test loss stands only where the sealed split was opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import GristmillError
from schemas.store import Store
from trainer.record import RunRecord
from trainer.runs import METRICS, Run

ABSENT = "absent"
"""A key that one recipe has and the other has not."""


@dataclass(frozen=True)
class Listed:
    """One row of `gristmill runs`. What is not known is null."""

    run: str
    status: str
    """finished | running | unfinished | unreadable."""
    corpus: str | None = None
    """name@version."""
    model: str | None = None
    sweep: int | None = None
    """The sweep it is a member of."""
    steps: int | None = None
    best_step: int | None = None
    val_loss: float | None = None
    """Of the adapter that was kept; of a run that has not ended the best so far."""
    test_loss: float | None = None
    """Of the tuned model, where the test split was opened: the last time it was measured. A look broken off, or by the harness, has none."""
    openings: int = 0
    tokens_per_second: float | None = None
    """Trained tokens in a second of training, evaluations left out."""
    minutes: float | None = None
    """At work, evaluations counted."""
    verdict: str | None = None
    """overfitting | underfitting | unsteady | no gain | fit: what the losses say (`trainer.watching.verdict`)."""
    told: str | None = None
    """The same in a sentence."""
    stop_reason: str | None = None
    """Why it ended; of one that cannot be read, why not."""

    @property
    def test_perplexity(self) -> float | None:
        """exp(test loss)."""
        return None if self.test_loss is None else math.exp(min(self.test_loss, 700))

    def to_json(self) -> dict[str, Any]:
        """As plain values, the perplexity among them."""
        return asdict(self) | {"test_perplexity": self.test_perplexity}


@dataclass(frozen=True)
class Comparison:
    """Some runs, and what differs between them. A difference has a value for each run, in order."""

    runs: list[Listed]
    recipe: dict[str, list[Any]] = field(default_factory=dict)
    """By dotted key of [train], the base, and what the machine decided."""
    corpus: dict[str, list[Any]] = field(default_factory=dict)
    """By what was built: name and version, sizes of the splits, dotted keys of the corpus sections."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"runs": [run.to_json() for run in self.runs], "recipe": self.recipe, "corpus": self.corpus}


def listing(root: Path | str = ".", name: str | None = None) -> list[Listed]:
    """Every run under `root`, or those of one name, by name and number."""
    store = Store(Path(root))
    paths = [path for path in store.runs.glob(f"{name or '*'}/*") if path.name.isdecimal() and path.is_dir()]
    ordered = sorted(paths, key=lambda path: (path.parent.name, int(path.name)))
    return [row(Run(store.root, path)) for path in ordered]


def row(run: Run) -> Listed:
    """What is to be told of one run. Raises nothing: what cannot be read says so."""
    from pyarrow import ArrowException

    from trainer.seeing.journal import rate, read_rows
    from trainer.watching.verdict import verdict

    try:
        record, rows = run.record, read_rows(run.path / METRICS)
    except (GristmillError, ArrowException, OSError) as error:
        return Listed(run.spec, "unreadable", stop_reason=str(error))
    end, judged = record.outcome, verdict(rows)
    vals = [one for one in rows if one["kind"] == "val" and math.isfinite(one["loss"])]
    best = min(vals, key=lambda one: one["loss"], default=None)
    status = "finished" if record.status == "finished" else "running" if run.at_work else "unfinished"
    return Listed(
        run.spec,
        status,
        corpus=record.corpus,
        model=record.base.name,
        sweep=record.sweep,
        steps=end.steps if end else max((one["step"] for one in rows), default=0),
        best_step=end.best_step if end else best["step"] if best else None,
        val_loss=end.val_loss if end else best["loss"] if best else None,
        test_loss=next(
            (one.tuned_loss for one in reversed(record.openings) if one.tuned_loss is not None), None
        ),
        openings=len(record.openings),
        tokens_per_second=rate(rows),
        minutes=(end.seconds if end else rows[-1]["seconds"] if rows else 0.0) / 60,
        verdict=judged.name if judged else None,
        told=judged.sentence if judged else None,
        stop_reason=end.stop_reason if end else None,
    )


def compare(runs: Sequence[Run]) -> Comparison:
    """Set runs side by side. Raises Corruption or Mismatch for one whose record cannot be read."""
    records = [run.record for run in runs]
    corpora = [
        _corpus(record, run.store, whole=len({one.fingerprint for one in records}) > 1)
        for record, run in zip(records, runs, strict=True)
    ]
    return Comparison([row(run) for run in runs], _differing(map(_recipe, records)), _differing(corpora))


def leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """A nested table as dotted keys, down to values and lists of plain ones.

    >>> leaves({"lora": {"r": 8}, "clean": [{"use": "unicode"}], "header": ["title"]})
    {'lora.r': 8, 'clean.0.use': 'unicode', 'header': ['title']}
    """
    listed = isinstance(value, (list, tuple)) and any(isinstance(inner, dict) for inner in value)
    inner = enumerate(value) if listed else value.items() if isinstance(value, dict) and value else None
    if inner is None:
        return {prefix: value}
    return {
        key: leaf
        for name, below in inner
        for key, leaf in leaves(below, f"{prefix}.{name}".strip(".")).items()
    }


def _differing(tables: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    """The keys whose values are not all the same."""
    listed = list(tables)
    keys = dict.fromkeys(key for table in listed for key in table)
    found = {key: [table.get(key, ABSENT) for table in listed] for key in keys}
    return {key: values for key, values in found.items() if any(value != values[0] for value in values[1:])}


def _recipe(record: RunRecord) -> dict[str, Any]:
    """What a run was told, by dotted key; of an older gristmill with what it did by default."""
    from pydantic import ValidationError

    from schemas.recipe import Train

    try:
        train = Train.model_validate(record.train).model_dump(mode="json")
    except ValidationError:
        train = record.train
    decided = {
        "base": f"{record.base.name} {record.base.digest[:8]}",
        "backend": record.backend,
        "device": record.device,
        "precision": record.precision,
        "max_length": record.max_length,
    }  # fmt: skip
    train.pop("model", None)  # the base says it
    libraries = {f"library {name}": version for name, version in record.libraries.items()}
    return leaves(train, "train") | decided | libraries


def _corpus(record: RunRecord, store: Store, *, whole: bool) -> dict[str, Any]:
    """What a run was trained on; `whole` with the sections its version was built from, where that still stands."""
    told: dict[str, Any] = {"version": record.corpus, "fingerprint": record.fingerprint[:8]}
    for split, one in record.splits.items():
        told |= {f"{split} documents": one.documents, f"{split} tokens": one.tokens}
    if whole:
        try:
            manifest = store.version(record.corpus).manifest()
        except GristmillError:
            return told  # pruned, or not on this machine
        if manifest.fingerprint == record.fingerprint:
            told |= leaves(manifest.recipe)
    return told
