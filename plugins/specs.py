"""A plugin as it travels: a few JSON values that make it again in any process, and its identity.

A class from a local file cannot be pickled, and datatrove's pools hang on it; so workers are told what to make, and refuse to make what
has changed since the recipe was read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from plugins.contracts import Beside, Brings, Locates, Plugin, Threshold
from plugins.entries import class_of
from schemas.errors import Fault, UserError, nearest
from schemas.fingerprint import digest, digest_file, fingerprint


@cache
def source_of(cls: type[Plugin]) -> str:
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
        found = class_of(self.kind, self.use, self.file)
        if source_of(found) != self.code:
            raise UserError(
                f'{self.kind} "{self.use}" is not what it was when the recipe was read: its file, a kernel, or a library that it '
                "requires has changed meanwhile or differs on this machine. Run the same command again."
            )
        if self.beside and contents_of(found, self.options, Path(self.base), "")[0] != self.beside:
            raise UserError(
                f'a file that {self.kind} "{self.use}" names has changed since the recipe was read. Run the same command again.'
            )
        return found.model_validate(placed(found, self.options, self.base))

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """What its results depend on."""
        told = {"use": self.use, "options": self.make().identity(without=without), "code": self.code}
        return {**told, "files": self.beside} if self.beside else told

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PluginSpec:
        return cls(**values)


def _files_of(cls: type[Plugin], options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(option, path) of every file that options name."""
    for key in sorted(cls.marked(Beside)):
        value = options.get(key)
        for path in [value] if isinstance(value, str) else value or ():
            if path not in _known(cls, key):
                yield key, path


def _known(cls: type[Plugin], option: str) -> frozenset[str]:
    """Values of an option marked `Beside` that name no file."""
    markers = (marker for marker in cls.model_fields[option].metadata if isinstance(marker, Beside))
    return frozenset().union(*(marker.known for marker in markers))


def placed(cls: type[Plugin], options: Mapping[str, Any], base: str) -> dict[str, Any]:
    """`options` with absolute paths for files that are named relative to the recipe."""

    def absolute(value: Any) -> Any:
        if isinstance(value, str):
            return str(Path(base, value))
        listed = isinstance(value, list | tuple) and all(isinstance(path, str) for path in value)
        return (
            [str(Path(base, path)) for path in value] if listed else value
        )  # what is neither, pydantic refuses

    placed = {
        key: absolute(options[key])
        for key in cls.marked(Beside)
        if options.get(key) and not (isinstance(options[key], str) and options[key] in _known(cls, key))
    }
    return {**options, **placed}


def contents_of(
    cls: type[Plugin], options: Mapping[str, Any], base: Path, key: str
) -> tuple[str | None, list[Fault]]:
    """Digest of the files that options name, their own names included; None where they name none; and a fault for each that cannot be read."""
    found: list[list[str]] = []
    faults: list[Fault] = []
    for option, path in _files_of(cls, options):
        try:
            found.append([option, Path(path).name, _digest(base / path)])
        except OSError as error:
            faults.append(
                Fault(
                    f"{key}.{option}",
                    f'"{path}" cannot be read: {error.strerror}. Paths are relative to {base}.{_or_named(cls, option, path)}',
                )
            )
    return fingerprint(found) if found else None, faults


def _or_named(cls: type[Plugin], option: str, path: str) -> str:
    known = sorted(_known(cls, option))
    return f" Names that are built in: {', '.join(known)}. {nearest(path, known)}".rstrip() if known else ""


def _digest(file: Path) -> str:
    """`digest_file`, read once as long as the file seems unchanged."""
    status = file.stat()
    return _digest_of(str(file), status.st_mtime_ns, status.st_size)


@cache
def _digest_of(file: str, _modified: int, _size: int) -> str:
    return digest_file(Path(file))
