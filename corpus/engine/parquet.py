"""How gristmill writes and reads Parquet: one set of settings, so that equal rows give equal bytes.

Chunks are combined first: the same rows in other record batches would give other pages. Page checksums are on and are
checked on reading: without them pyarrow reads most flipped bits silently (measured: 194 of 200). Compression is zstd level 3.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import Corruption

ROW_GROUP = 16_384
"""Rows in a row group, at most."""


SETTINGS: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "write_page_checksum": True,
    "write_statistics": True,
}


def write_table(table: pa.Table, path: Path, *, row_group: int = ROW_GROUP) -> None:
    """Write `table` under a temporary name, flush it to disk, rename: `path` is whole or absent."""
    with _appearing(path) as temporary:
        pq.write_table(table.combine_chunks(), temporary, row_group_size=row_group, **SETTINGS)


def write_stream(tables: Iterable[pa.Table], path: Path) -> None:
    """As `write_table`, for tables of one schema that need not fit into memory together: each becomes its own row groups.

    There is at least one; where none has a row, the file has none.
    """
    following = iter(tables)
    first = next(following)
    with _appearing(path) as temporary, pq.ParquetWriter(temporary, first.schema, **SETTINGS) as writer:
        for table in chain([first], following):
            writer.write_table(table.combine_chunks(), row_group_size=ROW_GROUP)


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A temporary name that becomes `path` when what is written there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_table(path: Path | str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a file we wrote, checksums verified. Raises Corruption naming it."""
    try:
        return pq.read_table(
            path,
            columns=list(columns) if columns else None,
            page_checksum_verification=True,
            partitioning=None,
        )
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise _unreadable(path, error) from error


def _unreadable(path: Path | str, error: Exception) -> Corruption:
    return Corruption(
        f"{path} cannot be read: {error}. If it lies under .gristmill/work, delete it and build again."
    )


def read_rows(refs: Sequence[tuple[str, Sequence[int]]], columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of `refs` in their order: (file, row numbers) pairs, in which one file may come back later.

    Memory: the largest row group, and the rows taken. Raises Corruption naming the file.
    """
    opened: tuple[str, _Groups] | None = None
    taken: list[pa.Table] = []
    for path, rows in refs:
        try:
            if opened is None or opened[0] != path:
                opened = (path, _Groups(path, columns))
            taken.append(opened[1].take(np.asarray(rows, np.int64)))
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise _unreadable(path, error) from error
    return pa.concat_tables(taken)


class _Groups:
    """One file, read a row group at a time; the last one read is kept, since neighbours are asked for together."""

    def __init__(self, path: str, columns: Sequence[str] | None) -> None:
        self._file = pq.ParquetFile(path, page_checksum_verification=True)
        self._columns = list(columns) if columns else None
        sizes = [self._file.metadata.row_group(n).num_rows for n in range(self._file.num_row_groups)]
        self._ends = np.cumsum(np.asarray(sizes, np.int64))
        self._last: tuple[int, pa.Table] | None = None

    def take(self, rows: npt.NDArray[np.int64]) -> pa.Table:
        """The rows with these numbers, in this order; each row group is read once, however they are mixed."""
        groups = np.searchsorted(self._ends, rows, "right")
        parts = [
            self._group(int(group)).take(
                pa.array(rows[groups == group] - (self._ends[group - 1] if group else 0))
            )
            for group in np.unique(groups)
        ]
        table = pa.concat_tables(parts)
        if (np.diff(groups) >= 0).all():
            return table
        order = np.argsort(groups, kind="stable")
        return table.take(pa.array(np.argsort(order, kind="stable")))

    def _group(self, number: int) -> pa.Table:
        if self._last is None or self._last[0] != number:
            self._last = None  # let go of before another is read
            self._last = (number, self._file.read_row_group(number, self._columns))
        return self._last[1]


def runs(files: Sequence[str], rows: Sequence[int]) -> list[tuple[str, list[int]]]:
    """Row pointers as `read_rows` wants them: neighbours in one file joined.

    >>> runs(["a", "a", "b"], [1, 2, 0])
    [('a', [1, 2]), ('b', [0])]
    """
    joined: list[tuple[str, list[int]]] = []
    for file, row in zip(files, rows, strict=True):
        if not joined or joined[-1][0] != file:
            joined.append((file, []))
        joined[-1][1].append(row)
    return joined


def read_each(paths: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The files one by one."""
    for path in paths:
        yield read_table(path, columns)


def sync(path: Path) -> None:
    """Flush a file or directory to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
