"""`gristmill.json`: what an adapter remembers (law 8), and the checks that it meets what it was made with."""

from __future__ import annotations

import json
import math
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from plugins import models
from schemas.errors import Corruption, Mismatch, NotFound
from schemas.fingerprint import digest, digest_file, fingerprint
from schemas.manifest import SplitRecord, TokenizerRecord
from schemas.store import Store, VersionPath
from trainer.watching.stopping import Kind

RECORD = "gristmill.json"
FORMAT = 1
LIBRARIES = (
    "gristmill",
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "tokenizers",
    "jinja2",
    "safetensors",
    "pyarrow",
    "numpy",
)


class Part(BaseModel):
    """A frozen part of the record."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BaseModelRecord(Part):
    """The base model the adapter belongs on."""

    name: str
    """As the recipe names it."""
    path: str
    """Where it lay when the run started; looked up by name elsewhere."""
    digest: str
    """Of its weights and config."""
    tokenizer: str
    template: str | None
    """Digest of its chat template, where it has one."""


class Opening(Part):
    """One look at the sealed test split (law 9). Losses are null where the look was broken off."""

    at: str
    """ISO 8601, UTC."""
    base_loss: float | None = None
    tuned_loss: float | None = None


class Outcome(Part):
    """How a run ended."""

    steps: int
    stop_reason: str
    ended: Kind = "steps"
    """What ended it: all its steps, early stopping, divergence, a budget of minutes or tokens, or a callback."""
    kept: Literal["best", "last", "checkpoint", "none"]
    """Which adapter was saved: the best by the watched metric, or, without early stopping, the last. Of a run that diverged the best, else the
    checkpoint before its loss ran away, else none."""
    best_step: int | None
    """The step of the lowest val loss, or of the best value of the metric early stopping watched."""
    first_val_loss: float | None
    """Before step 0: the base model's."""
    val_loss: float | None
    """Of the adapter that was saved, as the journal has it."""
    checked_val_loss: float | None = None
    """The same, measured once more after the saved adapter was read back; null where the last adapter was kept, which needs no reading."""
    last_val_loss: float | None
    train_loss: float | None
    """Of the last step; null where it was no number."""
    verdict: str | None = None
    """What the losses say, in a sentence: see `trainer.watching.verdict`."""
    trained_tokens: int
    seconds: float
    """At work, pauses left out."""
    tokens_per_second: float | None = None
    """Trained tokens in a second of training, evaluations left out."""
    peak_memory: int | None = None
    """Most bytes held: on the GPU, where there is one, else by the process."""
    shrunk_to: int | None = None
    """Rows a pass held after memory ran out; null where it never did."""
    failures: tuple[str, ...] = ()
    """What callbacks and trackers raised, each once."""


class RunRecord(Part):
    """The whole of it."""

    format_version: int = FORMAT
    run: str
    """name/number."""
    corpus: str
    """name@version."""
    fingerprint: str
    splits: dict[str, SplitRecord]
    split: dict[str, Any]
    """The recipe's [split]: shares, group and seed."""
    tokenizer: TokenizerRecord
    """What the corpus was cut with: digest, format, and the format's options with the text of a chat template: `chat` speaks by them."""
    base: BaseModelRecord
    recipe: str
    """The recipe's path when the run started; its text lies beside this file."""
    train: dict[str, Any]
    """The recipe's [train], defaults included."""
    backend: str
    device: str
    precision: str
    max_length: int
    seed: int
    libraries: dict[str, str]
    rows: dict[str, str] = {}
    """Digest of the token and label columns of each split that was read; the corpus may change under a run that is resumed."""
    processes: int = 1
    """How many trained together."""
    key: str | None = None
    """A random number: checkpoints with it are this run's, not those of another of the same recipe."""
    sweep: int | None = None
    """The number of the sweep it is a member of: runs/<name>/sweeps/<n>.json."""
    overrides: dict[str, Any] = {}
    """What the sweep put in place of the recipe's values, by dotted key; `train` and the recipe's copy have them already."""
    status: Literal["started", "finished"] = "started"
    """A run that is not finished and not at work was killed; `train --resume` takes it up."""
    outcome: Outcome | None = None
    adapter: str | None = None
    """Digest of the saved adapter's weights and config."""
    openings: tuple[Opening, ...] = ()


def read_record(run: Path) -> RunRecord:
    """The record of a run's folder. Raises NotFound, Corruption or, from a newer gristmill, Mismatch."""
    path = run / RECORD
    if not path.is_file():
        raise NotFound(f"{run} holds no {RECORD}: it is not a run.")
    try:
        tables = json.loads(path.read_bytes())
        if tables.get("format_version", 0) > FORMAT:
            raise Mismatch(
                f"{path} has format {tables['format_version']}; this gristmill reads up to {FORMAT}. Upgrade gristmill."
            )
        return RunRecord.model_validate(tables)
    except (ValueError, AttributeError, ValidationError) as error:
        raise Corruption(f"{path} is not a run's record: {error}. Train again.") from error


def write_record(run: Path, record: RunRecord) -> None:
    """Replace the record in one step, so that a kill leaves the old one or the new one."""
    write_json(run / RECORD, record.model_dump(mode="json"))


def write_json(path: Path, value: Any) -> None:
    """`value` as readable JSON, written beside and renamed into place; a number that is none is null."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(finite(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def finite(value: Any) -> Any:
    """The value with null for NaN and infinity, which JSON has no word for.

    >>> finite({"loss": float("nan"), "steps": [1, float("inf")]})
    {'loss': None, 'steps': [1, None]}
    """
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def base_record(name: str, path: Path) -> BaseModelRecord:
    """The identity of the base model at `path`."""
    template = models.chat_template(path)
    return BaseModelRecord(
        name=name,
        path=str(path),
        digest=models.model_digest(path),
        tokenizer=models.tokenizer_digest(path),
        template=digest(template.encode()) if template else None,
    )


def library_versions(*more: str) -> dict[str, str]:
    """The versions of what a run's numbers depend on; what is not installed is left out."""
    found = {}
    for name in (*LIBRARIES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def rows_digest(table: Any) -> str:
    """The identity of the rows a run reads: the columns input_ids and labels of a `pyarrow.Table`, in order."""
    import pyarrow.compute as pc

    parts = [
        take(table[name]).to_numpy()
        for name in ("input_ids", "labels")
        for take in (pc.list_value_length, pc.list_flatten)
    ]
    return fingerprint([digest(memoryview(part).cast("B")) for part in parts])


READ = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".bin", ".pt", ".pth", ".py"})
"""Endings of files that a loader may read from an adapter's folder; a card beside them is nobody's business."""


def adapter_digest(adapter: Path) -> str:
    """The identity of a saved adapter: every file that a loader may read, so that one more is noticed too."""
    files = sorted(path for path in adapter.glob("*") if path.suffix in READ and path.is_file())
    return fingerprint([[file.name, digest_file(file)] for file in files])


def check_adapter(record: RunRecord, adapter: Path) -> None:
    """Raise Mismatch where the adapter is not the one the run saved."""
    found = adapter_digest(adapter)
    if record.adapter is not None and found != record.adapter:
        raise Mismatch(
            f"{adapter} is not the adapter that {record.run} saved: it has {found}, the record {record.adapter}. What the record "
            "says of corpus and base model would not hold for it. Put the old one back, or train again: gristmill train RECIPE"
        )


def find_base(record: RunRecord, store: Store) -> Path:
    """The base model of a run, where it lay or by name, proven to be the same.

    Raises NotFound, or Mismatch where weights or tokenizer are not those the adapter was trained on.
    """
    there = Path(record.base.path)
    path = (
        there
        if models.weight_files(there)
        else models.resolve(record.base.name, store.models, Path(record.recipe).parent, weights=True)
    )
    found = base_record(record.base.name, path)
    for what, was, now in (
        ("weights", record.base.digest, found.digest),
        ("tokenizer", record.base.tokenizer, found.tokenizer),
        ("chat template", record.base.template, found.template),
    ):
        if was != now:
            raise Mismatch(
                f"{record.run} was trained on {record.base.name} with {what} {was}, but {path} has {now}: the adapter would answer "
                f"nonsense on it. Put the old model back, or fetch it again: gristmill models pull {record.base.name}"
            )
    return path


def find_corpus(record: RunRecord, store: Store) -> VersionPath:
    """The version a run was trained on, proven to be the same. Raises NotFound or Mismatch."""
    found = store.version(record.corpus)
    manifest = found.manifest()
    if manifest.fingerprint != record.fingerprint:
        raise Mismatch(
            f"{record.run} was trained on {record.corpus} with fingerprint {record.fingerprint}, but {found.path} has "
            f"{manifest.fingerprint}: its test split may hold what the adapter was trained on. Train on this version, "
            "or put the old one back."
        )
    if manifest.tokenizer.digest != record.base.tokenizer:
        raise Mismatch(
            f"{record.corpus} was cut with tokenizer {manifest.tokenizer.digest}, but {record.run} reads {record.base.tokenizer}: its "
            f"token numbers would mean other words. Put the version back that {record.run} was trained on, or train again."
        )
    return found
