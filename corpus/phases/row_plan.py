"""From where rows begin and end to the rows themselves, and to the account of every cut between them.

A plan says which tokens a row shows of its own, and what stands in front of them: the document's header, what is carried, the overlap. What stands
in front is never trained. Planning is a matter of positions (`text_rows`, `dialogue_rows`); here alone tokens are laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from corpus.phases.alignment import Ints
from corpus.phases.encoding import Rendered
from plugins.contracts import Span
from schemas.fingerprint import identify
from schemas.tables import CHUNKS, CUTS

Ids = NDArray[np.int32]

UNTRAINED = -100
"""The label PyTorch's cross-entropy ignores."""

CUT = pa.schema([field for field in CHUNKS if field.name not in {"group_id", "split"}])
"""Rows before publish joins in the group and the split."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One row: `head` in front, then tokens [start, stop) of the document."""

    head: Ids
    repeated: int
    """How many tokens of the head another row shows, or none of the document: all but what is carried or framed here for the first time."""
    start: int
    stop: int
    level: str
    """What `start` begins (`schemas.tables.LEVELS`)."""
    lost: int = 0
    """Tokens before `start` that no row shows."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The rows of one document."""

    plans: Sequence[Plan]
    lost: int = 0
    """Tokens after the last row that no row shows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One chunk, its columns but the ids that follow from the document."""

    doc_id: str
    position: int
    chars: tuple[int, int]
    turns: tuple[int | None, int | None]
    ids: Ids
    labels: Ids


@dataclass(frozen=True, slots=True)
class Cut:
    """A row of `schemas.tables.CUTS`."""

    doc_id: str
    position: int
    level: str
    n_lost: int
    n_repeated: int


def taught(planned: Planned, labels: Ids, *, ends: bool) -> Planned:
    """Without the rows of which nothing is trained, such as the middle of a long message that is only read: no loss could be taken on one. Their
    tokens are lost at the next cut. With `ends`, the last row stays for its EOS."""
    plans: list[Plan] = []
    lost = 0
    for number, plan in enumerate(planned.plans, 1):
        last = ends and number == len(planned.plans)
        if not last and bool(np.all(labels[plan.start : plan.stop] == UNTRAINED)):
            lost += plan.lost + plan.stop - plan.start
        else:
            plans.append(replace(plan, lost=plan.lost + lost))
            lost = 0
    return Planned(plans, planned.lost + lost)


def rows_of(
    document: Rendered, planned: Planned, ids: Ids, labels: Ids, characters: Ints | None, end: Ids
) -> Iterator[Row]:
    """The rows as planned; `characters` are those before each border of a token, None where one row holds all; `end` comes after the last."""
    lengths = np.array([len(span.text) for span in document.spans], np.int64)
    begins = np.cumsum(lengths) - lengths
    for position, plan in enumerate(planned.plans):
        tail = [end] if position == len(planned.plans) - 1 else []
        first, last = (
            (0, len(document.text))
            if characters is None
            else (int(characters[plan.start]), int(characters[plan.stop]))
        )
        yield Row(
            document.doc_id,
            position,
            (first, last),
            _turns(document.spans, begins, first, last),
            np.concatenate([plan.head, ids[plan.start : plan.stop], *tail]),
            np.concatenate([np.full_like(plan.head, UNTRAINED), labels[plan.start : plan.stop], *tail]),
        )


def cuts_of(document: Rendered, planned: Planned) -> Iterator[Cut]:
    """A cut before each row but a first one with nothing in front, and one behind the last where something is lost there."""
    for position, plan in enumerate(planned.plans):
        if position or plan.repeated or plan.lost:
            yield Cut(document.doc_id, position - 1, plan.level, plan.lost, plan.repeated)
    if planned.lost:
        yield Cut(document.doc_id, len(planned.plans) - 1, "document", planned.lost, 0)


def _turns(spans: Sequence[Span], begins: Ints, start: int, end: int) -> tuple[int | None, int | None]:
    """The messages shown in characters [start, end), as [first, last + 1); nulls where no message is."""
    first = max(int(np.searchsorted(begins, start, "right")) - 1, 0)
    last = max(int(np.searchsorted(begins, end, "left")), first + 1)
    turns = [span.turn for span in spans[first:last] if span.turn is not None]
    return (min(turns), max(turns) + 1) if turns else (None, None)


def chunk_table(rows: list[Row]) -> pa.Table:
    """The rows as Arrow; the lists are laid out once, without a Python object a token."""
    counts = np.array([len(row.ids) for row in rows], np.int64)
    borders = pa.array(np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int32))
    return pa.table(
        [
            pa.array([identify(row.doc_id, str(row.position)) for row in rows], pa.string()),
            pa.array([row.doc_id for row in rows], pa.string()),
            pa.array([row.position for row in rows], pa.int32()),
            pa.array([row.chars[0] for row in rows], pa.int64()),
            pa.array([row.chars[1] for row in rows], pa.int64()),
            pa.array([row.turns[0] for row in rows], pa.int32()),
            pa.array([row.turns[1] for row in rows], pa.int32()),
            pa.array(counts, pa.int32()),
            pa.array([int(np.count_nonzero(row.labels != UNTRAINED)) for row in rows], pa.int32()),
            pa.ListArray.from_arrays(borders, _joined([row.ids for row in rows])),
            pa.ListArray.from_arrays(borders, _joined([row.labels for row in rows])),
        ],
        schema=CUT,
    )


def cut_table(cuts: list[Cut]) -> pa.Table:
    """The cuts as Arrow."""
    return pa.table({name: [getattr(cut, name) for cut in cuts] for name in CUTS.names}, schema=CUTS)


def _joined(arrays: list[Ids]) -> Ids:
    return np.concatenate([np.zeros(0, np.int32), *arrays])
