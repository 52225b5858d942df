"""against: the documents of other corpora that ours must not repeat, signed as ours are.

An entry of `[dedup] against` is a published version ("books@3", or "books" for its newest) or Parquet files with a column `text`, as a path
or glob relative to the recipe. Their signatures are made once for each file and kept under .gristmill/work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.engine.executor import Engine
from corpus.engine.kernel_cache import use_kernel_cache
from corpus.engine.parquet import read_rows, read_table
from corpus.engine.tasks import MAIN, Spec, Task
from corpus.phases.annotate import CODE, KERNELS, LIBRARIES, signing
from corpus.phases.dedup import Others
from corpus.phases.dedup_fuzzy import Load, ReadTexts
from plugins.registry import ResolvedRecipe
from schemas.errors import NotFound, UserError
from schemas.fingerprint import digest_file, fingerprint, sha256_file
from schemas.store import Store
from schemas.tables import SIGNATURES, TEXT

OTHER = "\0"
"""Opens the key of a document of another corpus; no doc_id does."""

READ_ROWS = 4096
"""Texts held at a time."""


@dataclass(frozen=True)
class Against:
    """One entry, resolved."""

    name: str
    """A version's "books@3", or the last part of a path: where a file lies is no part of what is made."""
    digest: str
    """Identity of its content."""
    files: tuple[str, ...]
    digests: tuple[str, ...]
    """Of each file."""


def resolve_against(resolved: ResolvedRecipe, store: Store) -> tuple[Against, ...]:
    """Find every entry. Raises UserError for what is not there or has no column `text`."""
    return tuple(_resolve(entry, store, resolved.base) for entry in resolved.recipe.dedup.against)


def _resolve(entry: str, store: Store, base: Path) -> Against:
    if not entry.endswith(".parquet"):
        try:
            version = store.version(entry)
        except NotFound as error:
            raise UserError(
                f'dedup.against names "{entry}": {error} A Parquet file is named by a path that ends in .parquet.'
            ) from error
        manifest = version.manifest()
        files = version.files("documents")
        known = {record.path: record.sha256 for record in manifest.files}
        digests = tuple(known.get(file.relative_to(version.path).as_posix(), "") for file in files)
        return Against(version.spec, fingerprint(digests), tuple(map(str, files)), digests)
    files = sorted(base.glob(entry)) if not Path(entry).is_absolute() else [Path(entry)]
    if not files or not all(file.is_file() for file in files):
        raise UserError(f'dedup.against names "{entry}"; there is no such file under {base}.')
    for file in files:
        try:
            schema = pq.read_schema(file)
            columns = schema.names
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{file}, named by dedup.against, cannot be read as Parquet: {error}.") from error
        if "text" in columns and not _holds_text(schema.field("text").type):
            raise UserError(
                f"{file}, named by dedup.against: its column `text` holds {schema.field('text').type}."
            )
        if "text" not in columns:
            raise UserError(
                f"{file}, named by dedup.against, has no column `text`; it has {', '.join(columns)}. Rename one."
            )
    digests = tuple(map(digest_file, files))
    return Against(Path(entry).name, fingerprint(digests), tuple(map(str, files)), digests)


def _holds_text(kind: pa.DataType) -> bool:
    return any(
        known(kind) for known in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def others(against: Sequence[Against], resolved: ResolvedRecipe, engine: Engine) -> Others | None:
    """Sign what is not signed yet, and bring all of it, in the order of entries, files and rows; None where there is none."""
    if not against:
        return None
    options = signing(resolved.recipe.dedup.fuzzy)
    spec = Spec("against", options, (*CODE, *KERNELS, "corpus.phases.against"), LIBRARIES)
    tasks = [
        Task(
            "corpus.phases.against:sign_file",
            {"file": file, **options, "digest": entry.digests[number]},
            str(spec.folder(engine.work) / f"{fingerprint([entry.digests[number]])}.parquet"),
            pq.read_metadata(file).num_rows,
        )
        for entry in against
        for number, file in enumerate(entry.files)
    ]
    engine.run("against", tasks, "documents")
    tables = [read_table(task.output) for task in tasks]
    places = [(number, file) for number, entry in enumerate(against) for file in range(len(entry.files))]
    keys = [
        f"{OTHER}{number} {file} {row}"
        for (number, file), table in zip(places, tables, strict=True)
        for row in range(table.num_rows)
    ]
    names = [
        against[number].name
        for (number, _), table in zip(places, tables, strict=True)
        for _ in range(table.num_rows)
    ]
    whole = pa.concat_tables(tables)
    return Others(
        np.array(keys, dtype=object),
        whole["doc_id"].to_numpy(zero_copy_only=False),
        np.array(names, dtype=object),
        whole.drop_columns("doc_id"),
    )


def sign_file(
    file: str, ngram: int | None, permutations: int | None, digest: str
) -> dict[str, Iterator[pa.Table]]:
    """The task: SIGNATURES of a file's rows, named by their numbers where they have no doc_id.

    Raises UserError for a file that is no longer the one with this digest.
    """
    from plugins.kernels import signatures

    use_kernel_cache()

    def stream() -> Iterator[pa.Table]:
        parquet, row = pq.ParquetFile(file), 0
        named = "doc_id" in parquet.schema_arrow.names
        yield SIGNATURES.empty_table()
        for batch in parquet.iter_batches(READ_ROWS, columns=["text", *(["doc_id"] if named else [])]):
            texts = batch["text"].cast(TEXT)
            signed = signatures.sign(texts, ngram or 1, permutations)
            ids = pa.array(map(str, range(row, row + len(batch))), pa.string())
            ids = pc.coalesce(batch["doc_id"].cast(pa.string()), ids) if named else ids
            columns = {"doc_id": ids, "exact_hash": signatures.exact_hashes(texts)}
            yield pa.table(
                {**columns, "n_shingles": signed["n_shingles"], "minhash": signed["minhash"]}, SIGNATURES
            )
            row += len(batch)
        if digest not in (digest_file(Path(file)), sha256_file(Path(file))):
            raise UserError(
                f"{file}, named by dedup.against, changed during the build. Run the same command again."
            )

    return {MAIN: stream()}


def reading(own: ReadTexts, against: Sequence[Against]) -> ReadTexts:
    """`own`, extended to the keys of other corpora's documents."""

    def load(number: int, file: int, rows: list[int]) -> pa.Table:
        table = read_rows([(against[number].files[file], rows)], ["text"])
        named = [f"{OTHER}{number} {file} {row}" for row in rows]
        return pa.table({"doc_id": named, "text": cast(pa.ChunkedArray, table["text"]).cast(TEXT)})

    def read(keys: Sequence[str]) -> Iterator[Load]:
        yield from own([key for key in keys if not key.startswith(OTHER)])
        wanted: dict[tuple[int, int], list[int]] = {}
        for key in keys:
            if key.startswith(OTHER):
                number, file, row = map(int, key.removeprefix(OTHER).split())
                wanted.setdefault((number, file), []).append(row)
        for (number, file), rows in sorted(wanted.items()):
            rows.sort()
            for start in range(0, len(rows), READ_ROWS):
                yield partial(load, number, file, rows[start : start + READ_ROWS])

    return read
