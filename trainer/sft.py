"""One training run from top to bottom: plan, preflight, steps, the best adapter, the record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from plugins.contracts import Loaded
from plugins.models import KNOWN
from trainer import packing, runs
from trainer.data import MASKED, Preflight
from trainer.journal import Journal
from trainer.packing import Collator
from trainer.plan import Plan, make_plan
from trainer.progress import Progress, say
from trainer.record import Outcome, RunRecord, adapter_digest, finite, write_json, write_record
from trainer.runs import Run

if TYPE_CHECKING:
    from trainer.watch import Watch


@overload
def train(recipe_path: Path | str, *, root: Path | str = ..., dry_run: Literal[False] = ..., resume: bool = ...,
          device: str = ..., version: str | None = ..., quiet: bool = ...) -> Run: ...  # fmt: skip
@overload
def train(recipe_path: Path | str, *, root: Path | str = ..., dry_run: Literal[True], resume: bool = ...,
          device: str = ..., version: str | None = ..., quiet: bool = ...) -> Preflight: ...  # fmt: skip
def train(
    recipe_path: Path | str,
    *,
    root: Path | str = ".",
    dry_run: bool = False,
    resume: bool = False,
    device: str = "auto",
    version: str | None = None,
    quiet: bool = False,
) -> Run | Preflight:
    """Train the adapter of a recipe on the newest version of its name, or on `version` ("name@N").

    With `dry_run` only the preflight is made and returned. With `resume` the newest run, killed before its end, goes on
    from its last checkpoint. Raises the errors of `trainer.plan.make_plan`; see `schemas.errors`.
    """
    plan = make_plan(recipe_path, root=Path(root), device=device, version=version)
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
    with Progress(plan.steps.total, done=checkpoint[1] if checkpoint else 0, quiet=quiet) as progress:
        watch = _watch(plan, run, loaded, collator, journal, progress, record.precision)
        trainer = _trainer(plan, run, loaded, collator, watch, record.precision)
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
        save=_saver(loaded, run.record.base.name),
        best=run.path / runs.BEST,
    )


def _trainer(plan: Plan, run: Run, loaded: Loaded, collator: Collator, watch: Watch, precision: str) -> Any:
    """TRL's SFTTrainer, quiet, counting trained tokens for the journal."""
    import transformers
    import trl

    from trainer.arguments import optimizer_class, sft_arguments

    class Counting(trl.SFTTrainer):
        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            watch.tokens += int((inputs["labels"] != MASKED).sum())
            return super().training_step(model, inputs, num_items_in_batch)

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """None: TRL's card knows nothing of the corpus, and is written into every checkpoint."""

        def _send_telemetry(self) -> None:
            """None: TRL would tell the model hub of every run, and training reads and writes no network."""

    transformers.logging.set_verbosity_error()  # its notices speak of defaults that are all set here
    settings = sft_arguments(
        plan.train, plan.steps, run.path / runs.CHECKPOINTS, device=plan.device, precision=precision
    )
    arguments = trl.SFTConfig(**settings | loaded.arguments)
    # One device: with several GPUs in sight transformers would split each micro-batch over copies of the model, so that a step
    # took more rows than the recipe's.
    arguments._n_gpu = min(arguments.n_gpu, 1)  # noqa: SLF001  transformers itself sets it so; there is no public way
    trainer = Counting(
        model=loaded.model,
        args=arguments,
        data_collator=collator,
        train_dataset=plan.datasets["train"],
        processing_class=loaded.tokenizer,
        callbacks=[watch],
        optimizer_cls_and_kwargs=optimizer_class(plan.train),
    )
    trainer.remove_callback(
        transformers.PrinterCallback
    )  # it prints every step to stdout, which belongs to data
    return trainer


def _saver(loaded: Loaded, base: str) -> Callable[[Path], None]:
    """Writes the adapter to a folder, whole or not at all. It names its base by the hub's name, not by a path on this machine."""

    def save(path: Path) -> None:
        stage = path.with_name(f".{path.name}")
        shutil.rmtree(stage, ignore_errors=True)
        # "auto" would ask the model hub for the base's vocabulary; no embedding is trained.
        loaded.model.save_pretrained(stage, safe_serialization=True, save_embedding_layers=False)
        (stage / "README.md").unlink(missing_ok=True)  # PEFT's empty form
        config = json.loads((stage / "adapter_config.json").read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = KNOWN[base].hub if base in KNOWN else base
        write_json(stage / "adapter_config.json", config)
        shutil.rmtree(path, ignore_errors=True)
        stage.rename(path)

    return save


def _pad_token(loaded: Loaded) -> int:
    token = loaded.tokenizer.pad_token_id
    return 0 if token is None else int(token)  # any word will do: it is neither attended to nor trained


def _finish(plan: Plan, run: Run, record: RunRecord, watch: Watch, loaded: Loaded) -> Run:
    """Keep the right adapter, draw the losses, close the record; only then drop what resuming needed."""
    from trainer.plot import draw

    outcome = _outcome(plan, watch)
    best = run.path / runs.BEST / f"step-{outcome.best_step}"
    adapter = run.path / runs.ADAPTER
    shutil.rmtree(adapter, ignore_errors=True)
    if outcome.kept == "best":
        shutil.copytree(best, adapter)
    else:
        _saver(loaded, record.base.name)(adapter)
    watch.journal.write()
    draw(watch.journal, run.path / "losses.png", title=f"{run.spec}: {record.base.name} on {record.corpus}",
         best_step=outcome.best_step if outcome.kept == "best" else None, note=outcome.stop_reason)  # fmt: skip
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
