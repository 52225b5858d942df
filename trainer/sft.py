"""One training run from top to bottom: plan, preflight, steps, the best adapter, the record."""

from __future__ import annotations

import itertools
import secrets
import shlex
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from plugins.contracts import Loaded
from schemas.errors import Interrupted, NotFound
from trainer import runs
from trainer.plan import Plan, make_plan
from trainer.preflight.report import Preflight
from trainer.record import RunRecord, rows_digest, write_json, write_record
from trainer.runs import Run
from trainer.saving import saver
from trainer.seeing.journal import Journal
from trainer.seeing.progress import Progress, say
from trainer.seeing.trackers import Trackers, check as check_trackers
from trainer.steps import loop, packing, processes
from trainer.steps.packing import Collator
from trainer.sweeping.member import Member
from trainer.watching.callbacks import Callbacks
from trainer.watching.checkpoints import Checkpoint, Checkpoints, unwritable
from trainer.watching.interrupt import Interrupt, listening
from trainer.watching.resuming import WEIGHTS

if TYPE_CHECKING:
    from trainer.watching.watch import Watch


@overload
def train(recipe_path: Path | str, *, root: Path | str = ..., dry_run: Literal[False] = ..., resume: bool = ...,
          device: str = ..., version: str | None = ..., quiet: bool = ..., meant_for: str | None = ..., member: Member | None = ...) -> Run: ...  # fmt: skip
@overload
def train(recipe_path: Path | str, *, root: Path | str = ..., dry_run: Literal[True], resume: bool = ...,
          device: str = ..., version: str | None = ..., quiet: bool = ..., meant_for: str | None = ..., member: Member | None = ...) -> Preflight: ...  # fmt: skip
def train(
    recipe_path: Path | str,
    *,
    root: Path | str = ".",
    dry_run: bool = False,
    resume: bool = False,
    device: str = "auto",
    version: str | None = None,
    quiet: bool = False,
    meant_for: str | None = None,
    member: Member | None = None,
) -> Run | Preflight:
    """Train the adapter of a recipe on the newest version of its name, or on `version` ("name@N").

    With `dry_run` only the preflight is made and returned; `meant_for` asks it for another machine (`trainer.preflight.machine.KNOWN`).
    With `resume` the newest run, killed before its end, goes on from its last checkpoint. `member` is how `trainer.sweep` asks for a run.
    Raises the errors of `trainer.plan.make_plan`; Interrupted where a signal ended the run after a step; Diverged where its loss ran
    away before it was better than the base; StorageError where the disk is full. See `schemas.errors`.
    """
    main = processes.join(device)
    quiet = quiet or not main
    recipe = member.resolved if member else recipe_path
    plan = make_plan(
        recipe, root=Path(root), device=device, version=version, dry_run=dry_run, meant_for=meant_for
    )
    check_trackers(plan.train.trackers)
    for line in itertools.islice(plan.preflight.lines(), 1 if member and member.brief else None):
        say(line, quiet=quiet)
    if dry_run:
        return plan.preflight
    run = processes.made_by_main(lambda: _taken_up(plan, member) if resume else _begun(plan, member))
    again = member.again if member else _resume_line(recipe_path, root, version)
    with runs.locked(run) if main else nullcontext():
        try:
            return _work(plan, run, again, member, main=main, quiet=quiet)
        except Exception as error:
            refused = unwritable(error, str(run.path), f"Free some space, then go on: {again}")
            if refused is None:
                raise
            raise refused from error


def _begun(plan: Plan, member: Member | None) -> Run:
    """A new run's folder."""
    noted = member.noted if member else {}
    record = _identified(plan).model_copy(update={"key": secrets.token_hex(16), **noted})
    text = member.text if member else None
    return runs.begin(plan.store, plan.version.name, record, plan.resolved.path, text)


def _taken_up(plan: Plan, member: Member | None) -> Run:
    """The newest run, or a member's, with what it may have otherwise now (`trainer.runs.FREE`) in its record."""
    record = _identified(plan)
    run = runs.unfinished(plan.store, record, member.run if member else None)
    if run.record.train != record.train:
        with runs.locked(run):
            write_record(run.path, run.record.model_copy(update={"train": record.train}))
    return run


def _identified(plan: Plan) -> RunRecord:
    """The plan's record, with what its rows are and how many processes there are."""
    rows = {split: rows_digest(rows.table) for split, rows in plan.rows.items()}
    return plan.record().model_copy(update={"rows": rows, "processes": processes.count()})


def _work(plan: Plan, run: Run, again: str, member: Member | None, *, main: bool, quiet: bool) -> Run:
    from transformers import set_seed

    from trainer.watching.ending import finish

    record = run.record
    if record.status == "finished":  # by another process, between being found and being held
        raise NotFound(
            f"nothing to resume: {run.spec} was just finished by another process. Leave out --resume."
        )
    checkpoints = runs.checkpoints_of(run, record)
    checkpoint = processes.made_by_main(lambda: _newest(checkpoints, run, quiet=quiet))
    done = checkpoint.step if checkpoint else 0
    set_seed(plan.train.seed)
    loaded = plan.backend.load(plan.model, plan.train, max_length=plan.max_length, device=plan.device)
    collator = Collator(_pad_token(loaded))
    _check_packing(plan, loaded, collator, record.precision, quiet=quiet)
    with (
        Progress(plan.steps.total, done=done, every=plan.train.eval_every, quiet=quiet) as progress,
        listening(progress.say) as interrupt,
        Trackers(plan.train.trackers if main else (), run.spec, run.path, record.train, step=done, quiet=quiet) as trackers,
    ):  # fmt: skip
        watch = None
        if main:
            write_json(run.path / "preflight.json", plan.preflight.to_json())
            told = {"sweep": member.rule} if member and member.rule else {}
            callbacks = Callbacks(plan.resolved.callbacks, say=progress.say, more=told)
            watch = _watch(plan, run, loaded, collator, progress, checkpoints, interrupt, callbacks, trackers)
        trainer = loop.make(plan, run, loaded, collator, watch, record.precision)
        _steps(run, watch, trainer, checkpoint, plan.steps.total)
    if watch is None:
        return run  # another process has the run's folder, and ends it
    if watch.end is not None and watch.end.kind == "interrupted":
        raise Interrupted(_interrupted(run, watch, again), interrupt.exit_code)
    return finish(run, watch, trainer, steps=plan.steps.total, quiet=quiet)


def _steps(run: Run, watch: Watch | None, trainer: Any, checkpoint: Checkpoint | None, last: int) -> None:
    """The steps that are still to do. transformers would take one more after the last, so then it is not asked."""
    done = checkpoint.step if checkpoint else 0
    if watch and checkpoint:
        watch.progress.say(f"{run.spec} goes on after step {done}")
        watch.take_up(checkpoint, last)
    if watch:
        watch.begin(run.spec, run.path, last, done)
    if processes.told(done < last and (watch is None or watch.end is None)):
        trainer.train(resume_from_checkpoint=str(checkpoint.path) if checkpoint else None)
    elif checkpoint:
        trainer.restore(checkpoint.path / WEIGHTS)


def _check_packing(plan: Plan, loaded: Loaded, collator: Collator, precision: str, *, quiet: bool) -> None:
    """That documents in one row do not read each other, on the model at hand."""
    if plan.train.packing:
        drift = packing.check(loaded.model, plan.datasets["train"], collator, precision)
        if drift is not None:
            say(f"packed and unpacked loss agree to {max(drift, 1e-9):.0e}", quiet=quiet)


def _newest(checkpoints: Checkpoints, run: Run, *, quiet: bool) -> Checkpoint | None:
    """The checkpoint to go on from. Those that are not whole are named; adapters of a run that begins anew go. Raises Mismatch or Corruption."""
    checkpoints.clear_up()
    for path in checkpoints.torn():
        say(f"{path} is not whole (it has no seal), so it is passed over", quiet=quiet)
    found = checkpoints.newest()
    if found is None:
        shutil.rmtree(run.path / runs.BEST, ignore_errors=True)
    return found


def _watch(
    plan: Plan,
    run: Run,
    loaded: Loaded,
    collator: Collator,
    progress: Progress,
    checkpoints: Checkpoints,
    interrupt: Interrupt,
    callbacks: Callbacks,
    trackers: Trackers,
) -> Watch:
    from trainer.evaluation.measure import Measure, measure
    from trainer.watching.watch import Watch

    val, batch = plan.datasets["val"], plan.train.eval_batch_size or plan.train.micro_batch_size

    def measure_val() -> Measure:
        return measure(
            loaded.model,
            val,
            collator,
            batch_size=batch,
            precision=run.record.precision,
            tick=lambda done: progress.evaluating(done, len(val)),
        )

    journal = Journal(run.path / runs.METRICS)
    journal.follow(progress.see)
    journal.follow(trackers.see)
    return Watch(
        journal,
        progress,
        train=plan.train,
        measure_val=measure_val if len(val) else None,
        save=saver(loaded, run.record.base.name),
        best=run.path / runs.BEST,
        checkpoints=checkpoints,
        interrupt=interrupt,
        callbacks=callbacks,
        trackers=trackers,
    )


def _pad_token(loaded: Loaded) -> int:
    token = loaded.tokenizer.pad_token_id
    return 0 if token is None else int(token)  # any word will do: it is neither attended to nor trained


def _resume_line(recipe: Path | str, root: Path | str, version: str | None) -> str:
    """What to type to go on."""
    words = ["gristmill", "train", str(recipe), "--resume"]
    words += ["--root", str(root)] if str(root) != "." else []
    words += ["--processes", str(processes.count())] if processes.count() > 1 else []
    return shlex.join([*words, *(["--version", version] if version else [])])


def _interrupted(run: Run, watch: Watch, again: str) -> str:
    standing = watch.checkpoints.standing()
    kept = (
        f"its checkpoint of step {standing[0].step} stands"
        if standing
        else "no checkpoint stands, so it begins anew"
    )
    return f"{run.spec} was {watch.end.reason if watch.end else 'interrupted'}; {kept}. Go on with: {again}"
