"""Stable pseudonyms for who speaks in a thread.

The names of a dialogue's messages are numbered in the order of their first appearance, and each becomes one pseudonym, in the messages' `name` and
wherever a content mentions it:

    @name                                           whatever the name is
    name: at the start of a line, [name] or <name>  whatever the name is (a log, a quote's head)
    name wrote: / said: / schrieb: / a écrit:       whatever the name is
    name, at the start of a line; ", name!"         whatever the name is, if it has a capital there (someone is spoken to)
    anywhere else, as a whole word, in this case    where the name is distinctive

Distinctive is a name of 4 characters or more that holds a digit, an underscore, a hyphen, a capital inside, or a letter beyond ASCII; or of several words with capitals; or
of one word with a capital that stands nowhere in the dialogue in lower case and is none of `names_words.txt`, words that open sentences and names that are words.

A name that has the form of a pseudonym is left, and keeps its pseudonym for itself, so cleaning twice changes nothing more. Two names that differ in case alone are
one. Texts without messages are left: nothing says who speaks. Rejected: names found by a language model (`presidio` does that), and pseudonyms by hash, which do not read well
and join one person's threads together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from plugins.contracts import Brings, Cleaner, Edit, Locates, Threshold, Turn
from schemas.fingerprint import digest_file

_LIST = Path(__file__).with_name("names_words.txt")

NEUTRAL = [
    "Alex",
    "Robin",
    "Sam",
    "Charlie",
    "Taylor",
    "Jamie",
    "Morgan",
    "Casey",
    "Riley",
    "Jordan",
    "Quinn",
    "Avery",
    "Rowan",
    "Sasha",
    "Kim",
    "Dana",
    "Noa",
    "Jules",
    "Remy",
    "Toni",
    "Kai",
    "Luca",
    "Marlow",
    "Sky",
    "Ari",
    "Bo",
    "Chris",
    "Devon",
    "Ellis",
    "Finley",
]
_PSEUDONYM = re.compile(rf"Speaker [A-Z]{{1,3}}|(?:{'|'.join(NEUTRAL)})(?: [2-9]\d*)?")
_LETTER = re.compile(r"Speaker [A-Z]{1,3}")
_WROTE = r"(?:wrote|said|says|writes|posted|replied|schrieb|sagte|a écrit|escribió|ha scritto)"
_MOST = 2000
"""Names of a thread that are looked for; the rest are replaced as speakers alone."""


class Names(Cleaner):
    """Replaces the names of those who speak in a dialogue by pseudonyms, stable within it; in what they say, too.

    >>> said = [
    ...     {"name": "wren_42", "content": "Anyone in?"},
    ...     {"name": "Mark", "content": "@wren_42 me. Mark that."},
    ... ]
    >>> [(turn.name, turn.content) for turn in Names().clean_messages(said)]
    [('Speaker A', []), ('Speaker B', [Edit(start=1, end=8, after='Speaker A')])]
    """

    name = "names"

    style: Literal["letter", "name"] = "letter"
    """letter: "Speaker A", "Speaker B", …; name: from a list of first names that anyone may have."""
    mentions: bool = True
    """Replace them in what is said as well."""

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """Its options, and the content of the list."""
        return {**super().identity(without=without), "list": digest_file(_LIST)}

    def clean(self, text: str) -> list[Edit]:
        """Nothing says who speaks in a text, so it stays."""
        del text
        return []

    def clean_messages(self, messages: Sequence[dict[str, Any]]) -> list[Turn]:
        """One turn a message: its new name, and the edits of its content."""
        given = self._pseudonyms(message["name"] for message in messages)
        if not given:
            return [Turn() for _ in messages]
        contents = [message["content"] or "" for message in messages]
        finder = _finder(given, contents) if self.mentions else None
        return [
            Turn(
                name=given.get((message["name"] or "").strip().casefold()),
                content=_edits(finder, given, content) if finder else [],
            )
            for message, content in zip(messages, contents, strict=True)
        ]

    def _pseudonyms(self, names: Iterable[str | None]) -> dict[str, str]:
        """Case-folded name → pseudonym, in order of appearance; those that are one already are left out."""
        seen = list(dict.fromkeys(name.strip() for name in names if name and name.strip()))
        taken = {name for name in seen if self._is_pseudonym(name)}
        folded = dict.fromkeys(name.casefold() for name in seen if name not in taken)
        free = (name for number in range(len(seen) * 2 + 1) if (name := self._nth(number)) not in taken)
        return dict(zip(folded, free, strict=False))

    def _is_pseudonym(self, name: str) -> bool:
        return bool((_LETTER if self.style == "letter" else _PSEUDONYM).fullmatch(name))

    def _nth(self, number: int) -> str:
        if self.style == "name":
            again, place = divmod(number, len(NEUTRAL))
            return NEUTRAL[place] + (f" {again + 1}" if again else "")
        letters, number = "", number + 1
        while number:
            number, place = divmod(number - 1, 26)
            letters = chr(ord("A") + place) + letters
        return f"Speaker {letters}"


def _finder(given: dict[str, str], contents: Sequence[str]) -> re.Pattern[str]:
    """One expression for every mention of every name: the group that matched holds the name."""
    whole = "\n".join(contents)
    words = frozenset(re.findall(r"\w+", whole))
    known = [name for name in given if len(name) > 1][:_MOST]
    forms = _forms(known, whole)
    every = "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
    distinct = sorted(
        (form for form in forms if is_distinctive(form, words)), key=lambda form: (-len(form), form)
    )
    capital = sorted((form for form in forms if form[:1].isupper()), key=lambda form: (-len(form), form))
    parts = [
        rf"(?<![\w@.])@({every})(?![\w])" if every else "",
        rf"^[ \t>*_]*[\[<(]?({every})(?=[\])>]?[*_]{{0,2}}(?: {_WROTE})?:)" if every else "",
        rf"^[ \t>*]*[\[<]({every})(?=[\]>])" if every else "",
        rf"\b({every})(?= {_WROTE}:)" if every else "",
        rf"(?:^[ \t]*|, )({'|'.join(map(re.escape, capital))})(?=[,!?])" if capital else "",
        rf"(?<![\w@])({'|'.join(map(re.escape, distinct))})(?![\w])" if distinct else "",
    ]
    return re.compile("|".join(part for part in parts if part) or r"(?!)", re.MULTILINE)


def _forms(names: Iterable[str], whole: str) -> list[str]:
    """The ways in which names are written in the text, whatever their case."""
    folded = whole.casefold()
    forms: dict[str, None] = {}
    for name in names:
        if name in folded:
            spelt = re.escape(name).replace("ss", "(?:ss|ß)")  # folding makes "ss" of "ß"
            for match in re.finditer(rf"(?<!\w){spelt}(?!\w)", whole, re.IGNORECASE):
                forms[match[0]] = None
    return list(forms)


def is_distinctive(name: str, words: frozenset[str]) -> bool:
    """Whether a name, as it is written, means its bearer wherever it stands in a dialogue of these words.

    >>> is_distinctive("wren_42", frozenset()), is_distinctive("Mark", frozenset({"mark"}))
    (True, False)
    """
    if len(name) < 4 or name.isdigit():
        return False
    if re.search(r"\d|[_-]|[^\W\d_][A-Z]|[^\x00-\x7f]", name) and not name.isupper():
        return True
    parts = name.split()
    if len(parts) > 1:
        return all(part[0].isupper() for part in parts) and not {part.lower() for part in parts} <= _plain()
    return name[0].isupper() and name.lower() not in words and name.lower() not in _plain()


@lru_cache(maxsize=1)
def _plain() -> frozenset[str]:
    """Words that stand with a capital though they name no one."""
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _edits(finder: re.Pattern[str], given: dict[str, str], content: str) -> list[Edit]:
    edits = []
    for match in finder.finditer(content):
        start, end = match.span(match.lastindex or 0)
        pseudonym = given.get(match[match.lastindex or 0].casefold())
        if pseudonym is not None:
            edits.append(Edit(start, end, pseudonym))
    return edits
