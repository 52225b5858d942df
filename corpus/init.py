"""`gristmill init`: a commented recipe to start from, with a sample it builds on at once.

A template is a folder under `recipes/templates`: `recipe.toml` and `sample/`. It is copied as it stands, so that what is tested
is what a newcomer gets.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from corpus.schema import SCHEMA_FILE, write_schema
from corpus.shipped import recipes
from schemas.errors import NotFound, StorageError, UserError, nearest

RECIPE = "recipe.toml"
DIRECTIVE = f"#:schema ./{SCHEMA_FILE}"


@dataclass(frozen=True)
class Template:
    """One recipe to start from."""

    name: str
    folder: Path

    @property
    def about(self) -> str:
        """The first comment of its recipe that is a sentence, not a directive such as `#:schema`."""
        for line in (self.folder / RECIPE).read_text(encoding="utf-8").splitlines():
            if line.startswith("# ") and (text := line.removeprefix("# ").strip()):
                return text
        return ""

    def files(self) -> list[Path]:
        """What is copied, relative to its folder."""
        return sorted(path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())


def templates() -> dict[str, Template]:
    """The templates by name."""
    found = sorted(path.parent for path in (recipes() / "templates").glob(f"*/{RECIPE}"))
    return {folder.name: Template(folder.name, folder) for folder in found}


def init(template: str, folder: Path) -> Path:
    """Copy a template into `folder`, made if need be, and write the editors' schema beside it; returns the recipe's path.

    Raises NotFound for an unknown template, UserError where a file would be overwritten (then nothing is written),
    StorageError where the folder cannot be written.
    """
    known = templates()
    if template not in known:
        hint = nearest(template, list(known))
        raise NotFound(f'no template "{template}". {hint} There are: {", ".join(known)}.'.replace("  ", " "))
    files = known[template].files()
    _refuse_to_overwrite(template, folder, [*files, Path(SCHEMA_FILE)])
    try:
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            # Contents only: an installation may be read-only, and the copy is to be edited.
            shutil.copyfile(known[template].folder / file, folder / file)
        _name_schema(folder / RECIPE)
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}. Name another place: gristmill init {template} DIR"
        ) from error
    write_schema(folder / SCHEMA_FILE)
    return folder / RECIPE


def _refuse_to_overwrite(template: str, folder: Path, files: list[Path]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; a template needs a folder: gristmill init {template} DIR")
    there = [str(file) for file in files if (folder / file).exists()]
    if there:
        raise UserError(
            f"{folder} already holds {there[0]}{f' and {len(there) - 1} more' if len(there) > 1 else ''}, which would be overwritten; "
            f"nothing was written. Name another folder: gristmill init {template} DIR"
        )


def _name_schema(recipe: Path) -> None:
    """Let the recipe's first line name the schema, as TOML language servers expect it."""
    text = recipe.read_text(encoding="utf-8")
    if not text.startswith("#:schema"):
        recipe.write_text(f"{DIRECTIVE}\n\n{text}", encoding="utf-8")
