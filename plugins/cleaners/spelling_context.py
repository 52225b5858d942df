"""Whether a word that may be misspelt stands where it may be corrected: in English prose, not as a name, not as a text's own word.

    English     of the 41 words around it (inside its block, between blank lines), function words of English are at least an eighth, and twice
                as many as those of other languages; where the words are fewer than eight, there is one at least, and the whole text is asked
    neighbours  the word before or after is no function word of another language
    names       a word with a capital is corrected at the start of a sentence alone: before a word in small letters, of six letters or more, and
                nowhere in the text with a capital inside a sentence
                and where its correction is a word of the frequency list: a maker's name may look like a misspelling of another's
    capitals    a word in capitals is corrected among words in capitals, of six letters or more
    own words   what a text spells so three times, and the other way never, is a word of its own

The rules look at words as they are once corrected, so that corrections do not undo one another.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

from plugins.cleaners.spelling_dictionary import is_listed

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
AROUND = 20
"""Words looked at on either side."""
FEW = 8
MIN_SHARE = 1 / 8
OWN = 3
"""Times a text spells a word so."""
CAPITAL_LETTERS = 6
_BLOCK = re.compile(r"\n[ \t]*\n")
_OPENING = " \t\"'“‘«„([*_>#-–—•·"
LISTS = Path(__file__).with_name("spelling_function_words.toml")

Corrected = Callable[[str], str]
"""A word in small letters → what it is once corrected, or itself."""


@cache
def function_words() -> tuple[frozenset[str], frozenset[str]]:
    """Of English; of other languages, but none that is English."""
    lists = tomllib.loads(LISTS.read_text(encoding="utf-8"))
    english = frozenset(lists["english"].split())
    return english, frozenset(lists["other"].split()) - english


class Context:
    """The words of one text; `corrected` says what each becomes."""

    def __init__(self, text: str, corrected: Corrected) -> None:
        self.text = text
        self.spans = [match.span() for match in WORD.finditer(text)]
        self.words = [corrected(text[start:end].lower().replace("’", "'")) for start, end in self.spans]
        self.written = Counter(text[start:end].lower().replace("’", "'") for start, end in self.spans)
        self.meant = Counter(self.words)
        self.blocks = [0, *(match.end() for match in _BLOCK.finditer(text)), len(text) + 1]
        english, other = function_words()
        self.english = [_count(word, english) for word in self.words]
        self.other = [word in other for word in self.words]
        self.is_english = self._share(0, len(self.words))

    def _share(self, first: int, last: int) -> bool:
        ours, theirs = sum(self.english[first:last]), sum(self.other[first:last])
        return ours >= MIN_SHARE * (last - first) and ours >= 2 * theirs

    def allows(self, index: int, right: str) -> bool:
        """Whether the word at `index` may become `right`."""
        start, end = self.spans[index]
        word = self.text[start:end]
        if word != word.lower() and not (self._capitals(index, word) and is_listed(right)):
            return False
        return not self._own(word, right) and self._reads_english(index)

    def _own(self, word: str, right: str) -> bool:
        times = self.written[word.lower().replace("’", "'")]
        # Other misspellings of the same word count as the other way, so that mending those first decides nothing.
        return times >= OWN and self.meant[right.lower()] == times

    def _reads_english(self, index: int) -> bool:
        start, _ = self.spans[index]
        block = bisect_right(self.blocks, start)
        first = bisect_left(self.spans, (self.blocks[block - 1], 0))
        last = bisect_left(self.spans, (self.blocks[block], 0))
        first, last = max(first, index - AROUND), min(last, index + AROUND + 1)
        if any(self.other[max(first, index - 1) : min(last, index + 2)]):
            return False
        if last - first < FEW:
            return self.is_english and any(self.english[first:last]) and not any(self.other[first:last])
        return self._share(first, last)

    def _capitals(self, index: int, word: str) -> bool:
        if len(word) < CAPITAL_LETTERS:
            return False
        if word.isupper():
            near = [self.word(at) for at in (index - 1, index + 1)]
            return all(other.isupper() for other in near)
        if word[1:] != word[1:].lower() or not self.opens_sentence(index):
            return False
        after = self.word(index + 1)
        if not after or after != after.lower():
            return False
        low = word.lower()
        alike = (at for at, (start, end) in enumerate(self.spans) if self.text[start:end].lower() == low)
        return all(self.word(at) != word or self.opens_sentence(at) for at in alike)

    def word(self, index: int) -> str:
        """A word as it is written; empty beyond the ends."""
        if not 0 <= index < len(self.spans):
            return ""
        start, end = self.spans[index]
        return self.text[start:end]

    def opens_sentence(self, index: int) -> bool:
        """Whether a sentence, a line or an item begins with the word."""
        start = self.spans[index][0]
        before = self.text[max(0, start - 40) : start].rstrip(_OPENING)
        return not before or before[-1] in "\n.!?…:"


def _count(word: str, among: frozenset[str]) -> int:
    return word in among if " " not in word else any(piece in among for piece in word.split())
