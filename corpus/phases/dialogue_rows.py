"""Rows of a dialogue: windows that each are a conversation, of which the model never has the first word.

The units of a conversation run from one span that `opens` to before the next: a post of a user and what the model answers. Units without a trained
token go with the next one that has some, whose context they are. Every row begins with what is carried (the system turn), then holds as many
units as fit; with `overlap`, units of the row before stand between, as context. Each trained token is trained in exactly one row.

A unit that does not fit into a row of its own:

- Where its answer does, context is cut from the front: whole posts first, then text at a structural border, so that the question's end stays.
- Else the answer is cut as any text is (`corpus.phases.cuts`). Each of its rows repeats what is carried and the question's end, as much of it as
  leaves half a row, since the model will not meet the middle of an answer without what was asked. No part of an answer is shorter than a
  quarter of the room it has: an end mark alone would teach to answer nothing.

Context that no row shows is lost, and counted (table `cuts`). Where what is carried leaves no room for a quarter of a row, the document is refused.

Rejected: rows that end in the middle of a unit wherever they are full. Half of all answers would be trained without their question.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from corpus.phases.alignment import Ints
from corpus.phases.cuts import Borders, runs
from corpus.phases.row_plan import UNTRAINED, Ids, Plan, Planned
from plugins.contracts import Span


class Crowded(Exception):
    """What stands in front of every row leaves too little room for the rest of it."""


def is_dialogue(spans: Sequence[Span]) -> bool:
    """Whether rows may not begin just anywhere."""
    return any(not span.opens or span.carried for span in spans) or any(span.begins for span in spans[1:])


@dataclass(frozen=True)
class Dialogue:
    """A document of conversations, to be cut into rows of at most `room` tokens."""

    spans: Sequence[Span]
    borders: Borders
    ids: Ids
    labels: Ids
    room: int
    overlap: int
    least: int
    encoded: Callable[[Sequence[Span]], Ids]
    """The tokens of some spans by themselves."""

    def planned(self) -> Planned:
        """Its rows; none where nothing of it is trained. Raises Crowded."""
        begun = [place for place, span in enumerate(self.spans) if span.begins and place] + [len(self.spans)]
        plans: list[Plan] = []
        lost = first = 0
        for stop in begun:
            last = len(self.ids) if stop == len(self.spans) else self.token(int(self.begins[stop]))
            tokens = self.token(int(self.begins[first])), last
            found = Conversation(self, range(first, stop), *tokens).planned()
            if found.plans:
                level = "conversation" if plans else "document"
                opening = found.plans[0]
                kept = opening.level if opening.lost else level
                plans += [replace(opening, lost=opening.lost + lost, level=kept), *found.plans[1:]]
                lost = 0
            lost += found.lost
            first = stop
        return Planned(plans, lost)

    def token(self, character: int) -> int:
        """The first token that begins at a character or after it."""
        return int(np.searchsorted(self.starts, character))

    @cached_property
    def starts(self) -> Ints:
        """Where tokens begin, in characters, never falling."""
        return np.maximum.accumulate(self.borders.tokens.starts)

    @cached_property
    def begins(self) -> Ints:
        """Where spans begin, in characters, and where the last ends."""
        return np.cumsum([0, *(len(span.text) for span in self.spans)])

    @cached_property
    def trained_before(self) -> Ints:
        """Trained tokens before each border."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.labels != UNTRAINED)])

    def trains(self, start: int, stop: int) -> bool:
        """Whether some token of [start, stop) is trained."""
        return bool(self.trained_before[stop] > self.trained_before[start])


@dataclass(frozen=True, slots=True)
class Group:
    """Units of which only the last is trained: [start, stop), units beginning at `units`."""

    units: Sequence[int]
    stop: int

    @property
    def start(self) -> int:
        return self.units[0]


class Conversation:
    """One conversation of a dialogue: spans `places`, tokens [first, stop)."""

    def __init__(self, dialogue: Dialogue, places: range, first: int, stop: int) -> None:
        self.dialogue, self.places, self.first, self.stop = dialogue, places, first, stop
        spans = dialogue.spans
        self.opening = next((place for place in places if not spans[place].carried), places.stop)
        self.own, self.carried = self._carried()
        self.room = dialogue.room - max(len(self.carried), self.own - first)
        self.groups, self.tail = self._groups()
        self.units = [unit for group in self.groups for unit in group.units]
        self.plans: list[Plan] = []
        self.lost = 0

    def planned(self) -> Planned:
        """Its rows, and the tokens after the last that no row shows."""
        if not self.groups:
            return Planned([], self.stop - self.first)
        for first, last in self._packed():
            groups = self.groups[first:last]
            stop = groups[-1].stop + (self.tail if last == len(self.groups) else 0)
            if self._fits(groups[0].start, groups[-1].stop):
                self._pack(groups[0].start, groups[-1].stop, stop)
            else:
                self._split(groups[0], stop)
        return Planned(self.plans, self.lost)

    def _carried(self) -> tuple[int, Ids]:
        """Its first token that is not carried, and the tokens that are. Where one token holds the last character that is carried and the
        first that is not, it is not; other rows then carry what the tokenizer makes of the carried spans alone."""
        dialogue, end = self.dialogue, int(self.dialogue.begins[self.opening])
        own = int(np.searchsorted(dialogue.borders.tokens.ends, end, "right"))
        own = min(max(own, self.first), self.stop)
        if own == self.stop or dialogue.starts[own] >= end:
            return own, dialogue.ids[self.first : own]
        return own, dialogue.encoded(dialogue.spans[self.places.start : self.opening])

    def _groups(self) -> tuple[list[Group], int]:
        """Its groups, and how many untrained tokens come after the last."""
        dialogue = self.dialogue
        units = [self.own]
        for place in self.places:
            span, begin = dialogue.spans[place], int(dialogue.begins[place])
            token = dialogue.token(begin)
            if not span.opens or span.carried or not units[-1] < token < self.stop:
                continue
            # A span whose first token holds characters of the one before begins with its second, if it has one.
            if dialogue.starts[token] < begin + len(span.text):
                units.append(token)
        groups: list[Group] = []
        waiting: list[int] = []
        for start, stop in zip(units, [*units[1:], self.stop], strict=True):
            waiting.append(start)
            if dialogue.trains(start, stop):
                groups.append(Group(tuple(waiting), stop))
                waiting = []
        return groups, self.stop - waiting[0] if waiting else 0

    def _fits(self, start: int, stop: int) -> bool:
        return stop - start <= self.room

    def _packed(self) -> list[tuple[int, int]]:
        """Which groups a row holds, as [first, last + 1); one that does not fit stands alone."""
        groups, least = self.groups, self.dialogue.least
        found: list[tuple[int, int]] = []
        first = before = 0
        while first < len(groups):
            start, last = groups[first].start, first + 1
            back = start - self._back(before, start, groups[first].stop)
            while last < len(groups) and self._fits(start - back, groups[last].stop):
                last += 1
            found.append((first, last))
            first, before = last, start
        while len(found) > 1:
            (one, middle), (_, end) = found[-2:]
            stop = groups[end - 1].stop
            short = stop + self.tail - groups[middle].start < least
            if not short or middle - one < 2 or not self._fits(groups[middle - 1].start, stop):
                break
            found[-2:] = [(one, middle - 1), (middle - 1, end)]
        return found

    def _back(self, before: int, start: int, stop: int) -> int:
        """Where the overlap of a row [start, stop) begins: at a unit of the row before, which began at `before`; `start` for none."""
        reach = min(self.dialogue.overlap, self.room - (stop - start))
        place = bisect_left(self.units, max(before, start - reach))
        return min(self.units[place], start) if reach > 0 else start

    def _pack(self, start: int, least: int, most: int) -> None:
        """A row of whole groups, with the untrained end of the conversation where that fits."""
        stop = most if self._fits(start, most) else least
        back = self._back(self.plans[-1].start, start, stop) if self.plans and not self.lost else start
        self._add(self.dialogue.ids[back:start], start - back, start, stop, "turn", 0)
        self.lost += most - stop

    def _add(self, before: Ids, repeated: int, start: int, stop: int, level: str, lost: int) -> None:
        """A row with `before` between what is carried and its own, `repeated` of it from other rows."""
        carried = self.carried if self.plans else self.dialogue.ids[self.first : self.own]
        repeated += len(carried) if self.plans else 0
        head = np.concatenate([carried, before])
        self.plans.append(Plan(head, repeated, start, stop, level, lost + self.lost))
        self.lost = 0

    # ------------------------------------------------------------------- a group longer than a row

    def _split(self, group: Group, end: int) -> None:
        dialogue = self.dialogue
        asked, body = self._frame(group)
        kept = 1 if asked > group.units[-1] else 0
        trained = int(np.searchsorted(dialogue.trained_before, dialogue.trained_before[group.stop]))
        for stop in (end, group.stop, trained):
            if (spare := self.room - (stop - asked)) >= kept:
                start, level = self._context(group, asked, spare)
                self._add(dialogue.ids[:0], 0, start, stop, level, start - group.start)
                self.lost += end - stop
                return
        if self.room - kept - (body - asked) < max(dialogue.room // 4, 2):
            raise Crowded(
                f"what every row begins with (system turn, headers) takes {dialogue.room - self.room + body - asked} of {dialogue.room} "
                "tokens, and an answer must be cut; raise max_tokens or shorten the system turn"
            )
        spare = max(kept, self.room - (dialogue.room + 1) // 2 - (body - asked))
        start, level = self._context(group, asked, spare)
        self._answer(group, start, level, body, trained, end)

    def _answer(self, group: Group, start: int, level: str, body: int, trained: int, end: int) -> None:
        """Rows of an answer [body, trained), each with the question [start, body) in front; what comes after it goes to the last."""
        dialogue = self.dialogue
        room = self.room - (body - start)
        pieces = runs(
            dialogue.borders,
            body,
            trained,
            room,
            overlap=dialogue.overlap,
            least=max(dialogue.least, room // 4),
        )
        self.lost += start - group.start
        asked, shown, dropped = dialogue.ids[start:body], 0, False
        for piece in pieces:
            before, dropped = dropped, not dialogue.trains(piece.start, piece.stop)
            if dropped:
                self.lost += piece.stop - piece.start
                continue
            full = room - piece.back - (piece.stop - piece.start) < end - trained
            stop = end if piece.stop == trained and not full else piece.stop
            if piece.start == body:
                self._add(asked[:0], 0, start, stop, level, 0)
            else:
                back = 0 if before else piece.back
                front = np.concatenate([asked, dialogue.ids[piece.start - back : piece.start]])
                self._add(front, back + shown, piece.start, stop, piece.level, 0)
            shown = body - start
        self.lost += end - self.plans[-1].stop

    def _frame(self, group: Group) -> tuple[int, int]:
        """Where the question of the group's last unit ends, and where the answer begins: between stand the control tokens that must stay whole."""
        dialogue, unit = self.dialogue, group.units[-1]
        place = int(np.searchsorted(dialogue.begins, dialogue.starts[unit], "right")) - 1
        place = min(max(place, self.opening), self.places.stop - 1)
        asking = place if dialogue.spans[place].trained else place + 1
        answering = asking
        while answering < self.places.stop and _frames(dialogue.spans[answering]):
            answering += 1
        first = int(np.searchsorted(dialogue.trained_before, dialogue.trained_before[unit], "right")) - 1
        body = max(min(dialogue.token(int(dialogue.begins[answering])), first), unit)
        return max(min(dialogue.token(int(dialogue.begins[asking])), body), unit), body

    def _context(self, group: Group, asked: int, spare: int) -> tuple[int, str]:
        """Where the context begins that ends at `asked` and has at most `spare` tokens, and what begins there."""
        for unit in group.units:
            if asked - unit <= spare:
                return unit, "turn"
        low = asked - spare
        return self.dialogue.borders.first(low, max(low, asked - (spare + 1) // 2))


def _frames(span: Span) -> bool:
    return span.control and not span.trained and not span.opens
