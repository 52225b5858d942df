"""What `plugins.kernels.tokens` looks up: flags per code point, and the short strings that are split by list.

The lists are of English: contractions ("don't", "y'all", typed without apostrophe too), abbreviations that keep their dot, units, and
faces such as ":-)". They are composed here from stems and endings, so that a reader can check them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plugins.kernels.alphabet import ALONE as CLASS_ALONE, SIZE, ZERO_WIDTH_SPACE, alphabet

LOWER, UPPER, DIGIT, OPENS, CLOSES, CLOSER, SYMBOL, CURRENCY, SPACE, ALONE, JOINS = (
    1 << bit for bit in range(11)
)
"""Flags. A letter without case is LOWER and UPPER; OPENS and CLOSES are split from the edges of a word, SYMBOL anywhere;
CLOSER is what a full stop may follow and still be split off; JOINS goes with the character before it."""

_OPENING = "%=,:;!?()[]{}<>_#*&'\"`´~"[:-1]
_CLOSING = ",:;!?()[]{}<>_#*&'\"`´"

Bytes = npt.NDArray[np.uint8]


class Tables(NamedTuple):
    """`flags[c]` of code point c < SIZE; `likely` marks what the ends and length of a listed string may be, by `_place`; `keys` is an open hash table of listed strings, 0 where free, and `cuts` where to split the one in the same slot: `first | second << 8`."""

    flags: npt.NDArray[np.uint16]
    likely: npt.NDArray[np.bool_]
    keys: npt.NDArray[np.uint64]
    cuts: npt.NDArray[np.int64]


LONGEST = 16
"""Bytes of the longest listed string."""
SLOTS = 1 << 14
UNIT = 1 << 16
"""In `cuts`: the string is a unit, split from the number before it."""


@cache
def tables() -> Tables:
    """The tables, made at the first call."""
    likely = np.zeros(1 << 16, np.bool_)
    keys, cuts = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.int64)
    for text, cut in [*_specials(), *((unit, UNIT) for unit in _units())]:
        data = text.encode()
        if len(data) > LONGEST:
            raise ValueError(f"{text!r} takes more than {LONGEST} bytes")
        likely[_place(data)] = True
        key = _hash(data)
        slot = key & (SLOTS - 1)
        while keys[slot] not in {0, key}:
            slot = (slot + 1) & (SLOTS - 1)
        keys[slot] = key
        cuts[slot] |= cut
    made = Tables(_flags(), likely, keys, cuts)
    for table in made:
        table.flags.writeable = False
    return made


def _place(data: bytes) -> int:
    """As in the kernel."""
    return (
        data[0] * 37 + data[min(1, len(data) - 1)] * 1543 + data[-1] * 389 + min(len(data), 31) * 4099
    ) & 0xFFFF


def _hash(data: bytes) -> int:
    """FNV-1a, as the kernel computes it; never 0 for these lists."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


def _flags() -> npt.NDArray[np.uint16]:
    by_category = {
        "Ll": LOWER, "Lu": UPPER, "Lt": UPPER, "Lo": LOWER | UPPER, "Lm": LOWER | UPPER, "Nd": DIGIT,
        "Mn": JOINS, "Mc": JOINS, "Me": JOINS, "Cf": JOINS, "So": SYMBOL | OPENS | CLOSES, "Sc": CURRENCY | OPENS,
        "Zs": SPACE, "Zl": SPACE, "Zp": SPACE,
    }  # fmt: skip
    points = [unicodedata.category(chr(point)) for point in range(SIZE)]
    known = {
        name: by_category.get(name, OPENS | CLOSES | CLOSER if name[0] == "P" else 0) for name in set(points)
    }
    flags = np.fromiter(map(known.__getitem__, points), np.uint16, count=SIZE)
    flags[np.fromiter(map(str.isspace, map(chr, range(SIZE))), np.bool_, count=SIZE)] = SPACE
    for point in range(128):
        if not (chr(point).isalnum() or chr(point).isspace()):
            edges = (OPENS if chr(point) in _OPENING else 0) | (
                CLOSES | CLOSER if chr(point) in _CLOSING else 0
            )
            flags[point] = (
                edges
                | (CURRENCY | OPENS if chr(point) == "$" else 0)
                | (CLOSER if chr(point) in "%+-" else 0)
            )
    for point in (0x2010, 0x2011):  # hyphens that are written inside words
        flags[point] = 0
    for point in (0x2013, 0x2014):  # dashes
        flags[point] = OPENS | CLOSES
    flags[0xB4] = OPENS | CLOSES | CLOSER  # the acute, typed as an apostrophe
    flags[0x2026] = SYMBOL | OPENS | CLOSES | CLOSER  # the ellipsis
    flags[alphabet().classes == CLASS_ALONE] = ALONE
    flags[ZERO_WIDTH_SPACE] = SPACE
    return flags


def code_points(ranges: str) -> set[int]:
    """The code points of ranges as "21 2E 61D-61F", in hexadecimal."""
    ends = [part.split("-") for part in ranges.split()]
    return {point for part in ends for point in range(int(part[0], 16), int(part[-1], 16) + 1)}


# ------------------------------------------------------------------------------------------------ lists


def _specials() -> Iterator[tuple[str, int]]:
    """Strings that are cut by list rather than by rule, with their cuts; none of them: kept whole."""
    for pieces in _contractions():
        plain = [piece.replace("'", "") for piece in pieces]
        if "".join(plain).lower() not in _WORDS:
            yield _cut(plain)
        yield _cut(pieces)
        yield _cut([piece.replace("'", "\u2019") for piece in pieces])
    for kept in _KEPT.split():
        yield kept, 0
        yield kept.replace("'", "\u2019"), 0
    for letter in "abcdefghijklmnopqrstuvwxyzäöü":
        yield f"{letter}.", 0
    for hour, half in product(range(1, 13), ("am", "pm", "a.m.", "p.m.")):
        yield _cut([str(hour), half])
    for eyes, nose, mouth in product(
        ":;=8xX",
        ("", "-", "o", "'"),
        (
            ")",
            "))",
            ")))",
            "(",
            "((",
            "]",
            "[",
            "}",
            "/",
            "D",
            "P",
            "p",
            "3",
            "|",
            "O",
            "o",
            "0",
            "*",
            ">",
            "x",
            "X",
        ),
    ):
        if ((eyes, nose, mouth) != ("=", "", ">") and eyes in ":;=") or (mouth in {")", "D"} and nose != "o"):
            yield eyes + nose + mouth, 0
    for mouth, nose, eyes in product("()[]", ("", "-"), ":;="):
        yield mouth + nose + eyes, 0


_WORDS = frozenset(["ill", "its", "hell", "shell", "shed", "were", "well", "lets"])
"""Contractions without an apostrophe that are words of their own."""


def _contractions() -> Iterator[tuple[str, ...]]:
    for stems, tails in (
        ("i", "'m 'm|a 'll 'll|'ve 'd 'd|'ve 've"),
        ("you we they", "'ll 'll|'ve 'd 'd|'ve 've 're"),
        ("he she it", "'ll 'll|'ve 'd 'd|'ve 's"),
        ("who what when where why how there", "'s 'll 'll|'ve 're 've 'd 'd|'ve"),
        ("that this", "'s 'll 'll|'ve 'd 'd|'ve"),
        ("these those", "'ll 'll|'ve 're 've 'd 'd|'ve"),
        ("ca could do does did had may might must need ought sha should wo would", "n't n't|'ve"),
        ("ai are is was were have has dare", "n't"),
        ("could might must should would not", "'ve"),
        ("let", "'s"),
    ):
        for stem, tail in product(stems.split(), tails.split()):
            yield stem, *tail.split("|")
            yield stem.title(), *tail.split("|")
    yield from (("y'", "all"), ("can", "not"), ("Can", "not"), ("gon", "na"), ("Gon", "na"))
    yield from (("got", "ta"), ("Got", "ta"), ("c'm", "on"), ("C'm", "on"))


_KEPT = """
' '' 's 'S 'd 're 'll 'em 'nuff 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock and/or w/o C++
lovin' Lovin' havin' Havin' doin' Doin' goin' Goin' nothin' Nothin' nuthin' Nuthin' ol' Ol' somethin' Somethin'
Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar.
Mass. Mich. Minn. Miss. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. Sep. Sept. Tenn. Va. Wash. Wis. Md. Mo. Mont. Ph.D.
N.C. N.D. N.H. N.J. N.M. N.Y. S.C. D.C. a.m. p.m. e.g. E.g. E.G. i.e. I.e. I.E. v.s. vs.
Adm. Bros. co. Co. Corp. Dr. Gen. Gov. Inc. Jr. Ltd. Messrs. Mr. Mrs. Ms. Prof. Rep. Rev. Sen. St.
"""


def _cut(pieces: tuple[str, ...] | list[str]) -> tuple[str, int]:
    ends = [len("".join(pieces[:count]).encode()) for count in range(1, len(pieces))]
    return "".join(pieces), sum(end << 8 * place for place, end in enumerate(ends))


def _units() -> list[str]:
    lengths = [unit + power for unit, power in product(("km", "m", "dm", "cm", "mm"), ("", "²", "³"))]
    others = (
        "ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K %"
    )
    return lengths + others.split()
