"""Spelling: known misspellings corrected where they stand in English prose, and nothing else.

Wrong corrections are worse than misspellings, so each rule errs on the side of leaving a word alone. What counts as known and where it
comes from: `spelling_dictionary.py`. What is never looked at (code, addresses, identifiers): `protected.py`. When a word is taken for a name,
for another language or for a text's own: `spelling_context.py`. Guessing words that no list knows is a mode of its own: `spelling_guesses.py`.

Every correction takes out a misspelling and brings in none, so corrections are made until none is left to make: the fixed point is reached
in as many rounds as there are misspellings at most, and in one or two as a rule. Texts without a known misspelling, which a set of their words
tells, are not looked at further.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from plugins.cleaners.protected import covers, protected
from plugins.cleaners.spelling_context import LISTS, WORD, Context
from plugins.cleaners.spelling_dictionary import KEPT, dictionary_file, frequency_file, known
from plugins.cleaners.spelling_own import pairs_of, pieces
from plugins.contracts import Beside, Brings, Cleaner, Edit, Locates, Threshold
from schemas.fingerprint import digest_file

if TYPE_CHECKING:
    from collections.abc import Mapping

QUOTES = frozenset("\"'“”„‘’‚«»‹›")


class Spelling(Cleaner):
    """Corrects known misspellings in English prose; case is kept, and code, addresses, names and other languages are left alone.

    >>> text = "We recieved it, and teh file was definately in `teh_dir`."
    >>> [(text[edit.start : edit.end], edit.after) for edit in Spelling().clean(text)]
    [('recieved', 'received'), ('teh', 'the'), ('definately', 'definitely')]
    """

    name = "spelling"
    requires: ClassVar[tuple[str, ...]] = ("codespell", "symspellpy")
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.cleaners.protected",
        "plugins.cleaners.spelling_context",
        "plugins.cleaners.spelling_dictionary",
        "plugins.cleaners.spelling_guesses",
        "plugins.cleaners.spelling_own",
    )

    mode: Literal["known", "symspell"] = "known"
    """known: what codespell's dictionary lists. symspell: also words near one English word and no other; fewer of those are right."""
    ignore: tuple[str, ...] = ()
    """Words left alone, in any case: `["teh"]`."""
    words: dict[str, str] = Field(default={})
    """Corrections of your own, made wherever the word stands outside code and addresses: `{ grammer = "grammar" }`."""
    files: Annotated[tuple[str, ...], Beside()] = ()
    """Files of more such, one a line: "grammer->grammar" is corrected, "teh->" is left alone, "#" begins a comment."""
    max_distance: int = Field(default=1, ge=1, le=2)
    """Mode symspell: letters added, left out or swapped, at most."""
    min_ratio: float = Field(default=100.0, ge=1)
    """Mode symspell: how many times as frequent as the next nearest word the correction is, at least."""

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """As every plugin's, and the lists beside it."""
        lists = {file.name: digest_file(file) for file in (KEPT, LISTS)}
        return {**super().identity(without=without), "lists": lists}

    def check(self) -> None:
        """Raises ValueError for corrections that cannot be made, MissingExtra without the dictionaries."""
        dictionary_file()
        frequency_file()
        _ = self._own

    @cached_property
    def _own(self) -> tuple[Mapping[str, str], frozenset[str]]:
        """Corrections of the recipe's own, and words left alone: those it names, and those its own corrections bring in."""
        own, ignored = pairs_of(self.words, self.ignore, self.files)
        return own, ignored.union(*(pieces(right) for right in own.values()))

    def clean(self, text: str) -> list[Edit]:
        """One edit for each corrected word."""
        done: list[Edit] = []
        while edits := self._round(text):
            done, text = _joined(done, edits, text)
        return done

    def _round(self, text: str) -> list[Edit]:
        found = self._candidates(text)
        if not found:
            return []
        own, _ = self._own
        spans = protected(text)
        context = Context(text, lambda low: found.get(low, low).lower())
        edits = []
        for index, (start, end) in enumerate(context.spans):
            word = text[start:end]
            low = word.lower().replace("’", "'")
            right = found.get(word) or found.get(low)
            if (
                right is None
                or covers(spans, start, end)
                or _inside(text, start, end)
                or _cited(text, start, end)
            ):
                continue
            if low in own or context.allows(index, right):
                edits.append(Edit(start, end, _as_written(word, right, text)))
        return edits

    def _candidates(self, text: str) -> dict[str, str]:
        """The words of the text that may be corrected, and to what."""
        own, ignored = self._own
        found = {}
        for word in set(WORD.findall(text)):
            low = word.lower().replace("’", "'")
            if low in own:
                found[low] = own[low]
                continue
            right = None if low in ignored else self._listed(word, low)
            # What a recipe's own correction would change again is left alone, or the two would never come to rest.
            if right and own.keys().isdisjoint(pieces(right)):
                found[word if word in known() else low] = right
        return found

    def _listed(self, word: str, low: str) -> str | None:
        right = known().get(low) or known().get(word)
        if right is None and self.mode == "symspell":
            from plugins.cleaners.spelling_guesses import guess

            right = guess(word, self.max_distance, self.min_ratio)
        return right


def _inside(text: str, start: int, end: int) -> bool:
    """Whether letters, digits, apostrophes or hyphens touch the word: then it is part of another."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return before.isalnum() or after.isalnum() or before in {"-", "_", "&"} or after in {"-", "_"}


def _cited(text: str, start: int, end: int) -> bool:
    """Whether the word stands in quotation marks by itself: then it is likely shown as it was written."""
    return (
        text[start - 1 : start] in QUOTES and text[end : end + 1] in QUOTES and start > 0 and end < len(text)
    )


def _as_written(word: str, right: str, text: str) -> str:
    """The correction in the word's case, with the text's kind of apostrophe."""
    if "'" in right and ("’" in word or ("'" not in word and text.count("’") > text.count("'"))):
        right = right.replace("'", "’")
    if len(word) > 1 and word.isupper():
        return right.upper()
    return right[0].upper() + right[1:] if word[0].isupper() else right


def _joined(done: list[Edit], edits: list[Edit], text: str) -> tuple[list[Edit], str]:
    """Edits of the text before any round, from those done and those of `text`, which touch other words; and the text they make."""
    moved, shifts, shift = [], [], 0
    for edit in done:
        shifts.append((edit.start + shift, shift))
        shift += len(edit.after) - (edit.end - edit.start)
    pieces, at, ahead, past = [], 0, 0, 0
    for edit in edits:
        while ahead < len(done) and shifts[ahead][0] < edit.start:
            past += len(done[ahead].after) - (done[ahead].end - done[ahead].start)
            ahead += 1
        moved.append(Edit(edit.start - past, edit.end - past, edit.after))
        pieces += [text[at : edit.start], edit.after]
        at = edit.end
    return sorted([*done, *moved], key=lambda edit: edit.start), "".join([*pieces, text[at:]])
