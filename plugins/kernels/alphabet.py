"""What is part of a word: one class and one folded form per Unicode code point.

A word is a run of letters, marks and digits (general categories L, M and N), upper and lower case alike. Scripts that put no
spaces between words give one word per letter with its marks; the list is that of UAX #14's ideographic and South East
Asian classes (ID, SA) and kana. Format characters (Cf), such as the soft hyphen or a joiner, are as if they were not there; the
zero-width space, which marks a place to break, separates. Everything else separates, the underscore and apostrophe too.

Case is folded simply, one character to one (CaseFolding.txt, status C and S): "ß" stays "ß". Text is compared as it is
composed; the `unicode` cleaner brings it to NFC. Classes follow the running Python's Unicode (`unicodedata.unidata_version`).

A table of ranges in the source was rejected: it would have to be kept up to date, and this one is made in 50 ms.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SEPARATOR, LETTER, ALONE, MARK, IGNORED = range(5)

SIZE = 0x33480
"""Code points from here on (unassigned planes, tags, variation selectors, private use) separate."""

CASED = 0x1F000
"""Above it no character has a case."""

UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x2E80, 0x2FDF),  # CJK radicals
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3021, 0x3029),  # Hangzhou numerals
    (0x3038, 0x303C),
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK ideographs
    (0xA000, 0xA4CF),  # Yi
    (0xA9E0, 0xA9FF),  # Myanmar extended B
    (0xAA60, 0xAADF),  # Myanmar extended A, Tai Viet
    (0xF900, 0xFAFF),  # CJK compatibility
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x11700, 0x1174F),  # Ahom
    (0x17000, 0x18D7F),  # Tangut, Khitan
    (0x1AFF0, 0x1B2FF),  # Kana supplements, Nushu
    (0x20000, SIZE - 1),  # CJK extensions B and on
)

_CLASS_OF_CATEGORY = {"L": LETTER, "M": MARK, "N": LETTER}

ZERO_WIDTH_SPACE = 0x200B


class Alphabet(NamedTuple):
    """`classes[c]` is the class of code point c, `folds[c]` its simple case folding; both have SIZE entries."""

    classes: npt.NDArray[np.uint8]
    folds: npt.NDArray[np.uint32]


@cache
def alphabet() -> Alphabet:
    """The tables, made at the first call."""
    categories = [unicodedata.category(chr(point)) for point in range(SIZE)]
    kinds = {
        name: IGNORED if name == "Cf" else _CLASS_OF_CATEGORY.get(name[0], SEPARATOR)
        for name in set(categories)
    }
    classes = np.fromiter(map(kinds.__getitem__, categories), dtype=np.uint8, count=SIZE)
    for first, last in UNSPACED:
        block = classes[first : last + 1]
        block[block == LETTER] = ALONE
    classes[ZERO_WIDTH_SPACE] = SEPARATOR
    folds = np.arange(SIZE, dtype=np.uint32)
    folds[:CASED] = np.fromiter((_fold(chr(point)) for point in range(CASED)), dtype=np.uint32, count=CASED)
    for table in (classes, folds):
        table.flags.writeable = False
    return Alphabet(classes, folds)


def _fold(character: str) -> int:
    folded = character.casefold()
    if len(folded) > 1:  # full folding: fall back to the simple one
        folded = character.lower()
    return ord(folded if len(folded) == 1 else character)
