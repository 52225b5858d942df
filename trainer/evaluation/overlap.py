"""The longest stretch of tokens that a text has in common with the training chunks, word for word.

Two steps. Windows of `SEED` tokens of the texts are hashed once; the chunks' windows are hashed block by block and looked up among them, so
that a million tokens take a fraction of a second and only a block is in memory. Then every stretch of chunk whose windows all occur in a text, and which
is longer than what was found before, is compared token by token: a hash only proposes, as in dedup. A suffix automaton of all chunks
was rejected: it holds some hundred bytes a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.fingerprint import digest
from trainer.data import Vector
from trainer.evaluation.blocks import Block

SEED = 8
"""Tokens that must agree before a stretch counts: what is shorter is language, not memory."""

_BASE, _ODD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Overlap:
    """One stretch."""

    text: int
    """Which of the texts has it."""
    start: int
    """Its first token there."""
    tokens: int
    chunk: str
    document: str


def longest_overlaps(texts: Sequence[Sequence[int]], chunks: Iterable[Block]) -> list[Overlap | None]:
    """Of each text the longest stretch of at least `SEED` tokens that a chunk has too, the first of equals; None where there is none."""
    given = [np.asarray(text, np.int64) for text in texts]
    own = [np.unique(_hashes(text)) for text in given]
    every = np.unique(np.concatenate(own)) if own else np.zeros(0, np.uint64)
    best: list[Overlap | None] = [None] * len(given)
    seen: set[tuple[int, str]] = set()
    if not len(every):
        return best
    for block in chunks:
        hashes = _hashes(block.ids)
        row = block.row_of
        places = np.flatnonzero(_among(hashes, every) & (row[: len(hashes)] == row[SEED - 1 :]))
        for n, text in enumerate(given):
            mine = places[_among(hashes[places], own[n])]
            best[n] = _longer(best[n], n, text, mine, block, row, seen)
    return best


def _longer(
    best: Overlap | None,
    number: int,
    text: Vector,
    places: Vector,
    block: Block,
    row: Vector,
    seen: set[tuple[int, str]],
) -> Overlap | None:
    """`best`, or a longer stretch of the block, whose windows at `places` all occur in the text.

    What was compared with a text is remembered in `seen`: rules and refrains that chunks repeat are compared once.
    """
    if not len(places):
        return best
    broken = np.flatnonzero((np.diff(places) != 1) | (np.diff(row[places]) != 0)) + 1
    firsts, lasts = places[np.r_[0, broken]], places[np.r_[broken - 1, len(places) - 1]]
    for at in np.argsort(firsts - lasts, kind="stable"):  # longest first
        first, end = int(firsts[at]), int(lasts[at]) + SEED
        if min(end - first, len(text)) <= (best.tokens if best else SEED - 1):
            break
        key = number, digest(block.ids[first:end].tobytes())
        if key in seen:
            continue
        seen.add(key)
        length, start = _common(block.ids[first:end], text)
        if length >= SEED and length > (best.tokens if best else 0):
            best = Overlap(number, start, length, block.chunks[row[first]], block.documents[row[first]])
    return best


def _common(one: Vector, other: Vector) -> tuple[int, int]:
    """The length of the longest common substring of two token arrays, and where it starts in the other."""
    length, start = 0, 0
    ending = np.zeros(len(other) + 1, np.int64)  # [j]: length of the common stretch that ends before other[j]
    for token in one:
        ending[1:] = np.where(other == token, ending[:-1] + 1, 0)
        longest = int(ending.max())
        if longest > length:
            length, start = longest, int(ending.argmax()) - longest
    return length, start


def _hashes(tokens: Vector) -> Vector:
    """A 64-bit polynomial hash of every window of `SEED` tokens; uint64 of shape (tokens - SEED + 1,)."""
    count = len(tokens) - SEED + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    mixed = (tokens.astype(np.uint64) + np.uint64(1)) * _ODD
    mixed ^= mixed >> np.uint64(32)
    found = mixed[:count].copy()
    for n in range(1, SEED):
        found = found * _BASE + mixed[n : n + count]
    return found


def _among(values: Vector, ordered: Vector) -> Vector:
    """Whether each value is one of the `ordered` ones, bool."""
    if not len(ordered):
        return np.zeros(len(values), np.bool_)
    return ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values
