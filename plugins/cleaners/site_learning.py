"""How `boilerplate` counts the lines of pages, and which of them it takes for a site's furniture.

A page counts a line once: where it first stands, and which line follows it there. Counts are sums over pages, so tables of any pieces of a
corpus add up to the same. They hold every line once more (compressed, about what the extracted texts take on disk), and are gone through
twice: the first time into a sketch of 2^24 counters, each the sum of all lines whose hash falls there and so never too low; the
second time only lines whose counter reaches `min_pages` are looked at. That bounds memory by what repeats, and loses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import cast

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash

from plugins.cleaners.site_lines import Line, lines, words

COUNTS = pa.schema([
    ("key", pa.uint64()),
    ("next", pa.uint64()),
    ("scope", pa.string()),
    ("line", pa.string()),
    ("n_pages", pa.int64()),
    ("n_edge", pa.int64()),
    ("n_outer", pa.int64()),
])
"""Hash of scope and line, and of the line that follows (or END, or OTHER); how the line is spelled; pages, those where it stands
at an end, and those where it is one of the two outermost lines of that."""

LEARNS = pa.schema([
    ("scope", pa.string()),
    ("line", pa.string()),
    ("n_pages", pa.int64()),
    ("n_scope_pages", pa.int64()),
])

END, OTHER = 0, 1
"""Nothing follows; something does that is never touched, or does not repeat."""

SKETCH = 1 << 24
"""Counters of the sketch; four bytes each."""
HELD = 1 << 20
"""Rows that are held before they are added up."""

FOLLOWS = 0.8
"""Share of the pages of either of two lines on which the one follows the other, for them to be a run."""
OUTER = 2
"""Lines from an end of a page that are its outermost."""
ROUNDING = 1e-9
"""What a share of a number of pages may lack: 0.1 * 30 is more than 3."""
RUN = 3
"""Lines of a run that may go without a line that may go by itself."""
HEADING = "#"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The options of `boilerplate` that decide."""

    min_pages: int
    min_share: float
    inside_share: float
    min_words: int


@dataclass
class Repeated:
    """A line that stands on many pages of a site."""

    key: int
    spelled: str
    pages: int
    edge: bool
    """Whether it mostly stands at an end of a page."""
    outer: bool
    """Whether it mostly is one of the outermost lines there."""
    words: int
    following: dict[int, int] = field(default_factory=dict)
    """Pages by the line that follows."""

    @property
    def heading(self) -> bool:
        return self.spelled.startswith(HEADING)

    def leads_to(self, key: int, pages: int) -> bool:
        """Whether the line `key`, on so many pages, follows nearly always, and seldom follows another."""
        return self.following.get(key, 0) >= FOLLOWS * max(self.pages, pages)


# ------------------------------------------------------------------------------------------------ count


def count(pages: Sequence[Sequence[str]], scopes: Sequence[str], *, edge: int, fold_digits: bool) -> pa.Table:
    """COUNTS of some pages, each given as its texts."""
    sums: dict[tuple[str, str, int, int], list[int]] = {}
    for texts, scope in zip(pages, scopes, strict=True):
        for key, line, following, depth in _page(texts, scope, edge, fold_digits=fold_digits):
            known = sums.setdefault((scope, line, key, following), [0, 0, 0])
            known[0] += 1
            known[1] += depth is not None
            known[2] += depth is not None and depth < OUTER
    named = sorted(sums)
    columns = [
        [key for _, _, key, _ in named],
        [following for _, _, _, following in named],
        [scope for scope, _, _, _ in named],
        [line for _, line, _, _ in named],
        [sums[name][0] for name in named],
        [sums[name][1] for name in named],
        [sums[name][2] for name in named],
    ]
    return pa.table(columns, schema=COUNTS)


def _page(
    texts: Sequence[str], scope: str, edge: int, *, fold_digits: bool
) -> Iterator[tuple[int, str, int, int | None]]:
    """Each line of a page where it first stands: its hash, spelling, the hash of what follows, how many lines from an end, if it is one."""
    seen: set[int] = set()
    for text in texts:
        found = lines(text, fold_digits=fold_digits)
        hashes = [_hash(scope, line) for line in found]
        # In a dialogue, any line may begin or end a message: there nothing is an end.
        zone = min(edge, max(1, len(found) // 4)) if len(texts) == 1 else 0
        for n, (line, hashed) in enumerate(zip(found, hashes, strict=True)):
            if line.key and hashed not in seen:
                seen.add(hashed)
                following = hashes[n + 1] if n + 1 < len(found) else END
                spelled = " ".join(text[line.start : line.end].split())
                depth = min(n, len(found) - 1 - n)
                yield hashed, spelled, following, depth if depth < zone else None


def _hash(scope: str, line: Line) -> int:
    return max(OTHER + 1, xxhash.xxh3_64_intdigest(f"{scope}\0{line.key}".encode())) if line.key else OTHER


# ------------------------------------------------------------------------------------------------ learn


def learn(counts: Iterable[pa.Table], sizes: Mapping[str, int], bounds: Bounds) -> pa.Table:
    """scope, line, n_pages and n_scope_pages of the lines that are furniture."""
    found: list[dict[str, str | int]] = []
    if max(sizes.values(), default=0) >= bounds.min_pages:
        for scope, repeated in _by_scope(_repeating(counts, bounds.min_pages), sizes, bounds):
            found += [
                {"scope": scope, "line": one.spelled, "n_pages": one.pages, "n_scope_pages": sizes[scope]}
                for one in furniture(repeated, bounds)
            ]
    return pa.Table.from_pylist(found, schema=LEARNS)


def _repeating(counts: Iterable[pa.Table], at_least: int) -> pl.DataFrame:
    """COUNTS, added up, of the lines that may stand on so many pages."""
    sketch = np.zeros(SKETCH, np.uint32)
    for table in counts:
        keys = table["key"].to_numpy() % SKETCH
        np.add.at(sketch, keys, table["n_pages"].to_numpy().astype(np.uint32))
    many = sketch >= at_least
    held = [cast(pl.DataFrame, pl.from_arrow(COUNTS.empty_table()))]
    for table in counts:
        rows = cast(
            pl.DataFrame, pl.from_arrow(table.filter(pa.array(many[table["key"].to_numpy() % SKETCH])))
        )
        following = rows["next"].to_numpy()
        lone = ~many[following % SKETCH] & (following > OTHER)
        held.append(
            rows.with_columns(next=pl.when(pl.Series(lone)).then(pl.lit(OTHER, pl.UInt64)).otherwise("next"))
        )
        if sum(frame.height for frame in held) > HELD:
            held = [_added(held)]
    return _added(held)


def _added(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return (
        pl
        .concat(frames)
        .group_by("key", "next", "scope", "line")
        .agg(pl.col("n_pages", "n_edge", "n_outer").sum())
    )


def _by_scope(
    rows: pl.DataFrame, sizes: Mapping[str, int], bounds: Bounds
) -> Iterator[tuple[str, list[Repeated]]]:
    """The lines that repeat enough, scope by scope."""
    ordered = rows.sort("scope", "key", "line", "next").select(
        "scope", "key", "line", "next", "n_pages", "n_edge", "n_outer"
    )
    for scope, mine in groupby(ordered.iter_rows(), itemgetter(0)):
        found = []
        for key, each in groupby(mine, itemgetter(1)):
            repeated = _repeated(key, list(each))
            share = bounds.min_share if _at_end(repeated, bounds) else bounds.inside_share
            if repeated.pages >= bounds.min_pages and repeated.pages >= share * sizes[scope] - ROUNDING:
                found.append(repeated)
        yield scope, found


def _repeated(key: int, rows: list[tuple[str, int, str, int, int, int, int]]) -> Repeated:
    spellings: Counter[str] = Counter()
    following: Counter[int] = Counter()
    for _, _, line, after, pages, _, _ in rows:
        spellings[line] += pages
        following[after] += pages
    spelled = min(spellings, key=lambda line: (-spellings[line], line))
    pages = spellings.total()
    edge, outer = 2 * sum(row[5] for row in rows) >= pages, 2 * sum(row[6] for row in rows) >= pages
    return Repeated(key, spelled, pages, edge, outer, words(spelled), dict(following))


def _at_end(one: Repeated, bounds: Bounds) -> bool:
    """Whether a smaller share is enough. Of lines that would go by themselves the shorter half must be outermost: "To access this command..." is a
    heading of a third of LibreOffice's help, close to the head of short pages."""
    return one.outer if bounds.min_words <= one.words < 2 * bounds.min_words else one.edge


def furniture(repeated: Sequence[Repeated], bounds: Bounds) -> list[Repeated]:
    """Which of the lines that repeat on a site are furniture: those that say enough, and runs of short ones (see `boilerplate`)."""
    known = {END, *(one.key for one in repeated)}
    return [one for run in _runs(repeated) for one in _part(run, known, bounds)]


def _part(run: list[Repeated], known: set[int], bounds: Bounds) -> list[Repeated]:
    """What goes of lines that always follow each other."""
    alone = [one for one in run if one.words >= bounds.min_words and not one.heading]
    last = run[-1]
    settled = sum(pages for key, pages in last.following.items() if key in known)
    # Where what follows the run says something else on each page, a short line before it may be the heading of that.
    if last not in alone and settled < FOLLOWS * last.pages:
        run = run[:-1]
    if alone:
        return run
    enough = sum(one.words for one in run) >= bounds.min_words
    return run if len(run) >= RUN and enough and all(one.edge for one in run) else []


def _runs(repeated: Sequence[Repeated]) -> Iterator[list[Repeated]]:
    """The lines in runs of those that always follow each other; a line by itself is a run."""
    by_key = {one.key: one for one in repeated}
    after: dict[int, int] = {}
    for one in repeated:
        likely = max(one.following, key=lambda key: (one.following[key], key))
        if likely in by_key and likely != one.key and one.leads_to(likely, by_key[likely].pages):
            after[one.key] = likely
    led_to = set(after.values())
    heads = [one.key for one in repeated if one.key not in led_to]
    seen: set[int] = set()
    for head in [*heads, *sorted(by_key)]:  # a ring has no head: it is cut at its smallest key
        run = []
        at: int | None = head
        while at is not None and at not in seen:
            seen.add(at)
            run.append(by_key[at])
            at = after.get(at)
        if run:
            yield run
