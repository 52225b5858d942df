"""`gristmill plugins new`: a plugin project to start from, which installs, passes its tests and keeps the contract as it stands.

A template is a folder under `recipes/plugins`, one a kind. Its files end in `.in`, so that no tool takes them for our own code;
names in capitals between at-signs are filled in, and PACKAGE in a file's own name.
"""

from __future__ import annotations

import re
from pathlib import Path

from corpus.shipped import recipes
from plugins.entries import entries
from schemas.errors import NotFound, StorageError, UserError, nearest

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 50
"""Characters of a name at most: it becomes part of file names and columns."""
ENDING = ".in"


def kinds() -> list[str]:
    """The kinds that have a template."""
    return sorted(folder.name for folder in (recipes() / "plugins").iterdir() if folder.is_dir())


def new_plugin(kind: str, name: str, folder: Path | None = None) -> Path:
    """Write the project into `folder` (by default `gristmill-<name>`), made if need be; returns it.

    Raises NotFound for a kind without template; UserError for a name no recipe could write or another plugin has, and where a
    file would be overwritten (then nothing is written); StorageError where the folder cannot be written.
    """
    known = kinds()
    if kind.removesuffix("s") not in known:
        raise NotFound(
            f'no template for a "{kind}". {nearest(kind, known)} There are: {", ".join(known)}.'.replace(
                "  ", " "
            )
        )
    kind = kind.removesuffix("s")
    _check(kind, name)
    folder = folder or Path(f"gristmill-{name}")
    words = _words(name)
    template = recipes() / "plugins" / kind
    contents = {
        folder / _filled_path(path.relative_to(template), words): _filled(path, words)
        for path in sorted(template.rglob(f"*{ENDING}"))
    }
    _refuse_to_overwrite(folder, list(contents))
    try:
        for path, text in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}. Name another place: gristmill plugins new {kind} {name} DIR"
        ) from error
    return folder


def _check(kind: str, name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        better = (
            re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:LONGEST].strip("-")
            or "strip-dice-rolls"
        )
        raise UserError(
            f'"{name}" is no name for a plugin: it takes lower-case words of letters and digits joined by hyphens, at most '
            f"{LONGEST} characters. Type: gristmill plugins new {kind} {better}"
        )
    if taken := entries(kind).get(name):
        raise UserError(
            f'a {kind} "{name}" is installed already, from {taken.origin}; no recipe could tell the two apart. '
            f"Type: gristmill plugins new {kind} my-{name}"
        )


def _words(name: str) -> dict[str, str]:
    """What is filled in.

    >>> _words("strip-dice-rolls")["CLASS"], _words("strip-dice-rolls")["PACKAGE"]
    ('StripDiceRolls', 'gristmill_strip_dice_rolls')
    """
    column = name.replace("-", "_")
    # A class may not be called as a base class or helper that its module imports.
    title = "".join(word.capitalize() for word in name.split("-"))
    taken = {
        "Cleaner",
        "Edit",
        "Extracted",
        "Files",
        "Filter",
        "Rule",
        "Threshold",
        "Field",
        "Sequence",
        "Annotated",
    }
    return {
        "NAME": name,
        "PROJECT": f"gristmill-{name}",
        "PACKAGE": f"gristmill_{column}",
        "COLUMN": column,
        "CLASS": f"My{title}" if title in taken or title in {"None", "True", "False"} else title,
    }


def _filled(path: Path, words: dict[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], path.read_text(encoding="utf-8"))


def _filled_path(path: Path, words: dict[str, str]) -> Path:
    return Path(str(path).removesuffix(ENDING).replace("PACKAGE", words["PACKAGE"]))


def _refuse_to_overwrite(folder: Path, files: list[Path]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; a project needs a folder of its own")
    there = [str(file) for file in files if file.exists() or file.is_symlink()]
    if there:
        raise UserError(
            f"{there[0]} is there already{f', and {len(there) - 1} more' if there[1:] else ''}, and would be overwritten; "
            "nothing was written. Name another folder behind the plugin's name"
        )
