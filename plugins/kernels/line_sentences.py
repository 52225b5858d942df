"""How many sentences the lines have that C4 keeps.

A token never holds white space, and what is cut of a run between white space depends on that run alone. So where the tokens of the whole
texts were found for another filter already, those of a line are among them; only lines that lost citations are read anew.
"""

from __future__ import annotations

import numpy as np

from plugins.kernels.buffers import Texts
from plugins.kernels.c4_lines import Bytes, Ints, Lines
from plugins.kernels.compiled import compiled
from plugins.kernels.sentences import sentences
from plugins.kernels.token_memo import at_hand
from plugins.kernels.tokens import Spans, tokens


def line_sentences(texts: Texts, lines: Lines) -> Ints:
    """The sentences of each of `lines`, which are of `texts`."""
    known = at_hand(texts)
    if known is None:
        return sentences(lines.texts, tokens(lines.texts))
    counts = sentences(lines.texts, Spans(*_moved(*known, lines.texts.offsets, lines.owners, lines.places)))
    shorter = np.flatnonzero(np.diff(lines.texts.offsets) < lines.sizes)
    if len(shorter):
        some = _taken(lines.texts, shorter)
        counts[shorter] = sentences(some, tokens(some))
    return counts


def _taken(texts: Texts, rows: Ints) -> Texts:
    """Some of the texts, side by side."""
    starts, ends = texts.offsets[rows], texts.offsets[rows + 1]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends - starts)])
    data: Bytes = np.concatenate([texts.data[start:end] for start, end in zip(starts, ends, strict=True)])
    for array in (data, offsets):
        array.flags.writeable = False
    return Texts(data, offsets)


@compiled
def _moved(
    starts: Ints, ends: Ints, bounds: Ints, offsets: Ints, owners: Ints, places: Ints
) -> tuple[Ints, Ints, Ints]:
    """The tokens of each line, of all tokens of its text, as places among the lines' own bytes."""
    lines = len(owners)
    most = np.int64(0)
    for line in range(lines):
        if line == 0 or owners[line] != owners[line - 1]:
            most += bounds[owners[line] + 1] - bounds[owners[line]]
    line_starts, line_ends = np.empty(most, np.int64), np.empty(most, np.int64)
    firsts = np.zeros(lines + 1, np.int64)
    count, token = 0, np.int64(0)
    for line in range(lines):
        place, size = places[line], offsets[line + 1] - offsets[line]
        token = max(token, bounds[owners[line]])
        last = bounds[owners[line] + 1]
        while token < last and starts[token] < place:
            token += 1
        while token < last and ends[token] <= place + size:
            line_starts[count] = starts[token] - place + offsets[line]
            line_ends[count] = ends[token] - place + offsets[line]
            count += 1
            token += 1
        firsts[line + 1] = count
    return line_starts[:count], line_ends[:count], firsts
