"""Dialogue in a chat template: the model learns what its side says and where a turn ends, and nothing else.

The template is the base model's own unless the recipe names one of those that ship (`templates/named`) or a file. It is taken in when the recipe is
read and tried at once (`templates.trial`); its text becomes part of the options, so that an adapter remembers it. `conversation` says who
speaks as whom, `templates.anatomy` which characters are whose.

A long dialogue is cut into windows: every row begins with what stands before the first thing the user says (begin token, system turn,
header), then goes on with a post of the user, so that each row is itself a conversation as the template would write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field as Option

from plugins.contracts import Beside, Format, Span
from plugins.formats.conversation import BETWEEN_POSTS, Conversation, Part, conversations
from plugins.formats.system_prompt import FIELDS, Pieces, filled, parse, system_text, used
from plugins.formats.templates.anatomy import Anatomy, take_apart
from plugins.formats.templates.meter import TemplateFault
from plugins.formats.templates.taking import NAMED, take
from plugins.formats.templates.template import Taken, Turn

CHAR = re.compile(r"[\w .,'’-]{1,64}")
"""Names that a template may write out: no control token is spelled so."""


class Templated(Format):
    """What `chat` and `instruct` share."""

    control_tokens: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = ("jinja2",)
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.formats.chat",
        "plugins.formats.conversation",
        "plugins.formats.system_prompt",
        "plugins.formats.templates",
    )

    template: Annotated[str | None, Beside(*NAMED)] = None
    """A template by name (`alpaca`, `chatml`, `llama-3`, `metharme`, `mistral`, `pygmalion`, `vicuna`), or a file of your own, `"./mine.jinja"`. By default the base model's own."""
    system: str | None = None
    """The system turn of documents that bring none: `{a|b}` is one of several wordings; `{name}`, `{names}`, `{length}` and `{style}` are filled in."""
    seed: int = 0
    """Another seed, other wordings of `system`."""
    taken: Taken | None = None
    """Not for recipes: the template's text and what was found of it, filled in when the recipe is read."""

    def check(self) -> None:
        """The braces of `system`."""
        if self.system is not None:
            parse(self.system)

    def prepared(self, model: Path) -> Format:
        """With the template taken in and tried. Raises UserError with the reason where it will not do."""
        return self.model_copy(update={"taken": take(self.template, model)})

    def notes(self) -> Sequence[str]:
        """Where system turns go, if the template shows none."""
        if self.taken is None or self.taken.system:
            return ()
        return (
            f"chat template {self.taken.source} shows no system turns: their text stands in front of the first user turn",
        )

    @cached_property
    def prompt(self) -> Pieces | None:
        """`system`, parsed."""
        return None if self.system is None else parse(self.system)

    def asked(
        self,
        prompt: str,
        history: Sequence[tuple[str, str]] = (),
        system: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Span]:
        """What stands before the model's answer to `prompt`, after exchanges of (said, answered): what it was trained to answer after.

        Without `system`, the recipe's in its first wording, filled in with `fields` and the name the recipe states, if that is enough.
        """
        said = [text.strip() for exchange in history for text in exchange] + [prompt.strip(), "…"]
        turns = [(Part(text, n, trained=n == len(said) - 1),) for n, text in enumerate(said)]
        told = self._told(fields)
        spans = self.written((system or "").strip() or self._usual(told), turns, told.get("name"))
        answer = next(n for n, span in enumerate(spans) if span.turn == len(said) - 1)
        return spans[:answer]

    def speaker(self) -> str | None:
        """Who the model always speaks for, where the recipe names them."""
        return None

    def lacks_system(self, fields: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """What the recipe's system prompt says that neither the recipe nor `fields` tell, so that whoever asks should give it; () where
        nothing is missing."""
        told = self._told(fields)
        if self.prompt is None or self._usual(told) is not None:
            return ()
        return tuple(name for name in FIELDS if name in used(self.prompt) and not told.get(name))

    def _told(self, fields: Mapping[str, str] | None) -> dict[str, str]:
        return {**({"name": name} if (name := self.speaker()) else {}), **(fields or {})}

    def _usual(self, fields: Mapping[str, str]) -> str | None:
        try:
            return filled(self.prompt, fields, lambda _n, _of: 0).strip() or None if self.prompt else None
        except ValueError:
            return None

    def spans_of(self, conversation: Conversation) -> list[Span]:
        """One conversation, as the template writes it. Raises ValueError where masks could not be exact."""
        system = conversation.system
        if system is None and self.prompt is not None:
            system = system_text(self.prompt, conversation, self.seed) or None
        return self.written(system, conversation.turns, conversation.name)

    def written(
        self, system: str | None, turns: Sequence[Sequence[Part]], name: str | None = None
    ) -> list[Span]:
        """System text and turns, the user's first, as spans; the first `begins` a conversation."""
        if self.taken is None:
            raise ValueError(
                f'format "{self.name}" has no template yet: it must be prepared with a base model'
            )
        folded = system if system and not self.taken.system else None
        lead = (Part(folded + BETWEEN_POSTS, -1, trained=False),) if folded else ()
        sides = [(lead if n == 0 else ()) + tuple(turn) for n, turn in enumerate(turns)]
        given: list[Turn] = [("system", system)] if system and not folded else []
        given += [
            ("assistant" if n % 2 else "user", "".join(part.text for part in side))
            for n, side in enumerate(sides)
        ]
        char = name if name and CHAR.fullmatch(name) else ""
        try:
            anatomy = take_apart(self.taken, given, char)
        except TemplateFault as fault:
            raise ValueError(f"chat template {self.taken.source}: {fault}") from None
        spans = [
            span
            for span in _spans(self.taken, anatomy, sides, has_system=bool(system and not folded))
            if span.text
        ]
        return [replace(spans[0], begins=True), *spans[1:]]


def _spans(
    taken: Taken, anatomy: Anatomy, sides: Sequence[Sequence[Part]], *, has_system: bool
) -> Iterator[Span]:
    """The spans of an anatomy, some of them of no text."""
    between, shown = anatomy.between, anatomy.shown
    yield Span(between[0], trained=False, control=True, opens=False, carried=True)
    if has_system:
        yield Span(shown[0], trained=False, opens=False, carried=True)
        yield Span(between[1], trained=False, control=True, opens=False, carried=True)
        between, shown = between[1:], shown[1:]
    for n, (parts, text) in enumerate(zip(sides, shown, strict=True)):
        gap, model = between[n + 1], n % 2 == 1
        if not model:
            yield from _user(parts, text)
            if gap.endswith(taken.lead) and n + 1 < len(sides):
                gap = gap[: len(gap) - len(taken.lead)]
            yield Span(gap, trained=False, control=True, opens=False)
            continue
        if not text.strip():
            raise ValueError(f"chat template {taken.source} shows nothing of what turn {n + 1} says")
        if not gap.startswith(taken.end):
            raise ValueError(
                f"chat template {taken.source} ends turn {n + 1} with {gap[:40]!r}, not with {taken.end!r}"
            )
        lead = taken.lead if between[n].endswith(taken.lead) else ""
        yield from _model(parts, text, lead)
        yield Span(taken.end, trained=parts[-1].trained, control=True, opens=False)
        yield Span(gap[len(taken.end) :], trained=False, control=True, opens=False)


def _user(parts: Sequence[Part], text: str) -> Iterator[Span]:
    """A turn of the user: a row may open with each post, but not with the system text in front of the first."""
    if "".join(part.text for part in parts) != text:
        yield Span(text, trained=False, turn=next((part.turn for part in parts if part.turn >= 0), None))
        return
    for part in parts:
        folded = part.turn < 0
        yield Span(
            part.text,
            trained=False,
            turn=None if folded else part.turn,
            opens=not folded,
            carried=folded,
        )


def _model(parts: Sequence[Part], text: str, lead: str) -> Iterator[Span]:
    """A turn of the model. Where the template changed what it says, it is trained if all of it would have been."""
    if "".join(part.text for part in parts) != text:
        trained = all(part.trained for part in parts)
        yield Span(lead + text, trained=trained, turn=parts[0].turn, opens=False)
        return
    for n, part in enumerate(parts):
        yield Span((lead if n == 0 else "") + part.text, trained=part.trained, turn=part.turn, opens=False)


class Chat(Templated):
    """Dialogue in the base model's chat template; only what the model says, and the mark that ends it, is trained."""

    name: ClassVar[str] = "chat"

    model_speaks: str | None = None
    """Who is the model: `"last"` (who speaks last), `"each"` (each speaker in a conversation of their own), or a speaker's name. By default the messages' roles say it."""
    names: bool | None = None
    """Write users' names before their posts, `"Ada: …"`; by default where more than two speak."""
    min_turns: Annotated[int, Option(ge=2)] = 2
    """Turns a conversation must have, its system turn not counted; shorter ones are refused."""

    def speaker(self) -> str | None:
        """The name of `model_speaks`."""
        return None if self.model_speaks in {None, "last", "each"} else self.model_speaks

    def render(self, text: str | None, messages: list[dict[str, Any]] | None) -> list[Span]:
        """The conversations of the dialogue, one after another. Raises ValueError for a document that is none."""
        if not messages:
            raise ValueError(
                "the document has a text and no messages; chat needs a source of dialogue, such as forum or qa"
            )
        found = conversations(messages, model_speaks=self.model_speaks, names=self.names)
        if not found:
            raise ValueError("the model says nothing in it that follows what somebody else says")
        long = [conversation for conversation in found if len(conversation.turns) >= self.min_turns]
        if not long:
            most = max(len(conversation.turns) for conversation in found)
            raise ValueError(f"it has {most} turns; min_turns is {self.min_turns}")
        return [span for conversation in long for span in self.spans_of(conversation)]
