"""System prompts that vary and that say what the reply is like, so that a model learns to follow them.

`{a|b|c}` is one of several wordings, chosen by the document's content and a seed: the same document gets the same wording on every machine.
`{name}` and its like are filled in from the conversation. Both nest; a backslash before `{`, `|` or `}` makes it an ordinary character. Fields are measured on what the model is to
learn to say, by rules simple enough to state:

    name     who the model speaks for; names  everyone else, joined by ", "
    length   words a turn, on average: "short" below 50, "medium" below 200, else "long"
    style    "with dialogue" where a tenth of the words or more stand in quotation marks, else "narration"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

from plugins.formats.conversation import Conversation
from schemas.errors import nearest
from schemas.fingerprint import identify

FIELDS = ("name", "names", "length", "style")
LENGTHS = ((50, "short"), (200, "medium"))
"""Below so many words a turn, this."""
LONG = "long"
SPOKEN = 0.1
QUOTED = re.compile(
    r'"[^"\n]{1,2000}"|“[^”\n]{1,2000}”|«[^»\n]{1,2000}»|„[^“\n]{1,2000}“|「[^」\n]{1,2000}」'
)
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several texts, each a list of pieces."""

    of: tuple[tuple[str | Choice | Field, ...], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A place to fill in."""

    name: str


Pieces = tuple[str | Choice | Field, ...]


def parse(prompt: str) -> Pieces:
    """The prompt's pieces. Raises ValueError for braces that do not close and fields that do not exist."""
    pieces, end = _parse(prompt, 0, depth=0)
    if end != len(prompt):
        raise ValueError(f'system has a "}}" too many at character {end}; for a plain one write "\\}}"')
    return pieces[0]


def _parse(prompt: str, at: int, *, depth: int) -> tuple[tuple[Pieces, ...], int]:
    """Alternatives from `at` to the brace that closes them, or the end."""
    if depth > 8:
        raise ValueError("system nests braces more than eight deep")
    options: list[list[str | Choice | Field]] = [[]]
    while at < len(prompt):
        one = prompt[at]
        if one == "\\" and prompt[at + 1 : at + 2] in {"{", "|", "}"}:
            options[-1].append(prompt[at + 1])
            at += 2
        elif one == "{":
            inner, end = _parse(prompt, at + 1, depth=depth + 1)
            if prompt[end : end + 1] != "}":
                raise ValueError(
                    f'system has a "{{" at character {at} that is never closed; for a plain one write "\\{{"'
                )
            options[-1].append(Choice(inner) if len(inner) > 1 else _field(prompt[at + 1 : end]))
            at = end + 1
        elif one == "}":
            break
        elif one == "|" and depth:
            options.append([])
            at += 1
        else:
            options[-1].append(one)
            at += 1
    return tuple(tuple(option) for option in options), at


def _field(name: str) -> Field:
    if name not in FIELDS:
        hint = nearest(name, list(FIELDS))
        raise ValueError(
            f"system has the field {{{name}}}; fields are {', '.join(FIELDS)}. {hint or ''}".strip()
        )
    return Field(name)


def filled(pieces: Pieces, fields: Mapping[str, str], choose: Callable[[int, int], int]) -> str:
    """The prompt with fields filled in; `choose(n, options)` takes an option at the nth choice. Raises ValueError for a field that is empty."""
    counter = count()

    def write(piece: str | Choice | Field) -> str:
        if isinstance(piece, Choice):
            return "".join(map(write, piece.of[choose(next(counter), len(piece.of))]))
        if isinstance(piece, Field) and not fields.get(piece.name):
            raise ValueError(f"system asks for {{{piece.name}}}, which this conversation does not say")
        return fields[piece.name] if isinstance(piece, Field) else piece

    return "".join(map(write, pieces))


def used(pieces: Pieces) -> set[str]:
    """The fields that some wording fills in."""
    found: set[str] = set()
    for piece in pieces:
        if isinstance(piece, Field):
            found.add(piece.name)
        elif isinstance(piece, Choice):
            found |= set().union(*map(used, piece.of))
    return found


def system_text(pieces: Pieces, conversation: Conversation, seed: int) -> str:
    """The system turn of a conversation. Raises ValueError where it asks for a name that is not there."""
    fields = {
        "name": conversation.name or "",
        "names": ", ".join(conversation.others),
        "length": length_of(conversation),
        "style": style_of(conversation.said),
    }
    key = [part.text for turn in conversation.turns for part in turn]

    def choose(n: int, options: int) -> int:
        return int(identify(str(seed), str(n), *key)[:12], 16) % options

    return filled(pieces, fields, choose).strip()


def length_of(conversation: Conversation) -> str:
    """Words a trained turn on average: "short", "medium" or "long"."""
    turns = sum(any(part.trained for part in turn) for turn in conversation.turns[1::2])
    words = len(WORD.findall(conversation.said)) / max(1, turns)
    return next((name for bound, name in LENGTHS if words < bound), LONG)


def style_of(said: str) -> str:
    """How it is told: "with dialogue" or "narration".

    >>> style_of('She looks up. "You are late," she says.')
    'with dialogue'
    """
    quoted = sum(len(WORD.findall(match.group())) for match in QUOTED.finditer(said))
    return "with dialogue" if quoted >= max(1.0, SPOKEN * len(WORD.findall(said))) else "narration"
