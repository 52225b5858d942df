"""What a sweep tries: values for keys of [train], and every combination of them, or some drawn at random.

Grid search is easy to read and to complete; where only a few of many keys matter, as many random draws find better values (Bergstra &
Bengio 2012, "Random Search for Hyper-Parameter Optimization"), so both are here. Rejected: Bayesian optimisation, which needs more
runs than an evening has to be worth its machinery.
"""

from __future__ import annotations

import itertools
import math
import random
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from schemas.errors import Fault, RecipeError, UserError, nearest
from schemas.recipe import Recipe, Train

Grid = dict[str, list[Any]]
"""Dotted key -> the values it takes, each once."""

MOST = 1000
"""Combinations of a whole grid; beyond, `--random` draws some."""


def parse(assignments: Sequence[str]) -> Grid:
    """A grid from words like "train.learning_rate=1e-4,2e-4". Raises RecipeError with all that cannot be read.

    A value is written as in the recipe; a bare word is a text.

    >>> parse(["train.schedule=cosine,linear", "train.lora.targets=all-linear,[q_proj,v_proj]"])
    {'train.schedule': ['cosine', 'linear'], 'train.lora.targets': ['all-linear', ['q_proj', 'v_proj']]}
    """
    grid: Grid = {}
    wrong = []
    for assignment in assignments:
        key, equals, values = assignment.partition("=")
        if not equals or not key.strip() or not values.strip():
            wrong.append(
                Fault(assignment, "is no KEY=VALUE,VALUE,…; write, for one: train.learning_rate=1e-4,2e-4")
            )
            continue
        key = key.strip()
        if key in grid:
            wrong.append(Fault(key, "is given twice; put all its values behind one ="))
            continue
        grid[key] = [_value(part) for part in _parts(values)]
    if wrong:
        raise RecipeError("sweep", wrong)
    return grid


def plain(grid: Mapping[str, Iterable[Any]]) -> Grid:
    """A grid of plain values: numbers of numpy, as its `logspace` gives them, as Python has them, tuples as lists, and a value alone as the one to try.

    >>> plain({"train.lora.targets": [("q_proj", "v_proj"), "all-linear"]})
    {'train.lora.targets': [['q_proj', 'v_proj'], 'all-linear']}
    """
    return {
        key: [_plain(values)]
        if isinstance(values, (str, dict)) or not isinstance(values, Iterable)
        else [_plain(value) for value in values]
        for key, values in grid.items()
    }


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, dict):
        return {name: _plain(below) for name, below in value.items()}
    return [_plain(below) for below in value] if isinstance(value, (list, tuple)) else value


def faults(grid: Mapping[str, Sequence[Any]]) -> list[Fault]:
    """Every key that cannot be swept, and every list of values that is none. What a value must be, the recipe says."""
    known = list(_keys())
    corpus = set(Recipe.model_fields) - {"train"}
    found = []
    for key, values in grid.items():
        head, _, rest = key.partition(".")
        if head in corpus:
            found.append(Fault(key, "changes the corpus, not the training: build one for each value. A sweep takes keys of [train]"))  # fmt: skip
        elif head != "train" or not rest:
            found.append(Fault(key, f"is no key of [train].{_near(key, known)}"))
        elif not values:
            found.append(Fault(key, "has no value"))
        elif any(value is None for value in values):
            found.append(Fault(key, "is to be None, for which a recipe has no word; try each value that can be written, and leave the key out for its default"))  # fmt: skip
        elif any(value in list(values)[:n] for n, value in enumerate(values)):
            found.append(Fault(key, f"has a value twice: {', '.join(map(str, values))}"))
    if not grid:
        found.append(Fault("sweep", "names no key; write, for one: train.learning_rate=1e-4,2e-4"))
    return found


def combinations(
    grid: Mapping[str, Sequence[Any]], draws: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Every combination, the last key moving quickest; or `draws` different ones at random. Raises UserError for too many.

    >>> combinations({"train.epochs": [1, 2], "train.lora.r": [8, 16]})[1]
    {'train.epochs': 1, 'train.lora.r': 16}
    """
    if draws is not None and draws < 1:
        raise UserError(f"{draws} draws leave nothing to train. Draw one at least: --random 20")
    number = math.prod(len(values) for values in grid.values())
    if draws is None and number > MOST:
        raise UserError(f"that is {number:,} runs. Draw some of them: --random 20")
    places = (
        range(number)
        if draws is None
        else sorted(random.Random(seed).sample(range(number), min(draws, number)))
    )
    if draws is not None:
        random.Random(seed).shuffle(drawn := list(places))
        places = drawn  # in no order, so that a sweep broken off has looked everywhere
    return [dict(zip(grid, _at(list(grid.values()), place), strict=True)) for place in places]


def _at(values: Sequence[Sequence[Any]], place: int) -> Iterator[Any]:
    """The combination of that number, as itertools.product orders them, without making the others."""
    sizes = [len(one) for one in values]
    steps = [math.prod(sizes[n + 1 :]) for n in range(len(sizes))]
    return (one[place // step % len(one)] for one, step in zip(values, steps, strict=True))


def _parts(values: str) -> list[str]:
    """Cut at commas that are in no bracket and no quotes."""
    depth, quote, parts = 0, "", [""]
    for letter in values:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _value(word: str) -> Any:
    try:
        return tomllib.loads(f"v = {word}")["v"]
    except tomllib.TOMLDecodeError:
        if word.startswith("[") and word.endswith("]"):
            return [_value(part) for part in _parts(word[1:-1])]
        return word


def _keys(model: Any = Train, prefix: str = "train") -> Iterator[str]:
    """Every dotted key of [train]."""
    for name, info in model.model_fields.items():
        yield f"{prefix}.{name}"
        below = [
            one
            for one in (info.annotation, *getattr(info.annotation, "__args__", ()))
            if hasattr(one, "model_fields")
        ]
        yield from itertools.chain.from_iterable(_keys(one, f"{prefix}.{name}") for one in below)


def _near(key: str, known: list[str]) -> str:
    """The nearest key of [train], its table left out or misspelt."""
    last = key.rpartition(".")[2]
    hint = nearest(key, known) or nearest(f"train.{key}", known) or nearest(f"train.{last}", known)
    return f" {hint}" if hint else ""
