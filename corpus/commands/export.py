"""`gristmill export`: a version for tools that know nothing of gristmill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from corpus.commands import options

FORMATS = "parquet, jsonl, csv, sharegpt, alpaca or openai."

Target = Annotated[
    Path, Argument(metavar="DIR", help="The folder to write; new, or empty.", show_default=False)
]
ExportFormat = Annotated[str, Option("--format", metavar="FORMAT", help=f"How it is written: {FORMATS}")]
Splits = Annotated[
    str | None,
    Option("--split", metavar="SPLITS", help="Some of train,val,test, parted by commas; by default all."),
]
Table = Annotated[str, Option("--table", metavar="TABLE", help="Which table of the version.")]


def export(
    version: options.VersionSpec,
    target: Target,
    format: ExportFormat = "jsonl",  # noqa: A002  named as the user types it
    split: Splits = None,
    table: Table = "documents",
    root: options.Root = Path(),
    as_json: options.Json = False,  # noqa: FBT002  typer's flags are boolean arguments
) -> None:
    """Write a version's documents as files that other tools read, one a split, with export.json that says where they come from.

    What a format cannot hold is counted and told. Nothing is overwritten.
    """
    from corpus.export import export as run
    from schemas.store import Store

    splits = None if split is None else [name.strip() for name in split.split(",") if name.strip()]
    made = run(Store(root).version(version), target, format, splits=splits, table=table)  # type: ignore[arg-type]  # it is checked there
    if as_json:
        print(json.dumps(made.to_json(), ensure_ascii=False))
        return
    from corpus.commands.columns import columns

    print(f"{made.version}, {made.table} as {made.format}: {made.path}")
    print(columns([(file.path, file.rows, "rows", file.bytes, "bytes") for file in made.files], indent="  "))
    if made.losses:
        print(f"  what {made.format} cannot hold, or holds otherwise (docs/chats.md):")
        print(columns(list(made.losses.items()), indent="    "))
