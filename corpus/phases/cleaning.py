"""Running a cleaner over drafts: every change becomes a row of `edits`.

A cleaner gets each text, or each message of a dialogue, in one column; one with `clean_messages` gets each dialogue as a whole. A document
on any part of which it fails stays as it was before the step, and has the failure for its fate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corpus.phases import edits
from corpus.phases.replay import shown
from corpus.phases.rows import told
from plugins.contracts import Cleaner, Edit, Learner, Turn

Draft = dict[str, Any]
"""A row of DRAFTS in the making; `stage` is set where a step refused it."""

Answers = Callable[[list[str], list[str]], Sequence[object]]
"""What a cleaner makes of texts, given the documents they are of; texts of one document stand together."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a step does to one text, or to one field of one message."""

    turn: int | None
    field: str | None
    before: str
    spans: list[Edit]
    after: Any

    def rows(self, doc_id: str, step: str) -> Iterator[dict[str, Any]]:
        """Rows of EDITS."""
        for span in self.spans:
            yield {
                "doc_id": doc_id,
                "step": step,
                "turn": self.turn,
                "field": self.field,
                "start": span.start,
                "end": span.end,
                "before": self.before[span.start : span.end],
                "after": span.after,
            }


def run_cleaner(step: str, cleaner: Cleaner, drafts: list[Draft]) -> list[dict[str, Any]]:
    """Run one cleaner over every draft still in play, changing it; returns the rows for `edits`."""
    playing = [draft for draft in drafts if draft["stage"] is None]
    seen: list[Draft] = []
    if _sees_messages(cleaner):
        seen = [draft for draft in playing if draft["messages"]]
        playing = [draft for draft in playing if not draft["messages"]]
    changed = _changes(playing, lambda _owners, texts: _column(cleaner, texts))
    changed |= {draft["doc_id"]: _dialogue(cleaner, draft["messages"]) for draft in seen}
    return _settled(step, cleaner, drafts, changed)


def run_learner(
    step: str, learner: Learner, drafts: list[Draft], scopes: Mapping[str, str], learned: pa.Table
) -> list[dict[str, Any]]:
    """As `run_cleaner`, for one that knows what it learned of each document's scope (by doc_id)."""

    def answers(owners: list[str], texts: list[str]) -> Sequence[object]:
        pages: dict[str, list[str]] = {}
        for doc_id, text in zip(owners, texts, strict=True):
            pages.setdefault(doc_id, []).append(text)
        return _pages(learner, list(pages.values()), [scopes[doc_id] for doc_id in pages], learned)

    playing = [draft for draft in drafts if draft["stage"] is None]
    return _settled(step, learner, drafts, _changes(playing, answers))


def removals(
    step: str, learner: Learner, scopes: Mapping[str, str], rows: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """How often the step took out each learned line, of its rows for `edits`."""
    counts = Counter((scopes[row["doc_id"]], learner.key(row["before"])) for row in rows)
    return [{"step": step, "scope": scope, "key": key, "n": n} for (scope, key), n in sorted(counts.items())]


def _settled(
    step: str, cleaner: Cleaner, drafts: list[Draft], changed: Mapping[str, list[Change] | Exception]
) -> list[dict[str, Any]]:
    """Make the changes; rows for `edits`."""
    rows: list[dict[str, Any]] = []
    for draft in drafts:
        changes = changed.get(draft["doc_id"], [])
        if isinstance(changes, Exception):
            draft.update(stage="clean", reason=cleaner.name, detail=told(changes))
            continue
        for change in changes:
            rows += change.rows(draft["doc_id"], step)
            _set(draft, change)
    return rows


def _sees_messages(cleaner: Cleaner) -> bool:
    return callable(getattr(cleaner, "clean_messages", None))


def _set(draft: Draft, change: Change) -> None:
    if change.turn is None:
        draft["text"] = change.after
    else:
        turns = list(draft["messages"])
        turns[change.turn] = {**turns[change.turn], (change.field or "content"): change.after}
        draft["messages"] = turns


# ------------------------------------------------------------------------------------------------ text by text


def _changes(drafts: list[Draft], answers: Answers) -> dict[str, list[Change] | Exception]:
    """By document: what becomes of its text or messages, each judged alone; or the first thing that went wrong."""
    slots = [(draft, turn) for draft in drafts for turn in _turns(draft)]
    before = [_text(draft, turn) for draft, turn in slots]
    answered = answers([draft["doc_id"] for draft, _ in slots], before)
    found: dict[str, list[Change] | Exception] = {draft["doc_id"]: [] for draft in drafts}
    for (draft, turn), text, returned in zip(slots, before, answered, strict=True):
        made, known = _made(text, returned), found[draft["doc_id"]]
        if isinstance(known, Exception):
            continue
        if isinstance(made, Exception):
            found[draft["doc_id"]] = made
        elif made[0]:
            known.append(Change(turn, None, text, *made))
    return found


def _turns(draft: Draft) -> Sequence[int | None]:
    return range(len(draft["messages"])) if draft["messages"] else (None,)


def _text(draft: Draft, turn: int | None) -> str:
    return (draft["text"] if turn is None else draft["messages"][turn]["content"]) or ""


def _column(cleaner: Cleaner, texts: list[str]) -> Sequence[object]:
    """The whole column at once; where that raises, text by text, so that one bad document costs itself."""
    try:
        results = list(cleaner.clean_column(texts))
        if len(results) == len(texts):
            return results
    except Exception:  # noqa: BLE001, S110 - found again, and recorded, below
        pass
    return [_one(cleaner, text) for text in texts]


def _pages(learner: Learner, pages: list[list[str]], scopes: list[str], learned: pa.Table) -> list[object]:
    """What a learner makes of all texts of all pages, one after another; as `_column`, page by page where that raises."""
    try:
        results = learner.clean_learned(pages, scopes, learned)
        if [len(made) for made in results] == [len(texts) for texts in pages]:
            return [one for made in results for one in made]
        failed: Exception = TypeError("it did not return one result for each text of each page")
    except Exception as error:  # noqa: BLE001 - as in `_one`
        failed = error
    if len(pages) == 1:
        return [failed] * len(pages[0])
    alone = (_pages(learner, [texts], [scope], learned) for texts, scope in zip(pages, scopes, strict=True))
    return [one for made in alone for one in made]


def _one(cleaner: Cleaner, text: str) -> object:
    try:
        return cleaner.clean(text)
    except Exception as error:  # noqa: BLE001 - a stranger's cleaner may raise anything; it becomes the document's fate
        return error


def _made(before: str, result: object) -> tuple[list[Edit], str] | Exception:
    """(edits, the text they make) of what a cleaner returned, or what is wrong with that."""
    try:
        if isinstance(result, Exception):
            return result
        if isinstance(result, str):
            spans, after = edits.diff(before, result), result
        else:
            spans = _spans(result, before)
            after = edits.apply(before, spans)
        after.encode()  # half a surrogate pair has no bytes: no table could hold it
    except (TypeError, ValueError) as error:
        return error
    return spans, after


def _spans(result: object, before: str) -> list[Edit]:
    """A list of edits, those that change nothing left out. Raises TypeError for anything else."""
    if not isinstance(result, (list, tuple)):
        raise TypeError(f"it returned {type(result).__name__}; a text or a list of Edit was due")
    for span in result:
        fields = (span.start, span.end, span.after) if isinstance(span, Edit) else ()
        if [type(value) for value in fields] != [int, int, str]:
            raise TypeError(
                f"it returned {span!r} among its edits; Edit(start: int, end: int, after: str) was due"
            )
    edits.apply(before, result)  # before any is left out, so that none is excused
    return [span for span in result if before[span.start : span.end] != span.after]


# ------------------------------------------------------------------------------------------------ dialogue by dialogue


def _dialogue(cleaner: Any, messages: list[dict[str, Any]]) -> list[Change] | Exception:
    """What becomes of a dialogue seen as a whole."""
    try:
        turns = cleaner.clean_messages([dict(message) for message in messages])
        if len(turns) != len(messages) or not all(isinstance(turn, Turn) for turn in turns):
            raise TypeError(
                f"it returned {turns!r:.80}; one Turn for each of {len(messages)} messages was due"
            )
        return [
            change
            for number, (message, turn) in enumerate(zip(messages, turns, strict=True))
            for change in _of_turn(number, message, turn)
        ]
    except Exception as error:  # noqa: BLE001 - as in `_one`
        return error


def _of_turn(number: int, message: dict[str, Any], turn: Turn) -> Iterable[Change]:
    if turn.content is not None:
        before = message["content"] or ""
        made = _made(before, turn.content)
        if isinstance(made, Exception):
            raise made
        if made[0]:
            yield Change(number, None, before, *made)
    for field in ("name", "train"):
        value, known = getattr(turn, field), message[field]
        before, after = shown(known), shown(value)
        if value is not None and before != after:
            value = (
                None if value == "" else value
            )  # a name of no characters is none: `edits` could not tell them apart
            yield Change(number, field, before, [Edit(0, len(before), after)], value)
