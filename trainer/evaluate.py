"""`gristmill eval`: what a run learned and what it only remembers, base against tuned, read aloud.

The sealed test split (law 9: each opening is counted in the run's record before it is read), side by side answers, memorisation, and, where
asked for, the tasks of lm-evaluation-harness. Only the first and the harness' own `test` task open the split; with `test=False` it stays sealed. What was
found is kept in `evaluations.jsonl`, also where a later part fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.recipe import Train
from schemas.store import VersionPath
from trainer import runs
from trainer.evaluation import evaluations, harness as lm_harness
from trainer.evaluation.answers import Answers, answer
from trainer.evaluation.harness import Scores
from trainer.evaluation.measure import Measure
from trainer.evaluation.memorisation import Memorisation
from trainer.evaluation.sealed import Compared, Comparison, compare
from trainer.evaluation.side_by_side import Sample, read_prompts
from trainer.generate import Speaker, form_of
from trainer.loading import Readable, read_model
from trainer.record import Opening, RunRecord, find_base, find_corpus, library_versions, write_record
from trainer.runs import Run
from trainer.seeing.progress import say

PASSAGES = 16
"""Training passages that the command asks for by default: a minute for a small model on a laptop."""
ROWS = "test_rows.parquet"
"""The newest opening, row by row (schema `trainer.evaluation.sealed.ROWS`)."""


@dataclass
class Evaluation:
    """What was found; filled in part by part."""

    run: str
    corpus: str
    opening: int | None = None
    """How often this run's test split has been opened, this time counted; None where it stayed sealed."""
    test: Compared | None = None
    sources: tuple[Compared, ...] = ()
    memorisation: Memorisation | None = None
    samples: list[Sample] = field(default_factory=list)
    harness: Scores | None = None

    @property
    def base(self) -> Measure:
        """The base model on the test split."""
        return self._opened.base

    @property
    def tuned(self) -> Measure:
        """The tuned model on the test split."""
        return self._opened.tuned

    @property
    def _opened(self) -> Compared:
        if self.test is None:
            raise UserError(f"the test split of {self.corpus} stayed sealed, so nothing was measured on it.")
        return self.test

    def to_json(self) -> dict[str, Any]:
        """As plain values, perplexities included; null where a part was not asked for."""
        test = self.test.to_json() if self.test else dict.fromkeys(("base", "tuned", "change"))
        return {
            "run": self.run, "corpus": self.corpus, "opening": self.opening, **test,
            "sources": [source.to_json() for source in self.sources],
            "memorisation": self.memorisation.to_json() if self.memorisation else None,
            "samples": [sample.to_json() for sample in self.samples],
            "harness": self.harness.to_json() if self.harness else None,
        }  # fmt: skip

    def lines(self, width: int | None = None) -> Iterator[str]:
        """For people; tables no wider than `width`, where there is one."""
        if self.test:
            yield f"{self.run} on the test split of {self.corpus}: {self.test.size()}, opening {self.opening} of it"
            yield from self.test.lines(width)
        if len(self.sources) > 1:
            yield "by source:"
            yield from (f"  {source.line()}" for source in self.sources)
        if self.memorisation:
            yield from self.memorisation.lines()
        for sample in self.samples:
            yield ""
            yield from sample.lines()
        if self.harness:
            yield from self.harness.lines()


def evaluate(
    run: Run | str,
    *,
    root: Path | str = ".",
    device: str = "auto",
    test: bool = True,
    memorisation: int = 0,
    samples: int = 0,
    prompts: Path | str | None = None,
    harness: Sequence[str] = (),
    limit: int | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Compare base and tuned model of a finished run.

    `memorisation` is the number of training passages asked for (the command asks for `PASSAGES`; 0 leaves it out), `samples` that of val beginnings answered by both, unless `prompts`
    names a file of them; `harness` names tasks of lm-evaluation-harness, `test` among them for the run's own split, each on at most `limit` items.

    Raises Mismatch where corpus, tokenizer, adapter or base model are not those of the run, NotFound where it is not finished, UserError where there
    is no test split. The opening is counted before the split is read: a look broken off was a look. What fails before (a model that cannot be
    loaded) was none.
    """
    run = run if isinstance(run, Run) else runs.open(run, root=root)
    adapter, record = run.adapter, run.record
    version, model = find_corpus(record, run.store), find_base(record, run.store)
    if not (test or memorisation or samples or prompts or harness):
        raise UserError(
            "nothing is asked: the test split stays sealed, and there are no passages, samples, prompts or tasks. "
            "Leave out --no-test, or add, for one: --samples 4"
        )
    opens = test or lm_harness.OWN in harness
    _check(version, harness, limit, opens=opens)
    given = read_prompts(Path(prompts)) if prompts is not None else None
    readable = read_model(record, model, adapter, device)
    asked = (Speaker(readable, record.run, form_of(record, record.run)), given) if given is not None else None
    found = Evaluation(record.run, record.corpus, _open(run) if opens else None)
    try:
        if test:
            say(f"measuring base and tuned on the test split of {version.spec}", quiet=quiet)
            _test(run, record, version, readable, found, quiet=quiet)
        answers = answer(readable, record, version, memorisation, samples, asked, quiet=quiet)
        _keep_answers(run, found, answers)
        if harness:
            where = readable.device
            del readable, answers, asked  # the harness loads its own
            found.harness = lm_harness.run_tasks(
                run, record, model, version, harness, limit=limit, device=where, quiet=quiet
            )  # fmt: skip
    finally:
        if found.test or found.memorisation or found.samples or found.harness:
            _append(run, record, found)
    return found


def _check(version: VersionPath, harness: Sequence[str], limit: int | None, *, opens: bool) -> None:
    """Raise before a model is loaded for what cannot be measured."""
    if limit is not None and not harness:
        raise UserError(
            "limit is of harness tasks, and none is named. Name one: --harness test --limit 20; or leave out --limit."
        )
    if opens and (not version.files("chunks", "test") or not version.manifest().splits["test"].chunks):
        raise UserError(
            f"the test split of {version.spec} is empty. Set [split] test = 0.1, build and train again; or leave it out: --no-test"
        )
    if harness:
        lm_harness.need()


def _test(
    run: Run, record: RunRecord, version: VersionPath, readable: Readable, found: Evaluation, *, quiet: bool
) -> None:
    train = Train.model_validate(record.train)
    compared: Comparison = compare(
        readable,
        version,
        "test",
        max_length=record.max_length,
        batch_size=train.eval_batch_size or train.micro_batch_size,
        say=lambda line: say(line, quiet=quiet),
    )
    found.test, found.sources = compared.whole, compared.sources
    if found.opening:
        _note(run, found.opening, found.base, found.tuned)
    evaluations.write_table(run.path / ROWS, compared.rows)


def _keep_answers(run: Run, found: Evaluation, answers: Answers) -> None:
    from trainer.evaluation.side_by_side import write_samples

    found.memorisation, found.samples = answers.memorisation, answers.samples
    if found.samples:
        write_samples(run.path, f"{found.run}: base and tuned side by side", found.samples)


def _append(run: Run, record: RunRecord, found: Evaluation) -> None:
    """One line for the history: the numbers, and with what they were taken."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    told = {
        "at": now,
        "fingerprint": record.fingerprint,
        "adapter": record.adapter,
        "libraries": library_versions(),
    }
    evaluations.append(run, told | found.to_json())


def _open(run: Run) -> int:
    """Count the opening; returns its number. Two evaluations at once are two openings: the record is read and written under a lock."""
    opening = Opening(at=datetime.now(UTC).isoformat(timespec="seconds"))
    with runs.locked(run, wait=True):
        record = run.record
        write_record(run.path, record.model_copy(update={"openings": (*record.openings, opening)}))
    return len(record.openings) + 1


def _note(run: Run, number: int, base: Measure, tuned: Measure) -> None:
    """Write what the opening showed beside it, and the card anew, which tells it."""
    from trainer.watching.ending import write_card

    with runs.locked(run, wait=True):
        record = run.record
        openings = list(record.openings)
        openings[number - 1] = openings[number - 1].model_copy(
            update={"base_loss": base.loss, "tuned_loss": tuned.loss}
        )
        write_record(run.path, record.model_copy(update={"openings": tuple(openings)}))
        write_card(run)
