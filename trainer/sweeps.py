"""Several runs of one recipe with other values in [train], in order, the best of them chosen by val loss.

Each is an ordinary run with its own number, whose record and copy of the recipe have the values that were put in; the test split stays
sealed for all of them. What the sweep is and how far it came lies in `runs/<name>/sweeps/<n>.json`, rewritten after every run, so a
sweep that was killed goes on: what is finished is not run again, and a run broken off goes on from its checkpoint.

Rejected: runs side by side, which on one GPU are slower than in turn and whose medians would depend on who came first.
"""

from __future__ import annotations

import gc
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from plugins.registry import ResolvedRecipe, load_recipe
from schemas.errors import Fault, GristmillError, Interrupted, RecipeError, StorageError, UserError
from schemas.fingerprint import fingerprint
from schemas.store import Store
from trainer.plan import make_plan
from trainer.record import write_json
from trainer.runs import METRICS, Run
from trainer.seeing.journal import read_rows
from trainer.seeing.progress import say
from trainer.seeing.trackers import check as check_trackers
from trainer.steps import processes
from trainer.steps.arguments import check_names
from trainer.sweeping import grid as grids
from trainer.sweeping.median_rule import MedianRule, curve
from trainer.sweeping.member import Member
from trainer.sweeping.recipe_text import changed, literal, with_values
from trainer.sweeping.sweep_record import Sweep, Trial, begin, locked, take_up


def sweep(
    recipe_path: Path | str,
    grid: Mapping[str, Sequence[Any]],
    *,
    root: Path | str = ".",
    draws: int | None = None,
    seed: int = 0,
    keep_all: bool = False,
    resume: bool = False,
    device: str = "auto",
    version: str | None = None,
    quiet: bool = False,
) -> Sweep:
    """Train every combination of `grid` ({"train.learning_rate": [1e-4, 2e-4]}), or `draws` of them drawn with `seed`.

    With `keep_all` none is stopped by the median rule (`trainer.sweeping.median_rule`). With `resume` the newest sweep of this recipe's corpus goes
    on. Raises RecipeError with every fault of every combination before anything runs, UserError where there is no val split to choose by,
    and what ends a single run only where it would end them all: Interrupted, StorageError.
    """
    recipe, grid = Path(recipe_path), grids.plain(grid)
    if processes.count() > 1:
        raise UserError(
            "a sweep starts its runs itself, in this process; start it without accelerate launch."
        )
    members = prepare(recipe, grid, draws, seed)
    plan = make_plan(members[0].resolved, root=Path(root), device=device, version=version, dry_run=True)
    if not plan.manifest.splits["val"].chunks:
        raise UserError(f"the val split of {plan.version.spec} is empty, and a sweep chooses by val loss. Set [split] val = 0.1, and build again.")  # fmt: skip
    tried = [grid, draws, seed if draws else None, keep_all]
    identity = fingerprint([_train(load_recipe(recipe)), plan.manifest.fingerprint, tried])
    if resume:
        # The recipe may be named from another folder this time.
        found = replace(take_up(plan, identity), recipe=str(recipe.absolute()))
    else:
        again = _again(recipe, grid, draws, seed, keep_all=keep_all, version=plan.version.spec, root=root)
        found = begin(plan, recipe.absolute(), identity, again, members)
    with locked(found):
        return _work(found, members, device=device, rule=not keep_all, quiet=quiet)


def prepare(
    recipe: Path, grid: Mapping[str, Sequence[Any]], draws: int | None = None, seed: int = 0
) -> list[Member]:
    """The runs of a sweep, each recipe read and checked. Raises RecipeError with the faults of all, each once."""
    load_recipe(recipe)  # its own faults are told as such
    text = recipe.read_text(encoding="utf-8")
    if not isinstance(own := _member(recipe, text, {}), Member):
        raise RecipeError(recipe.name, own)
    grid = grids.plain(grid)
    faults = grids.faults(grid)
    sound = {key: values for key, values in grid.items() if not any(fault.key == key for fault in faults)}
    members = []
    for overrides in grids.combinations(sound, draws, seed):
        left, found = dict(overrides), _member(recipe, text, overrides)
        while not isinstance(found, Member):
            faults += found
            # What is at fault hides what is wrong with the rest: without it they are read again.
            guilty = [key for key in left if any(_meets(key, fault) for fault in found)]
            left = {key: value for key, value in left.items() if key not in guilty}
            found = _member(recipe, text, left if guilty else {})
        members.append(found)
    if faults:
        raise RecipeError(f"sweep of {recipe.name}", faults)
    return members


def _member(recipe: Path, text: str, overrides: dict[str, Any]) -> Member | list[Fault]:
    """One run of a sweep, or what is wrong with its recipe."""
    try:
        written = with_values(text, overrides)
        resolved = load_recipe(recipe, written)
        check_names(resolved.recipe.train, resolved.optimizer)
        check_trackers(resolved.recipe.train.trackers)
    except RecipeError as error:
        return error.faults
    except UserError as error:
        key = next((key for key in overrides if key in str(error)), "train")
        return [Fault(key, str(error).removeprefix(f"{key} "))]
    return Member(0, overrides, written, resolved, "")


def _meets(key: str, fault: Fault) -> bool:
    """Whether a fault lies at a key, or above or below it."""
    return f"{key}.".startswith(f"{fault.key}.") or f"{fault.key}.".startswith(f"{key}.")


def _again(
    recipe: Path,
    grid: Mapping[str, Sequence[Any]],
    draws: int | None,
    seed: int,
    *,
    keep_all: bool,
    version: str,
    root: Path | str,
) -> str:
    """What to type to go on."""
    told = [f"{key}={','.join(map(_typed, values))}" for key, values in grid.items()]
    drawn = ["--random", str(draws), "--seed", str(seed)] if draws else []
    kept = ["--keep-all"] if keep_all else []
    there = ["--root", str(root)] if str(root) != "." else []
    return shlex.join([
        *("gristmill", "sweep", str(recipe)), *told, *drawn, *kept, *("--version", version), *there, "--resume",
    ])  # fmt: skip


def _typed(value: Any) -> str:
    """A value as it is typed behind KEY=: a text bare, where that reads back as itself."""
    return (
        value if isinstance(value, str) and grids.parse([f"k={value}"]) == {"k": [value]} else literal(value)
    )


def _train(resolved: ResolvedRecipe) -> dict[str, Any]:
    return resolved.recipe.train.model_dump(mode="json")


# ------------------------------------------------------------------------------------------------ running


def _work(found: Sweep, members: Sequence[Member], *, device: str, rule: bool, quiet: bool) -> Sweep:
    count = len(members)
    for n, (trial, member) in enumerate(zip(found.trials, members, strict=True), 1):
        if trial.status in {"finished", "stopped"}:
            continue
        put = ", ".join(f"{key} = {literal(value)}" for key, value in trial.overrides.items())
        say(f"sweep {found.number}, run {n} of {count}: {put}", quiet=quiet)
        done = _trained(found, trial, member, device=device, rule=rule, quiet=quiet)
        say(
            f"sweep {found.number}, run {n} of {count}: {done.run or ''} {done.status}; {done.told}",
            quiet=quiet,
        )
        found = replace(found, trials=(*found.trials[: n - 1], done, *found.trials[n:]))
        write_json(found.path, found.to_json())
        _free()
    return _chosen(found, members)


def _chosen(found: Sweep, members: Sequence[Member]) -> Sweep:
    """The sweep with what its best run changed in the recipe, and its picture. Raises GristmillError where no run has a val loss."""
    count, best = len(members), found.best
    if best is None:
        raise GristmillError(
            f"none of the {count} runs has a val loss: {found.trials[-1].told}. What they did: gristmill runs"
        )
    text = next(member.text for member, trial in zip(members, found.trials, strict=True) if trial is best)
    base = Path(found.recipe).read_text(encoding="utf-8")
    found = replace(found, lines=tuple(changed(base, text)))
    write_json(found.path, found.to_json())
    _draw(found)
    return found


def _trained(found: Sweep, trial: Trial, member: Member, *, device: str, rule: bool, quiet: bool) -> Trial:
    """Train one, or take up the run it had begun; what ends this run only is told in its trial."""
    from trainer import sft

    begun = _run_of(found, trial)
    if begun is not None and begun.record.status == "finished":
        return _ended(trial, begun)
    curves = tuple(
        curve(read_rows(Store(found.root).run(one.run) / METRICS))
        for one in found.trials
        if one.run and one.status == "finished"
    )
    told = replace(
        member,
        sweep=found.number,
        again=found.again,
        run=begun,
        brief=any(one.run for one in found.trials),
        rule=MedianRule(curves=curves) if rule else None,
    )
    try:
        run = sft.train(
            found.recipe, root=found.root, resume=begun is not None, device=device, version=found.corpus, quiet=quiet, member=told
        )  # fmt: skip
    except (Interrupted, StorageError):
        raise
    except GristmillError as error:
        begun = _run_of(found, trial)
        return replace(
            trial, run=begun.spec if begun else None, status="failed", told=str(error).partition("\n")[0]
        )
    return _ended(trial, run)


def _run_of(found: Sweep, trial: Trial) -> Run | None:
    """The newest run of this sweep with these values: it may have been killed before the sweep's file had its number."""
    folder = Store(found.root).runs / found.name
    for path in sorted(
        (path for path in folder.glob("*") if path.name.isdecimal()), key=lambda path: -int(path.name)
    ):
        run = Run(found.root, path)
        try:
            record = run.record
        except GristmillError:
            continue
        if (record.sweep, record.overrides) == (found.number, trial.overrides):
            return run
    return None


def _ended(trial: Trial, run: Run) -> Trial:
    """What a run that ended says in the sweep: one that diverged and kept nothing has failed."""
    end = run.record.outcome
    assert end is not None
    stopped = end.ended == "callback" and end.stop_reason.startswith('callback "sweep"')
    return replace(
        trial,
        run=run.spec,
        status="failed" if end.kept == "none" else "stopped" if stopped else "finished",
        val_loss=end.val_loss,
        steps=end.steps,
        minutes=end.seconds / 60,
        told=end.stop_reason.removeprefix('callback "sweep": '),
    )


def _draw(found: Sweep) -> None:
    """The val losses of all its runs, beside its file."""
    from trainer.seeing.plot import draw_together

    best = found.best
    names = {one.run: f"{one.run.rpartition('/')[2]}: {', '.join(literal(value) for value in one.overrides.values())}" for one in found.trials if one.run}  # fmt: skip
    curves = {name: read_rows(Store(found.root).run(run) / METRICS) for run, name in names.items()}
    keys = ", ".join(key.removeprefix("train.") for key in found.trials[0].overrides)
    draw_together(
        curves,
        found.path.with_suffix(".png"),
        title=f"sweep {found.number} of {found.name}: {keys}",
        best=names.get(best.run) if best and best.run else None,
    )


def _free() -> None:
    """Give back the memory of the run before: its model is nobody's any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()  # the journal's column `memory` is of one run
