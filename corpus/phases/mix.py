"""mix: what dedup kept → what stays of each source, site, author and thread, as the recipe's [mix] says.

First the caps. Each looks at all documents that dedup kept, lines those of one site (author, thread) up by draw, and drops what stands
behind the cap; a document stays where no cap drops it. So caps do not depend on each other, and raising one only adds documents.

Then the weights, of what the caps left: source i of n_i characters is to have a share p_i ∝ w_i · n_i^(1/T). The source that is
scarcest against its share stays whole and every other is cut to fit, in order of draw: a document stays where half of it or more lies
within the source's target, the first of a source always. Shares are kept whatever the caps are, so with weights a raised cap may well
drop a document of another source. Rejected: weighing before the caps, since the size of a site that a cap tames would count.

The unit is the document. A thread that was folded into one stays whole; chapters and posts that are documents of their own go one by
one, since a training row never crosses documents, and the split keeps what is left of a thread together anyway. The draw is
H(seed, "mix:" doc_id), so neither the order of rows nor what else is there decides who comes first. Rejected: the first documents of a thread
or site, which are its oldest or those its index names first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from corpus.phases.groups import host_of
from corpus.phases.split import draw
from schemas.errors import MixError
from schemas.recipe_mix import KINDS, Mix

SALT = "mix:"
"""Goes before a doc_id that is drawn. The split draws by doc_id too, with the same default seed: unsalted, what is left of a source
that is cut to a tenth would all lie below u = 0.1, that is in test and val."""

_DROPPED = {"doc_id": pl.String, "reason": pl.String, "detail": pl.String}


@dataclass(frozen=True)
class Mixed:
    """What goes."""

    dropped: pl.DataFrame
    """doc_id, reason (weight, cap:site, cap:author or cap:thread), detail: by doc_id; their fate is `mix`."""
    counts: dict[str, int] = field(default_factory=dict)
    """Documents dropped by reason; and of every source its characters: `chars_before:NAME` (what dedup kept), `chars_target:NAME` (what
    weights and temperature ask for, of what the caps left) and `chars:NAME` (what stays)."""


def nothing_dropped() -> Mixed:
    """What a recipe without [mix] comes to."""
    return Mixed(pl.DataFrame(schema=_DROPPED))


def mix(kept: pl.DataFrame, options: Mix) -> Mixed:
    """Choose what stays of `kept`: doc_id (unique), source, url, author, group, n_chars; one row a document that dedup kept.

    Raises MixError where a `max_share` cannot be reached, since too few sites, authors or threads are there.
    """
    if not options.active or kept.height == 0:
        return nothing_dropped()
    drawn = kept.with_columns(
        draw=pl.Series(
            [draw(options.seed, f"{SALT}{doc_id}") for doc_id in kept["doc_id"]], dtype=pl.Float64
        ),
        site=pl.Series(_sites(kept["url"].to_list()), dtype=pl.String),
    ).sort("draw", "doc_id")
    capped = _capped(drawn, options)
    left = drawn.join(capped, on="doc_id", how="anti", maintain_order="left")
    targets = _targets(_characters(left), options)
    light = _outweighed(left, targets) if options.weighs else capped.clear()
    dropped = pl.concat([capped, light]).sort("doc_id")
    return Mixed(dropped, _counts(drawn, dropped, targets))


def _sites(urls: Sequence[str | None]) -> list[str | None]:
    known = {url: host_of(url) for url in set(urls)}
    return [known[url] for url in urls]


# ------------------------------------------------------------------------------------------------ caps

_KEYS = {
    "site": (["site"], pl.col("site")),
    "author": (["source", "author"], pl.col("author")),
    "thread": (["source", "group"], pl.col("group")),
}
"""What documents must share to be of one site, author or thread, and the column that names it; null is of none."""


def _capped(drawn: pl.DataFrame, options: Mix) -> pl.DataFrame:
    """What stands behind a cap: the first one, in the order of KINDS. `drawn` is in order of draw."""
    told = drawn.select("doc_id", reason=pl.lit(None, pl.String), detail=pl.lit(None, pl.String))
    for kind in KINDS:
        keys, name = _KEYS[kind]
        sizes = drawn.filter(name.is_not_null()).group_by(keys).len()["len"].to_numpy()
        cap = _cap(kind, sizes, drawn.height, options)
        if cap is None:
            continue
        place, size = (expression.over(keys) for expression in (pl.int_range(1, pl.len() + 1), pl.len()))
        line = drawn.select(
            over=name.is_not_null() & (place > cap),
            detail=pl.format("document {} of {} from {}; the cap is {}", place, size, name, pl.lit(cap)),
        )
        fresh = told["reason"].is_null() & line["over"]
        told = told.with_columns(
            reason=pl.when(fresh).then(pl.lit(f"cap:{kind}")).otherwise("reason"),
            detail=pl.when(fresh).then(line["detail"]).otherwise("detail"),
        )
    return told.filter(pl.col("reason").is_not_null())


def _cap(kind: str, sizes: np.ndarray, documents: int, options: Mix) -> int | None:
    """The smaller of what `cap` and `max_share` allow; None where neither is given."""
    share: float | None = getattr(options.max_share, kind)
    allowed = [getattr(options.cap, kind), share and _cap_of_share(kind, share, sizes, documents)]
    return min((cap for cap in allowed if cap is not None), default=None)


def _cap_of_share(kind: str, share: float, sizes: np.ndarray, documents: int) -> int | None:
    """The most documents that each may have so that none is more than `share` of all that are left; None where all may stay.

    With k each, Σ min(size, k) + those of none are left; left / k falls as k grows, so the greatest k is found by halving.
    """
    if sizes.size == 0 or sizes.max() <= share * documents:
        return None
    free = documents - int(sizes.sum())

    def fits(cap: int) -> bool:
        return cap <= share * (int(np.minimum(sizes, cap).sum()) + free)

    low, high = 0, int(sizes.max())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    if low == 0:
        raise MixError(
            f"mix.max_share.{kind} = {share:g} cannot be reached: the {documents} documents that dedup kept name {sizes.size} "
            f"{kind}{'s' if sizes.size != 1 else ''}, so that even with one document each, one of them holds {1 / (sizes.size + free):.0%} of what is left. "
            f"Raise it, take it out, or add sources."
        )
    return low


# ------------------------------------------------------------------------------------------------ weights


def _characters(documents: pl.DataFrame) -> dict[str, int]:
    """Characters of each source, by its name."""
    counted = documents.group_by("source").agg(pl.col("n_chars").sum()).sort("source")
    return {str(source): int(chars) for source, chars in counted.iter_rows()}


def _targets(sizes: dict[str, int], options: Mix) -> dict[str, float]:
    """Characters each source is to have: the largest that keep the shares and repeat nothing."""
    if not options.weighs:
        return {source: float(size) for source, size in sizes.items()}
    wanted = {
        source: options.weights.get(source, 1.0) * max(size, 1) ** (1 / options.temperature)
        for source, size in sizes.items()
    }
    scale = min(size / wanted[source] for source, size in sizes.items() if size) if any(sizes.values()) else 0
    # The scarcest keeps every character; a rounding error must not cost it its last document.
    return {source: min(float(sizes[source]), scale * wanted[source] * (1 + 1e-12)) for source in sizes}


def _outweighed(left: pl.DataFrame, targets: dict[str, float]) -> pl.DataFrame:
    """What lies beyond its source's target, in order of draw; never the first of a source."""
    placed = left.with_columns(
        before=pl.col("n_chars").cum_sum().over("source") - pl.col("n_chars"),
        first=pl.int_range(pl.len()).over("source") == 0,
        target=pl.col("source").replace_strict(targets, return_dtype=pl.Float64),
        whole=pl.col("n_chars").sum().over("source"),
    )
    beyond = pl.col("before") + pl.col("n_chars") / 2 > pl.col("target")
    return placed.filter(beyond & ~pl.col("first")).select(
        "doc_id",
        reason=pl.lit("weight"),
        detail=pl.format(
            "stands behind {} characters of {}, which is to have {} of its {}",
            "before",
            "source",
            pl.col("target").round().cast(pl.Int64),
            "whole",
        ),
    )


def _counts(drawn: pl.DataFrame, dropped: pl.DataFrame, targets: dict[str, float]) -> dict[str, int]:
    reasons = dict(dropped.group_by("reason").len().sort("reason").iter_rows())
    stays = _characters(drawn.join(dropped, on="doc_id", how="anti"))
    counts = {
        reason: int(reasons.get(reason, 0)) for reason in ("weight", *(f"cap:{kind}" for kind in KINDS))
    }
    for source, size in _characters(drawn).items():
        counts[f"chars_before:{source}"] = size
        counts[f"chars_target:{source}"] = round(targets.get(source, 0))
        counts[f"chars:{source}"] = stays.get(source, 0)
    return counts
