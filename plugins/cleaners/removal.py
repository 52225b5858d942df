"""Spans taken out of a text, with the white space they leave, round by round until nothing more goes.

What is taken out can uncover what goes too: a second pass would find it, and cleaning twice would change more than cleaning once. So a text is gone over
again until a round finds nothing; one that takes more than ROUNDS, or of which nothing would be left, stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from plugins.contracts import Edit

ROUNDS = 8

Spans = list[tuple[int, int]]
"""Characters [start, end) of a text."""


def in_rounds(text: str, find: Callable[[str], Spans]) -> list[Edit]:
    """The edits that take out what `find` finds, and finds again in what is left."""
    pieces: Spans = [(0, len(text))]
    for _ in range(ROUNDS):
        now = "".join(text[start:end] for start, end in pieces)
        cuts = [repaired(now, start, end) for start, end in merged(now, find(now))]
        if not cuts:
            return between(pieces, len(text))
        pieces = list(kept(pieces, merged(now, cuts)))
        if not any(text[start:end].strip() for start, end in pieces):
            return []
    return []


def merged(text: str, spans: Spans) -> Spans:
    """Ascending, those that touch or have only white space between them made one."""
    merged: Spans = []
    for start, end in sorted(spans):
        if merged and (start <= merged[-1][1] or not text[merged[-1][1] : start].strip()):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def repaired(text: str, start: int, end: int) -> tuple[int, int]:
    """The span with the white space that would be one too many without it."""
    before = start - len(text[max(0, start - 200) : start]) + len(text[max(0, start - 200) : start].rstrip())
    behind = end + len(text[end : end + 200]) - len(text[end : end + 200].lstrip())
    if not before or behind == len(text):
        return before, behind
    if text.count("\n", before, start) >= text.count("\n", end, behind) and (start == before or behind > end):
        return start, behind
    return before, end


def kept(pieces: Spans, cuts: Spans) -> Iterator[tuple[int, int]]:
    """Pieces of the first text without `cuts`, which are spans of the pieces joined."""
    offset, waiting = 0, iter([*cuts, (sum(e - s for s, e in pieces),) * 2])
    cut = next(waiting)
    for start, end in pieces:
        at = start
        while at < end:
            place = offset + at - start
            if place >= cut[1]:
                cut = next(waiting, (1 << 62, 1 << 62))
                continue
            stop = min(end, start + (cut[0] if place < cut[0] else cut[1]) - offset)
            if place < cut[0]:
                yield at, stop
            at = stop
        offset += end - start


def between(pieces: Spans, length: int) -> list[Edit]:
    """What lies outside the pieces, as edits."""
    edits, at = [], 0
    for start, end in [*pieces, (length, length)]:
        if start > at:
            edits.append(Edit(at, start, ""))
        at = max(at, end)
    return edits
