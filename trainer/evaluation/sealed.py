"""Base against tuned on one split, as a whole and source by source, with intervals.

Rows are measured as they lie in the version, not packed, in order of length, so that next to nothing is padded, whatever the run's
packing: no number here depends on how rows were joined. The longest come first: memory that ends, ends at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.store import VersionPath
from trainer.data import Rows, Vector, check_lengths, read_rows
from trainer.evaluation.intervals import FEW, Interval, group_sums, intervals
from trainer.evaluation.measure import Measure, Sums, measure_parts
from trainer.evaluation.origins import groups_of, origins_of
from trainer.loading import Readable
from trainer.steps import packing
from trainer.steps.packing import Collator

ROWS = pa.schema([
    pa.field("chunk_id", pa.string(), nullable=False),
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("group_id", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("tokens", pa.int64(), nullable=False),
    pa.field("base_loss", pa.float64(), nullable=False),
    pa.field("tuned_loss", pa.float64(), nullable=False),
    pa.field("base_hits", pa.int64(), nullable=False),
    pa.field("tuned_hits", pa.int64(), nullable=False),
])
"""One row a chunk, in the order of the version: tokens a loss is taken on, their mean loss in nats, and how many were the likeliest."""

QUIET = 20
"""Seconds that pass before a long measuring says how far it is."""

CHANGES = {"loss_change": ("tuned_loss", "base_loss"), "accuracy_change": ("tuned_accuracy", "base_accuracy")}
"""Differences that are drawn with the measures themselves: tuned minus base."""


@dataclass(frozen=True)
class Compared:
    """Both models on some documents."""

    name: str
    """The split, or the source."""
    documents: int
    groups: int
    base: Measure
    tuned: Measure
    intervals: Mapping[str, Interval]
    """Of base_loss, tuned_loss, base_accuracy, tuned_accuracy, and of `CHANGES`; empty where there is but one group."""

    def to_json(self) -> dict[str, Any]:
        """As plain values: what each model scored, what changed, each with its interval as [low, high] or null."""

        def ends(name: str, *, exp: bool = False) -> list[float] | None:
            found = self.intervals.get(name)
            if found is None:
                return None
            found = found.exp() if exp else found
            return [found.low, found.high]

        def side(name: str, found: Measure) -> dict[str, Any]:
            return {
                "loss": found.loss, "perplexity": found.perplexity, "accuracy": found.accuracy, "tokens": found.tokens,
                "intervals": {"loss": ends(f"{name}_loss"), "perplexity": ends(f"{name}_loss", exp=True),
                              "accuracy": ends(f"{name}_accuracy")},
            }  # fmt: skip

        return {
            "name": self.name, "documents": self.documents, "groups": self.groups,
            "base": side("base", self.base), "tuned": side("tuned", self.tuned),
            "change": {
                "loss": self.tuned.loss - self.base.loss, "accuracy": self.tuned.accuracy - self.base.accuracy,
                "intervals": {"loss": ends("loss_change"), "accuracy": ends("accuracy_change")},
            },
        }  # fmt: skip

    def size(self) -> str:
        """How much was measured, in words."""
        counts = ((self.tuned.tokens, "token"), (self.documents, "document"), (self.groups, "group"))
        tokens, documents, groups = (f"{n:,} {what}{'s' if n != 1 else ''}" for n, what in counts)
        return f"{tokens} of {documents} in {groups}"

    def lines(self, width: int | None = None) -> Iterator[str]:
        """A table for people; one measure below the other where it would be wider than `width`."""
        rows, cells = ("base", "tuned", "change"), self._cells()
        table = [f"{'':8}{'loss':<28}{'perplexity':<32}accuracy"]
        for row, loss, perplexity, accuracy in zip(rows, *cells.values(), strict=True):
            table.append(f"{row:8}{loss:<28}{perplexity:<32}{accuracy}")
        if width is not None and max(map(len, table)) > width:
            table = []
            for name, column in cells.items():
                table += [name, *(f"  {row:8}{cell}" for row, cell in zip(rows, column, strict=True))]
        yield from table
        if self.groups < 2:
            yield "all of it is one group of documents, so no interval can be drawn; a larger [split] test holds more"
        elif self.groups < FEW:
            yield f"the intervals stand on {self.groups} groups of documents: take them as a hint; a larger [split] test narrows them"

    def _cells(self) -> dict[str, list[str]]:
        """Of each measure what base, tuned and the change between them show."""
        found: dict[str, list[str]] = {"loss": [], "perplexity": [], "accuracy": []}
        for name, one in (("base", self.base), ("tuned", self.tuned)):
            found["loss"].append(self._with(f"{one.loss:.4f}", f"{name}_loss", ".4f"))
            found["perplexity"].append(self._with(f"{one.perplexity:.2f}", f"{name}_loss", ".2f", exp=True))
            found["accuracy"].append(self._with(f"{one.accuracy:.1%}", f"{name}_accuracy", ".1%"))
        change, gained = self.tuned.loss - self.base.loss, self.tuned.accuracy - self.base.accuracy
        found["loss"].append(self._with(f"{change:+.4f}", "loss_change", "+.4f"))
        found["perplexity"].append(self._with(f"x {np.exp(change):.3f}", "loss_change", ".3f", exp=True))
        found["accuracy"].append(self._with(f"{gained:+.1%}", "accuracy_change", "+.1%"))
        return found

    def line(self) -> str:
        """One line of a list of sources."""
        loss = self._with(f"{self.tuned.loss - self.base.loss:+.4f}", "loss_change", "+.4f")
        return (
            f"{self.name}: {self.documents:,} documents, {self.tuned.tokens:,} tokens, perplexity {self.base.perplexity:.2f} -> "
            f"{self.tuned.perplexity:.2f}, loss {loss}"
        )

    def _with(self, value: str, name: str, form: str, *, exp: bool = False) -> str:
        found = self.intervals.get(name)
        if found is None:
            return value
        found = found.exp() if exp else found
        return f"{value} [{found.low:{form}}, {found.high:{form}}]"


@dataclass(frozen=True)
class Comparison:
    """One split, measured."""

    whole: Compared
    sources: tuple[Compared, ...]
    """By name; one or more."""
    rows: pa.Table
    """Schema `ROWS`."""


def compare(
    readable: Readable,
    version: VersionPath,
    split: str,
    *,
    max_length: int,
    batch_size: int,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Measure both models on every chunk of `split`. Raises what `read_rows` and `measure_parts` raise."""
    rows = read_rows(version, split)
    check_lengths(version, rows, max_length)
    order = np.argsort(-rows.lengths, kind="stable")
    data = packing.dataset(Rows(rows.table.take(pa.array(order))), max_length, packing=False)
    collator = Collator(readable.tokenizer.pad_token_id or 0)
    size = batch_size

    def halved(now: int) -> None:
        nonlocal size
        say(f"memory does not hold {size} rows: measured by {now} from here on, which changes no number")
        size = now

    def sums(model: Any, name: str) -> Sums:
        tick = _now_and_then(lambda done: say(f"{name}: {done:,} of {len(data):,} rows measured"))
        found = measure_parts(
            model, data, collator, batch_size=size, precision=readable.precision, tick=tick, halved=halved
        )
        return found.take(np.argsort(order))

    with readable.base() as model:
        base = sums(model, "base")
    with readable.tuned() as model:
        tuned = sums(model, "tuned")
    return _comparison(version, split, rows.table, base, tuned, seed)


def _now_and_then(tell: Callable[[int], None]) -> Callable[[int], None]:
    """`tell`, at most once in QUIET seconds."""
    last = time.monotonic()

    def tick(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET:
            last = time.monotonic()
            tell(done)

    return tick


def _comparison(
    version: VersionPath, split: str, table: pa.Table, base: Sums, tuned: Sums, seed: int
) -> Comparison:
    documents, chunks = table["doc_id"].to_pylist(), table["chunk_id"].to_pylist()
    grouped, origins = groups_of(version, split), origins_of(version, split, documents)
    groups = np.array([grouped[chunk] for chunk in chunks])
    sources = np.array([origins[document].source for document in documents])

    def compared(name: str, parts: Vector) -> Compared:
        one, other = base.take(parts), tuned.take(parts)
        _, number = np.unique(groups[parts], return_inverse=True)
        columns = np.column_stack([one.loss, other.loss, one.hits, other.hits, one.tokens])
        each = group_sums(columns, number)
        names = ("base_loss", "tuned_loss", "base_accuracy", "tuned_accuracy")
        found = intervals(dict(zip(names, each.T, strict=False)), each[:, -1], CHANGES, seed=seed)
        many = len(set(np.array(documents)[parts].tolist()))
        return Compared(name, many, len(each), one.total(), other.total(), found)

    rows = pa.table(
        [chunks, documents, groups, sources, base.tokens, base.loss / base.tokens, tuned.loss / base.tokens, base.hits, tuned.hits],
        schema=ROWS,
    )  # fmt: skip
    by_source = tuple(compared(name, sources == name) for name in sorted(set(sources.tolist())))
    return Comparison(compared(split, np.ones(len(chunks), bool)), by_source, rows)
