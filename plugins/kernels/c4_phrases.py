"""What C4 does not want a line to say (Raffel et al. 2020, section 2.2), sought in any case as `str.lower` would show it.

Of all characters outside ASCII only the Kelvin sign lowers to a letter of a phrase, and it is looked for.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from plugins.kernels.compiled import compiled
from plugins.kernels.raw import BLOCK, beginnings, byte, lowest, shifted

PHRASES = (
    "lorem ipsum",
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
_POLICY = 2  # from this place on, phrases are policies
_KELVIN = 0x6B  # the letter k

_begins = beginnings(tuple(sorted({phrase[:3].encode() for phrase in PHRASES})))


@cache
def phrases() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """PHRASES side by side, and where each ends."""
    joined = np.frombuffer("".join(PHRASES).encode(), np.uint8)
    return joined, np.cumsum([0, *map(len, PHRASES)]).astype(np.int64)


@compiled
def find(start: int, end: int, phrases: npt.NDArray[np.uint8], phrase_ends: npt.NDArray[np.int64]) -> int:
    """What the bytes between two addresses say: bit 0 lorem ipsum, bit 1 javascript, bit 2 one of the policies. SLACK bytes behind them
    must be readable."""
    found = 0
    while start < end:
        likely = _begins(start)
        if end - start < BLOCK:
            likely &= shifted(-1, BLOCK - (end - start))
        while likely:
            place = lowest(likely)
            found |= _phrases_at(start + place, end, phrases, phrase_ends)
            likely ^= 1 << place
        start += BLOCK
    return found


@compiled
def _phrases_at(
    position: int, end: int, phrases: npt.NDArray[np.uint8], phrase_ends: npt.NDArray[np.int64]
) -> int:
    """As `find`, for phrases that begin at an address."""
    found = 0
    for phrase in range(len(phrase_ends) - 1):
        at, letter = position, phrase_ends[phrase]
        while letter < phrase_ends[phrase + 1] and at < end:
            small = byte(at)
            if 0x41 <= small <= 0x5A:
                small |= 0x20
            if small == phrases[letter]:
                at += 1
            elif phrases[letter] == _KELVIN and _is_kelvin(at, end):
                at += 3
            else:
                break
            letter += 1
        if letter == phrase_ends[phrase + 1]:
            found |= 1 << min(phrase, _POLICY)
    return found


@compiled
def _is_kelvin(at: int, end: int) -> bool:
    """Whether the Kelvin sign, U+212A, stands there."""
    return at + 2 < end and byte(at) == 0xE2 and byte(at + 1) == 0x84 and byte(at + 2) == 0xAA
