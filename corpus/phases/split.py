"""split: kept documents → train, val and test, so that nothing related lies on two sides.

Declared groups (`corpus.phases.groups`) that proven near-duplicates join, dropped ones too, form a component, and a component
goes into one split. One of more kept documents than max(1 %, 50) would unbalance the splits: it is cut back to its declared
groups, and documents of val and test that then lie near one elsewhere are purged (`corpus.phases.overlap`).

A component's place is drawn from its name, never from its rank or a shuffle: u = H(seed, smallest group id) in [0, 1), test below
`test`, val below `test + val`, train above. So a document that arrives later moves no other group. Small corpora
may draw nothing for a split that was asked for; it then takes the component nearest by u from train (for val and test: the
lowest), or, where train has none to spare, from the split with most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from corpus.phases.groups import group_ids
from corpus.phases.overlap import near_elsewhere
from plugins.kernels.components import components
from schemas.errors import SplitError
from schemas.fingerprint import fingerprint
from schemas.recipe import Split
from schemas.tables import GROUPS

SHARE = 0.01
"""A component may hold this share of the kept documents …"""

SMALLEST_LIMIT = 50
"""… or so many documents, where that is more."""

ASSIGNMENT = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("group_id", pa.string(), nullable=False),
    pa.field("split", pa.string(), nullable=False),
])

PURGED = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("detail", pa.string(), nullable=False),
])


@dataclass(frozen=True)
class Placed:
    """Where each kept document goes; all tables by their first column."""

    assignment: pa.Table
    """ASSIGNMENT: one row a kept document that was not purged."""
    groups: pa.Table
    """schemas.tables.GROUPS: groups with at least one such document."""
    purged: pa.Table
    """PURGED: kept documents that may not stay in val or test; their fate is `split`, reason `overlap`."""


def split(documents: pa.Table, kept: Iterable[str], edges: pa.Table, options: Split) -> Placed:
    """Place the documents in `kept`.

    `documents` are all that passed the filters: doc_id, source, url, group, and the column that `options.group` names, if any.
    `edges` (schemas.tables.EDGES) are among them. Raises SplitError when there are fewer components than splits asked for,
    when purging leaves a split empty, or when `options.group` is no column.
    """
    members = pl.DataFrame(
        {"doc_id": documents["doc_id"].to_pylist(), "group_id": group_ids(documents, options.group)},
        schema=_IDS,
    )
    members = members.with_columns(
        kept=pl.col("doc_id").is_in(pl.Series(list(kept), dtype=pl.String).implode())
    )
    groups = _components(members, pl.DataFrame(edges.select(["doc_a", "doc_b"])))
    placed = _draw(groups, options)
    whereabouts = members.filter("kept").join(groups, on="group_id").join(placed, on="component")
    purged = near_elsewhere(whereabouts.select("doc_id", "split"), edges)
    stays = whereabouts.join(purged, on="doc_id", how="anti").sort("doc_id")
    _check_none_empty(placed, stays)
    counted = (
        stays.group_by("group_id", "component", "split").agg(pl.len().alias("n_documents")).sort("group_id")
    )
    return Placed(_arrow(stays, ASSIGNMENT), _arrow(counted, GROUPS), _arrow(purged.sort("doc_id"), PURGED))


_IDS = {"doc_id": pl.String, "group_id": pl.String}


def _components(members: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """(group_id, component) for groups with a kept document; a component is named after the smallest of them."""
    groups = members.group_by("group_id").agg(pl.col("kept").sum()).sort("group_id").with_row_index("number")
    numbers = members.join(groups, on="group_id").select("doc_id", pl.col("number").cast(pl.Int64))
    ends = [
        edges.select(doc_id=end).join(numbers, on="doc_id", how="left", maintain_order="left")["number"]
        for end in edges.columns
    ]
    if any(end.null_count() for end in ends):
        raise ValueError("an edge names a document that is not among those to split")
    joined = groups.with_columns(root=pl.Series(components(groups.height, *(end.to_numpy() for end in ends))))
    inhabited = joined.filter(pl.col("kept") > 0)
    limit = max(SHARE * int(inhabited["kept"].sum()), SMALLEST_LIMIT)
    return inhabited.select(
        "group_id",
        component=pl
        .when(pl.col("kept").sum().over("root") > limit)
        .then("group_id")
        .otherwise(pl.col("group_id").min().over("root")),
    )


def draw(seed: int, key: str) -> float:
    """A number in [0, 1) that depends on the two alone: the first 52 bits of their fingerprint.

    >>> draw(7, "a") == draw(7, "a") != draw(8, "a")
    True
    """
    return int(fingerprint([seed, key])[:13], 16) / 2**52


def _draw(groups: pl.DataFrame, options: Split) -> pl.DataFrame:
    """(component, split)."""
    names = groups["component"].unique().to_list()
    by_u = sorted(names, key=lambda name: (draw(options.seed, name), name))
    wanted = {"test": options.test, "val": options.val, "train": 1.0}
    asked = [name for name, share in wanted.items() if share > 0]
    if len(by_u) < len(asked):
        raise SplitError(_too_few(len(by_u), len(asked), groups, options))
    placed: dict[str, list[str]] = {name: [] for name in wanted}
    for name in by_u:
        u = draw(options.seed, name)
        placed["test" if u < options.test else "val" if u < options.test + options.val else "train"].append(
            name
        )
    for empty in [name for name in asked if not placed[name]]:
        richest = max(wanted, key=lambda name: len(placed[name]))
        giver = "train" if len(placed["train"]) > 1 else richest
        order = list(wanted)  # by u
        placed[empty].append(placed[giver].pop(0 if order.index(giver) > order.index(empty) else -1))
    pairs = [(name, split) for split, names in placed.items() for name in names]
    return pl.DataFrame(pairs, schema={"component": pl.String, "split": pl.String}, orient="row")


def _too_few(found: int, asked: int, groups: pl.DataFrame, options: Split) -> str:
    joined = groups.height - found
    why = f" ({groups.height} groups, {joined} of them joined to others by near-duplicates)" if joined else ""
    return (
        f"the kept documents form {found} group{'s' if found != 1 else ''}{why}, too few for {asked} splits: val is {options.val:g}, test is "
        f"{options.test:g}, and train needs one too. Add documents, set val = 0 or test = 0 in [split], or choose smaller groups "
        f'(group is "{options.group}"; "document" is the smallest).'
    )


def _check_none_empty(placed: pl.DataFrame, stays: pl.DataFrame) -> None:
    empty = sorted(set(placed["split"]) - set(stays["split"]))
    if empty:
        name = empty[0]
        raise SplitError(
            f"every document of {name} lies near one of another split, so {name} is left empty. "
            f"Raise {name} in [split], change its seed, or lower the threshold of [dedup] fuzzy so that such documents count as duplicates."
        )


def _arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays(
        [frame[name].to_arrow().cast(schema.field(name).type) for name in schema.names], schema=schema
    )
