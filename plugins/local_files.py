"""Plugins in files of the user's own, which a recipe names: imported by path, known by content.

A module is kept for as long as its file says the same. In a notebook one edits a plugin and builds again: what is imported then is
what the file says now, never what it said an hour ago.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from plugins.contracts import KINDS, Plugin
from schemas.errors import UserError
from schemas.fingerprint import digest


def local_classes(file: Path) -> list[tuple[str, type[Plugin]]]:
    """(kind, class) of every plugin the file defines. Raises UserError with the file's own error, or where it defines none."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    found = list(_plugins(file, _module(str(file.resolve()), digest(content))))
    if not found:
        bases = ", ".join(base.__name__ for base in KINDS.values())
        raise UserError(f"{file} defines no plugin; a plugin is a class derived from one of {bases}")
    return found


@cache
def _module(file: str, content: str) -> ModuleType:
    """The file as a module; `content` is its digest, so that another content is another module."""
    source = Path(file)
    name = f"gristmill_local_{source.stem}_{content[:8]}"
    spec = importlib.util.spec_from_file_location(name, source)
    if spec is None or spec.loader is None:
        raise UserError(f"{file} is not a Python file; a local plugin file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's file may raise anything
        del sys.modules[name]
        raise UserError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _plugins(file: Path, module: ModuleType) -> Iterator[tuple[str, type[Plugin]]]:
    for value in list(vars(module).values()):
        if not isinstance(value, type) or value.__module__ != module.__name__:
            continue
        for kind, base in KINDS.items():
            if not issubclass(value, base):
                continue
            # A base class of one's own has neither a name nor all methods; who has one of the two forgot the other.
            lacks = sorted(value.__abstractmethods__)
            named = isinstance(getattr(value, "name", None), str)
            if named and lacks:
                raise UserError(f"{file}: {base.__name__} {value.__name__} has no method `{lacks[0]}`")
            if not named and not inspect.isabstract(value):
                raise UserError(
                    f"{file}: {base.__name__} {value.__name__} has no `name`, which a recipe would write after `use`"
                )
            if named:
                yield kind, value
