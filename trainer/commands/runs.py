"""`gristmill runs`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.commands.options import Json, Root, print_json

if TYPE_CHECKING:
    from trainer.seeing.comparison import Comparison, Listed

EXPENDABLE = ("base", "perplexity", "tok/s", "minutes", "steps", "corpus", "test", "sweep")
"""Columns a narrow terminal does without, the first of them first."""


def runs(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME | RUN...]",
            help="One NAME lists its runs; one or more RUNs (NAME/N) are set side by side.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PNG", help="Draw the val losses of these runs into one picture."),
    ] = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """List training runs: what they learned from, how well, and how they ended; or compare some of them."""
    from trainer.runs import open as open_run
    from trainer.seeing import comparison

    named = names or []
    if len(named) > 1 or any("/" in name for name in named):
        found = comparison.compare([open_run(name, root=root) for name in named])
        if plot is not None:
            _draw(plot, [row.run for row in found.runs], root)
        sys.stdout.writelines(f"{line}\n" for line in side_by_side(found))
        print_json(found.to_json(), as_json=as_json)
        return
    if named:
        open_run(named[0], root=root)  # for what it raises where there is none
    listed = comparison.listing(root, named[0] if named else None)
    if plot is not None:
        _draw(plot, [row.run for row in listed if row.status != "unreadable"], root)
    if not listed:
        sys.stderr.write(f"no runs under {root / 'runs'} yet: `gristmill train RECIPE` makes one.\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in as_table(listed))
    print_json([row.to_json() for row in listed], as_json=as_json)


def as_table(listed: list[Listed]) -> list[str]:
    """A line a run, as wide as the terminal."""
    from trainer.seeing.table import room, table

    columns: dict[str, Callable[[Listed], Any]] = {
        "run": lambda row: row.run,
        "corpus": _corpus,
        "base": lambda row: Path(row.model).name if row.model else None,
        "sweep": lambda row: row.sweep,
        "steps": lambda row: row.steps,
        "val": lambda row: _number(row.val_loss, ".4f"),
        "test": lambda row: _number(row.test_loss, ".4f"),
        "perplexity": lambda row: _number(row.test_perplexity, ".2f"),
        "tok/s": lambda row: _number(row.tokens_per_second, ",.0f"),
        "minutes": lambda row: _number(row.minutes, ".1f"),
        "": _ended,
    }
    cells = {
        name: ["" if (value := tell(row)) is None else str(value) for row in listed]
        for name, tell in columns.items()
    }
    return table(cells, width=room(), expendable=EXPENDABLE, left=("run", "corpus", "base", ""))


def side_by_side(found: Comparison) -> Iterator[str]:
    """A column a run: how each went, then what differs; as many side by side as the terminal has room for."""
    from trainer.seeing.table import cut, room

    parts = {
        "": _facts(found.runs),
        "recipe": {key: list(map(_shown, values)) for key, values in found.recipe.items()},
        "corpus": {key: list(map(_shown, values)) for key, values in found.corpus.items()},
    }
    width = room()
    first = min(max((len(key) for part in parts.values() for key in part), default=0), 40)
    each = max((len(one) for part in parts.values() for cells in part.values() for one in cells), default=8)
    each = min(max(each, *(len(row.run) for row in found.runs)), 32)
    fit = len(found.runs) if width is None else max(1, (width - first) // (each + 2))
    for start in range(0, len(found.runs), fit):
        if start:
            yield ""
        yield f"{'':{first}}  " + "  ".join(row.run.rjust(each) for row in found.runs[start : start + fit])
        for name, part in parts.items():
            if name and part:
                yield f"{name} differs in"
            for key, cells in part.items():
                told = "  ".join(cut(cell, each).rjust(each) for cell in cells[start : start + fit])
                if told.strip():
                    yield f"{cut(key, first):{first}}  {told}"
    if len(found.runs) > 1 and not found.recipe and not found.corpus:
        yield "recipe and corpus are the same"
    yield from (f"{row.run}: {text}" for row in found.runs for text in (row.stop_reason, row.told) if text)


def _facts(rows: list[Listed]) -> dict[str, list[str]]:
    """How each went."""
    return {
        "status": [row.status for row in rows],
        "corpus": [row.corpus or "" for row in rows],
        "base": [Path(row.model).name if row.model else "" for row in rows],
        "steps": [_shown(row.steps) for row in rows],
        "best step": [_shown(row.best_step) for row in rows],
        "val loss": [_number(row.val_loss, ".4f") or "" for row in rows],
        "test loss": [_test(row) for row in rows],
        "perplexity": [_number(row.test_perplexity, ".2f") or "" for row in rows],
        "tokens/s": [_number(row.tokens_per_second, ",.0f") or "" for row in rows],
        "minutes": [_number(row.minutes, ".1f") or "" for row in rows],
        "losses": [row.verdict or "" for row in rows],
    }


def _draw(path: Path, names: list[str], root: Path) -> None:
    from trainer.runs import METRICS, open as open_run
    from trainer.seeing.journal import read_rows
    from trainer.seeing.plot import draw_together

    opened = [open_run(name, root=root) for name in names]
    curves = {run.spec: read_rows(run.path / METRICS) for run in opened}
    draw_together(curves, path, title="val loss")
    sys.stderr.write(f"{path} has the val losses of {len(curves)} runs\n")


def _corpus(row: Listed) -> str | None:
    """The corpus, without the name that the run has too."""
    name = row.run.partition("/")[0]
    return row.corpus.removeprefix(name) if row.corpus else None


def _ended(row: Listed) -> str:
    """How it ended, in as few words as a line has room for: what the losses say, then the reason up to its details."""
    if row.status != "finished":
        return ": ".join(filter(None, [row.status, row.stop_reason]))
    return "; ".join(filter(None, [row.verdict, (row.stop_reason or "").partition(":")[0]]))


def _test(row: Listed) -> str:
    opened = f" (opened {row.openings}x)" if row.openings > 1 else ""
    return f"{_number(row.test_loss, '.4f') or ('not measured' if row.openings else 'sealed')}{opened}"


def _number(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
