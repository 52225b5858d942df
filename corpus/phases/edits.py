"""The spans a cleaner changed, found by comparing two texts, replayed and undone.

Shortest edit scripts are quadratic, and a book has a hundred thousand lines. So the texts are aligned by their rare tokens
(Bram Cohen's patience diff): lines first, compared without their whitespace since that is what cleaners change most, then words inside
the lines that differ. `difflib` sees only what is small. Where nothing aligns, the span is coarse, never wrong: edits are cut from a
partition of both texts, so that replaying them gives the new text whatever the alignment. A book of 5 MB takes a tenth of a second where little changed, and some seconds where every line did.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from plugins.contracts import Edit

SMALL = 4096
"""Pairs of tokens that `difflib` may be given at once."""

TINY = 64
"""Pairs that `difflib` is given whatever they are."""

Block = tuple[int, int, int, int]
"""Tokens [i1, i2) of the one sequence against [j1, j2) of the other."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


def diff(before: str, after: str) -> list[Edit]:
    r"""The edits that turn `before` into `after`: ascending, not overlapping, none empty.

    >>> diff("one  two\nthree ", "one two\nthree")
    [Edit(start=4, end=5, after=''), Edit(start=14, end=15, after='')]
    """
    spans = [] if before == after else _refine(before, after, 0, 0)
    return [Edit(start, end, after[j1:j2]) for start, end, j1, j2 in _merged(spans)]


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with its edits made. Raises ValueError where they overlap, descend, or reach past its end."""
    pieces, done = [], 0
    for edit in edits:
        if not done <= edit.start <= edit.end <= len(text):
            raise ValueError(
                f"edit [{edit.start}, {edit.end}) does not follow {done} inside a text of {len(text)} characters"
            )
        pieces += [text[done : edit.start], edit.after]
        done = edit.end
    return "".join([*pieces, text[done:]])


def invert(text: str, edits: Iterable[Edit]) -> list[Edit]:
    """The edits that lead back: `apply(apply(text, edits), invert(text, edits)) == text`."""
    back, shift = [], 0
    for edit in edits:
        start = edit.start + shift
        back.append(Edit(start, start + len(edit.after), text[edit.start : edit.end]))
        shift += len(edit.after) - (edit.end - edit.start)
    return back


def _merged(spans: Iterable[Block]) -> Iterator[Block]:
    """Spans that touch, as one."""
    last: Block | None = None
    for span in spans:
        if last and span[0] == last[1] and span[2] == last[3]:
            last = (last[0], span[1], last[2], span[3])
            continue
        if last:
            yield last
        last = span
    if last:
        yield last


def _refine(before: str, after: str, i: int, j: int) -> list[Block]:
    """Changed character spans of two texts that stand at `i` and `j`: by lines."""
    a, b = before.splitlines(keepends=True), after.splitlines(keepends=True)
    keys_a, keys_b = ["".join(line.split()) for line in a], ["".join(line.split()) for line in b]
    starts_a, starts_b = _starts(a), _starts(b)
    spans: list[Block] = []
    for i1, i2, j1, j2 in _align(keys_a, keys_b):
        old = before[starts_a[i1] : starts_a[i2]]
        new = after[starts_b[j1] : starts_b[j2]]
        if old != new:
            spans += _words(old, new, i + starts_a[i1], j + starts_b[j1])
    return spans


def _words(before: str, after: str, i: int, j: int) -> list[Block]:
    """Changed character spans of two short texts: by words."""
    head = _prefix(before, after)
    tail = _prefix(before[head:][::-1], after[head:][::-1])
    before, after = before[head : len(before) - tail], after[head : len(after) - tail]
    i, j = i + head, j + head
    if not before or not after:
        return [(i, i + len(before), j, j + len(after))]
    a, b = _WORD.findall(before), _WORD.findall(after)
    starts_a, starts_b = _starts(a), _starts(b)
    return [
        (i + starts_a[i1], i + starts_a[i2], j + starts_b[j1], j + starts_b[j2])
        for i1, i2, j1, j2 in _align(a, b)
        if a[i1:i2] != b[j1:j2]
    ]


def _prefix(a: str, b: str) -> int:
    """Length of the longest common prefix, by halving: comparing slices is done in C."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


def _starts(tokens: Sequence[str]) -> list[int]:
    """Where each token starts, and where the last one ends."""
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token))
    return starts


def _align(a: Sequence[str], b: Sequence[str]) -> Iterator[Block]:
    """A partition of both sequences into blocks: one token against its equal, or a stretch against what took its place."""
    work: list[Block] = [(0, len(a), 0, len(b))]
    while work:
        i1, i2, j1, j2 = work.pop()
        while i1 < i2 and j1 < j2 and a[i1] == b[j1]:
            yield i1, i1 + 1, j1, j1 + 1
            i1, j1 = i1 + 1, j1 + 1
        if i1 == i2 or j1 == j2:
            if i1 < i2 or j1 < j2:
                yield i1, i2, j1, j2
            continue
        same = 0
        while same < min(i2 - i1, j2 - j1) and a[i2 - 1 - same] == b[j2 - 1 - same]:
            same += 1
        pieces = _pieces(a, b, (i1, i2 - same, j1, j2 - same))
        if pieces is None:
            yield i1, i2 - same, j1, j2 - same
            pieces = []
        # A stack gives back last what went in first; the equal tail is popped after all before it.
        work += [(i2 - same, i2, j2 - same, j2)] if same else []
        work += reversed(pieces)


def _pieces(a: Sequence[str], b: Sequence[str], block: Block) -> list[Block] | None:
    """The block cut at what surely corresponds; None where it cannot be cut."""
    i1, i2, j1, j2 = block
    anchors = _anchors(a[i1:i2], b[j1:j2])
    if not anchors:
        if (i2 - i1) * (j2 - j1) <= SMALL:
            anchors = _matches(a[i1:i2], b[j1:j2])
        elif i2 - i1 == j2 - j1:
            # As many on both sides: cleaners seldom move lines, so each took the place of its like.
            return [(i1 + k, i1 + k + 1, j1 + k, j1 + k + 1) for k in range(i2 - i1)]
    if not anchors:
        return None
    ends = [(0, 0), *anchors, (i2 - i1, j2 - j1)]
    cuts = [(i1 + p, i1 + q, j1 + s, j1 + t) for (p, s), (q, t) in pairwise(ends)]
    return [cut for cut in cuts if cut[0] < cut[1] or cut[2] < cut[3]]


def _matches(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    # Blanks and full stops are in every line: what has nothing else in common is another text.
    if len(a) * len(b) > TINY and not any(map(str.isalnum, set(a) & set(b))):
        return []
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return [(m.a + k, m.b + k) for m in matcher.get_matching_blocks() for k in range(m.size)]


def _anchors(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of tokens that occur once on each side, as the longest run ascending on both (patience sorting)."""
    once = {token for token, count in Counter(a).items() if count == 1}
    counts = Counter(token for token in b if token in once)
    place = {token: j for j, token in enumerate(b) if token in once and counts[token] == 1}
    pairs = [(i, place[token]) for i, token in enumerate(a) if token in place]
    tops: list[int] = []
    piles: list[int] = []
    previous = [-1] * len(pairs)
    for index, (_, j) in enumerate(pairs):
        pile = bisect_left(tops, j)
        previous[index] = piles[pile - 1] if pile else -1
        tops[pile : pile + 1], piles[pile : pile + 1] = [j], [index]
    found, index = [], piles[-1] if piles else -1
    while index >= 0:
        found.append(pairs[index])
        index = previous[index]
    return found[::-1]
