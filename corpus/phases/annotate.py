"""annotate: drafts → scores and signatures. Nothing is decided here, so a moved threshold recomputes nothing.

Scores and signatures are separate specs: another n-gram length signs anew and scores nothing again. Each is one task a drafts file.
What the last version's index holds a signature of, by content, is not signed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
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
from plugins.registry import ResolvedRecipe
from plugins.specs import PluginSpec
from schemas.errors import Corruption, Mismatch, UserError
from schemas.fingerprint import fingerprint, identify
from schemas.recipe import Fuzzy
from schemas.store import VersionPath
from schemas.tables import DRAFTS, INDEX, SIGNATURES

CODE = ("corpus.phases.annotate", "corpus.phases.rows")
KERNELS = ("plugins.kernels",)
LIBRARIES = ("polars", "numba")

LIGHT = tuple(name for name in DRAFTS.names if name not in {"text", "messages", "metadata"})
"""What a whole corpus' documents are decided by."""

OUTAGES = (OSError, ImportError)
"""What a filter raises on every document of a batch, and on more than one, for want of a file or module. That is no document's fault, and scores are
remembered: so it ends the build."""

BATCH_BYTES = 4 << 20
"""Text that filters are given at a time."""

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


def annotate(
    drafts: Drafts, resolved: ResolvedRecipe, engine: Engine, versions: Sequence[VersionPath] = ()
) -> Annotated:
    """Score every draft that cleaning did not refuse, and sign those that no index of `versions` (oldest first) holds."""
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
    in_play = light.filter(pl.col("stage").is_null())
    known = _known(versions, sign_spec.hash, in_play["content_hash"])
    read = sorted({column for spec in scoring for column in cast(Filter, spec.make()).reads} - {"doc_id"})
    score_tasks, sign_tasks = [], []
    for rows in in_play.partition_by("file", maintain_order=True):
        name = _name(rows)
        scored = {**_inputs(rows), "filters": [spec.to_json() for spec in scoring], "reads": read}
        told_apart = [str(rows[column].to_list()) for column in read]
        scored_name = f"{identify(name, *told_apart)}.parquet" if read else name
        score_tasks.append(
            Task(
                "corpus.phases.annotate:score",
                scored,
                str(score_spec.folder(engine.work) / scored_name),
                rows.height,
            )
        )
        fresh = rows.join(known, on="content_hash", how="anti", maintain_order="left")
        if fresh.height:
            sign_tasks.append(
                Task(
                    "corpus.phases.annotate:sign",
                    {**_inputs(fresh), **signing(fuzzy)},
                    str(sign_spec.folder(engine.work) / _name(fresh)),
                    fresh.height,
                )
            )
    engine.run("annotate", score_tasks, "documents")
    engine.run("sign", sign_tasks, "documents")
    return Annotated(
        light,
        _read_all([task.output for task in score_tasks]),
        _indexed(in_play, known, [task.output for task in sign_tasks]),
        {"scores": score_spec.hash, "signatures": sign_spec.hash},
    )


def _inputs(rows: pl.DataFrame) -> dict[str, Any]:
    return {"drafts": [(rows["file"][0], rows["row"].to_list())]}


def _name(rows: pl.DataFrame) -> str:
    return f"{identify(*rows['doc_id'], *rows['content_hash'])}.parquet"


def _known(versions: Sequence[VersionPath], spec: str, hashes: pl.Series) -> pl.DataFrame:
    """Signatures by content_hash, of `hashes` only, as the newest version that was signed alike has them."""
    unknown = frame_of(INDEX.empty_table()).drop("doc_id")
    for version in reversed(versions):
        try:
            phases = {record.name: record.spec for record in version.manifest().phases}
            if phases.get("dedup") == spec:
                wanted = hashes.unique().to_frame()
                parts = [
                    frame_of(read_table(file, unknown.columns)).join(wanted, on="content_hash", how="semi")
                    for file in version.files("signatures")
                ]
                return pl.concat([unknown, *parts]).unique("content_hash", keep="first")
        except (Corruption, Mismatch):  # damaged, or written by a newer gristmill: sign again
            continue
    return unknown


def _indexed(in_play: pl.DataFrame, known: pl.DataFrame, signed: Sequence[str]) -> pl.DataFrame:
    """SIGNATURES of the documents in play, in their order."""
    fresh = pl.concat([frame_of(SIGNATURES.empty_table()), *(frame_of(read_table(path)) for path in signed)])
    if known.height == 0:
        return fresh
    found = in_play.select("doc_id", "content_hash").join(known, on="content_hash").drop("content_hash")
    whole = pl.concat([fresh, found.select(fresh.columns)])
    return in_play.select("doc_id").join(whole, on="doc_id", how="left", maintain_order="left")


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


def score(
    drafts: list[tuple[str, list[int]]], filters: list[dict[str, Any]], reads: Sequence[str] = ()
) -> dict[str, pa.Table]:
    """The task: one row a document, the columns of every filter."""
    use_kernel_cache()
    rows = frame_of(read_rows(drafts, ["doc_id", "text", *reads]))
    plugins = [cast(Filter, PluginSpec.from_json(values).make()) for values in filters]
    scored = [_score_all(plugins, batch) for batch in _batches(rows)]
    return {MAIN: pl.concat(scored, how="vertical_relaxed").to_arrow()}


def _batches(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Rows of BATCH_BYTES of text together; all filters see one before the next, so that they find it in the processor's cache."""
    ends = rows["text"].str.len_bytes().fill_null(0).cum_sum().to_numpy()
    start = 0
    while start < rows.height:
        before = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, before + BATCH_BYTES, "right")), start + 1)
        yield rows[start:stop]
        start = stop
    if rows.height == 0:
        yield rows


def _score_all(plugins: Sequence[Filter], rows: pl.DataFrame) -> pl.DataFrame:
    failed = pl.Series(FAILED, [None] * rows.height, dtype=pl.String)
    columns = [rows["doc_id"]]
    for plugin in plugins:
        scored, raised = _score(plugin, rows)
        if len(raised) > 1 and all(isinstance(error, OUTAGES) for error in raised):
            raise UserError(
                f'filter "{plugin.name}" could score nothing: {told(cast(Exception, raised[0]))}. Mend that and run the same command again; '
                "what is done is kept."
            )
        columns += scored.get_columns()
        if any(raised):
            texts = [f"{plugin.name}\n{told(error)}" if error else None for error in raised]
            failed = (
                pl.select(pl.coalesce(failed, pl.Series(texts, dtype=pl.String))).to_series().alias(FAILED)
            )
    return pl.DataFrame([*columns, failed])


def _score(plugin: Filter, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Exception | None]]:
    """A filter's scores, and what it raised on single documents (their scores are null)."""
    try:
        return _checked(plugin, rows), [None] * rows.height
    except Exception as error:  # noqa: BLE001 - halved until the document at fault stands alone, then recorded as its fate
        if rows.height == 1:
            return pl.DataFrame({name: [None] for name in plugin.columns()}), [error]
    middle = rows.height // 2
    (left, left_failed), (right, right_failed) = _score(plugin, rows[:middle]), _score(plugin, rows[middle:])
    return pl.concat([left, right], how="vertical_relaxed"), left_failed + right_failed


def _checked(plugin: Filter, rows: pl.DataFrame) -> pl.DataFrame:
    names = plugin.columns()
    scored = plugin.score_documents(rows.select("text", *plugin.reads))
    if scored.height != rows.height or set(scored.columns) != set(names):
        raise ValueError(
            f"score gave {scored.height} rows of {scored.columns}; {rows.height} rows of {list(names)} were due"
        )
    # Not a number is below no threshold and above none; null says what it is, and fails.
    return scored.select(names).with_columns(cs.float().fill_nan(None))


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
