"""How diverse a published version is: overall, and by source, split, site or language. Computed from its tables alone.

Each number has a paper and a meaning (`corpus.diversity.records`); what is far outside ordinary text is said in a sentence with
what to type (`corpus.diversity.remarks`). Sampled by stated size, so that it takes seconds whatever the version's size, and the
same version gives the same numbers.

    measure(Store(root).version("hearthside"))
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from corpus.diversity.balance import balances
from corpus.diversity.neighbours import near
from corpus.diversity.records import Balance, By, Diversity, Row, TextMeasures
from corpus.diversity.remarks import remarks
from corpus.diversity.sample import drawn, light, texts_of
from corpus.diversity.text import text_measures
from corpus.engine.parquet import read_each
from corpus.phases.rows import frame_of
from corpus.version import Version
from schemas.store import VersionPath

__all__ = ["Balance", "By", "Diversity", "Row", "TextMeasures", "measure"]

PARTS = 20
"""Parts of one kind that are measured: those with most characters."""

SIGNATURES = 200_000
"""Documents whose signatures are compared; of more, those with the smallest doc_id."""


def measure(version: Version | VersionPath, by: Sequence[By] = ("source", "split")) -> Diversity:
    """Measure a version: the whole of it, and its parts `by` each of "source", "split", "site" and "lang".

    Raises Corruption where a file is not what was written, Mismatch where a newer gristmill wrote the version.
    """
    place = version.place if isinstance(version, Version) else version
    manifest = place.manifest()
    documents = light(place)
    parts, omitted = _parts(documents, by)
    samples = [drawn(part) for _, _, part in parts]
    texts = texts_of(place, (doc_id for sample in samples for doc_id in sample))
    neighbours, compared = _near(place, documents)
    lost = _dropped(place, documents)
    rows = tuple(
        Row(
            by=kind,
            name=name,
            documents=part.height,
            characters=int(part["n_chars"].sum()),
            text=_text(texts, sample),
            balance=balances(part),
            near=_mean(part.join(neighbours, on="doc_id")["near"]),
            dropped=lost.get((kind, name)),
        )
        for (kind, name, part), sample in zip(parts, samples, strict=True)
    )
    group = str(manifest.recipe.get("split", {}).get("group", "auto"))
    return Diversity(place.spec, rows, remarks(rows, group), omitted, compared)


def _parts(
    documents: pl.DataFrame, by: Sequence[By]
) -> tuple[list[tuple[By, str, pl.DataFrame]], dict[str, int]]:
    """Every part, the whole first, those of a kind by size; and how many of each kind were too many."""
    parts: list[tuple[By, str, pl.DataFrame]] = [("all", "all", documents)]
    omitted: dict[str, int] = {}
    for kind in dict.fromkeys(by):
        if kind == "all":
            continue
        named = documents.filter(pl.col(kind).is_not_null())
        sizes = (
            named.group_by(kind).agg(pl.col("n_chars").sum()).sort("n_chars", kind, descending=[True, False])
        )
        names = sizes[kind].to_list()
        parts += [(kind, name, named.filter(pl.col(kind) == name)) for name in names[:PARTS]]
        if len(names) > PARTS:
            omitted[kind] = len(names) - PARTS
    return parts, omitted


def _text(texts: pl.DataFrame, sample: list[str]) -> TextMeasures:
    chosen = pl.DataFrame({"doc_id": sample}, schema={"doc_id": pl.String}).with_row_index("draw")
    mine = texts.join(chosen, on="doc_id", maintain_order="left").with_row_index("place")
    return text_measures(mine.select("text").to_arrow()["text"], mine.sort("draw")["place"].to_list())


def _near(version: VersionPath, documents: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """(doc_id, near) of the documents that have a signature, and how many were compared."""
    kept = documents.select("doc_id")
    found = []
    for table in read_each(version.files("signatures"), ["doc_id", "minhash"]):
        signed = frame_of(table).filter(pl.col("minhash").is_not_null())
        found.append(signed.join(kept, on="doc_id", how="semi", maintain_order="left"))
    signed = pl.concat(found).sort("doc_id").head(SIGNATURES) if found else pl.DataFrame()
    if signed.height == 0:
        return pl.DataFrame(schema={"doc_id": pl.String, "near": pl.Boolean}), 0
    width = int(signed["minhash"].list.len()[0])
    matrix = signed["minhash"].explode().to_numpy().astype(np.uint32).reshape(signed.height, width)
    return signed.select("doc_id", near=pl.Series(near(matrix))), signed.height


def _mean(flags: pl.Series) -> float | None:
    return float(flags.sum()) / len(flags) if len(flags) else None


def _dropped(version: VersionPath, documents: pl.DataFrame) -> dict[tuple[By, str], float]:
    """Share of documents that dedup dropped, of those it saw: for all, by source, and by the split of the survivor."""
    seen = ("dedup", "mix", "split", "tokenize", "kept")
    fates = pl.concat([
        frame_of(table)
        for table in read_each(version.files("fates"), ["doc_id", "source", "stage", "survivor_id"])
    ]).filter(pl.col("doc_id").is_not_null() & pl.col("stage").is_in(seen))
    gone = fates.with_columns(gone=pl.col("stage") == "dedup")
    if gone.height == 0:
        return {}
    shares: dict[tuple[By, str], float] = {("all", "all"): float(gone["gone"].sum()) / gone.height}
    for name, share in gone.group_by("source").agg(pl.col("gone").mean()).iter_rows():
        shares["source", name] = share
    owners = documents.select(survivor_id="doc_id", split="split")
    lost = gone.filter("gone").join(owners, on="survivor_id").group_by("split").len()
    kept = dict(documents.group_by("split").len().iter_rows())
    for split, count in lost.iter_rows():
        shares["split", split] = count / (count + kept[split])
    return shares | {("split", split): 0.0 for split in kept if ("split", split) not in shares}
