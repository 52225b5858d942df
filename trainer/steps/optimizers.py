"""The run's optimiser: its parameter groups, whichever optimiser moves them, and the schedule of their learning rates.

Made here and handed to the trainer, not named to it: transformers has no Adam, no LoRA+, and would let a plugin be anything but one of
its own names. What transformers has by name is still made by it, over the groups of this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from plugins.contracts import Optimizer
from plugins.specs import PluginSpec
from schemas.errors import MissingExtra, UserError
from schemas.recipe import Train
from trainer.steps.arguments import Steps
from trainer.steps.schedules import scheduler

UNDECAYED = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")
"""Names, in lower case, of weights that no decay pulls at: biases and the scales of norms, which are few and set the size of what passes.
The rule of `transformers.Trainer.get_decay_parameter_names`, which adds every `torch.nn.LayerNorm` whatever its name."""

B = re.compile(r"(?:^|\.)lora_(?:embedding_)?B\.")
"""The B matrices of a LoRA, by the names PEFT gives them."""


def make(
    model: Any, train: Train, steps: Steps, spec: PluginSpec | None, arguments: Any = None
) -> tuple[Any, Any]:
    """(optimiser, scheduler) of a run: what transformers' Trainer takes as `optimizers=`.

    `model` is on its device, its trainable weights require gradients. `spec` is `ResolvedRecipe.optimizer`; where it is None, transformers
    makes the optimiser that `arguments` (a TrainingArguments made from `trainer.steps.arguments.sft_arguments`) names. Raises UserError for options that
    optimiser cannot take.
    """
    groups = parameter_groups(model, train)
    if spec is None:
        optimizer = _of_transformers(model, groups, train, arguments)
    else:
        plugin = plugin_of(spec)
        optimizer = plugin.make(groups, learning_rate=train.learning_rate, weight_decay=train.weight_decay)
    _embeddings_in_full(model, optimizer)
    return optimizer, scheduler(optimizer, train.schedule, steps=steps.total, warmup=steps.warmup)


def plugin_of(spec: PluginSpec) -> Optimizer:
    """The plugin itself. Raises MissingExtra with the line that installs what it lacks."""
    plugin = spec.make()
    assert isinstance(plugin, Optimizer)
    if reason := plugin.unavailable():
        raise MissingExtra(f'optimizer "{spec.use}": {reason}')
    return plugin


def parameter_groups(model: Any, train: Train) -> list[dict[str, Any]]:
    """torch's parameter groups of the trainable weights: decayed or not, and LoRA's B matrices apart where `plus_ratio` says so.

    The first group has `learning_rate` itself, which is what the journal shows. LoRA+ (Hayou et al. 2024, section 4): B, which starts at
    zero, learns `plus_ratio` times as fast as A. Raises UserError where nothing is trainable, or no B is there for the ratio.
    """
    bare = _layer_norms(model)
    found: dict[tuple[bool, bool], list[Any]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            decayed = not UNDECAYED.search(name.lower()) and name not in bare
            faster = train.lora.plus_ratio is not None and is_b(name)
            found.setdefault((faster, not decayed), []).append(weight)
    if not found:
        raise UserError(
            f"{type(model).__name__} has no weight to train; let [train.lora] targets name layers it has"
        )
    if train.lora.plus_ratio is not None and not any(faster for faster, _ in found):
        raise UserError(
            'train.lora.plus_ratio is the rate of LoRA\'s B matrices, and none is trained here. Take it out, or set method = "lora"'
        )
    return [
        _group(weights, train, faster=faster, bare=bare) for (faster, bare), weights in sorted(found.items())
    ]


def _group(weights: list[Any], train: Train, *, faster: bool, bare: bool) -> dict[str, Any]:
    rate = train.learning_rate * (train.lora.plus_ratio or 1.0) if faster else train.learning_rate
    return {"params": weights, "lr": rate, "weight_decay": 0.0 if bare else train.weight_decay}


def is_b(name: str) -> bool:
    """Whether a weight is a B matrix of a LoRA, by the name PEFT gives it.

    >>> is_b("base.layers.0.q_proj.lora_B.default.weight"), is_b("base.layers.0.q_proj.lora_A.default.weight")
    (True, False)
    """
    return B.search(name) is not None


def _layer_norms(model: Any) -> set[str]:
    """Names of the weights that a `torch.nn.LayerNorm` holds."""
    from torch import nn

    def held() -> Iterator[str]:
        for name, module in model.named_modules():
            if isinstance(module, nn.LayerNorm):
                yield from (f"{name}.{key}" for key, _ in module.named_parameters(recurse=False))

    return set(held())


def _of_transformers(model: Any, groups: list[dict[str, Any]], train: Train, arguments: Any) -> Any:
    """The optimiser transformers has by that name, over our groups. Raises UserError for one that makes groups of its own."""
    from transformers import Trainer
    from transformers.trainer_optimizer import is_optimizer_factory

    try:
        cls, options = Trainer.get_optimizer_cls_and_kwargs(arguments, model)
    except (ImportError, ValueError, TypeError) as error:
        raise UserError(
            f'train.optimizer "{train.optimizer.use}" is transformers\' own, which cannot make it here: {error}. '
            'optimizer = "adamw" works everywhere.'
        ) from error
    own = is_optimizer_factory(cls) or {"params", "model", "optimizer_dict"} & options.keys()
    if own and train.lora.plus_ratio is not None:
        raise UserError(
            f'train.optimizer "{train.optimizer.use}" sorts the weights itself, so that train.lora.plus_ratio cannot reach the B matrices; '
            "take one of the two out"
        )
    if is_optimizer_factory(cls):
        return cls()(model, **options)
    taken = next(
        (options.pop(key) for key in ("params", "model", "optimizer_dict") if key in options), groups
    )
    return cls(taken, **options)


def _embeddings_in_full(model: Any, optimizer: Any) -> None:
    """Keep the moments of embeddings in float32 where bitsandbytes holds the others in 8 bits (see `plugins.optimizers.adamw_8bit`).

    By a table of this optimiser's own: bitsandbytes' is one for the process and goes by the addresses of weights, so that a later run's
    weights would be taken for an earlier one's.
    """
    if not type(optimizer).__module__.startswith("bitsandbytes"):
        return
    from torch import nn

    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    kind: Any = type(optimizer.mng)
    optimizer.mng = kind.__new__(kind)  # its constructor refuses a second one
    optimizer.mng.initialize()
    for g, group in enumerate(optimizer.param_groups):
        for n, weight in enumerate(group["params"]):
            if id(weight) in embeddings:
                optimizer.mng.index2config[g, n] = {"optim_bits": 32}
