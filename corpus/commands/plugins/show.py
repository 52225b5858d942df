"""One plugin on a page: what `gristmill plugins show` prints."""

from __future__ import annotations

import inspect
import json
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from corpus.commands.columns import columns
from corpus.commands.lists import plugin_rows
from plugins.entries import entries
from schemas.errors import NotFound, nearest

MAX_DEFAULT = 40
"""Characters of a default that are shown; `--json` has all."""


def told(name: str, kind: str | None = None) -> list[dict[str, Any]]:
    """The plugins of that name, one of each kind that has it, as `gristmill plugins --json` tells them, and more: `doc` and each
    option's `type`. Raises NotFound, naming the nearest."""
    rows = [row for row in plugin_rows(kind) if row["name"] == name]
    if not rows:
        known = sorted({row["name"] for row in plugin_rows(kind)})
        hint = nearest(name, known)
        raise NotFound(
            f'no installed plugin "{name}". {hint} `gristmill plugins list` lists all {len(known)}.'.replace(
                "  ", " "
            )
        )
    return [_full(row) for row in rows]


def _full(row: dict[str, Any]) -> dict[str, Any]:
    # A class that cannot be imported says so in `about`, and has no options.
    if row["about"].startswith(f'{row["kind"]} "{row["name"]}" from'):
        return {**row, "doc": row["about"]}
    cls = entries(row["kind"])[row["name"]].load()
    options: dict[str, dict[str, Any]] = {}
    for option, info in cls.model_fields.items():
        options[option] = {"type": _type(info.annotation), **row["options"][option]}
        if inner := _table(info.annotation):
            options |= {f"{option}.{key}": facts for key, facts in _keys(inner).items()}
    return {
        **row,
        "doc": inspect.cleandoc(cls.__doc__ or ""),
        "requires": list(cls.requires),
        "kernels": list(cls.kernels),
        "options": options,
    }


def _keys(table: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The keys of an option that is a table of its own, as options are told."""
    return {
        key: {
            "type": _type(info.annotation),
            "required": info.is_required(),
            **({} if info.is_required() else {"default": info.default}),
            "about": " ".join((info.description or "").split()),
        }
        for key, info in table.model_fields.items()
    }


def _table(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _table(inner))), None)


def _type(annotation: Any) -> str:
    """An annotation as one would write it; a model is a table.

    >>> _type(int | None), _type(bool | Annotated[tuple[str, ...], "of addresses"])
    ('int | None', 'bool | tuple[str, ...]')
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin in {Union, UnionType}:
        return " | ".join("None" if one is NoneType else _type(one) for one in inner)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return annotation.__name__ if type(annotation) is type else str(annotation).replace("typing.", "")


def page(row: dict[str, Any]) -> str:
    """The page: kind, name and distribution, the docstring, a table of options."""
    head = f"{row['kind']} {row['name']}  ({row['from']})"
    doc = "\n".join(f"  {line}".rstrip() for line in row["doc"].splitlines())
    cells = [(name, facts["type"], _default(facts), facts["about"]) for name, facts in row["options"].items()]
    return "\n\n".join([head, doc, columns(cells, indent="  ") if cells else "  It has no options."])


def _default(facts: dict[str, Any]) -> str:
    if facts["required"]:
        return "required"
    if facts["default"] is None:
        return "unset"
    told = json.dumps(facts["default"], ensure_ascii=False)
    return f"= {told if len(told) <= MAX_DEFAULT else told[:MAX_DEFAULT] + ' …'}"
