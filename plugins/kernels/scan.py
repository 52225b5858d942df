"""Runs of bytes read by address, in blocks: line ends found, characters counted, bytes hashed (`plugins.kernels.raw` says how and why).

All of these may read up to SLACK bytes past the run they are given. `readable` makes that safe.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import BLOCK, byte, copy, equal, leads, lowest, ones, shifted, times, word

SLACK = BLOCK + 2
"""Bytes behind the end of a run that must be readable."""

MIX_1, MIX_2 = 0x2545F4914F6CDD1D, -0x61C8864680B583EB  # odd: a multiplier of xorshift*, and the golden ratio
_NEWLINE = 10

Bytes = npt.NDArray[np.uint8]


@compiled
def readable(data: Bytes, start: int, end: int, spare: Bytes) -> int:
    """The address from which positions of `data` count, so that SLACK bytes behind `end` can be read.

    Where they cannot be where they are, bytes `start` to `end` are copied to `spare`, which must hold SLACK more; it may be made by
    `spare_for`, and the caller keeps both arrays until it is done.
    """
    if end + SLACK <= len(data):
        return np.int64(data.ctypes.data)
    spare[: end - start] = data[start:end]
    return np.int64(spare.ctypes.data) - start


@compiled
def spare_for(data: Bytes, offsets: npt.NDArray[np.int64]) -> Bytes:
    """Room for any text that ends within SLACK of the end of `data`."""
    room = np.int64(0)
    text = len(offsets) - 2
    while text >= 0 and offsets[text + 1] + SLACK > len(data):
        room = max(room, offsets[text + 1] - offsets[text])
        text -= 1
    return np.zeros(room + SLACK, np.uint8)


@inlined
def character(position: int, end: int) -> tuple[int, int]:
    """(code point, bytes) of the character at an address before `end`; a broken one is U+0000, one byte long."""
    point, width = byte(position), 1
    if point >= 0x80:
        lead, point = point, 0
        if 0xC0 <= lead < 0xE0 and position + 1 < end:
            point, width = (lead & 0x1F) << 6 | byte(position + 1) & 0x3F, 2
        elif 0xE0 <= lead < 0xF0 and position + 2 < end:
            point, width = (
                (lead & 0xF) << 12 | (byte(position + 1) & 0x3F) << 6 | byte(position + 2) & 0x3F,
                3,
            )
        elif 0xF0 <= lead < 0xF8 and position + 3 < end:
            point = (lead & 7) << 18 | (byte(position + 1) & 0x3F) << 12
            point, width = point | (byte(position + 2) & 0x3F) << 6 | byte(position + 3) & 0x3F, 4
    return point, width


@inlined
def low(size: int) -> int:
    """A mask of the lowest `size` bytes of a word, 0 to 8 of them."""
    return shifted(-1, 64 - 8 * size) if size > 0 else 0


@inlined
def hashed(start: int, end: int) -> int:
    """A hash of the bytes between two addresses, eight at a step."""
    key = times(end - start, MIX_2)  # spread out, or "a\0" would be as "b"
    while start + 8 <= end:
        key = times(key ^ word(start), MIX_1)
        key ^= shifted(key, 29)
        start += 8
    key = times(key ^ (word(start) & low(end - start)), MIX_2)
    return key ^ shifted(key, 32)


@inlined
def line_end(start: int, end: int) -> int:
    """The address of the first line feed from `start` on; `end` where there is none before it."""
    found = BLOCK
    while found == BLOCK and start < end:
        found = lowest(equal(start, _NEWLINE))
        start += found
    return min(start, end)


@inlined
def occurrences(start: int, end: int, value: int) -> int:
    """How many bytes between two addresses are `value`."""
    count = 0
    while start + BLOCK <= end:
        count += ones(equal(start, value))
        start += BLOCK
    if start < end:
        count += ones(equal(start, value) & shifted(-1, BLOCK - (end - start)))
    return count


@inlined
def characters(start: int, end: int) -> int:
    """How many characters the bytes between two addresses begin."""
    count = 0
    while start + BLOCK <= end:
        count += ones(leads(start))
        start += BLOCK
    if start < end:
        count += ones(leads(start) & shifted(-1, BLOCK - (end - start)))
    return count


@inlined
def same(first: int, second: int, size: int) -> bool:
    """Whether as many bytes at two addresses are the same."""
    done = 0
    while done + 8 <= size and word(first + done) == word(second + done):
        done += 8
    return done >= size or (
        done + 8 > size and (word(first + done) ^ word(second + done)) & low(size - done) == 0
    )


@inlined
def copied(to: int, start: int, end: int) -> None:
    """Write the bytes between two addresses to `to`, and up to 15 bytes more behind them."""
    while start < end:
        copy(to, start)
        to += 16
        start += 16
