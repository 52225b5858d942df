"""What must fit together before a run exists: recipe, corpus, base model and machine. Nothing here loads weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins import models
from plugins.registry import ResolvedRecipe
from schemas.errors import Mismatch, UserError
from schemas.manifest import Manifest
from schemas.recipe import Train
from schemas.store import VersionPath
from trainer.data import Rows
from trainer.preflight.estimate import FAR, Memory, size


def check_device(device: str) -> None:
    """Raise UserError for a GPU by its number: transformers trains on the first it sees, whatever it is told."""
    kind, _, number = device.partition(":")
    if kind == "cuda" and number not in {"", "0"}:
        raise UserError(
            f'--device is "{device}", but training takes the first GPU it sees. To train on that one, put in front: '
            f"CUDA_VISIBLE_DEVICES={number} and type --device cuda."
        )


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


def check_tokenizer(version: VersionPath, manifest: Manifest, model: Path, name: str) -> None:
    """Raise Mismatch where the corpus was cut with another tokenizer than the base model has, or ended its texts with another token."""
    told, found = manifest.tokenizer, models.tokenizer_digest(model)
    if found != told.digest:
        raise Mismatch(
            f"{version.spec} was cut with the tokenizer of {told.model} ({told.digest}), but {name} "
            f'has {found}: its token numbers would mean other words. Set [tokens] model = "{name}" and build again, '
            f"or train {told.model}."
        )
    if (end := models.eos_token_id(model)) != told.eos_token_id:
        raise Mismatch(
            f"{version.spec} ends its texts with token {told.eos_token_id}, but {name} ends with {end}: it would learn to end with a "
            f'token that stops nothing. Set [tokens] model = "{name}" and build again, or train {told.model}.'
        )


def check_template(version: VersionPath, manifest: Manifest, model: Path, name: str) -> None:
    """Raise Mismatch where a dialogue was written in a chat template that the base model writes otherwise.

    Only the base model's own template is compared, and only where it has one: a base without learns it from the rows, and so
    it does with a template that the recipe names, whose special tokens must still be the model's.
    """
    options = manifest.tokenizer.options
    taken = options.get("taken")
    if not taken:
        return
    mend = f'Set [tokens] model = "{name}" and build again, or train {manifest.tokenizer.model}.'
    own = models.chat_template(model)
    if options.get("template") is None and own is not None and own != taken["text"]:
        at = next((n for n, (a, b) in enumerate(zip(own, taken["text"], strict=False)) if a != b), min(len(own), len(taken["text"])))  # fmt: skip
        raise Mismatch(
            f"{version.spec} was written in the chat template of {manifest.tokenizer.model}, but {name} has another "
            f"(it differs from character {at}: {taken['text'][at : at + 30]!r} there, {own[at : at + 30]!r} here), so whoever asks it "
            f"by its own would not be answered as trained. {mend}"
        )
    from plugins.formats.templates.model_tokens import variables

    now = variables(model)
    for token in ("eos_token", *(() if options.get("template") else ("bos_token",))):
        was = taken["variables"].get(token, "")
        if was != now.get(token, ""):
            raise Mismatch(
                f"{version.spec} writes its {token} as {was!r}, but {name} has {now.get(token, '')!r}: turns would begin or end with "
                f"what is no such token to it. {mend}"
            )


def check_val(version: VersionPath, rows: Rows, train: Train) -> None:
    """Raise UserError where early stopping watches a val split that has no rows."""
    watched = train.early_stopping
    if rows.table.num_rows == 0 and watched is not None and watched.metric.startswith("val_"):
        raise UserError(
            f"the val split of {version.spec} is empty, but [train] early_stopping watches {watched.metric}, which is measured "
            "on it. Set [split] val = 0.1 and build again; or [train] early_stopping = false to train to the end; or "
            'early_stopping = { metric = "train_loss" }.'
        )


def check_memory(memory: Memory, train: Train, eval_rows: int) -> tuple[str, ...]:
    """Warnings where the estimate passes the memory at hand.

    Raises UserError where that is beyond doubt (`FAR`): what stays in memory alone, or an evaluation pass.
    """
    has = f"{memory.machine} has {size(memory.available)}"
    less = _less(train)
    if memory.fixed > FAR * memory.available:
        raise UserError(
            f"weights, gradients and optimiser of this run take about {size(memory.fixed)}, and {has}: it cannot be loaded. {_less(train, fixed=True)}"
        )
    if memory.evaluating > FAR * memory.available:
        raise UserError(
            f"an evaluation pass of {eval_rows} rows takes about {size(memory.evaluating)}, and {has}: val could not be measured. "
            f"{_fewer(memory, eval_rows)}"
        )
    told = []
    if memory.total > memory.available:
        told.append(
            f"training may take {size(memory.total)}, and {has}; if it runs out, the micro-batch is halved. {less}"
        )
    if memory.evaluating > memory.available:
        told.append(
            f"an evaluation may take {size(memory.evaluating)}, and {has}. {_fewer(memory, eval_rows)}"
        )
    return tuple(told)


def _fewer(memory: Memory, rows: int) -> str:
    """How many rows an evaluation pass may have."""
    fit = int(rows * (memory.available - memory.fixed) / memory.evaluation.bytes)
    if fit >= 1:
        return f"Set [train] eval_batch_size = {min(fit, rows - 1) or 1}."
    return "Set [train] eval_batch_size = 1, or a smaller max_length with [tokens] max_tokens to match."


def _less(train: Train, *, fixed: bool = False) -> str:
    """What takes less memory, the cheapest first; with `fixed`, less of what does not depend on the batch."""
    steps = []
    if train.micro > 1 and not fixed:
        steps.append(f"micro_batch_size = {train.micro // 2}")
    if train.gradient_checkpointing is False and not fixed:
        steps.append("gradient_checkpointing = true")
    if train.method == "full":
        steps.append('method = "lora"')
    elif train.quantization == "none":
        steps.append('quantization = "4bit" (on a GPU)')
    steps.append("a smaller model")
    return f"What takes less in [train]: {'; '.join(steps)}."
