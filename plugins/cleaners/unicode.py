r"""Unicode: mojibake mended, one spelling for each character, nothing that cannot be seen and says nothing.

ftfy runs at 1.5 MB/s, so it sees only the lines that its own heuristic calls suspicious, and of ftfy only the mending of wrongly
decoded text is used: curly quotes, full-width letters and ligatures are the author's. Text in ASCII without control characters
passes untouched.

Replaced: C1 controls by what windows-1252 has in their place, since that is what they were ("\x85" is an ellipsis, hardly ever "next line").
Removed: C0 controls but newline and tab, C1 controls that are left, the byte-order mark U+FEFF, the zero-width
space U+200B, the word joiner U+2060, the soft hyphen U+00AD, lone noncharacters U+FFFE and U+FFFF.
Kept, since they change what is read: the joiners U+200C and U+200D (Persian, Indic scripts, emoji), variation selectors, bidi marks.
U+FFFD stays: it shows that something was lost.
"""

from __future__ import annotations

import re
import unicodedata
from typing import ClassVar

from plugins.contracts import Cleaner

_ENDS = re.compile("\r\n?")
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
_DIRTY_ASCII = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_ROUNDS = 16
"""Mending may uncover what needs mending. Every round shortens the text, and four are a rarity."""


class Unicode(Cleaner):
    r"""Mends mojibake, composes characters (NFC), drops control and invisible characters, and ends lines with a newline.

    >>> Unicode().clean("Itâ€™s a cafe\u0301,\r\nsaid\u200b the\x07 inn\u00adkeeper.")
    'It’s a café,\nsaid the innkeeper.'
    """

    name = "unicode"
    requires: ClassVar[tuple[str, ...]] = ("ftfy",)

    def clean(self, text: str) -> str:
        """The text, mended until nothing more changes. Raises ValueError for one that does not come to rest."""
        if text.isascii() and not _DIRTY_ASCII.search(text):
            return text
        for _ in range(_ROUNDS):
            before, text = text, _once(text)
            if text == before:
                return text
        raise ValueError(f"the text still changes after {_ROUNDS} rounds of mending")


def _once(text: str) -> str:
    # Mojibake hides in C1 controls, so it is mended before they go.
    if not text.isascii():
        # Line by line: one bad line does not put the rest in doubt, and lines in ASCII cost nothing.
        text = "\n".join([line if line.isascii() else _mend(line) for line in text.split("\n")])
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
    return _INVISIBLE.sub("", _ENDS.sub("\n", text))


def _mend(line: str) -> str:
    """Undo wrong decoding."""
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    return fix_encoding(line) if is_bad(line) else line
