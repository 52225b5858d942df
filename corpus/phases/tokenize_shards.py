"""tokenize, as tasks: the kept documents of each drafts file → their chunks. What a row is, `tokenize` says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from corpus.engine.executor import Engine
from corpus.engine.parquet import read_rows, read_table
from corpus.engine.tasks import MAIN, Spec, Task, beside
from corpus.phases.rows import frame_of
from corpus.phases.tokenize import REFUSALS, Cutting, tokenize
from plugins.contracts import Format
from plugins.models import eos_token_id, tokenizer_digest, tokenizer_path
from plugins.registry import ResolvedRecipe
from plugins.specs import PluginSpec
from schemas.errors import UserError
from schemas.fingerprint import digest, identify
from schemas.manifest import TokenizerRecord

CODE = (
    "corpus.phases.tokenize",
    "corpus.phases.tokenize_shards",
    "corpus.phases.encoding",
    "corpus.phases.header",
    "corpus.phases.cuts",
    "corpus.phases.dialogue_rows",
    "corpus.phases.row_plan",
    "corpus.phases.alignment",
)
LIBRARIES = ("tokenizers",)


@dataclass(frozen=True)
class Chunked:
    """The chunks of the kept documents."""

    files: dict[str, str]
    """Drafts file → the file of its documents' chunks (`tokenize.CUT`)."""
    counts: pl.DataFrame
    """doc_id, n_tokens, n_chunks."""
    refusals: pl.DataFrame
    """`tokenize.REFUSALS`."""
    lost: int
    """Tokens that no chunk shows. Their places, and all others where a document was cut, lie beside its chunks' file (`cuts`)."""
    spec: str


def tokenizer_record(model: Path, resolved: ResolvedRecipe) -> TokenizerRecord:
    """Identify the tokenizer before anything is gathered, so that a missing one costs nobody any time. The recipe's format is prepared."""
    section = resolved.recipe.tokens
    options = resolved.format.make().identity()
    taken = options.get("taken")
    return TokenizerRecord(
        model=section.model,
        digest=tokenizer_digest(model),
        eos_token_id=eos_token_id(model),
        format=section.format.use,
        max_tokens=section.max_tokens,
        template=digest(taken["text"].encode()) if isinstance(taken, dict) else None,
        options=options,
    )


def tokenize_all(
    drafts: pl.DataFrame,
    kept: pl.Series,
    record: TokenizerRecord,
    model: Path,
    resolved: ResolvedRecipe,
    engine: Engine,
) -> Chunked:
    """Cut every kept document to rows; `drafts` has doc_id, content_hash, file and row in document order."""
    cutting = resolved.recipe.tokens.cutting()
    options = {
        "tokenizer": record.digest,
        "eos": record.eos_token_id,
        "cutting": cutting,
        "format": resolved.format.identity(),
    }
    spec = Spec("tokenize", options, CODE, LIBRARIES)
    tasks, files = [], {}
    mine = drafts.filter(pl.col("doc_id").is_in(kept.implode()))
    for (file,), rows in mine.group_by("file", maintain_order=True):
        # A header shows columns that are no part of a document's content hash.
        shown = [rows[name] for name in cutting["header"] if name != "speakers"]
        digest = identify(
            *rows["doc_id"],
            *rows["content_hash"],
            *(json.dumps(column.to_list()) for column in shown),
        )
        output = spec.folder(engine.work) / f"{digest}.parquet"
        inputs: dict[str, Any] = {
            "drafts": [(file, rows["row"].to_list())],
            "form": resolved.format.to_json(),
            "model": str(model),
            "tokenizer": record.digest,
            "cutting": cutting,
            "eos": record.eos_token_id,
        }
        tasks.append(Task("corpus.phases.tokenize_shards:tokenize_shard", inputs, str(output), rows.height))
        files[str(file)] = str(output)
    engine.run("tokenize", tasks, "documents")
    counts = [frame_of(read_table(path, ["doc_id", "n_tokens"])) for path in files.values()]
    refusals = [frame_of(read_table(beside(path, "refusals"))) for path in files.values()]
    lost = sum(
        pc.sum(read_table(beside(path, "cuts"), ["n_lost"])["n_lost"]).as_py() or 0 for path in files.values()
    )
    empty = pl.DataFrame(schema={"doc_id": pl.String, "n_tokens": pl.Int32})
    totals = (
        pl
        .concat([empty, *counts])
        .group_by("doc_id")
        .agg(pl.col("n_tokens").cast(pl.Int64).sum(), n_chunks=pl.len().cast(pl.Int64))
    )
    return Chunked(files, totals, pl.concat([frame_of(REFUSALS.empty_table()), *refusals]), lost, spec.hash)


def tokenize_shard(
    drafts: list[tuple[str, list[int]]],
    form: dict[str, Any],
    model: str,
    tokenizer: str,
    cutting: dict[str, Any],
    eos: int,
) -> dict[str, pa.Table]:
    """The task: chunks, the documents that became none, and where they were cut."""
    options = Cutting(**{**cutting, "header": tuple(cutting["header"])})
    shown = [name for name in options.header if name != "speakers"]
    rows = read_rows(drafts, ["doc_id", "text", "messages", *shown])
    plugin = cast(Format, PluginSpec.from_json(form).make())
    chunks, refusals, cuts = tokenize(rows, plugin, _tokenizer(model, tokenizer), options, eos)
    return {MAIN: chunks, "refusals": refusals, "cuts": cuts}


@cache
def _tokenizer(model: str, expected: str) -> Tokenizer:
    """Read once a process. Raises UserError where it is no longer the one whose digest the chunks are filed under."""
    if tokenizer_digest(Path(model)) != expected:
        raise UserError(
            f"{tokenizer_path(Path(model))} was rewritten while the build ran. Run the same command again."
        )
    return Tokenizer.from_file(str(tokenizer_path(Path(model))))
