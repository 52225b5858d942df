"""One plugin on a page: what `gristmill plugins show` prints."""

from __future__ import annotations

import inspect
from typing import Any

from corpus.commands.columns import columns
from corpus.commands.lists import plugin_rows
from plugins.entries import entries
from schemas.errors import NotFound, nearest


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
    types = {option: _type(info.annotation) for option, info in cls.model_fields.items()}
    return {
        **row,
        "doc": inspect.cleandoc(cls.__doc__ or ""),
        "requires": list(cls.requires),
        "kernels": list(cls.kernels),
        "options": {option: {"type": types[option], **facts} for option, facts in row["options"].items()},
    }


def _type(annotation: Any) -> str:
    """An annotation as one would write it.

    >>> _type(int | None), _type(tuple[str, ...])
    ('int | None', 'tuple[str, ...]')
    """
    return annotation.__name__ if type(annotation) is type else str(annotation).replace("typing.", "")


def page(row: dict[str, Any]) -> str:
    """The page: kind, name and distribution, the docstring, a table of options."""
    head = f"{row['kind']} {row['name']}  ({row['from']})"
    doc = "\n".join(f"  {line}".rstrip() for line in row["doc"].splitlines())
    cells = [(name, facts["type"], _default(facts), facts["about"]) for name, facts in row["options"].items()]
    return "\n\n".join([head, doc, columns(cells, indent="  ") if cells else "  It has no options."])


def _default(facts: dict[str, Any]) -> str:
    import json

    if facts["required"]:
        return "required"
    return "unset" if facts["default"] is None else f"= {json.dumps(facts['default'], ensure_ascii=False)}"
