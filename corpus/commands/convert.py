"""`gristmill convert`: conversations from one shape to another, without a recipe."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from corpus.commands import options
from corpus.commands.export import FORMATS

Source = Annotated[
    str, Argument(metavar="IN", help="A file of conversations, or a glob in quotes.", show_default=False)
]
TargetFile = Annotated[
    Path, Argument(metavar="OUT", help="The file to write; a new one.", show_default=False)
]
From = Annotated[
    str,
    Option(
        "--from",
        metavar="SHAPE",
        help="auto, sharegpt, openai, alpaca, sillytavern, characterai, discord, irc or csv.",
    ),
]
To = Annotated[
    str | None,
    Option(
        "--format",
        metavar="FORMAT",
        help=f"{FORMATS} By default as OUT ends: .jsonl openai, .json alpaca, .csv, .parquet.",
    ),
]
Given = Annotated[
    list[str] | None,
    Option(
        "--option",
        "-o",
        metavar="KEY=VALUE",
        help="An option of the scraper `chats`, such as speaker=author; can be repeated.",
    ),
]


def convert(
    source: Source,
    target: TargetFile,
    shape: From = "auto",
    format: To = None,  # noqa: A002  named as the user types it
    given: Given = None,
    as_json: options.Json = False,  # noqa: FBT002  typer's flags are boolean arguments
) -> None:
    """Turn conversations from one shape into another: CSV to JSON lines, a Discord channel to ShareGPT.

    Reads what the scraper `chats` reads and writes what `export` writes; nothing is cleaned, filtered or split. What cannot be read, and what
    the format cannot hold, is counted and told.
    """
    from corpus.convert import convert as run

    made = run(source, target, format, shape=shape, options=dict(map(_option, given or [])))  # type: ignore[arg-type]  # it is checked there
    if as_json:
        print(json.dumps(made.to_json(), ensure_ascii=False))
        return
    from corpus.commands.columns import columns

    print(
        f"{made.path}: {made.written:,} records as {made.format}, of {made.conversations:,} conversations, {made.messages:,} messages"
    )
    for title, counts in (
        ("could not be read", made.failed),
        (f"{made.format} cannot hold, or holds otherwise", made.losses),
    ):
        if counts:
            print(f"  {title}:")
            print(columns(list(counts.items()), indent="    "))
    for fault in made.faults:
        print(f"    {fault}")


def _option(written: str) -> tuple[str, Any]:
    """KEY=VALUE; the value as TOML where it is that, else as it stands."""
    from schemas.errors import UserError

    key, equals, value = written.partition("=")
    if not equals:
        raise UserError(f'--option {written}: write KEY=VALUE, as in --option speaker="author".')
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value
