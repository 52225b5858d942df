"""`gristmill eval`: base against tuned on the sealed test split, each opening counted in the run's record (law 9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.recipe import Train
from trainer import packing, runs
from trainer.data import check_lengths, read_rows
from trainer.loading import read_model
from trainer.measure import Measure, measure
from trainer.packing import Collator
from trainer.record import Opening, find_base, find_corpus, write_record
from trainer.runs import Run


@dataclass(frozen=True)
class Evaluation:
    """What the test split says."""

    run: str
    corpus: str
    base: Measure
    tuned: Measure
    opening: int
    """How often this run's test split has been opened, this time counted."""

    def to_json(self) -> dict[str, Any]:
        """As plain values, perplexities included."""
        values = asdict(self)
        for name, found in (("base", self.base), ("tuned", self.tuned)):
            values[name]["perplexity"] = found.perplexity
        return values

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.run} on the test split of {self.corpus}: {self.tuned.tokens:,} tokens, opening {self.opening} of it"
        yield f"{'':8}{'loss':>10}{'perplexity':>14}{'accuracy':>12}"
        for name, found in (("base", self.base), ("tuned", self.tuned)):
            yield f"{name:8}{found.loss:>10.4f}{found.perplexity:>14.2f}{found.accuracy:>12.1%}"


def evaluate(run: Run | str, *, root: Path | str = ".", device: str = "auto") -> Evaluation:
    """Measure base and tuned model on the test split.

    Raises Mismatch where corpus, tokenizer or base model are not those of the run, UserError where there is no test split.
    The opening is counted before the split is read: a look broken off was a look. What fails before (a model that cannot be loaded) was none.
    """
    run = run if isinstance(run, Run) else runs.open(run, root=root)
    adapter, record = run.adapter, run.record
    version, model = find_corpus(record, run.store), find_base(record, run.store)
    if not version.files("chunks", "test") or not version.manifest().splits["test"].chunks:
        raise UserError(
            f"the test split of {version.spec} is empty. Set [split] test = 0.1, build and train again."
        )
    train = Train.model_validate(record.train)
    readable = read_model(record, model, adapter, device)
    opened = _open(run)
    rows = read_rows(version, "test")
    check_lengths(version, rows, record.max_length)
    collator = Collator(readable.tokenizer.pad_token_id or 0)
    data = packing.dataset(rows, record.max_length, packing=train.packing)
    batch = train.eval_batch_size or train.micro_batch_size
    with readable.base() as before:
        base = measure(before, data, collator, batch_size=batch, precision=readable.precision)
    with readable.tuned() as after:
        tuned = measure(after, data, collator, batch_size=batch, precision=readable.precision)
    _note(run, opened, base, tuned)
    return Evaluation(record.run, record.corpus, base, tuned, opened)


def _open(run: Run) -> int:
    """Count the opening; returns its number. Two evaluations at once are two openings: the record is read and written under a lock."""
    opening = Opening(at=datetime.now(UTC).isoformat(timespec="seconds"))
    with runs.locked(run, wait=True):
        record = run.record
        write_record(run.path, record.model_copy(update={"openings": (*record.openings, opening)}))
    return len(record.openings) + 1


def _note(run: Run, number: int, base: Measure, tuned: Measure) -> None:
    """Write what the opening showed beside it."""
    with runs.locked(run, wait=True):
        record = run.record
        openings = list(record.openings)
        openings[number - 1] = openings[number - 1].model_copy(
            update={"base_loss": base.loss, "tuned_loss": tuned.loss}
        )
        write_record(run.path, record.model_copy(update={"openings": tuple(openings)}))
