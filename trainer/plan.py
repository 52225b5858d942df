"""All that is decided and checked before a run exists: recipe, version, base model, backend, rows, steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from plugins import models
from plugins.backends.lora import device_of, precision_of
from plugins.backends.peft import Peft
from plugins.backends.unsloth import Unsloth
from plugins.contracts import Backend
from plugins.registry import ResolvedRecipe, load_recipe
from schemas.errors import Mismatch, MissingExtra, UserError
from schemas.manifest import Manifest
from schemas.recipe import Train
from schemas.store import Store, VersionPath
from trainer import packing
from trainer.arguments import Steps, check_names, count_steps
from trainer.data import (
    Preflight,
    Rows,
    SplitReport,
    check_lengths,
    check_tokenizer,
    check_val,
    read_rows,
    thinned,
)
from trainer.progress import say
from trainer.record import RunRecord, base_record, library_versions


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

    @cached_property
    def steps(self) -> Steps:
        """Batch arithmetic over the packed rows."""
        return count_steps(self.train, len(self.datasets["train"]))

    @cached_property
    def preflight(self) -> Preflight:
        """What is trained, masked, packed and cut (law 7)."""
        reports = {split: self._report(split) for split in self.rows}
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
        )

    def _report(self, split: str) -> SplitReport:
        rows, packed = self.rows[split], self.datasets[split]
        lengths = rows.lengths
        tokens, trained = int(lengths.sum()), rows.trained
        # A packed row is computed at full length; plain rows are padded to the longest of their micro-batch, at most.
        places = len(packed) * (self.max_length if self.train.packing else int(lengths.max(initial=0)))
        return SplitReport(
            rows=len(lengths),
            tokens=tokens,
            trained=trained,
            masked=tokens - trained,
            too_short=rows.too_short,
            longest=int(lengths.max(initial=0)),
            packed_rows=len(packed),
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
            precision=precision_of(self.train, self.device),
            max_length=self.max_length,
            seed=self.train.seed,
            libraries=library_versions(*backend.requires),
        )


def make_plan(recipe_path: Path | str, *, root: Path, device: str, version: str | None) -> Plan:
    """Decide a run. Raises RecipeError, NotFound, Mismatch, MissingExtra or UserError for what the user must change."""
    check_device(device)
    resolved = load_recipe(Path(recipe_path))
    recipe, store = resolved.recipe, Store(root)
    found = store.version(version or recipe.name)
    manifest = found.manifest()
    check_sections(found, manifest, resolved)
    name = recipe.train.model or recipe.tokens.model
    model = models.resolve(name, store.models, resolved.base, weights=True)
    check_tokenizer(found, manifest, model, name)
    rows = {split: read_rows(found, split) for split in ("train", "val")}
    if not rows["train"].table.num_rows:
        raise UserError(
            f"the train split of {found.spec} has no rows, so there is nothing to learn. Build it with more documents."
        )
    check_val(found, rows["val"], recipe.train)
    for split in rows.values():
        check_lengths(found, split, longest_row(recipe.train, manifest))
    rows["val"] = thinned(rows["val"], recipe.train.eval_tokens)
    # Last, because importing it takes seconds; and before `check_names`, which imports transformers.
    backend = choose_backend(resolved)
    check_names(recipe.train)
    return Plan(resolved, store, found, manifest, model, backend, device_of(device), rows)


def check_device(device: str) -> None:
    """Raise UserError for a GPU by its number: transformers trains on the first it sees, whatever it is told."""
    kind, _, number = device.partition(":")
    if kind == "cuda" and number not in {"", "0"}:
        raise UserError(
            f'--device is "{device}", but training takes the first GPU it sees. To train on that one, put in front: '
            f"CUDA_VISIBLE_DEVICES={number} and type --device cuda."
        )


def longest_row(train: Train, manifest: Manifest) -> int:
    """The longest row allowed, packed or not, in tokens."""
    return train.max_length or manifest.tokenizer.max_tokens


def check_sections(version: VersionPath, manifest: Manifest, resolved: ResolvedRecipe) -> None:
    """Raise Mismatch naming what differs where a version was built from other corpus sections than the recipe's."""
    if manifest.sections == resolved.sections:
        return
    theirs, ours = _leaves(manifest.recipe), _leaves(resolved.corpus_sections())
    keys = [key for key in sorted(theirs.keys() | ours.keys()) if theirs.get(key) != ours.get(key)]
    told = "; ".join(
        f"{key} was {theirs.get(key, 'absent')!r}, is {ours.get(key, 'absent')!r}" for key in keys[:5]
    )
    more = f"; and {len(keys) - 5} more" if len(keys) > 5 else ""
    raise Mismatch(
        f"{version.spec} was not built from this recipe: {told or 'its sections have another hash'}{more}. "
        f"Training on it would not be what the recipe says. Build it first: gristmill build {resolved.path.name}"
    )


def _leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """A nested table as dotted keys."""
    if isinstance(value, dict) and value:
        return {
            key: leaf
            for name, inner in value.items()
            for key, leaf in _leaves(inner, f"{prefix}.{name}".strip(".")).items()
        }
    if isinstance(value, list | tuple) and any(isinstance(inner, dict) for inner in value):
        return {
            key: leaf
            for n, inner in enumerate(value)
            for key, leaf in _leaves(inner, f"{prefix}.{n}").items()
        }
    return {prefix: list(value) if isinstance(value, tuple) else value}


def choose_backend(resolved: ResolvedRecipe) -> Backend:
    """The backend the recipe names; for "auto" unsloth where it is installed and imports, else peft. It is prepared.

    Raises MissingExtra with the line that installs what is missing.
    """
    if resolved.backend is not None:
        named = resolved.backend.make()
        assert isinstance(named, Backend)
        if reason := named.unavailable():
            raise MissingExtra(f'backend "{named.name}": {reason}')
        named.prepare()
        return named
    if Unsloth.unavailable() is None:
        backend = Unsloth()
        try:
            backend.prepare()
        except Exception as error:  # noqa: BLE001  it raises whatever its machine check finds: NotImplementedError, RuntimeError, OSError
            say(
                f"unsloth is installed but cannot be used here ({type(error).__name__}: {error}); training with peft"
            )
        else:
            return backend
    if reason := Peft.unavailable():
        raise MissingExtra(reason)
    return Peft()
