"""annotate: drafts → scores and signatures. Nothing is decided here, so a moved threshold recomputes nothing.

Scores and signatures are separate specs: another n-gram length signs anew and scores nothing again. Each is one task a drafts file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import polars as pl
import polars.selectors as cs
import pyarrow as pa

from corpus.engine.executor import Engine
from corpus.engine.kernel_cache import use_kernel_cache
from corpus.engine.parquet import read_rows, read_table
from corpus.engine.tasks import MAIN, Spec, Task
from corpus.phases.clean import Drafts
from corpus.phases.rows import frame_of, told
from plugins.contracts import Filter, Threshold
from plugins.registry import PluginSpec, ResolvedRecipe
from schemas.fingerprint import fingerprint, identify
from schemas.recipe import Fuzzy
from schemas.tables import DRAFTS, SIGNATURES

CODE = ("corpus.phases.annotate", "corpus.phases.rows")
KERNELS = ("plugins.kernels",)
LIBRARIES = ("polars", "numba")

LIGHT = tuple(name for name in DRAFTS.names if name not in {"text", "messages", "metadata"})
"""What a whole corpus' documents are decided by."""

FAILED = "failed"
"""Column of `scores` files: the filter that raised on a document, and with what; null where none did."""


@dataclass(frozen=True)
class Annotated:
    """One row a document in play, in document order."""

    drafts: pl.DataFrame
    """DRAFTS less text, messages and metadata, with `file` and `row`: where the whole row lies. Refused drafts too."""
    scores: pl.DataFrame
    """doc_id, a column per score, and FAILED."""
    signatures: pl.DataFrame
    """SIGNATURES."""
    specs: dict[str, str]


def annotate(drafts: Drafts, resolved: ResolvedRecipe, engine: Engine) -> Annotated:
    """Score and sign every draft that cleaning did not refuse."""
    light = pl.concat([
        _located(frame_of(DRAFTS.empty_table().select(LIGHT)), ""),
        *map(_light, drafts.files),
    ])
    scoring = distinct(resolved.filters)
    score_spec = Spec(
        "scores", {"filters": [spec.identity(without=Threshold) for spec in scoring]}, CODE, LIBRARIES
    )
    fuzzy = resolved.recipe.dedup.fuzzy
    sign_spec = Spec("signatures", signing(fuzzy), (*CODE, *KERNELS), LIBRARIES)
    score_tasks, sign_tasks = [], []
    for (file,), rows in light.filter(pl.col("stage").is_null()).group_by("file", maintain_order=True):
        inputs: dict[str, Any] = {"drafts": [(str(file), rows["row"].to_list())]}
        name = f"{identify(*rows['doc_id'], *rows['content_hash'])}.parquet"
        scored = {**inputs, "filters": [spec.to_json() for spec in scoring]}
        signed = {**inputs, **signing(fuzzy)}
        score_tasks.append(
            Task(
                "corpus.phases.annotate:score",
                scored,
                str(score_spec.folder(engine.work) / name),
                rows.height,
            )
        )
        sign_tasks.append(
            Task(
                "corpus.phases.annotate:sign", signed, str(sign_spec.folder(engine.work) / name), rows.height
            )
        )
    engine.run("annotate", score_tasks, "documents")
    engine.run("sign", sign_tasks, "documents")
    return Annotated(
        light,
        _read_all([task.output for task in score_tasks]),
        _read_all([task.output for task in sign_tasks]),
        {"scores": score_spec.hash, "signatures": sign_spec.hash},
    )


def distinct(filters: Sequence[PluginSpec]) -> list[PluginSpec]:
    """Filters that compute different scores: one that stands twice with other thresholds scores once."""
    return list({fingerprint(spec.identity(without=Threshold)): spec for spec in filters}.values())


def signing(fuzzy: Fuzzy | None) -> dict[str, int | None]:
    """What signatures depend on: the threshold and the recall wanted only through the number of permutations they use."""
    if fuzzy is None:
        return {"ngram": None, "permutations": None}
    bands, rows = fuzzy.shape
    return {"ngram": fuzzy.ngram, "permutations": bands * rows}


def _light(path: str) -> pl.DataFrame:
    return _located(frame_of(read_table(path, LIGHT)), path)


def _located(drafts: pl.DataFrame, path: str) -> pl.DataFrame:
    return drafts.with_columns(
        pl.lit(path).alias("file"), pl.int_range(pl.len(), dtype=pl.Int64).alias("row")
    )


def _read_all(paths: Sequence[str]) -> pl.DataFrame:
    frames = [frame_of(read_table(path)) for path in paths]
    return (
        pl.concat(frames, how="vertical_relaxed")
        if frames
        else pl.DataFrame(schema={"doc_id": pl.String, FAILED: pl.String})
    )


def score(drafts: list[tuple[str, list[int]]], filters: list[dict[str, Any]]) -> dict[str, pa.Table]:
    """The task: one row a document, the columns of every filter."""
    rows = frame_of(read_rows(drafts, ["doc_id", "text"]))
    failed = pl.Series(FAILED, [None] * rows.height, dtype=pl.String)
    columns = [rows["doc_id"]]
    for values in filters:
        plugin = cast(Filter, PluginSpec.from_json(values).make())
        scored, raised = _score(plugin, rows["text"])
        columns += scored.get_columns()
        failed = pl.select(pl.coalesce(failed, raised)).to_series().alias(FAILED)
    return {MAIN: pl.DataFrame([*columns, failed]).to_arrow()}


def _score(plugin: Filter, texts: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """A filter's scores, and what it raised on single documents (their scores are null)."""
    try:
        return _checked(plugin, texts), pl.Series([None] * len(texts), dtype=pl.String)
    except Exception as error:  # noqa: BLE001 - halved until the document at fault stands alone, then recorded as its fate
        if len(texts) == 1:
            nulls = pl.DataFrame({name: [None] for name in plugin.scores})
            return nulls, pl.Series([f"{plugin.name}\n{told(error)}"])
    middle = len(texts) // 2
    (left, left_failed), (right, right_failed) = (
        _score(plugin, texts[:middle]),
        _score(plugin, texts[middle:]),
    )
    return pl.concat([left, right], how="vertical_relaxed"), left_failed.append(right_failed)


def _checked(plugin: Filter, texts: pl.Series) -> pl.DataFrame:
    scored = plugin.score(texts)
    if scored.height != len(texts) or set(scored.columns) != set(plugin.scores):
        raise ValueError(
            f"score gave {scored.height} rows of {scored.columns}; {len(texts)} rows of {list(plugin.scores)} were due"
        )
    # Not a number is below no threshold and above none; null says what it is, and fails.
    return scored.select(plugin.scores).with_columns(cs.float().fill_nan(None))


def sign(
    drafts: list[tuple[str, list[int]]], ngram: int | None, permutations: int | None
) -> dict[str, pa.Table]:
    """The task: exact hashes, and MinHash signatures where fuzzy dedup is on."""
    from plugins.kernels import signatures

    use_kernel_cache()
    rows = read_rows(drafts, ["doc_id", "text"])
    signed = signatures.sign(rows["text"], ngram or 1, permutations)
    columns = {"doc_id": rows["doc_id"], "exact_hash": signatures.exact_hashes(rows["text"])}
    return {
        MAIN: pa.table(
            {**columns, "n_shingles": signed["n_shingles"], "minhash": signed["minhash"]}, schema=SIGNATURES
        )
    }
