"""Refusals and moralising of assistants in dialogues: a model that learns them, gives them.

A message counts in which one of the phrases of `refusals_phrases.txt` stands: "As an AI language model, I …", "I cannot assist with that request".
Each is one that nobody says but an assistant; a guard's "I'm sorry, I can't let you pass" holds none. Code fences and quoted lines (">") are not read: who shows a refusal does not refuse.
Judged are messages of the model: role assistant; where a dialogue states no roles, all.

Masked by default, so that the dialogue stays whole and the model reads the message without learning it; emptied, the message before it would be answered by
whatever follows. Texts without messages are left. Rejected: a classifier, whose verdict nobody can check, and dropping the document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from plugins.contracts import Brings, Cleaner, Edit, Locates, Threshold, Turn
from schemas.fingerprint import digest_file

_LIST = Path(__file__).with_name("refusals_phrases.txt")

_SHOWN = re.compile(r"^(```|~~~)(?:.*\n)*?\1.*$|^[ \t]*>.*$", re.MULTILINE)
_HINT = re.compile(
    r"\b(?:ai|language model|assist|fulfil\w*|comply|policy|policies|guidelines|program\w+|condone|endorse|request|prompt|content|personal|knowledge|training|encourage|urge|advise|important"
    r"|essential|crucial|worth noting|remember|note|conversation|interaction|discussion|chat|happy to|trained|designed|artificial|anything else|something else|explicit|generate|respond|engage)\b",
    re.IGNORECASE,
)


class Refusals(Cleaner):
    """Masks or empties messages in which an assistant refuses or moralises.

    >>> asked = [
    ...     {"role": "user", "content": "Play the guard."},
    ...     {"role": "assistant", "content": "I'm sorry, I can't let you pass."},
    ...     {"role": "assistant", "content": "As an AI language model, I cannot do that."},
    ... ]
    >>> [turn.train for turn in Refusals().clean_messages(asked)]
    [None, None, False]
    """

    name = "refusals"

    action: Literal["mask", "remove"] = "mask"
    """mask: the model reads the message and does not learn it. remove: its content is emptied, too."""
    roles: tuple[str, ...] = ("assistant",)
    """Whose messages are judged, where a dialogue states roles; [] for all."""
    moralising: bool = True
    """Judge by phrases of moralising, too."""
    phrases: tuple[str, ...] = ()
    """Further phrases, as regular expressions."""

    def check(self) -> None:
        """The phrases are regular expressions."""
        for phrase in self.phrases:
            try:
                re.compile(phrase)
            except re.error as error:
                raise ValueError(f'phrases: "{phrase}" is no regular expression: {error}') from None

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """Its options, and the content of the list."""
        return {**super().identity(without=without), "list": digest_file(_LIST)}

    def clean(self, text: str) -> list[Edit]:
        """A text has no speaker, so it stays."""
        del text
        return []

    def clean_messages(self, messages: Sequence[dict[str, Any]]) -> list[Turn]:
        """One turn a message."""
        known = any(message.get("role") for message in messages)
        return [
            self._turn(message["content"] or "")
            if not (known and self.roles) or message.get("role") in self.roles
            else Turn()
            for message in messages
        ]

    def _turn(self, content: str) -> Turn:
        if not self.refuses(content):
            return Turn()
        return Turn(
            content=[Edit(0, len(content), "")] if self.action == "remove" and content else None, train=False
        )

    def refuses(self, content: str) -> bool:
        """Whether a message refuses or moralises."""
        own = _own(self.phrases)
        if not _HINT.search(content) and not own:
            return False
        said = _SHOWN.sub("", content) if ">" in content or "```" in content or "~~~" in content else content
        said = said.replace("’", "'")
        if own and own.search(said):
            return True
        return any(pattern.search(said) for pattern in listed(moralising=self.moralising))


@lru_cache(maxsize=2)
def listed(*, moralising: bool) -> tuple[re.Pattern[str], ...]:
    """The phrases of the file."""
    found, part = [], ""
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("#"):
            if heading := re.match(r"# \[(\w+)\]", line):
                part = heading[1]
        elif line and (moralising or part != "moral"):
            found.append(re.compile(r"(?<!\w)(?:" + _spaced(line) + ")", re.IGNORECASE))
    return tuple(found)


def _spaced(phrase: str) -> str:
    """Any white space for each blank outside of brackets of characters."""
    return re.sub(r"\[[^\]]*\]| ", lambda match: r"\s+" if match[0] == " " else match[0], phrase)


@lru_cache(maxsize=8)
def _own(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{phrase})" for phrase in phrases), re.IGNORECASE) if phrases else None
