"""Arrow string columns as NumPy views of their buffers: no copy where the column is already large_string without nulls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

TEXT = pa.large_string()


class Texts(NamedTuple):
    """Texts side by side: text i is `data[offsets[i]:offsets[i + 1]]`, in UTF-8. Both arrays are read-only."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def buffers(texts: pa.Array | pa.ChunkedArray, rows: int = 65_536) -> Iterator[Texts]:
    """The column in pieces of at most `rows` texts, in order; slices and chunks are handled, a null is an empty text.

    Takes string, large_string, string_view and dictionaries of them. Raises TypeError for anything else.
    """
    kind = texts.type.value_type if pa.types.is_dictionary(texts.type) else texts.type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    if not any(is_known(kind) for is_known in known):
        raise TypeError(f"text kernels read columns of strings, not {texts.type}")
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        for start in range(0, len(chunk), rows):
            yield _view(chunk.slice(start, rows))


def _view(chunk: pa.Array) -> Texts:
    if chunk.type != TEXT:
        chunk = chunk.cast(TEXT)
    if chunk.null_count:
        chunk = chunk.fill_null("")  # a null slot may still span bytes
    _, offsets, data = chunk.buffers()
    view = np.frombuffer(offsets, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    return Texts(_read_only(np.frombuffer(data or b"", dtype=np.uint8)), _read_only(view))


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One type for kernels to be compiled for, whether Arrow handed out a mutable buffer or not."""
    array.flags.writeable = False
    return array
