"""Finds plugins by name: installed ones by entry point, local ones in files the recipe names; and checks a whole recipe.

A plugin travels to worker processes as a `PluginSpec`, a few JSON values, and is made again there: a class from a
local file cannot be pickled, and datatrove's pools hang on it. Rejected: registration at import, which makes what
exists depend on what happened to be imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from plugins.contracts import KINDS, Locates, Plugin, Threshold
from plugins.local_files import local_classes
from schemas.errors import Fault, RecipeError, UserError, nearest
from schemas.fingerprint import digest, fingerprint
from schemas.recipe import Extract, Recipe, Source, Step, faults_of, parse, read_toml

AUTO = "auto"
"""A backend the trainer chooses itself."""


@dataclass(frozen=True)
class Entry:
    """One plugin that can be named."""

    kind: str
    name: str
    origin: str
    """The distribution it comes from, or the local file."""
    target: EntryPoint | type[Plugin]
    file: str | None = None

    def load(self) -> type[Plugin]:
        """The class; raises UserError where its module cannot be imported or is not what the contract asks."""
        if isinstance(self.target, type):
            return self.target
        try:
            found = self.target.load()
        except Exception as error:  # a stranger's module may raise anything
            raise UserError(
                f'{self.kind} "{self.name}" from {self.origin} cannot be imported: {type(error).__name__}: {error}. '
                f"Upgrade or uninstall {self.origin}."
            ) from error
        if not (isinstance(found, type) and issubclass(found, KINDS[self.kind])):
            raise UserError(
                f'{self.kind} "{self.name}" from {self.origin} is not a {KINDS[self.kind].__name__} (see plugins/contracts.py).'
            )
        return found


@dataclass(frozen=True)
class PluginSpec:
    """A plugin as JSON values: enough to make it in another process, and its identity."""

    kind: str
    use: str
    options: dict[str, Any]
    code: str
    """Digest of its source file, its kernels and the versions of what it requires."""
    file: str | None = None
    """Absolute path of a local plugin file; where it lies is no part of identity."""

    def make(self) -> Plugin:
        """The plugin itself. Raises UserError where its code is no longer what the recipe was read with: a worker would else file
        what the new code makes under the name of the old."""
        found = _class_of(self.kind, self.use, self.file)
        if _source_of(found) != self.code:
            raise UserError(
                f'{self.kind} "{self.use}" is not what it was when the recipe was read: its file, a kernel, or a library that it '
                "requires has changed meanwhile or differs on this machine. Run the same command again."
            )
        return found.model_validate(self.options)

    def identity(self, *, without: type[Locates | Threshold] | None = None) -> dict[str, Any]:
        """What its results depend on."""
        return {"use": self.use, "options": self.make().identity(without=without), "code": self.code}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PluginSpec:
        return cls(**values)


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

    @property
    def base(self) -> Path:
        """The folder paths in the recipe are relative to."""
        return self.path.parent

    def corpus_sections(self) -> dict[str, Any]:
        """Everything but [train], defaults included, as JSON values."""
        tables = self.recipe.model_dump(mode="json", exclude={"train"})
        for key, specs in (("source", self.scrapers), ("clean", self.cleaners), ("filter", self.filters)):
            for table, spec in zip(tables[key], specs, strict=True):
                table.update(spec.options)
        tables["extract"].update(self.extractor.options)
        tables["tokens"]["format"].update(self.format.options)
        return tables

    @property
    def sections(self) -> str:
        """H of `corpus_sections` without what only says where things lie: what `train` compares with a version's manifest.

        A build whose sources or model merely moved finds the version already there, and `train` must then take it.
        """
        tables = self.corpus_sections()
        for table, source, spec in zip(tables["source"], self.recipe.source, self.scrapers, strict=True):
            table["name"] = source.label  # written out or left out, it is the same name
            for option in spec.options.keys() - spec.identity(without=Locates)["options"].keys():
                del table[option]
        del tables["tokens"]["model"]  # its tokenizer is compared by digest
        del tables["plugins"]  # paths; what their plugins do is in the fingerprint
        return fingerprint(tables)


def entries(kind: str, local: tuple[Entry, ...] = ()) -> dict[str, Entry]:
    """All plugins of a kind by name, local files first: a recipe's own file may replace a built-in."""
    found = {entry.name: entry for entry in _installed(kind)}
    found.update({entry.name: entry for entry in local if entry.kind == kind})
    return dict(sorted(found.items()))


@cache
def _installed(kind: str) -> tuple[Entry, ...]:
    points = entry_points(group=f"gristmill.{kind}s")
    return tuple(
        Entry(kind, point.name, point.dist.name if point.dist else "unknown", point) for point in points
    )


def local_entries(file: Path) -> tuple[Entry, ...]:
    """The plugins a local file defines. Raises UserError with the file's own error."""
    return tuple(
        Entry(kind, found.name, str(file), found, str(file.resolve())) for kind, found in local_classes(file)
    )


def _class_of(kind: str, use: str, file: str | None) -> type[Plugin]:
    local = local_entries(Path(file)) if file else ()
    return entries(kind, local)[use].load()


@cache
def _source_of(cls: type[Plugin]) -> str:
    """Digest of everything in code that can change what a plugin does."""
    hasher = hashlib.blake2b(Path(inspect.getfile(cls)).read_bytes(), digest_size=16)
    for name in cls.kernels:
        hasher.update(module_digest(name).encode())
    for name in cls.requires:
        hasher.update(f"{name}=={library_version(name)};".encode())
    return hasher.hexdigest()


@cache
def module_digest(name: str) -> str:
    """Digest of a module's source, found without importing it; of a package, all of its modules."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise UserError(f'no module named "{name}" to take the digest of')
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    return digest(b"\0".join(file.read_bytes() for file in files))


def library_version(name: str) -> str:
    """The installed version of a distribution, or "absent"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def load_recipe(path: Path | str) -> ResolvedRecipe:
    """Read, check and resolve a recipe. Raises RecipeError with all of its faults together."""
    path = Path(path).absolute()
    tables = read_toml(path)
    recipe, faults = parse(tables)
    local, more = _local_plugins(tables, path.parent)
    specs: dict[str, PluginSpec] = {}
    for key, kind, step in _steps(tables):
        spec, found = _resolve(key, kind, step, local)
        more += found
        if spec:
            specs[key] = spec
    more += _score_clashes(specs)
    if faults or more or recipe is None:
        raise RecipeError(path.name, [*faults, *more])
    defaults = _Defaults(recipe, local)
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
    )


@dataclass(frozen=True)
class _Defaults:
    """Resolves what the recipe leaves out."""

    recipe: Recipe
    local: tuple[Entry, ...]

    def spec(self, kind: str, step: Step) -> PluginSpec:
        spec, faults = _resolve(kind, kind, {"use": step.use, **step.options}, self.local)
        if spec is None:
            raise RecipeError(self.recipe.name, faults)
        return spec


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


def _steps(tables: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every table of the raw recipe that names a plugin: its key, the kind, the table."""
    for section, kind in (("source", "scraper"), ("clean", "cleaner"), ("filter", "filter")):
        listed = tables.get(section, [])
        for n, step in enumerate(listed if isinstance(listed, list) else []):
            yield f"{section}.{n}", kind, step
    for keys, kind in (
        (("extract",), "extractor"),
        (("tokens", "format"), "format"),
        (("train", "backend"), "backend"),
    ):
        table: Any = tables
        for key in keys:
            table = table.get(key) if isinstance(table, dict) else None
        table = {"use": table} if isinstance(table, str) else table
        if isinstance(table, dict) and not (kind == "backend" and table.get("use") == AUTO):
            yield ".".join(keys), kind, {"use": Extract().use, **table} if kind == "extractor" else table


def _resolve(
    key: str, kind: str, step: Any, local: tuple[Entry, ...]
) -> tuple[PluginSpec | None, list[Fault]]:
    use = step.get("use") if isinstance(step, dict) else None
    if not isinstance(use, str):
        return None, []  # the fixed sections' own fault says it
    known = entries(kind, local)
    if use not in known:
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
        cls = known[use].load()
    except UserError as error:
        return None, [Fault(f"{key}.use", str(error))]
    options = {name: value for name, value in step.items() if name not in RESERVED.get(kind, {"use"})}
    try:
        plugin = cls.model_validate(options)
    except ValidationError as error:
        return None, faults_of(error, cls, key)
    return PluginSpec(kind, use, plugin.model_dump(mode="json"), _source_of(cls), known[use].file), []


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
        for column in getattr(_class_of("filter", spec.use, spec.file), "scores", ()):
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
