"""The JSON Schema of recipes with the plugins that are installed here: `schemas.recipe_schema` knows the tables, the
registry knows the plugins, and this brings them together."""

from __future__ import annotations

import json
from pathlib import Path

from plugins.contracts import KINDS, Plugin
from plugins.entries import Entry, entries
from schemas.errors import StorageError, UserError
from schemas.recipe_schema import JsonSchema, recipe_schema

SCHEMA_FILE = "gristmill.schema.json"
"""What a recipe's first line names: `#:schema ./gristmill.schema.json`."""


def schema() -> JsonSchema:
    """The schema; a plugin that cannot be imported is offered by name, its options unchecked."""
    return recipe_schema({
        kind: {name: _model(entry) for name, entry in entries(kind).items()} for kind in KINDS
    })


def schema_text() -> str:
    """As a file holds it: readable, ending in a newline."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def write_schema(file: Path) -> None:
    """Write it; raises StorageError where the file cannot be written."""
    try:
        file.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write {file}: {error.strerror}. Name another file: gristmill schema FILE"
        ) from error


def _model(entry: Entry) -> type[Plugin] | None:
    try:
        return entry.load()
    except UserError:
        return None
