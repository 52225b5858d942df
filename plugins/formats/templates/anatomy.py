"""Which characters of a rendered conversation are whose.

The template is rendered with a mark in place of each message; what stands between the marks is the template's own text. Put the messages
back between these pieces: if that is, to the character, what the template makes of the messages themselves, the pieces are the answer. If not,
the template changes messages (it trims, replaces, drops a thinking part). Then each message is shown to it alone among marks, to see what becomes
of it. Where even that does not add up, because what one message says changes what is written around it or around others, the conversation is refused.

Rejected: rendering ever longer prefixes and taking differences, as trl and axolotl do. A template that treats the last turn unlike
the others then gives wrong masks or none, and what a message says cannot be told from a control token that it spells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from plugins.formats.templates.meter import TemplateFault
from plugins.formats.templates.template import Taken, Turn

PRIVATE = range(0xE000, 0xF8FF)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A rendering, taken apart: between[0] shown[0] between[1] … shown[-1] between[-1]."""

    between: tuple[str, ...]
    """What the template writes: one more than turns."""
    shown: tuple[str, ...]
    """What it shows of each turn."""


def take_apart(template: Taken, turns: Sequence[Turn], char: str = "") -> Anatomy:
    """The anatomy of a conversation. Raises TemplateFault where a turn is not shown, shown twice or elsewhere, or masks cannot be exact."""
    contents = [content for _, content in turns]
    mark = _mark(template.text, contents)
    marks = [f"{mark}{n}{mark}" for n in range(len(turns))]
    between = _pieces(_render(template, turns, marks, char), mark, [role for role, _ in turns])
    real = template.render(turns, char=char)
    shown = contents
    if _woven(between, shown) != real:
        shown = [_alone(template, turns, marks, between, n, char) for n in range(len(turns))]
        if _woven(between, shown) != real:
            raise TemplateFault(
                "it writes something else around a turn because of what another turn says, so that what is the model's cannot be told"
            )
    return Anatomy(tuple(between), tuple(shown))


def _render(template: Taken, turns: Sequence[Turn], contents: Sequence[str], char: str) -> str:
    shown = [(role, content) for (role, _), content in zip(turns, contents, strict=True)]
    return template.render(shown, char=char)


def _mark(text: str, contents: Sequence[str]) -> str:
    """A character for private use that neither the template nor a message has."""
    whole = "".join([text, *contents])
    for code in PRIVATE:
        if chr(code) not in whole:
            return chr(code)
    raise TemplateFault(
        "the conversation has every character for private use, so that none is left as a mark"
    )


def _pieces(marked: str, mark: str, roles: Sequence[str]) -> list[str]:
    """What stands between the marks, which must come each once and in order."""
    parts = re.split(f"{mark}([0-9]+){mark}", marked)
    found = [int(number) for number in parts[1::2]]
    for n, role in enumerate(roles):
        if n not in found:
            raise TemplateFault(
                f"it never shows what turn {n + 1} of {len(roles)}, a turn of the {role}, says"
            )
        if found.count(n) > 1:
            raise TemplateFault(f"it shows turn {n + 1} of {len(roles)}, a turn of the {role}, twice")
    if found != sorted(found):
        order = ", ".join(str(n + 1) for n in found)
        raise TemplateFault(f"it shows the turns in another order: {order}")
    if mark in "".join(parts[::2]):
        raise TemplateFault("it takes messages apart, so that what is the model's cannot be told")
    return parts[::2]


def _woven(between: Sequence[str], shown: Sequence[str]) -> str:
    return "".join(piece for pair in zip(between, (*shown, ""), strict=True) for piece in pair)


def _alone(
    template: Taken, turns: Sequence[Turn], marks: Sequence[str], between: Sequence[str], n: int, char: str
) -> str:
    """What becomes of one message; the others are marks."""
    made = _render(template, turns, [*marks[:n], turns[n][1], *marks[n + 1 :]], char)
    head = _woven(between[: n + 1], marks[:n])
    tail = _woven(between[n + 1 :], marks[n + 1 :])
    if len(made) < len(head) + len(tail) or not (made.startswith(head) and made.endswith(tail)):
        raise TemplateFault(
            f"it writes something else around turn {n + 1} because of what that turn says, so that what is the model's cannot be told"
        )
    return made[len(head) : len(made) - len(tail)]
