"""Repeated word n-grams of one text, as Rae et al. 2021 (table A1) count them, found by hashes in time linear in its words.

Two kinds of equality are asked for. The most frequent n-gram compares words one by one, and a polynomial of their hashes does. Repeated
n-grams compare words run together without a separator, "ab" "c" as "a" "bc", so their bytes are laid side by side and hashed from each word
on. Few words get that far: most begin nothing that occurs twice, and a filter of two bits a slot says so without a branch.
Two different runs of words meet with a probability of about 2^-64.

Rejected: prefix sums whose differences hash any run of bytes (three dependent multiplications a byte: twice the time), and one hash table
for every n without the filter (its branches cannot be foreseen).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plugins.kernels.compiled import compiled, inlined
from plugins.kernels.raw import byte, ones, put, put_byte, shifted, times, word
from plugins.kernels.scan import MIX_1, MIX_2, SLACK, characters, copied, hashed, low

TOP = (2, 3, 4)
DUP = (5, 6, 7, 8, 9, 10)

_LEAST = DUP[0]
_WINDOW = 16
_FIRST = (1 << 32) - 1
_ASCII = -0x7F7F7F7F7F7F7F80  # the highest bit of each byte
_SECOND = 0x0101010101010101


class Room(NamedTuple):
    """Arrays to work in. An address of each is in `Desk`; they live as long as this does."""

    joined: npt.NDArray[np.uint8]
    words: npt.NDArray[np.int64]
    table: npt.NDArray[np.int64]
    seen: npt.NDArray[np.uint8]


class Desk(NamedTuple):
    """Addresses of what one text at a time is worked on with. All but `joined` and `seen` hold int64."""

    joined: int
    """The words' bytes, run together."""
    places: int
    """Where each word begins in them, and …"""
    lengths: int
    """… how many characters there are before it."""
    hashes: int
    """Each word's hash."""
    some: int
    """Words that may begin a repeated n-gram, ascending, and …"""
    keys: int
    """… for each of them a hash for every n of DUP, side by side by n."""
    stride: int
    """Bytes between the keys of two n."""
    table: int
    """An open hash table: key, value, key, value."""
    seen: int
    """Two bits, a byte each, for what a key's slot has met: 0, once, more than once."""


@compiled
def room_for(words: int, size: int) -> Room:
    """Room for texts of at most that many words and bytes."""
    slots = 16
    while slots < 2 * words:
        slots *= 2
    return Room(
        np.zeros(size + 2 * SLACK, np.uint8),
        np.zeros((4 + len(DUP)) * (words + 2), np.int64),
        np.zeros(2 * slots, np.int64),
        np.zeros(8 * slots, np.uint8),
    )


@compiled
def desk_of(room: Room, words: int) -> Desk:
    """Addresses into `room`, which was made for `words`. Whoever holds the desk holds the room."""
    base, step = np.int64(room.words.ctypes.data), np.int64(8 * (words + 2))
    return Desk(
        np.int64(room.joined.ctypes.data), base, base + step, base + 2 * step, base + 3 * step, base + 4 * step, step,
        np.int64(room.table.ctypes.data), np.int64(room.seen.ctypes.data),
    )  # fmt: skip


@compiled
def lay(desk: Desk, origin: int, starts: int, ends: int, words: int) -> None:
    """Put a text's words on the desk: their bytes run together, places, lengths and hashes. `starts` and `ends` are addresses."""
    place, chars = 0, 0
    for index in range(0, 8 * words, 8):
        start, end = origin + word(starts + index), origin + word(ends + index)
        size = end - start
        put(desk.places + index, place)
        put(desk.lengths + index, chars)
        copied(desk.joined + place, start, end)
        if size <= 8:
            first = word(start) & low(size)
            if first & _ASCII:
                chars -= ones(shifted(first, 7) & ~shifted(first, 6) & _SECOND)
            chars += size
            key = times(first ^ times(size, MIX_2), MIX_1)
            put(desk.hashes + index, times(key ^ shifted(key, 32), MIX_2))
        else:
            chars += characters(start, end)
            put(desk.hashes + index, hashed(start, end))
        place += size
    put(desk.places + 8 * words, place)
    put(desk.lengths + 8 * words, chars)


@inlined
def _emptied(table: int, items: int) -> int:
    """Empty as much of the table as `items` need to fill it half; the shift that makes a slot of a product."""
    bits = 4
    while (1 << bits) < 2 * items:
        bits += 1
    for index in range(table, table + (16 << bits), 16):
        put(index, 0)
    return 64 - bits


@inlined
def _slot(table: int, shift: int, key: int) -> int:
    """The address of the slot where `key`, which is not 0, is in the table or would be."""
    mask = (1 << (64 - shift)) - 1
    slot = shifted(times(key, MIX_2), shift)
    while word(table + 16 * slot) != 0 and word(table + 16 * slot) != key:
        slot = (slot + 1) & mask
    return table + 16 * slot


@inlined
def _unseen(seen: int, items: int) -> int:
    """Clear as much of the filter as keeps it sparse for `items`; the shift that makes a slot of a key."""
    bits = 6
    while (1 << bits) < 8 * items:
        bits += 1
    for index in range(seen, seen + (1 << bits), 8):
        put(index, 0)
    return 64 - bits


@inlined
def _see(seen: int, shift: int, key: int) -> None:
    place = seen + shifted(key, shift)
    put_byte(place, (byte(place) << 1 | 1) & 3)


@inlined
def _often(seen: int, shift: int, key: int) -> int:
    """1 where `key` was seen more than once, or another of its slot was; else 0."""
    return byte(seen + shifted(key, shift)) >> 1


@compiled
def top(desk: Desk, n: int, words: int, count: int) -> tuple[int, int]:
    """Characters of the most frequent n-gram, words joined by a space, times its number; of equals the first. 0 where there is none.

    To be called with n = 2, 3, 4 in turn; `count` is `words`, then what the call before returned second: how many words may begin an
    n-gram that occurs twice. Those are in `some`, and the hashes of their n-grams in the first row of `keys`.
    """
    if words < n:
        return 0, 0
    if n == TOP[0]:
        for index in range(0, 8 * words, 8):
            put(desk.some + index, index)
            put(desk.keys + index, word(desk.hashes + index))
    last = 8 * (words - n)
    while count > 0 and word(desk.some + 8 * (count - 1)) > last:
        count -= 1
    shift = _unseen(desk.seen, count)
    for index in range(0, 8 * count, 8):
        last_hash = word(desk.hashes + word(desk.some + index) + 8 * (n - 1))
        key = times(word(desk.keys + index), MIX_2) ^ last_hash
        key = times(key ^ shifted(key, 32), MIX_1)
        put(desk.keys + index, key)
        _see(desk.seen, shift, key)
    left = 0
    for index in range(0, 8 * count, 8):
        key = word(desk.keys + index)
        put(desk.some + left, word(desk.some + index))
        put(desk.keys + left, key)
        left += _often(desk.seen, shift, key) << 3
    best, best_first = 1, 0
    slot_shift = _emptied(desk.table, left >> 3)
    for index in range(0, left, 8):
        key = word(desk.keys + index)
        key += key == 0
        slot = _slot(desk.table, slot_shift, key)
        if word(slot) == 0:
            put(slot, key)
            put(slot + 8, word(desk.some + index))
            continue
        entry = word(slot + 8) + (1 << 32)  # times seen before, and where first
        put(slot + 8, entry)
        number, first = (entry >> 32) + 1, entry & _FIRST
        if number > best or (number == best and first < best_first):
            best, best_first = number, first
    behind = best_first + 8 * n
    chars = word(desk.lengths + behind) - word(desk.lengths + best_first)
    return (chars + n - 1) * best, left >> 3


@compiled
def suspects(desk: Desk, words: int) -> int:
    """Write to `some` the words that may begin a repeated n-gram of DUP, and to `keys` the hashes of theirs; return how many.

    Those are words from which the next _WINDOW bytes are the same as from another word, and words whose shortest n-gram has fewer.
    """
    end = word(desk.places + 8 * words)
    whole = words
    while whole > 0 and word(desk.places + 8 * (whole - 1)) + _WINDOW > end:
        whole -= 1
    shift = _unseen(desk.seen, whole)
    for index in range(0, 8 * whole, 8):
        key = _window(desk.joined + word(desk.places + index))
        put(desk.keys + index, key)
        _see(desk.seen, shift, key)
    left = 0
    for index in range(0, 8 * (words - _LEAST + 1), 8):
        put(desk.some + left, index)
        brief = word(desk.places + index + 8 * _LEAST) - word(desk.places + index) < _WINDOW
        often = _often(desk.seen, shift, word(desk.keys + index)) if index < 8 * whole else 0
        left += (often | brief) << 3
    for index in range(0, left, 8):
        _hash_from(desk, word(desk.some + index), words, desk.keys + index)
    return left >> 3


@inlined
def _window(start: int) -> int:
    """A hash of the _WINDOW bytes at an address."""
    key = times(word(start) ^ times(word(start + 8), MIX_2), MIX_1)
    key ^= shifted(key, 32)
    return times(key, MIX_2)


@inlined
def _hash_from(desk: Desk, first: int, words: int, keys: int) -> None:
    """Hash the n-grams that begin at a word, for every n of DUP; 0 where the text has no more words."""
    start = word(desk.places + first)
    key, done = 0, 0
    for n in range(DUP[0], DUP[-1] + 1):
        ngram = 0
        if first + 8 * n <= 8 * words:
            size = word(desk.places + first + 8 * n) - start
            while done + 8 <= size:
                key = times(key ^ word(desk.joined + start + done), MIX_1)
                key ^= shifted(key, 29)
                done += 8
            rest = word(desk.joined + start + done) & low(size - done)
            ngram = times(key ^ rest ^ times(size, MIX_2), MIX_1)
            ngram = times(ngram ^ shifted(ngram, 32), MIX_2)
            ngram += ngram == 0
        put(keys, ngram)
        keys += desk.stride


@compiled
def duplicated(desk: Desk, n: int, words: int, count: int) -> int:
    """Characters of n-grams that stood before; behind such a one the search goes on n words later. Only the `count` words of `some`
    begin one."""
    keys = desk.keys + (n - DUP[0]) * desk.stride
    while count > 0 and word(desk.some + 8 * (count - 1)) + 8 * n > 8 * words:
        count -= 1
    shift = _unseen(desk.seen, count)
    for index in range(0, 8 * count, 8):
        _see(desk.seen, shift, word(keys + index))
    repeated, done = 0, 0
    slot_shift = 0
    for index in range(0, 8 * count, 8):
        key, first = word(keys + index), word(desk.some + index)
        if not _often(desk.seen, shift, key) or first < done:
            continue
        if slot_shift == 0:
            slot_shift = _emptied(desk.table, count)
        slot = _slot(desk.table, slot_shift, key)
        if word(slot) == key:
            done = first + 8 * n
            repeated += word(desk.lengths + done) - word(desk.lengths + first)
        else:
            put(slot, key)
    return repeated
