"""The checks of each kind, in the order in which they are told, and those that all kinds share."""

from __future__ import annotations

import ast
import inspect
import json
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

from corpus.commands.plugins import cleaner_checks, filter_checks, page_checks
from corpus.commands.plugins.case import Case
from corpus.commands.plugins.outcomes import Broken, Check
from plugins.contracts import TRAINING, Plugin
from plugins.specs import PluginSpec, library_version
from schemas.fingerprint import canonical

BY_KIND: dict[str, Sequence[tuple[str, Check]]] = {
    "scraper": page_checks.SCRAPER,
    "extractor": page_checks.EXTRACTOR,
    "cleaner": cleaner_checks.CHECKS,
    "filter": filter_checks.CHECKS,
}
MAKERS: dict[str, Callable[[Case], dict[str, str]]] = {
    "scraper": page_checks.scraped,
    "extractor": page_checks.extracted,
    "cleaner": cleaner_checks.cleaned,
    "filter": filter_checks.scored,
}
"""Kind → what it makes of the same things, as digests."""

FREE = frozenset({"gristmill", "numba", "numpy", "polars", "pyarrow", "pydantic", "typing-extensions"})
"""Distributions that a plugin may import without naming them: those its options and scores are made with, which gristmill pins or
names itself (`corpus.phases.annotate.LIBRARIES`)."""


def checks(kind: str) -> list[tuple[str, Check]]:
    """Name and function of every check of a kind."""
    return [*COMMON, *BY_KIND.get(kind, ())]


def imports(case: Case) -> str:
    """It can be imported, without the network."""
    attempts = case.load()
    if attempts:
        raise Broken(
            f"its import tried {attempts[0]}",
            "let the module only define things: what it needs of the network belongs into `fetch`, and what it needs of a file into its own folder",
        )
    return case.cls.__module__


def documented(case: Case) -> str:
    """The class and each option say what they are."""
    own = case.cls.__dict__.get("__doc__")
    if not (own and own.strip()):
        raise Broken(
            f"{case.cls.__name__} has no docstring",
            "write one below the class line; its first sentence is what `gristmill plugins` shows",
        )
    bare = [name for name, info in case.cls.model_fields.items() if not (info.description or "").strip()]
    if bare:
        raise Broken(
            f"no word on {', '.join(f'`{name}`' for name in bare)}",
            f'write a string below the option: {bare[0]}: … = …, and on the next line """What it does."""',
        )
    return f"{len(case.cls.model_fields)} options"


def named(case: Case) -> None:
    """What a recipe writes is what the class is called."""
    if case.cls.name != case.subject.name:
        raise Broken(
            f'the entry point is "{case.subject.name}", the class says name = "{case.cls.name}"',
            "let them be the same: the one is what a recipe writes, the other is what tables show",
        )


def instance(case: Case) -> str:
    """Defaults and the options under test make an instance."""
    case.specify()
    return ", ".join(f"{key} = {value!r}" for key, value in case.subject.options.items()) or "of defaults"


def identity(case: Case) -> str:
    """`requires` names distributions that are here, `kernels` modules, and both all that the file imports."""
    cls = case.cls
    for name in cls.requires:
        if library_version(name) == "absent":
            raise Broken(
                f'requires "{name}", which is no distribution here',
                "name it as `pip list` does: the distribution, not the module",
            )
    for name in cls.kernels:
        if not _is_module(name):
            raise Broken(
                f'kernels "{name}" is no module here', 'name it as one imports it: "my_package.words"'
            )
    _covered(case)
    return f"{len(cls.requires)} distributions, {len(cls.kernels)} modules"


def _covered(case: Case) -> None:
    """Raises Broken for what its file imports and its identity lacks. What trains makes no corpus, and has none."""
    if case.subject.kind in TRAINING:
        return
    cls = case.cls
    homes = packages_distributions()
    required = {_plain(name) for name in cls.requires}
    own = cls.__module__.partition(".")[0]
    for module in _imported(cls):
        top = module.partition(".")[0]
        if top in {own, "plugins"} and module != cls.__module__:
            if not _kernel(module, cls.kernels):
                raise Broken(
                    f"imports {module}, whose source is no part of its identity",
                    f'add "{module}" to `kernels`: an edit there must make anew what the plugin made',
                )
        elif top not in sys.stdlib_module_names:
            owners = {_plain(owner) for owner in homes.get(top, ())}
            if owners and not owners & (required | FREE) and not case.subject.file:
                raise Broken(
                    f"imports {top}, and `requires` names no {min(owners)}",
                    f'add "{min(owners)}" to `requires`: its next version may give other results',
                )


def _kernel(module: str, kernels: Sequence[str]) -> bool:
    """Whether a module is covered: named, or within a package that is."""
    free = module in {
        "plugins.contracts",
        "plugins.entries",
        "plugins.specs",
        "plugins.kernels",
        "plugins.kernels.compiled",
        "plugins.kernels.buffers",
    }
    return free or any(module == name or module.startswith(f"{name}.") for name in kernels)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _imported(cls: type[Plugin]) -> Iterator[str]:
    """The modules that a class' file imports for it: anywhere, but for type checkers and for other plugins in the same file."""
    file = Path(inspect.getfile(cls))
    package = cls.__module__ if file.name == "__init__.py" else cls.__module__.rpartition(".")[0]
    family = {base.__name__ for base in cls.__mro__}
    tree = ast.parse(file.read_bytes())
    tree.body = [node for node in tree.body if not isinstance(node, ast.ClassDef) or node.name in family]
    waiting: list[ast.AST] = [tree]
    bound: list[tuple[str, str]] = []
    used: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            bound += [((alias.asname or alias.name).partition(".")[0], alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            bound += [
                (alias.asname or alias.name, _origin(node, alias.name, package)) for alias in node.names
            ]
        elif isinstance(node, ast.Name):
            used.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return (module for name, module in dict.fromkeys(bound) if name in used or name == "*")


def _origin(node: ast.ImportFrom, name: str, package: str) -> str:
    """The module that a name is imported from, absolute; the name itself where that is a module."""
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    known = base.partition(".")[0] in sys.stdlib_module_names
    return f"{base}.{name}" if not known and _is_module(f"{base}.{name}") else base


def travels(case: Case) -> str:
    """It is the same after JSON and after a pickle, as it goes to workers."""
    spec = case.spec
    change = "let every option hold what JSON can: text, numbers, true and false, lists and tables of these; no sets, functions or files"
    try:
        through = PluginSpec.from_json(json.loads(json.dumps(spec.to_json())))
    except (TypeError, ValueError) as error:
        raise Broken(f"its options are no JSON: {error}", change) from error
    if through != spec or pickle.loads(pickle.dumps(spec)) != spec:
        raise Broken("its options come back changed", change)
    first, second = case.written, through.make()
    if first is None or first != second:
        raise Broken(
            "made again of its own options it is another plugin",
            "let validators be idempotent: what they make of an option must be an option they leave alone",
        )
    if canonical(first.identity()) != canonical(second.identity()):
        raise Broken("made again it has another identity", change)
    return f"{len(json.dumps(spec.to_json()))} bytes"


def frozen(case: Case) -> None:
    """Options do not change once it is made."""
    if not case.cls.model_config.get("frozen"):
        raise Broken("its model_config is not frozen", "leave out `model_config`, or keep frozen=True in it")


COMMON: Sequence[tuple[str, Check]] = (
    ("imports, without network", imports),
    ("named as its entry point", named),
    ("documented", documented),
    ("frozen", frozen),
    ("defaults make an instance", instance),
    ("requires and kernels", identity),
    ("survives JSON and pickle", travels),
)
