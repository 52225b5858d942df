"""`gristmill diversity`: a version's measures as tables that fit 80 columns, and sentences on what is off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from corpus.commands import options
from corpus.commands.columns import columns
from corpus.commands.guard import guarded

if TYPE_CHECKING:
    from corpus.diversity import Diversity, Row

Parts = Annotated[
    Literal["source", "split", "site", "lang"] | None,
    Option("--by", help="What parts it; by default both sources and splits.", show_default=False),
]

NAME = 18
"""Characters of a part's name that are shown."""


@guarded
def diversity(
    version: options.VersionSpec,
    by: Parts = None,
    root: options.Root = Path(),
    as_json: options.Json = False,  # noqa: FBT002  typer makes it an option
) -> None:
    """Measure how diverse a version is, overall and by part, and say what is off and what to type.

    Computed from the published tables, by sample: seconds, whatever the size. What the numbers mean: docs/diversity.md.
    """
    from corpus.diversity import measure
    from corpus.engine.kernel_cache import keep_kernels_in, use_kernel_cache
    from schemas.store import Store

    store = Store(root.absolute())
    place = store.version(version)
    keep_kernels_in(store.cache)
    use_kernel_cache()
    found = measure(place, (by,) if by else ("source", "split"))
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        print(diversity_report(found))


def diversity_report(found: Diversity) -> str:
    """What a person reads."""
    whole = found.rows[0]
    left = [f"{count:,} more {kind}s, smaller, are not shown" for kind, count in found.omitted.items()]
    sampled = f"text measured on {whole.text.characters:,} of {whole.characters:,} characters, words on passages of at most {whole.text.words:,} words"
    return "\n".join([
        f"{found.version}: {whole.documents:,} documents",
        "",
        "repetition (lower is more diverse) and variety (higher is):",
        columns([_head(_TEXT), *map(_text_row, found.rows)], indent="  "),
        "",
        "near-duplicates, and balance as the number of equal ones it is worth:",
        columns([_head(_MASS), *map(_mass_row, found.rows)], indent="  "),
        "",
        sampled,
        *left,
        "",
        *(found.remarks or ["nothing is far from ordinary text"]),
    ])


_TEXT = {"gzip": 4, "zstd": 4, "4-grams": 7, "dist-1": 6, "dist-2": 6, "bits-1": 6, "bits-2": 6, "spread": 6}
_MASS = {"documents": 9, "near": 6, "dropped": 7, "sources": 7, "sites": 7, "authors": 7, "groups": 7}
"""Columns and how wide they are."""


def _head(widths: dict[str, int]) -> Sequence[object]:
    return ("", *(name.rjust(width) for name, width in widths.items()))


def _name(row: Row) -> str:
    name = row.name if row.by == "all" else f"{row.by} {row.name}"
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def _text_row(row: Row) -> Sequence[object]:
    text = row.text
    shown = (
        (text.compression, 2),
        (text.compression_far, 2),
        (text.repeated, 3),
        (text.distinct[0], 3),
        (text.distinct[1], 3),
        (text.entropy[0], 2),
        (text.entropy[1], 2),
        (text.spread, 2),
    )
    cells = (_number(value, digits) for value, digits in shown)
    return (_name(row), *_right(cells, _TEXT))


def _mass_row(row: Row) -> Sequence[object]:
    worth = (row.balance.get(kind) for kind in ("source", "site", "author", "group"))
    cells = (
        f"{row.documents:,}",
        _share(row.near),
        _share(row.dropped),
        *(_number(balance.effective if balance else None, 1) for balance in worth),
    )
    return (_name(row), *_right(cells, _MASS))


def _right(cells: Iterable[str], widths: dict[str, int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths.values(), strict=True)]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
