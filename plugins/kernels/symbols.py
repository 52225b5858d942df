"""Counts of words and of kinds of characters, in one pass over the bytes of each text."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plugins.kernels.alphabet import SIZE, alphabet
from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled
from plugins.kernels.words import decode

# Kernels see module constants as compile-time ones; those of plugins.kernels.alphabet must be spelt as plain integers.
_SEPARATOR, _LETTER, _ALONE, _IGNORED = 0, 1, 2, 4

OTHER, SPACE, SYMBOL, DIGIT, UPPER, MARKUP = range(6)
_SPACE, _SYMBOL, _MARKUP = 1, 2, 5

MARKUP_CHARACTERS = "<>{}[]|\\=;_#`^~$&*+@%"
"""What markup, code and tables are held together by; every one is counted as a symbol too."""


class Kinds(NamedTuple):
    """Characters of each kind per text, int64: `solid` are all but spaces and control characters; `symbols` count `markup` too."""

    solid: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.int64]
    digits: npt.NDArray[np.int64]
    upper: npt.NDArray[np.int64]
    markup: npt.NDArray[np.int64]


@cache
def kinds() -> npt.NDArray[np.uint8]:
    """The kind of every code point below SIZE; those above are OTHER.

    SYMBOL: general categories P and S. DIGIT: Nd. UPPER: Lu and Lt. SPACE: Z and C, so that line ends and joiners count nowhere.
    """
    of_category = {"Z": SPACE, "C": SPACE, "P": SYMBOL, "S": SYMBOL, "Nd": DIGIT, "Lu": UPPER, "Lt": UPPER}
    categories = (unicodedata.category(chr(point)) for point in range(SIZE))
    table = np.fromiter(
        (of_category.get(name, of_category.get(name[0], OTHER)) for name in categories), np.uint8, SIZE
    )
    for character in MARKUP_CHARACTERS:
        table[ord(character)] = MARKUP
    table.flags.writeable = False
    return table


def count_words(texts: Texts) -> npt.NDArray[np.int64]:
    """Words of each text, by the rule of `plugins.kernels.alphabet`: as many as its shingles of one word."""
    out = np.zeros(len(texts), np.int64)
    _count_words(*texts, alphabet().classes, out)
    return out


def count_kinds(texts: Texts) -> Kinds:
    """Characters of each text by kind."""
    out = np.zeros((len(texts), 6), np.int64)
    _count_kinds(*texts, kinds(), out)
    solid = out.sum(axis=1) - out[:, SPACE]
    return Kinds(solid, out[:, SYMBOL] + out[:, MARKUP], out[:, DIGIT], out[:, UPPER], out[:, MARKUP])


@compiled
def _count_words(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    classes: npt.NDArray[np.uint8],
    out: npt.NDArray[np.int64],
) -> None:
    for text in range(len(offsets) - 1):
        position, end, words = offsets[text], offsets[text + 1], 0
        inside = _SEPARATOR  # the class of the word being read, _SEPARATOR between words
        while position < end:
            point, width = np.int64(data[position]), 1
            if point >= 0x80:
                point, width = decode(data, position, end)
            position += width
            kind = np.int64(classes[point]) if point < len(classes) else _SEPARATOR
            if kind == _IGNORED:
                continue
            if kind == _SEPARATOR:
                inside = _SEPARATOR
            elif inside == _SEPARATOR or kind == _ALONE or (kind == _LETTER and inside == _ALONE):
                words += 1
                inside = _ALONE if kind == _ALONE else _LETTER
        out[text] = words


@compiled
def _count_kinds(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint8],
    out: npt.NDArray[np.int64],
) -> None:
    for text in range(len(offsets) - 1):
        position, end = offsets[text], offsets[text + 1]
        while position < end:
            point, width = np.int64(data[position]), 1
            if point >= 0x80:
                point, width = decode(data, position, end)
            position += width
            out[text, table[point] if point < len(table) else 0] += 1
