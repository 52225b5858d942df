"""`gristmill clean RECIPE --preview`: what the cleaners of a recipe change, before and after, in a sample of its documents."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from corpus.commands import options
from corpus.commands.columns import columns
from corpus.commands.program import program
from corpus.commands.screen import Piece, blank, coloured, lines, visible

if TYPE_CHECKING:
    from corpus.previewing import Passage, Preview, Previewed, Tally
    from plugins.contracts import Edit

AROUND = 48
"""Characters shown on each side of a span; spans nearer than that twice over are shown together."""
LONGEST = 320
"""Characters of a span that are shown: its beginning and its end."""
PLACES = 8
"""Places of one step in one document that are shown."""

ShowPreview = Annotated[
    bool, Option("--preview", help="Show what the cleaners change in a sample; builds nothing.")
]
Only = Annotated[
    str | None, Option("--only", metavar="NAME", help="Show this cleaner alone; earlier ones still run.")
]
Number = Annotated[int, Option("-n", min=1, metavar="N", help="Documents to show.")]
Seed = Annotated[int, Option("--seed", metavar="N", help="Draws another sample.")]
Changed = Annotated[
    bool,
    Option(
        "--changed/--all",
        help="Documents that change, looked for among ten times as many; or all, as they come.",
    ),
]


def clean(
    recipe: options.Recipe,
    preview: ShowPreview = False,  # noqa: FBT002
    only: Only = None,
    n: Number = 20,
    seed: Seed = 0,
    changed: Changed = True,  # noqa: FBT002
    quiet: options.Quiet = False,  # noqa: FBT002
    root: options.Root = Path(),
) -> None:
    """Show what a recipe's cleaners change in a sample of its documents, before and after, without building.

    Only the sample is extracted, and a later build reuses it. What a build's cleaners changed stands in its table `edits`.
    """
    from corpus.previewing import preview as run
    from schemas.errors import UserError
    from schemas.runtime import Runtime

    if not preview:
        raise UserError(
            f"cleaning is a step of a build. To see what it changes: {program()} clean {recipe} --preview. To build: {program()} build {recipe}"
        )
    made = run(recipe, Runtime(root, 1, quiet=quiet), only=only, n=n, seed=seed, every=not changed)
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    for line in report(made, width=width, colour=coloured()):
        print(line)


def report(made: Preview, *, width: int | None, colour: bool) -> Iterator[str]:
    """Everything the command prints; lines are cut at `width` where it is given."""
    for document in made.documents:
        yield from _document(document, width, colour=colour)
        yield ""
    yield from _closing(made)


def _document(document: Previewed, width: int | None, *, colour: bool) -> Iterator[str]:
    head = [Piece(visible(document.url or document.locator), "strong")]
    head += [Piece(f"  {visible(document.title)}", "quiet")] if document.title else []
    yield from lines(head, indent="", width=width, colour=colour)
    for step, group in groupby(document.passages, lambda passage: passage.step):
        passages = list(group)
        spans = sum(len(passage.edits) for passage in passages)
        told = [Piece(f"{visible(step)}  {spans:,} {'span' if spans == 1 else 'spans'}", "quiet")]
        yield from lines(told, indent="  ", width=width, colour=colour)
        places = [(passage, place) for passage in passages for place in _places(passage.edits)]
        for passage, place in places[:PLACES]:
            pieces = [*_speaker(passage), *_pieces(passage.before, place, whole=passage.field is not None)]
            yield from lines(pieces, indent="    ", width=width, colour=colour)
        if len(places) > PLACES:
            more = [Piece(f"… and {len(places) - PLACES:,} more places", "quiet")]
            yield from lines(more, indent="    ", width=width, colour=colour)
    if document.failure:
        failed = [Piece("failed  ", "removed" if colour else "strong"), Piece(visible(document.failure))]
        yield from lines(failed, indent="  ", width=width, colour=colour)
    elif not document.passages:
        yield from lines([Piece("unchanged", "quiet")], indent="  ", width=width, colour=colour)


def _speaker(passage: Passage) -> list[Piece]:
    """Whose message it is, and what of it changes where that is not what it says."""
    if passage.turn is None:
        return []
    told = f"#{passage.turn} {visible(passage.speaker or '')}: "
    return [Piece(told, "quiet"), *([Piece(f"{passage.field} ", "strong")] if passage.field else [])]


def _places(edits: Sequence[Edit]) -> list[list[Edit]]:
    """Edits near each other, together."""
    places: list[list[Edit]] = []
    for edit in edits:
        if places and edit.start - places[-1][-1].end <= 2 * AROUND:
            places[-1].append(edit)
        else:
            places.append([edit])
    return places


def _pieces(text: str, edits: Iterable[Edit], *, whole: bool) -> Iterator[Piece]:
    """One place: what stands around, what goes, what comes."""
    edits = list(edits)
    start = 0 if whole else _begin(text, edits[0].start)
    stop = len(text) if whole else _finish(text, edits[-1].end)
    if start > 0:
        yield Piece("…", "quiet")
    at = start
    for edit in edits:
        yield Piece(visible(text[at : edit.start]))
        if edit.start < edit.end:
            yield Piece(_short(blank(text[edit.start : edit.end])), "removed")
        if edit.after:
            yield Piece(_short(blank(edit.after)), "added")
        at = edit.end
    yield Piece(visible(text[at:stop]))
    if stop < len(text):
        yield Piece("…", "quiet")


def _begin(text: str, start: int) -> int:
    """Where the words before a span begin."""
    far = max(0, start - AROUND)
    blanked = text.find(" ", far, start)
    return blanked + 1 if 0 < far <= blanked else far


def _finish(text: str, end: int) -> int:
    """Where the words after a span end."""
    far = min(len(text), end + AROUND)
    blanked = text.rfind(" ", end, far)
    return blanked if far < len(text) and blanked > end else far


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} more characters … {text[-half:]}"


def _closing(made: Preview) -> Iterator[str]:
    """The table of all that was looked at."""
    lost = f"; {made.without_text:,} had no text" if made.without_text else ""
    yield f"looked at {made.looked_at:,} documents, {made.changed:,} of them changed{lost}:"
    if made.tallies:
        yield from columns([_row(tally) for tally in made.tallies], indent="  ").split("\n")
    for step, (pages, known) in made.learned.items():
        yield f"{step} learned {known:,} lines of {pages:,} pages; a build learns of all."
    if made.looked_at and not made.changed:
        yield "Another sample: --seed 1. Unchanged documents, too: --all."


def _row(tally: Tally) -> tuple[object, ...]:
    speed = f"{tally.bytes / 1e6 / tally.seconds:,.1f} MB/s" if tally.seconds and tally.bytes else ""
    return (
        visible(tally.step),
        *(tally.documents, "docs", tally.spans, "spans", tally.removed, "out", tally.added, "in"),
        f"{tally.seconds:.2f} s",
        speed,
    )
