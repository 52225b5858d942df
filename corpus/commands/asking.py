"""What `gristmill sql` asks: a version of a corpus, or with --run a training run, and the statement beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import UserError
from schemas.store import Store

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Asked:
    """Who answers, and what was typed."""

    name: str
    query: Callable[[str], pl.DataFrame]
    statement: str | None
    """None where it is read from stdin or a prompt."""
    example: str


def asked_of(version: str | None, statement: str | None, run: str | None, root: Path) -> Asked:
    """Sort the arguments: behind --run the first of them is the statement. Raises UserError, NotFound."""
    if run is not None:
        if statement is not None:
            raise UserError(
                f'--run {run} names what is asked, and so does "{version}": a run and a version are asked apart. '
                f'Type: gristmill sql --run {run} "select …"'
            )
        from corpus.run_query import query_run

        folder = Store(root).run(run)
        name = f"{folder.parent.name}/{folder.name}"
        return Asked(
            name,
            lambda sql: query_run(name, sql, root=root),
            version,
            "select step, loss from metrics where kind = 'val'",
        )
    if version is None:
        raise UserError(
            'sql needs to know what it asks. Type: gristmill sql NAME "select …", or gristmill sql --run NAME "select …"'
        )
    from corpus.query import query

    place = Store(root).version(version)
    return Asked(place.spec, lambda sql: query(place, sql), statement, "select * from fates limit 5")
