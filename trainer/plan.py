"""All that is decided and checked before a run exists: recipe, version, base model, backend, rows, steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from plugins import models
from plugins.backends.lora import device_of, precision_of
from plugins.backends.peft import Peft
from plugins.backends.quiet import share_cores
from plugins.backends.unsloth import Unsloth
from plugins.contracts import Backend
from plugins.registry import ResolvedRecipe, load_recipe
from schemas.errors import MissingExtra, UserError
from schemas.manifest import Manifest
from schemas.recipe import Train
from schemas.store import Store, VersionPath
from trainer.data import Rows, check_lengths, read_rows, thinned
from trainer.preflight import checks, estimate, machine
from trainer.preflight.packed import packed_rows
from trainer.preflight.preview import previews
from trainer.preflight.report import Preflight, SplitReport
from trainer.preflight.shape import Shape, read_shape
from trainer.record import RunRecord, base_record, library_versions
from trainer.seeing.progress import say
from trainer.steps import packing
from trainer.steps.arguments import Steps, check_names, count_steps


@dataclass(frozen=True)
class Plan:
    """One run, decided."""

    resolved: ResolvedRecipe
    store: Store
    version: VersionPath
    manifest: Manifest
    model: Path
    backend: Backend
    device: str
    rows: dict[str, Rows]
    """train and val; the test split stays closed."""
    shape: Shape
    """Of the base model."""
    dry_run: bool = False
    """Nothing is to be trained, so nothing heavy is imported to plan it."""
    meant_for: machine.Machine | None = None
    """Another machine, for a dry run; None for this one."""

    @property
    def train(self) -> Train:
        """The recipe's [train]."""
        return self.resolved.recipe.train

    @property
    def model_name(self) -> str:
        """The base model as the recipe names it."""
        return self.train.model or self.resolved.recipe.tokens.model

    @property
    def max_length(self) -> int:
        """The longest row, packed or not, in tokens."""
        return longest_row(self.train, self.manifest)

    @cached_property
    def datasets(self) -> dict[str, Any]:
        """A `datasets.Dataset` a split, packed where the recipe says so."""
        return {
            split: packing.dataset(rows, self.max_length, packing=self.train.packing)
            for split, rows in self.rows.items()
        }

    def packed_rows(self, split: str) -> int:
        """Rows of a split as they are trained."""
        if not self.train.packing:
            return self.rows[split].table.num_rows
        return (
            packed_rows(self.rows[split].lengths.tolist(), self.max_length)
            if self.dry_run
            else len(self.datasets[split])
        )

    @cached_property
    def steps(self) -> Steps:
        """Batch arithmetic over the packed rows."""
        return count_steps(self.train, self.packed_rows("train"), full_batch=self.resolved.full_batch)

    @cached_property
    def machine(self) -> machine.Machine:
        """Where the run is meant to be: this machine, measured, or the one that was named."""
        return self.meant_for or machine.this_machine(
            self.device, self.precision, hidden=self.shape.hidden, width=self.shape.width
        )

    @property
    def precision(self) -> str:
        """The numbers of the forward pass."""
        if self.meant_for is not None:
            return "bfloat16" if self.train.precision == "auto" else self.train.precision
        return precision_of(self.train, self.device)

    @property
    def eval_rows(self) -> int:
        """Rows an evaluation pass has to begin with."""
        return self.train.eval_batch_size or self.train.micro_batch_size

    @cached_property
    def preflight(self) -> Preflight:
        """What is trained, masked, packed and cut (law 7), what it takes, and how rows look.

        Raises UserError where it is far more than the machine has.
        """
        reports = {split: self._report(split) for split in self.rows}
        memory = self._memory(reports)
        warnings = checks.check_memory(memory, self.train, self.eval_rows)
        return Preflight(
            corpus=self.version.spec,
            fingerprint=self.manifest.fingerprint,
            model=self.model_name,
            max_length=self.max_length,
            packing=self.train.packing,
            splits=reports,
            steps=self.steps.total,
            steps_per_epoch=self.steps.per_epoch,
            warmup_steps=self.steps.warmup,
            tokens_per_step=round(reports["train"].trained / self.steps.per_epoch),
            parameters=self.shape.parameters,
            trainable=estimate.trainable_parameters(self.shape, self.train),
            memory=memory,
            time=estimate.run_time(
                self.shape,
                self.train,
                self.machine,
                steps=self._steps_at_most(reports["train"]),
                places=reports["train"].places / self.steps.per_epoch,
                eval_places=reports["val"].places,
                length=self.max_length,
            ),
            previews=previews(self.rows["train"], self.model),
            warnings=warnings,
        )

    def _steps_at_most(self, report: SplitReport) -> int:
        """Steps, or as many as `max_tokens` leaves."""
        each = max(1, report.trained / self.steps.per_epoch)
        most = math.ceil(self.train.max_tokens / each) if self.train.max_tokens else self.steps.total
        return min(self.steps.total, most)

    def _memory(self, reports: dict[str, SplitReport]) -> estimate.Memory:
        def length(split: str) -> int:
            return self.max_length if self.train.packing else reports[split].longest

        return estimate.memory(
            self.shape,
            self.train,
            self.machine,
            self.precision,
            tokens=min(self.steps.micro, reports["train"].packed_rows) * length("train"),
            length=length("train"),
            optimizer=self.resolved.optimizer,
            eval_tokens=min(self.eval_rows, reports["val"].packed_rows) * length("val"),
        )

    def _report(self, split: str) -> SplitReport:
        rows, packed = self.rows[split], self.packed_rows(split)
        lengths = rows.lengths
        tokens, trained = int(lengths.sum()), rows.trained
        # A packed row is computed at full length; plain rows are padded to the longest of their micro-batch, at most.
        places = packed * (self.max_length if self.train.packing else int(lengths.max(initial=0)))
        return SplitReport(
            rows=len(lengths),
            tokens=tokens,
            trained=trained,
            masked=tokens - trained,
            too_short=rows.too_short,
            longest=int(lengths.max(initial=0)),
            packed_rows=packed,
            efficiency=tokens / places if places else 0.0,
        )

    def record(self) -> RunRecord:
        """What the adapter will remember, still without a number."""
        backend = self.backend
        return RunRecord(
            run=f"{self.version.name}/0",
            corpus=self.version.spec,
            fingerprint=self.manifest.fingerprint,
            splits=self.manifest.splits,
            split=dict(self.manifest.recipe.get("split", {})),
            tokenizer=self.manifest.tokenizer,
            base=base_record(self.model_name, self.model),
            recipe=str(self.resolved.path),
            train=self.train.model_dump(mode="json"),
            backend=backend.name,
            device=self.device,
            precision=self.precision,
            max_length=self.max_length,
            seed=self.train.seed,
            libraries=library_versions(*backend.requires),
        )


def make_plan(
    recipe_path: Path | str | ResolvedRecipe,
    *,
    root: Path,
    device: str,
    version: str | None,
    dry_run: bool = False,
    meant_for: str | None = None,
) -> Plan:
    """Decide a run. Raises RecipeError, NotFound, Mismatch, MissingExtra or UserError for what the user must change.

    A dry run imports no unsloth. `meant_for` names another machine for one (`machine.KNOWN`); the base model's weights need not be
    here then, only its `config.json` and tokenizer.
    """
    checks.check_device(device)
    share_cores()  # before `device_of` imports torch
    other = None if meant_for is None else _other_machine(meant_for, dry_run=dry_run)
    resolved = recipe_path if isinstance(recipe_path, ResolvedRecipe) else load_recipe(recipe_path)
    recipe, store = resolved.recipe, Store(root)
    found = store.version(version or recipe.name)
    manifest = found.manifest()
    checks.check_sections(found, manifest, resolved)
    name = recipe.train.model or recipe.tokens.model
    model = models.resolve(name, store.models, resolved.base, weights=other is None)
    checks.check_tokenizer(found, manifest, model, name)
    checks.check_template(found, manifest, model, name)
    rows = {split: read_rows(found, split) for split in ("train", "val")}
    if not rows["train"].table.num_rows:
        raise UserError(
            f"the train split of {found.spec} has no rows, so there is nothing to learn. Build it with more documents."
        )
    checks.check_val(found, rows["val"], recipe.train)
    for split in rows.values():
        check_lengths(found, split, longest_row(recipe.train, manifest))
    rows["val"] = thinned(rows["val"], recipe.train.eval_tokens)
    where = device_of(device) if other is None else other.device
    # Late, because importing it takes seconds; and before `check_names`, which may import transformers.
    backend = choose_backend(resolved, device, check=None if other else where, prepare=not dry_run)
    check_names(recipe.train, resolved.optimizer)
    shape = read_shape(model)
    if recipe.train.method == "lora":
        shape.adapted(recipe.train.lora)
    return Plan(resolved, store, found, manifest, model, backend, where, rows, shape, dry_run, other)


def _other_machine(name: str, *, dry_run: bool) -> machine.Machine:
    if not dry_run:
        raise UserError(
            f"--for {name} asks what a run would take on another machine, and this one is to train. Add --dry-run, or leave out --for."
        )
    return machine.named(name)


def longest_row(train: Train, manifest: Manifest) -> int:
    """The longest row allowed, packed or not, in tokens."""
    return train.max_length or manifest.tokenizer.max_tokens


def choose_backend(
    resolved: ResolvedRecipe, device: str, *, check: str | None = None, prepare: bool = True
) -> Backend:
    """The backend the recipe names; for "auto" unsloth where it is installed, imports and can do what the recipe asks, else peft.

    Asked whether it can do so on the torch device `check`, and prepared unless told not to. Raises MissingExtra with the line that
    installs what is missing, and UserError for what the backend cannot do.
    """
    train = resolved.recipe.train

    def ready(backend: Backend) -> Backend:
        if check is not None:
            backend.check_run(train, check)
        if prepare:
            backend.prepare(device)
        return backend

    if resolved.backend is not None:
        named = resolved.backend.make()
        assert isinstance(named, Backend)
        if reason := named.unavailable():
            raise MissingExtra(f'backend "{named.name}": {reason}')
        return ready(named)
    if train.method == "lora" and Unsloth.unavailable() is None:
        try:
            return ready(Unsloth())
        except Exception as error:  # noqa: BLE001  it raises whatever its machine check finds: NotImplementedError, RuntimeError, OSError
            say(
                f"unsloth is installed but cannot be used here ({type(error).__name__}: {error}); training with peft"
            )
    if reason := Peft.unavailable():
        raise MissingExtra(reason)
    return ready(Peft())
