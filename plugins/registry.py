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
from typing import Any, cast

from pydantic import ValidationError

from plugins.contracts import KINDS, READABLE, Beside, Filter, Locates, Plugin, Threshold
from plugins.local_files import local_classes
from schemas.errors import Fault, RecipeError, UserError, nearest
from schemas.fingerprint import digest, digest_file, fingerprint
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
    base: str = ""
    """The recipe's folder, which files named by options are relative to."""
    beside: str | None = None
    """Digest of the content of those files."""

    def make(self) -> Plugin:
        """The plugin itself. Raises UserError where its code is no longer what the recipe was read with: a worker would else file
        what the new code makes under the name of the old."""
        found = _class_of(self.kind, self.use, self.file)
        if _source_of(found) != self.code:
            raise UserError(
                f'{self.kind} "{self.use}" is not what it was when the recipe was read: its file, a kernel, or a library that it '
                "requires has changed meanwhile or differs on this machine. Run the same command again."
            )
        return found.model_validate(_placed(found, self.options, self.base))

    def identity(self, *, without: type[Locates | Threshold] | None = None) -> dict[str, Any]:
        """What its results depend on."""
        told = {"use": self.use, "options": self.make().identity(without=without), "code": self.code}
        return {**told, "files": self.beside} if self.beside else told

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
        for table, source in zip(tables["source"], self.recipe.source, strict=True):
            table["name"] = source.label  # written out or left out, it is the same name
        for key, specs in (("source", self.scrapers), ("clean", self.cleaners), ("filter", self.filters)):
            for table, spec in zip(tables[key], specs, strict=True):
                for option in spec.options.keys() - spec.identity(without=Locates)["options"].keys():
                    del table[option]
                if spec.beside:
                    table["files"] = spec.beside
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
    return entries(kind, local)[use.partition(":")[0]].load()


def _files_of(cls: type[Plugin], options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(option, path) of every file that options name."""
    for key in sorted(cls.marked(Beside)):
        value = options.get(key)
        for path in [value] if isinstance(value, str) else value or ():
            yield key, path


def _placed(cls: type[Plugin], options: Mapping[str, Any], base: str) -> dict[str, Any]:
    """`options` with absolute paths for files that are named relative to the recipe."""

    def absolute(value: Any) -> Any:
        return str(Path(base, value)) if isinstance(value, str) else [str(Path(base, path)) for path in value]

    placed = {key: absolute(options[key]) for key in cls.marked(Beside) if options.get(key)}
    return {**options, **placed}


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
        plugin = cls.model_validate(_placed(cls, options, str(base)))
        as_written = {option: options[option] for option in cls.marked(Beside) if options.get(option)}
        written = {**plugin.model_dump(mode="json"), **as_written}
    except ValidationError as error:
        return None, faults_of(error, cls, key)
    if isinstance(plugin, Filter) and (odd := sorted(set(plugin.reads) - set(READABLE))):
        return None, [Fault(key, f'reads "{odd[0]}"; a filter may read {", ".join(READABLE)}')]
    contents, faults = _contents_of(cls, written, base, key)
    code, file = _source_of(cls), known[name].file
    return None if faults else PluginSpec(kind, use, written, code, file, str(base), contents), faults


def _contents_of(
    cls: type[Plugin], options: Mapping[str, Any], base: Path, key: str
) -> tuple[str | None, list[Fault]]:
    """Digest of the files that options name, None where they name none; and a fault for each that cannot be read."""
    found: list[list[str]] = []
    faults: list[Fault] = []
    for option, path in _files_of(cls, options):
        try:
            found.append([option, digest_file(base / path)])
        except OSError as error:
            faults.append(
                Fault(
                    f"{key}.{option}",
                    f'"{path}" cannot be read: {error.strerror}. Paths are relative to {base}.',
                )
            )
    return fingerprint(found) if found else None, faults


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
