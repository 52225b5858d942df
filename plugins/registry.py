"""Reads a recipe: checks every table of it, its plugins' own options among them, and tells all faults together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from plugins.contracts import READABLE, Beside, Filter, Format, Locates, Optimizer, Plugin, Threshold
from plugins.entries import Entry, entries, local_entries
from plugins.specs import PluginSpec, contents_of, placed, source_of
from schemas.errors import Fault, RecipeError, UserError, nearest
from schemas.fingerprint import fingerprint
from schemas.recipe import Extract, Recipe, Source, Step, faults_of, parse, read_toml

AUTO = "auto"
"""A backend the trainer chooses itself."""


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe without faults, and its plugins."""

    recipe: Recipe
    path: Path
    scrapers: tuple[PluginSpec, ...]
    extractor: PluginSpec
    cleaners: tuple[PluginSpec, ...]
    filters: tuple[PluginSpec, ...]
    format: PluginSpec
    backend: PluginSpec | None
    """None where the trainer chooses."""
    optimizer: PluginSpec | None = None
    """None where no plugin has the name: then it is transformers' own, or a fault that only the trainer can tell."""
    callbacks: tuple[PluginSpec, ...] = ()
    written_format: PluginSpec | None = None
    """The format as the recipe has it, where `format` was prepared."""

    @property
    def base(self) -> Path:
        """The folder paths in the recipe are relative to."""
        return self.path.parent

    @property
    def full_batch(self) -> bool:
        """Whether the optimiser takes one step an epoch, over all rows."""
        return self.optimizer is not None and cast(Optimizer, self.optimizer.make()).full_batch

    def prepared(self, model: Path) -> ResolvedRecipe:
        """With the format prepared for the base model in the folder `model`. Raises UserError where the model lacks what it needs."""
        ready = cast(Format, self.format.make()).prepared(model)
        options = {**ready.model_dump(mode="json"), **_as_written(type(ready), self.format.options)}
        return replace(self, format=replace(self.format, options=options), written_format=self.format)

    def corpus_sections(self) -> dict[str, Any]:
        """Everything but [train], and [mix] where it does nothing, defaults included, as JSON values."""
        idle = set() if self.recipe.mix.active else {"mix"}
        tables = self.recipe.model_dump(mode="json", exclude={"train", *idle})
        for key, specs in (("source", self.scrapers), ("clean", self.cleaners), ("filter", self.filters)):
            for table, spec in zip(tables[key], specs, strict=True):
                table.update(spec.options)
        tables["extract"].update(self.extractor.options)
        tables["tokens"]["format"].update((self.written_format or self.format).options)
        return tables

    @property
    def sections(self) -> str:
        """H of `corpus_sections` without what only says where things lie: what `train` compares with a version's manifest.

        A build whose sources or model merely moved finds the version already there, and `train` must then take it.
        """
        tables = self.corpus_sections()
        for table, source in zip(tables["source"], self.recipe.source, strict=True):
            table["name"] = source.label  # written out or left out, it is the same name
        for key, specs in (("source", self.scrapers), ("clean", self.cleaners), ("filter", self.filters)):
            for table, spec in zip(tables[key], specs, strict=True):
                for option in spec.options.keys() - spec.identity(without=Locates)["options"].keys():
                    del table[option]
                if spec.beside:
                    table["files"] = spec.beside
        if self.format.beside:
            form = tables["tokens"]["format"]
            for option in type(self.format.make()).marked(Beside):
                form.pop(option, None)
            form["files"] = self.format.beside
        tables["dedup"]["against"] = [Path(entry).name for entry in self.recipe.dedup.against]
        del tables["tokens"]["model"]  # its tokenizer is compared by digest
        del tables["plugins"]  # paths; what their plugins do is in the fingerprint
        return fingerprint(tables)


def load_recipe(path: Path | str, text: str | None = None) -> ResolvedRecipe:
    """Read, check and resolve a recipe, or `text` as if it stood at `path`. Raises RecipeError with all of its faults together."""
    path = Path(path).absolute()
    tables = read_toml(path) if text is None else tomllib.loads(text)
    recipe, faults = parse(tables)
    local, more = _local_plugins(tables, path.parent)
    specs: dict[str, PluginSpec] = {}
    for key, kind, step in _steps(tables):
        if kind == "optimizer" and not _is_plugin(step, local):
            continue  # transformers may know it, and importing that takes seconds: `trainer.steps.arguments.check_names` asks
        spec, found = _resolve(key, kind, step, local, path.parent)
        more += found
        if spec:
            specs[key] = spec
    more += _score_clashes(specs)
    if faults or more or recipe is None:
        raise RecipeError(path.name, [*faults, *more])
    defaults = _Defaults(recipe, local, path.parent)
    return ResolvedRecipe(
        recipe=recipe,
        path=path,
        scrapers=tuple(specs[f"source.{n}"] for n in range(len(recipe.source))),
        extractor=specs.get("extract") or defaults.spec("extractor", recipe.extract),
        cleaners=tuple(
            specs.get(f"clean.{n}") or defaults.spec("cleaner", step) for n, step in enumerate(recipe.clean)
        ),
        filters=tuple(specs[f"filter.{n}"] for n in range(len(recipe.filter))),
        format=specs.get("tokens.format") or defaults.spec("format", recipe.tokens.format),
        backend=specs.get("train.backend")
        or (None if recipe.train.backend.use == AUTO else defaults.spec("backend", recipe.train.backend)),
        optimizer=specs.get("train.optimizer") or defaults.named("optimizer", recipe.train.optimizer),
        callbacks=tuple(specs[f"train.callback.{n}"] for n in range(len(recipe.train.callback))),
    )


@dataclass(frozen=True)
class _Defaults:
    """Resolves what the recipe leaves out."""

    recipe: Recipe
    local: tuple[Entry, ...]
    base: Path

    def spec(self, kind: str, step: Step) -> PluginSpec:
        spec, faults = _resolve(kind, kind, {"use": step.use, **step.options}, self.local, self.base)
        if spec is None:
            raise RecipeError(self.recipe.name, faults)
        return spec

    def named(self, kind: str, step: Step) -> PluginSpec | None:
        """As `spec`, but None where no plugin has the name."""
        return self.spec(kind, step) if step.use in entries(kind, self.local) else None


def _local_plugins(tables: dict[str, Any], base: Path) -> tuple[tuple[Entry, ...], list[Fault]]:
    found: list[Entry] = []
    faults: list[Fault] = []
    named = tables.get("plugins", [])
    for n, name in enumerate(named if isinstance(named, list) else []):
        if not isinstance(name, str):
            continue
        try:
            found += local_entries(base / name)
        except UserError as error:
            faults.append(Fault(f"plugins.{n}", str(error)))
    return tuple(found), faults


RESERVED = {
    "scraper": frozenset(Source.model_fields),
    "extractor": frozenset(Extract.model_fields),
}
"""Keys of a plugin's table that are the section's own."""


def _is_plugin(step: dict[str, Any], local: tuple[Entry, ...]) -> bool:
    return step.get("use") in entries("optimizer", local)


def _steps(tables: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every table of the raw recipe that names a plugin: its key, the kind, the table."""
    for section, kind in (("source", "scraper"), ("clean", "cleaner"), ("filter", "filter")):
        listed = tables.get(section, [])
        for n, step in enumerate(listed if isinstance(listed, list) else []):
            yield f"{section}.{n}", kind, step
    train = tables.get("train")
    called = train.get("callback", []) if isinstance(train, dict) else []
    for n, step in enumerate(called if isinstance(called, list) else []):
        yield f"train.callback.{n}", "callback", step
    for keys, kind in (
        (("extract",), "extractor"),
        (("tokens", "format"), "format"),
        (("train", "backend"), "backend"),
        (("train", "optimizer"), "optimizer"),
    ):
        table: Any = tables
        for key in keys:
            table = table.get(key) if isinstance(table, dict) else None
        table = {"use": table} if isinstance(table, str) else table
        if isinstance(table, dict) and not (kind == "backend" and table.get("use") == AUTO):
            yield ".".join(keys), kind, {"use": Extract().use, **table} if kind == "extractor" else table


def _resolve(
    key: str, kind: str, step: Any, local: tuple[Entry, ...], base: Path
) -> tuple[PluginSpec | None, list[Fault]]:
    use = step.get("use") if isinstance(step, dict) else None
    if not isinstance(use, str):
        return None, []  # the fixed sections' own fault says it
    known = entries(kind, local)
    name, _, argument = use.partition(":")
    if name not in known:
        hint = nearest(use, list(known))
        return None, [
            Fault(
                f"{key}.use",
                f'"{use}" is not {_a(kind)}. {hint} `gristmill plugins {kind}s` lists all {len(known)}.'.replace(
                    "  ", " "
                ),
            )
        ]
    try:
        cls = known[name].load()
    except UserError as error:
        return None, [Fault(f"{key}.use", str(error))]
    options = {option: value for option, value in step.items() if option not in RESERVED.get(kind, {"use"})}
    if argument and cls.argument is None:
        return None, [Fault(f"{key}.use", f'"{name}" takes nothing behind a colon; write use = "{name}"')]
    if argument and cls.argument:
        options[cls.argument] = argument
    try:
        plugin = cls.model_validate(placed(cls, options, str(base)))
        written = {**plugin.model_dump(mode="json"), **_as_written(cls, options)}
    except ValidationError as error:
        return None, faults_of(error, cls, key)
    if isinstance(plugin, Filter) and (odd := sorted(set(plugin.reads) - set(READABLE))):
        return None, [Fault(key, f'reads "{odd[0]}"; a filter may read {", ".join(READABLE)}')]
    contents, faults = contents_of(cls, written, base, key)
    if not faults:
        try:
            plugin.check()
        except ValueError as error:
            faults = [Fault(key, str(error))]
    code, file = source_of(cls), known[name].file
    return None if faults else PluginSpec(kind, use, written, code, file, str(base), contents), faults


def _as_written(cls: type[Plugin], options: Mapping[str, Any]) -> dict[str, Any]:
    """Files as the recipe names them, not as absolute paths."""
    return {option: options[option] for option in cls.marked(Beside) if options.get(option)}


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


TAKEN = frozenset({"doc_id", "failed"})
"""Columns of `scores` that are not a filter's."""


def _score_clashes(specs: dict[str, PluginSpec]) -> list[Fault]:
    """Two filters may write one score only if they compute it alike."""
    owner: dict[str, tuple[str, str]] = {}
    faults: list[Fault] = []
    for key, spec in specs.items():
        if spec.kind != "filter":
            continue
        identity = fingerprint(spec.identity(without=Threshold))
        for column in cast(Filter, spec.make()).columns():
            if column in TAKEN:
                faults.append(
                    Fault(key, f'writes a score named "{column}", a name of gristmill\'s own; rename it')
                )
            first, known = owner.setdefault(column, (key, identity))
            if known != identity:
                faults.append(
                    Fault(
                        key,
                        f'writes the score "{column}", which {first} already computes with other options; one of them must go',
                    )
                )
    return faults
