"""One training run from top to bottom: plan, preflight, steps, the best adapter, the record."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from plugins.contracts import Loaded
from trainer import loop, packing, runs
from trainer.journal import Journal
from trainer.packing import Collator
from trainer.plan import Plan, make_plan
from trainer.preflight import Preflight
from trainer.progress import Progress, say
from trainer.record import Outcome, RunRecord, adapter_digest, finite, write_json, write_record
from trainer.runs import Run
from trainer.saving import saver

if TYPE_CHECKING:
    from trainer.watch import Watch


@overload
def train(recipe_path: Path | str, *, root: Path | str = ..., dry_run: Literal[False] = ..., resume: bool = ...,
          device: str = ..., version: str | None = ..., quiet: bool = ..., meant_for: str | None = ...) -> Run: ...  # fmt: skip
@overload
def train(recipe_path: Path | str, *, root: Path | str = ..., dry_run: Literal[True], resume: bool = ...,
          device: str = ..., version: str | None = ..., quiet: bool = ..., meant_for: str | None = ...) -> Preflight: ...  # fmt: skip
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
) -> Run | Preflight:
    """Train the adapter of a recipe on the newest version of its name, or on `version` ("name@N").

    With `dry_run` only the preflight is made and returned; `meant_for` asks it for another machine (`trainer.machine.KNOWN`).
    With `resume` the newest run, killed before its end, goes on from its last checkpoint.
    Raises the errors of `trainer.plan.make_plan`; see `schemas.errors`.
    """
    plan = make_plan(
        recipe_path, root=Path(root), device=device, version=version, dry_run=dry_run, meant_for=meant_for
    )
    for line in plan.preflight.lines():
        say(line, quiet=quiet)
    if dry_run:
        return plan.preflight
    record = plan.record()
    run = (
        runs.unfinished(plan.store, record)
        if resume
        else runs.begin(plan.store, plan.version.name, record, plan.resolved.path)
    )
    with runs.locked(run):
        return _work(plan, run, quiet=quiet)


def _work(plan: Plan, run: Run, *, quiet: bool) -> Run:
    from transformers import set_seed

    record, checkpoint = run.record, runs.newest_checkpoint(run)
    write_json(run.path / "preflight.json", plan.preflight.to_json())
    set_seed(plan.train.seed)
    # Killed between its last step and its end: transformers would take one step more, so it is not asked.
    over = checkpoint is not None and checkpoint[1] >= plan.steps.total
    loaded = plan.backend.load(
        plan.model,
        plan.train,
        max_length=plan.max_length,
        device=plan.device,
        adapter=checkpoint[0] if checkpoint and over else None,
    )
    collator = Collator(_pad_token(loaded))
    if plan.train.packing:
        drift = packing.check(loaded.model, plan.datasets["train"], collator, record.precision)
        if drift is not None:
            say(f"packed and unpacked loss agree to {max(drift, 1e-9):.0e}", quiet=quiet)
    journal = Journal(run.path / runs.METRICS)
    done = checkpoint[1] if checkpoint else 0
    with Progress(plan.steps.total, done=done, every=plan.train.eval_every, quiet=quiet) as progress:
        journal.follow(progress.see)
        watch = _watch(plan, run, loaded, collator, journal, progress, record.precision)
        trainer = loop.make(plan, run, loaded, collator, watch, record.precision)
        if checkpoint:
            progress.say(f"{run.spec} goes on after step {checkpoint[1]}")
            watch.take_up(checkpoint[1], plan.steps.total)
        if not over and watch.reason is None:
            trainer.train(resume_from_checkpoint=str(checkpoint[0]) if checkpoint else None)
    return _finish(plan, run, record, watch, loaded)


def _watch(
    plan: Plan,
    run: Run,
    loaded: Loaded,
    collator: Collator,
    journal: Journal,
    progress: Progress,
    precision: str,
) -> Watch:
    from trainer.measure import Measure, measure
    from trainer.watch import Watch

    val, batch = plan.datasets["val"], plan.train.eval_batch_size or plan.train.micro_batch_size

    def measure_val() -> Measure:
        return measure(loaded.model, val, collator, batch_size=batch, precision=precision)

    return Watch(
        journal,
        progress,
        every=plan.train.eval_every,
        rule=plan.train.early_stopping,
        measure_val=measure_val if len(val) else None,
        save=saver(loaded, run.record.base.name),
        best=run.path / runs.BEST,
    )


def _pad_token(loaded: Loaded) -> int:
    token = loaded.tokenizer.pad_token_id
    return 0 if token is None else int(token)  # any word will do: it is neither attended to nor trained


def _finish(plan: Plan, run: Run, record: RunRecord, watch: Watch, loaded: Loaded) -> Run:
    """Keep the right adapter, draw the losses, close the record; only then drop what resuming needed."""
    from trainer.plot import draw, story_of

    outcome = _outcome(plan, watch)
    best = run.path / runs.BEST / f"step-{outcome.best_step}"
    adapter = run.path / runs.ADAPTER
    shutil.rmtree(adapter, ignore_errors=True)
    if outcome.kept == "best":
        shutil.copytree(best, adapter)
    else:
        saver(loaded, record.base.name)(adapter)
    watch.journal.write()
    draw(story_of(record, outcome, watch.journal.rows), run.path)
    end = {"status": "finished", "outcome": outcome, "adapter": adapter_digest(adapter)}
    write_record(run.path, record.model_copy(update=end))
    for name in (runs.CHECKPOINTS, runs.BEST):
        shutil.rmtree(run.path / name, ignore_errors=True)
    return run


def _outcome(plan: Plan, watch: Watch) -> Outcome:
    trained, vals = list(watch.journal.of("train")), list(watch.journal.of("val"))
    stopper = watch.stopper
    kept: Literal["best", "last"] = "best" if stopper and stopper.best_step is not None else "last"
    lowest = min(vals, key=lambda row: row["loss"], default=None)
    best_step = stopper.best_step if stopper and kept == "best" else lowest["step"] if lowest else None
    saved = next((row["loss"] for row in vals if row["step"] == best_step), None) if kept == "best" else None
    last_val = vals[-1]["loss"] if vals else None
    steps = trained[-1]["step"]
    return Outcome(
        steps=steps,
        stop_reason=watch.reason or f"all {plan.steps.total} steps are done",
        kept=kept,
        best_step=best_step,
        first_val_loss=vals[0]["loss"] if vals else None,
        val_loss=saved if kept == "best" else last_val,
        last_val_loss=last_val,
        train_loss=finite(trained[-1]["loss"]),
        trained_tokens=watch.tokens,
        seconds=watch.journal.seconds,
    )
