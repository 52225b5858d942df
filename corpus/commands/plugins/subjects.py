"""What `gristmill plugins test` is given, as the plugins to test: a project's folder, a file, or a name.

A project need not be installed: the plugins its pyproject.toml names are found as if it were, by a description of the
distribution written to a temporary folder (`contract.py`). So what is tested is the folder as it lies there, not what was
installed from it once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from corpus.commands.plugins.children import ask
from plugins.contracts import KINDS
from plugins.entries import entries
from schemas.errors import NotFound, UserError, nearest

PYPROJECT = "pyproject.toml"
IMPORT_SECONDS = 60
"""The most that a file may take to say which plugins it defines."""


@dataclass(frozen=True)
class Distribution:
    """A project that may not be installed: what importlib.metadata would know of it."""

    name: str
    version: str
    points: dict[str, dict[str, str]]
    """Entry-point group → name → "module:Class"."""
    roots: tuple[str, ...]
    """Folders its packages lie in."""


@dataclass(frozen=True)
class Subject:
    """One plugin to test."""

    kind: str
    name: str
    base: str
    """The folder that paths in its options are relative to."""
    options: dict[str, Any] = field(default_factory=dict)
    file: str | None = None
    """The file that defines it, where it is no part of a distribution."""
    distribution: Distribution | None = None
    note: str | None = None
    """What the user should know beside the checks."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Subject:
        told = values["distribution"]
        return cls(**{**values, "distribution": Distribution(**told) if told else None})


def subjects(target: str, given: Sequence[str] = ()) -> list[Subject]:
    """The plugins that `target` means, tested with the options `given` as "key=value".

    Raises UserError for a project or file without plugins and an option that cannot be read, NotFound for an unknown name.
    """
    found = _subjects(target, dict(map(_option, given)))
    if given and len(found) > 1:
        names = ", ".join(f"{one.kind} {one.name}" for one in found)
        raise UserError(
            f"--option is for one plugin, and {target} has {len(found)}: {names}. Test one by its name, or write what each is tested "
            f"with under [tool.gristmill.test.{found[0].name}] in its {PYPROJECT}"
        )
    return found


def _subjects(target: str, options: dict[str, Any]) -> list[Subject]:
    path = Path(target)
    if path.suffix == ".py" and path.is_file():
        return [
            Subject(kind, name, str(Path.cwd()), options, str(path.resolve()))
            for kind, name in _in_file(path)
        ]
    if (path / PYPROJECT).is_file():
        return _of_project(path.resolve(), options)
    if path.exists() and not _named(target):
        raise UserError(
            f"{path} is no plugin project: it has no {PYPROJECT}. `gristmill plugins new cleaner NAME` writes one; "
            "a single file of plugins is tested by its path, which ends in .py"
        )
    return [Subject(kind, name, str(Path.cwd()), options) for kind, name in _found(target)]


def _in_file(path: Path) -> list[tuple[str, str]]:
    """(kind, name) of the plugins in a file, which a child imports. Raises UserError with the file's own error."""
    told, end = ask({"mode": "list", "file": str(path)}, seconds=IMPORT_SECONDS)
    if end or not told:
        raise UserError(f"{path} cannot be imported: {end or 'it ended its process'}")
    if "fault" in told[-1]:
        raise UserError(told[-1]["fault"])
    return [(kind, name) for kind, name in told[-1]["found"]]


def _of_project(root: Path, options: dict[str, Any]) -> list[Subject]:
    try:
        tables = tomllib.loads((root / PYPROJECT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{root / PYPROJECT} cannot be read: {error}") from error
    project = tables.get("project", {})
    groups = project.get("entry-points", {})
    points = {group: dict(groups[group]) for kind in KINDS if (group := f"gristmill.{kind}s") in groups}
    if not any(points.values()):
        raise UserError(
            f"{root / PYPROJECT} names no plugin. It needs a table such as\n"
            '  [project.entry-points."gristmill.cleaners"]\n  my-cleaner = "my_package:MyCleaner"'
        )
    roots = tuple(str(folder) for folder in (root / "src", root) if folder.is_dir())
    distribution = Distribution(
        str(project.get("name", root.name)), str(project.get("version", "0")), points, roots
    )
    tested = tables.get("tool", {}).get("gristmill", {}).get("test", {})
    return [
        Subject(
            kind,
            name,
            str(root),
            {**tested.get(name, {}), **options},
            distribution=distribution,
            note=_installed(root, kind, name, points[f"gristmill.{kind}s"][name]),
        )
        for kind in KINDS
        for name in points.get(f"gristmill.{kind}s", {})
    ]


def _installed(root: Path, kind: str, name: str, value: str) -> str | None:
    """What keeps a recipe from naming it here."""
    point = next(iter(entry_points(group=f"gristmill.{kind}s", name=name)), None)
    if point is None:
        return f"not installed here: before a recipe can name it, type pip install -e {root}"
    if point.value != value:
        owner = point.dist.name if point.dist else "another distribution"
        return f'a recipe that names "{name}" gets {point.value} of {owner}: pip install -e {root}, or take another name'
    return None


def _named(name: str) -> list[tuple[str, str]]:
    """(kind, name) of the installed plugins of that name, or else of the distribution of that name."""
    known = [entry for kind in KINDS for entry in entries(kind).values()]
    return [(entry.kind, entry.name) for entry in known if entry.name == name] or [
        (entry.kind, entry.name) for entry in known if entry.origin == name
    ]


def _found(name: str) -> list[tuple[str, str]]:
    if found := _named(name):
        return found
    known = sorted({entry.name for kind in KINDS for entry in entries(kind).values()})
    raise NotFound(
        f'"{name}" is neither an installed plugin nor a project\'s folder nor a .py file. {nearest(name, known)} '
        "`gristmill plugins list` lists what is installed.".replace("  ", " ")
    )


def _option(text: str) -> tuple[str, Any]:
    """A key and its value: what TOML reads it as, else the text itself.

    >>> _option("min_words=3"), _option("path=pages/*.html")
    (('min_words', 3), ('path', 'pages/*.html'))
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key.isidentifier():
        raise UserError(f'--option "{text}" is not KEY=VALUE, such as --option min_words=3')
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
