r"""Out-of-character talk in role-play and fiction: what writers say to each other between the lines of their story.

Precision first: an aside left in costs a model little, a sentence taken out of a scene is damage. What says of itself that it is out of character goes
("OOC: …", "((…))", "[ooc …]"); other brackets, lines and the first and last paragraphs of a post go where their words speak for it: `ooc_words`
and `ooc_score` have the tables of features and weights, `ooc_marks` where an aside may stand. Letters, logs, telepathy, radio and code stay.

A post is cleaned again until nothing more goes, since an aside can hide another; if that takes more than `removal.ROUNDS`, it is left as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from plugins.cleaners.ooc_marks import SPAN_CHARS, candidates, code_spans
from plugins.cleaners.ooc_score import (
    BESIDE,
    CONTEXT,
    FORMS,
    MOST,
    OWN,
    READ,
    THRESHOLD,
    brief_score,
    context_score,
    own_sum,
    own_words,
    thread_context,
    words_score,
)
from plugins.cleaners.removal import Spans, in_rounds, kept, merged
from plugins.contracts import Cleaner, Edit, Turn

UNIT_CHARS = 1000
"""The longest paragraph that goes without a mark, and the longest post that is an aside as a whole."""
CARD_CHARS = 200
"""The longest signature in which a motto may stand between quotation marks."""
NEAR = 120
"""Characters of the sentence before a paragraph in which a letter or a screen is looked for."""
MUCH = 5.5
"""What a writer says of so much is not read from a letter of the story."""
SIGNED = 4
"""So many words under a post are a greeting or a name."""

_BARE = frozenset({"bracket", "wrapped"})
"""Forms in which voices of a story speak too: what stands beside them is not enough."""
_WRAPPED = re.compile(r"(-{1,3}|~{1,3}|={1,3}|\*{3}|>>)[ \t]*(\w[^\n]{3,200}?)[ \t]*(?:\1|<<|>>)")
_VOICE = re.compile(r"[\"“«”*]|^\s*(?:>|<<|<\w+>|[-•|#]|\d+\.)", re.MULTILINE)
_EMOTE = re.compile(r"^\*\w+(?: \w+){0,2}\*")
"""What a writer does at the beginning of a post: `*waves*`."""
_SCRIPT = re.compile(r"^[A-Z]{3,}(?: [A-Z]{2,})*\. [(A-Z]", re.MULTILINE)
"""A line of a play: `EDMUND. (wounded) Abominably.`"""


class Ooc(Cleaner):
    r"""Removes what writers say out of character.

    >>> Ooc().clean("She bows. ((brb, dinner))\n\nOOC: sorry this is short")  # She bows.
    [Edit(start=9, end=51, after='')]
    """

    name = "ooc"
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.cleaners.ooc_marks",
        "plugins.cleaners.ooc_score",
        "plugins.cleaners.ooc_words",
        "plugins.cleaners.removal",
    )
    whole: Literal["mask", "remove", "keep"] = "mask"
    """A post that is an aside from end to end: "mask" leaves it to be read and not learned (`train` = false), "remove" empties it, "keep" leaves it. In a text without messages only "remove" does anything."""
    marked_only: bool = False
    """Remove only what brackets or a mark such as "OOC:" set apart."""
    threshold: float = THRESHOLD
    """What forms, words and context must add up to; higher removes less."""
    spoken: bool = False
    """The text is a transcript of speech: judge every message as a whole, never a part of one."""

    def clean(self, text: str) -> list[Edit]:
        """One edit for each aside, with the white space that it leaves."""
        if self.spoken:
            return []
        if self.is_whole(text):
            return [Edit(0, len(text), "")] if self.whole == "remove" and text else []
        return self._edits(text)

    def clean_messages(self, messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
        """As `clean`, post by post; a post that is all aside is masked, emptied or kept."""
        turns, texts = [], [message["content"] or "" for message in messages]
        leans = [CONTEXT["transcript"]] * len(texts) if self.spoken else thread_context(texts)
        for text, lean in zip(texts, leans, strict=True):
            if not self.is_whole(text, lean):
                turns.append(Turn() if self.spoken else Turn(content=self._edits(text, plain=lean < 0)))
            elif self.whole == "mask":
                turns.append(Turn(train=False))
            else:
                turns.append(Turn(content="") if self.whole == "remove" else Turn())
        return turns

    def is_whole(self, text: str, lean: float = 0.0) -> bool:
        """Whether a post is an aside and nothing else; `lean` is what its thread adds."""
        if not text.strip() or len(text) > SPAN_CHARS:
            return False
        marked = self._marked(text)
        rest = "".join(text[start:end] for start, end in kept([(0, len(text))], marked)).strip()
        if not rest:
            return True
        if (
            self.marked_only
            or len(text) > UNIT_CHARS
            or code_spans(text)
            or _VOICE.search(_EMOTE.sub("", rest))
            or _SCRIPT.search(rest)
        ):
            return False
        parts = [part for part in rest.split("\n\n") if len(part.split()) > SIGNED]
        if "\n\n" in rest and any(
            (said := words_score(part)).total <= 0 or own_sum(said.parts) < OWN for part in parts
        ):
            return False  # a paragraph of story, with talk beneath
        card = words_score(rest).parts.get("card", 0) if parts and "\n" in rest else 0
        lean += 0.0 if self.spoken else brief_score(rest)
        return words_score(rest).total - card + context_score(rest, "").total + lean >= self.threshold

    def _marked(self, text: str) -> Spans:
        spans = [
            (c.start, c.end) for c in candidates(text) if self._reaches(text[c.start : c.end], c.form, None)
        ]
        return merged(text, spans)

    def _edits(self, text: str, *, plain: bool = False) -> list[Edit]:
        """What goes, in as many rounds as it takes; `plain` in a thread of few stories."""
        lean = CONTEXT["plain post"] if plain else 0.0
        return in_rounds(text, lambda now: self._asides(now, lean))

    def _asides(self, text: str, lean: float) -> Spans:
        """Spans of one round."""
        spans: Spans = []
        for found in candidates(text):
            content = text[found.start : found.end]
            base = FORMS[found.form]
            if base >= self.threshold or base + MOST + words_score(content).total >= self.threshold:
                rest = text[max(0, found.start - BESIDE) : found.start] + text[found.end : found.end + BESIDE]
                if self._reaches(content, found.form, rest, lean):
                    spans.append((found.start, found.end))
        spans = merged(text, spans)
        return spans or ([] if self.marked_only else self._ends(text, lean))

    def _ends(self, text: str, lean: float) -> Spans:
        """The last or first paragraph, or line, where nothing sets it apart but its words."""
        body = (_first(text), len(text.rstrip()))
        last = text.rfind("\n", *body) + 1
        first = text.find("\n", *body)
        if first < 0:
            return []
        gap = text.rfind("\n\n", *body) + 2 if "\n\n" in text[slice(*body)] else body[0]
        top = text.find("\n\n", *body)
        for start, end, form in (
            (gap, body[1], "last"),
            (last, body[1], "last"),
            (body[0], top, "first"),
            (body[0], first, "first"),
        ):
            content = text[start:end]
            if body[0] < start or (0 < end < body[1]):
                wrapped = _WRAPPED.fullmatch(content.strip())
                if len(content) > UNIT_CHARS or not self._alone(
                    text, start, end, wrapped[2] if wrapped else content
                ):
                    continue
                if (said := words_score(content).total) <= 0 or MOST + said < self.threshold:
                    continue
                rest = text[max(0, start - BESIDE) : start] + text[end : end + BESIDE]
                parts = words_score(content).parts
                heard = 0.0
                if "dice" not in parts and own_sum(parts) < MUCH and READ.search(_sentence(text, start)):
                    heard = CONTEXT["read out"]
                if self._reaches(content, "wrapped" if wrapped else form, rest, lean + heard) and (
                    wrapped or own_words(content)
                ):
                    return [(start, end)]
        return []

    @staticmethod
    def _alone(text: str, start: int, end: int, content: str) -> bool:
        """Whether a paragraph or line begins and ends at the borders of sentences, and is nobody's speech, list, quotation or code."""
        card = end - start < CARD_CHARS and "card" in words_score(text[start:end]).parts
        if (_VOICE.search(content) and not card) or any(a < end and start < b for a, b in code_spans(text)):
            return False
        before, behind = text[:start].rstrip(" \t"), text[end:].lstrip(" \t")
        split = (not before or before.endswith("\n\n") or before.rstrip()[-1:] in '.!?…"”*)]~-') and (
            not behind or behind.startswith("\n\n") or content.rstrip()[-1:] in ".!?…)]~"
        )
        return split and text.count("```", 0, start) % 2 == 0

    def _reaches(self, content: str, form: str, rest: str | None, lean: float = 0.0) -> bool:
        if form == "marked":
            return FORMS[form] >= self.threshold
        said = words_score(content)
        total = FORMS[form] + said.total + lean
        if form in _BARE and not own_sum(said.parts) and "sorry" not in said.parts:
            return False  # what stands beside it is not enough: a narrator may say "(the wall was higher than I knew)"
        if rest is None or total + MOST < self.threshold:
            return rest is None and total >= self.threshold
        return total + context_score(content, rest, self.threshold - total).total >= self.threshold


def _sentence(text: str, end: int) -> str:
    """The last sentence before `end`, or its last NEAR characters."""
    before = text[max(0, end - NEAR) : end].rstrip()
    return before[max(before.rfind(mark, 0, -2) for mark in ".!?\n") + 1 :]


def _first(text: str) -> int:
    return len(text) - len(text.lstrip())
