"""The lists that `gristmill plugins` and `gristmill models` print: as lines for a person, as plain values for `--json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpus.commands.columns import columns
from plugins.contracts import KINDS, Plugin
from plugins.entries import Entry, entries
from plugins.models import ModelInfo
from schemas.errors import NotFound, UserError, nearest


def plugin_rows(kind: str | None) -> list[dict[str, Any]]:
    """Every installed plugin, or those of one kind ("cleaner" or "cleaners"), with its options; raises NotFound."""
    wanted = kind.removesuffix("s") if kind else None
    if wanted is not None and wanted not in KINDS:
        hint = nearest(wanted, list(KINDS))
        listed = ", ".join(f"{name}s" for name in KINDS)
        raise NotFound(f'"{kind}" is not a kind of plugin. {hint} The kinds: {listed}.'.replace("  ", " "))
    return [_row(entry) for name in KINDS if wanted in (None, name) for entry in entries(name).values()]


def _row(entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": entry.kind, "name": entry.name, "from": entry.origin}
    try:
        plugin = entry.load()
    except UserError as error:
        return {**row, "about": str(error), "options": {}}
    return {**row, "about": _first_sentence(plugin), "options": _options(plugin)}


def _first_sentence(plugin: type[Plugin]) -> str:
    paragraph = (plugin.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split())


def _options(plugin: type[Plugin]) -> dict[str, dict[str, Any]]:
    """Each option: its default as JSON, whether it must be given, and what it means."""
    properties = plugin.model_json_schema().get("properties", {})
    return {
        name: {
            "required": info.is_required(),
            **({} if info.is_required() else {"default": properties.get(name, {}).get("default")}),
            "about": " ".join((info.description or "").split()),
        }
        for name, info in plugin.model_fields.items()
    }


def plugin_lines(rows: list[dict[str, Any]], *, with_options: bool) -> str:
    """One line a plugin; with options, those below each."""
    if not rows:
        return "none is installed"
    if not with_options:
        return columns([
            (row["kind"], row["name"], row["from"], row["about"].partition(". ")[0].rstrip("."))
            for row in rows
        ])
    return "\n\n".join(
        "\n".join([f"{row['name']}  ({row['from']})", f"  {row['about']}", *_option_lines(row["options"])])
        for row in rows
    )


def _option_lines(options: dict[str, dict[str, Any]]) -> list[str]:
    if not options:
        return []
    return [
        columns(
            [(name, _default(option), option["about"]) for name, option in options.items()], indent="    "
        )
    ]


def _default(option: dict[str, Any]) -> str:
    if option["required"]:
        return "required"
    return "unset" if option["default"] is None else f"= {json.dumps(option['default'], ensure_ascii=False)}"


def model_rows(models: list[ModelInfo]) -> list[dict[str, Any]]:
    """Models as plain values."""
    return [
        {
            "name": model.name,
            "path": _path(model.path),
            "weights": model.weights,
            "bytes": model.bytes,
            "origin": model.origin,
        }
        for model in models
    ]


def _path(path: Path | None) -> str | None:
    return str(path) if path else None


def model_lines(models: list[ModelInfo]) -> str:
    """One line a model: what of it is here, its size, where it came from."""
    return columns([
        (model.name, _state(model), f"{model.bytes / 1e6:,.0f} MB" if model.path else "", model.origin)
        for model in models
    ])


def _state(model: ModelInfo) -> str:
    if model.path is None:
        return f"not here: gristmill models pull {model.name}"
    return "weights and tokenizer" if model.weights else "tokenizer only"
