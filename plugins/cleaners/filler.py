r"""Filler: words a sentence can lose, taken out where a recipe asks for it by name; nothing goes by default.

The lists, one a language and a "-strong" one for words that often mean something, are in `filler.toml`. An entry goes

    anywhere   between white space; with the commas around it, where it has both, and with the one behind it at the start of a sentence
    opening    at the start of a sentence and before a comma
    between    between commas, or between a comma and the end of the sentence

and stays: in code and addresses (`protected.py`); inside quotation marks unless `quotes` is set; after "a", "an", "and", "or", a negation or a word of
degree ("not literally", "quite literally"), whose sentence it carries; where nothing but the entry is the sentence; where what stands beside it is no
space, pair of commas or mark that ends a sentence. A sentence that loses its first word begins with a capital where that word did.

Taking one out may bring the next to the start of a sentence ("Well, honestly, no"), so it is done until nothing more goes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

from plugins.cleaners.protected import Spans, covers, merged, protected
from plugins.contracts import Brings, Cleaner, Edit, Locates, Threshold
from schemas.errors import nearest

LISTS = Path(__file__).with_name("filler.toml")
KINDS = ("anywhere", "opening", "between")
ENDS = ".!?…;"
ROUNDS = 64
"""Two are a rarity."""
_STAY_AFTER = frozenset(
    """
    a an and or both not never no very so as quite more most less too how than
    und oder nicht nie kein keine sehr zu et ou pas jamais très plus si trop y o nunca muy más tan
    """.split()  # noqa: SIM905  forty words read better so
)
_OPENING = " \t\"'“‘«„([*_>#-–—•·¡¿"
_QUOTED = re.compile(r"“[^”\n]*(?:”|$)|„[^“”\n]*(?:[“”]|$)|«[^»\n]*(?:»|$)|\"[^\"\n]*(?:\"|$)", re.MULTILINE)
_LAST_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?\Z")


@cache
def lists() -> dict[str, dict[str, list[str]]]:
    """List → kind → entries."""
    return tomllib.loads(LISTS.read_text(encoding="utf-8"))


class Filler(Cleaner):
    """Takes out unnecessary words by lists the recipe names; without `lists` and `words` it does nothing.

    >>> Filler(lists=["en"]).clean("Basically, it is, you know, a shed.")  # It is a shed.
    [Edit(start=0, end=12, after='I'), Edit(start=16, end=27, after='')]
    """

    name = "filler"
    requires: ClassVar[tuple[str, ...]] = ()
    kernels: ClassVar[tuple[str, ...]] = ("plugins.cleaners.protected",)

    lists: tuple[str, ...] = ()
    """Which lists: "en", "de", "fr", "es", and "en-strong" and so on for words that often mean something."""
    words: tuple[str, ...] = ()
    """Words and phrases of your own, taken out wherever they stand."""
    quotes: bool = False
    """Also inside quotation marks, where people in a story speak."""

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """As every plugin's, and the entries of the lists it names."""
        entries = {name: lists().get(name) for name in self.lists}
        return {**super().identity(without=without), "entries": entries}

    def check(self) -> None:
        """Raises ValueError for a list that is not there and for words that cannot be found."""
        for name in self.lists:
            if name not in lists():
                raise ValueError(
                    f'"{name}" is no list. {nearest(name, list(lists()))} There are {", ".join(lists())}'
                )
        for word in self.words:
            if not word or not (word[0].isalpha() and word[-1].isalpha()):
                raise ValueError(f'"{word}" must begin and end with a letter, such as "as it were"')

    @cached_property
    def _kinds(self) -> dict[str, set[str]]:
        """Entry in small letters → where it goes."""
        found: dict[str, set[str]] = {word.lower(): {"anywhere"} for word in self.words}
        for name in self.lists:
            for kind in KINDS:
                for entry in lists()[name].get(kind, []):
                    found.setdefault(entry.lower(), set()).add(kind)
        return found

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        entries = sorted(self._kinds, key=lambda entry: (-len(entry), entry))
        # A space of an entry may be any one white space: lines are wrapped.
        spelled = "|".join(re.escape(entry).replace(r"\ ", r"\s").replace("'", "['’]") for entry in entries)
        return re.compile(rf"(?<![\w'’-])(?:{spelled})(?![\w'’-])", re.IGNORECASE)

    def clean(self, text: str) -> str | list[Edit]:
        """One edit for each entry that goes; the text, where taking some out let others go. Raises ValueError for one that does not come to rest."""
        edits = self._round(text)
        if not edits:
            return []
        once = _made(text, edits)
        if not (again := self._round(once)):
            return edits
        for _ in range(ROUNDS):
            once = _made(once, again)
            if not (again := self._round(once)):
                return once
        raise ValueError(f"the text still changes after {ROUNDS} rounds of taking words out")

    def _round(self, text: str) -> list[Edit]:
        if not self._kinds:
            return []
        edits: list[Edit] = []
        spans: Spans | None = None
        end = 0
        while match := self._pattern.search(text, end):
            # What does not go as a run stays as one: to try each of its entries would take time by the square of its length.
            end = self._run(text, match)
            edit = _removal(text, match.start(), end, self._where(match))
            if edit is None or (edits and edit.start < edits[-1].end):
                continue
            if spans is None:
                spans = _untouchable(text, quotes=self.quotes)
            if not covers(spans, edit.start, edit.end):
                edits.append(edit)
        return edits

    def _where(self, match: re.Match[str]) -> set[str]:
        return self._kinds.get(re.sub(r"\s", " ", match[0]).lower().replace("’", "'"), set())

    def _run(self, text: str, first: re.Match[str]) -> int:
        """Where entries that may go where the first may, one behind another with commas between ("Well, honestly, …"), end."""
        kinds, end = self._where(first), first.end()
        while text.startswith(", ", end) and (match := self._pattern.match(text, end + 2)):
            if not kinds & self._where(match) or text[match.end() : match.end() + 1] not in {",", *ENDS}:
                break
            end = match.end()
        return end


def _untouchable(text: str, *, quotes: bool) -> Spans:
    spans = protected(text)
    return spans if quotes else merged([*spans, *(match.span() for match in _QUOTED.finditer(text))])


def _removal(text: str, start: int, end: int, kinds: set[str]) -> Edit | None:
    """The edit that takes the entry at [start, end) out; None where it stays."""
    gap = start
    while gap > 0 and text[gap - 1] in " \t":
        gap -= 1
    past = end
    while past < len(text) and text[past] in " \t":
        past += 1
    before, after = text[gap - 1 : gap], text[end : end + 1]
    if _opens(text, start):
        return _opening(text, start, end) if kinds & {"anywhere", "opening"} else None
    word = _LAST_WORD.search(text[max(0, gap - 30) : gap])
    if word and (word[0].lower() in _STAY_AFTER or word[0].lower().endswith(("n't", "n’t"))):
        return None
    closes = after != "" and after in ENDS
    if kinds & {"anywhere", "between"} and before == "," and (after == "," or closes) and gap < start:
        return Edit(gap - 1, end + (after == ","), "")
    if "anywhere" not in kinds or gap == start or not before or before in "\n([":
        return None
    if closes or after == "\n" or not after:
        return Edit(gap, end, "") if before.isalnum() else None
    return Edit(start, past, "") if past > end and past < len(text) and text[past] != "\n" else None


def _opens(text: str, start: int) -> bool:
    if text[max(0, start - 1) : start] in {".", "!", "?", "…"}:
        return False
    before = text[max(0, start - 40) : start].rstrip(_OPENING)
    return not before or before[-1] in "\n.!?…"


def _opening(text: str, start: int, end: int) -> Edit | None:
    """An entry at the start of a sentence goes with its comma."""
    if text[end : end + 1] != ",":
        return None
    follow = end + 1
    while follow < len(text) and text[follow] in " \t":
        follow += 1
    first = text[follow : follow + 1]
    if follow == end + 1 or not first.isalpha():
        return None
    if text[start].isupper() and len(first.upper()) == 1:
        return Edit(start, follow + 1, first.upper())
    return Edit(start, follow, "")


def _made(text: str, edits: Sequence[Edit]) -> str:
    pieces, at = [], 0
    for edit in edits:
        pieces += [text[at : edit.start], edit.after]
        at = edit.end
    return "".join([*pieces, text[at:]])
