"""What the archive knows and the database does not: answers received shortly before a kill.

A page is written to the archive as soon as it has come; the database follows in groups. So after a kill the archive may end with
complete records that no row names, and perhaps with a piece of one. The complete ones are judged as if they had just arrived, in their
order; then the database is committed up to their end, and what follows is cut off. So a page whose answer reached the archive is never
asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from plugins.web.crawl_tables import DONE, Work
from plugins.web.frontier import Frontier
from plugins.web.lanes import traps_of
from plugins.web.traps import Traps
from plugins.web.urls import origin
from plugins.web.visits import Answer, Judge
from plugins.web.warc_reading import WarcFault, WarcRecord, read_at, records

MAX_RECORD = 130 << 20
"""Bytes of a record of ours: the largest body that a recipe can ask for, and its head."""


def recover(frontier: Frontier, folder: Path, judge: Judge) -> int:
    """Account for the records after the committed end of the archive in `folder`; gives their number."""
    end = frontier.archive
    traps: dict[str, Traps] = {}
    number = 0
    for file, record in _tail(folder, end):
        end = (file, record.offset + record.length)
        if record.type not in {"response", "revisit"} or record.url is None:
            continue
        work = frontier.find(record.url)
        if work is None or work.state == DONE:
            continue
        place = origin(work.url)
        if place not in traps:
            traps[place] = traps_of(frontier.origin(frontier.origin_id(place))["traps"])
        if not work.admitted and work.kind == "page":
            traps[place].reason(work.url)
            frontier.update(work.id, admitted=1)
        _account(frontier, judge, work, file, record)
        number += 1
    for place, state in traps.items():
        frontier.set_origin(frontier.origin_id(place), traps=json.dumps(state.dump()))
    if number or end != frontier.archive:
        frontier.commit(end)
    return number


def _tail(folder: Path, end: tuple[str, int] | None) -> Iterator[tuple[str, WarcRecord]]:
    """Complete records after a place, file after file; a damaged one ends it."""
    for path in sorted(folder.glob("*.warc.gz")):
        if end is not None and path.name < end[0]:
            continue
        start = end[1] if end is not None and path.name == end[0] else 0
        for record in records(path, start=start, max_block=MAX_RECORD):
            if isinstance(record, WarcFault):
                return
            yield path.name, record


def _account(frontier: Frontier, judge: Judge, work: Work, file: str, record: WarcRecord) -> None:
    if record.type == "revisit":
        frontier.settle(work.id, work.fate or "fetched", work.detail)
        return
    verdict = judge.verdict(answer_of(record), work)
    place = {"file": file, "offset": record.offset, "length": record.length}
    frontier.settle(work.id, verdict.fate, verdict.detail, **verdict.columns, **place)
    frontier.add(verdict.found)


def answer_of(record: WarcRecord) -> Answer:
    """The answer a response record holds."""
    return Answer(
        record.url or "",
        record.status or 0,
        record.http_headers,
        record.body,
        record.date or datetime.now(UTC),
    )


def archived(folder: Path, file: str, offset: int, length: int) -> Answer:
    """The answer of a row. Raises OSError where it is not there, and what `read_at` raises."""
    return answer_of(read_at(folder / file, offset, length, max_block=MAX_RECORD))
