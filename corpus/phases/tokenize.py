"""Tokenize: kept documents become the rows the trainer reads.

A document is rendered by the recipe's format, encoded once as a whole by the model's own tokenizer, and cut in tokens at
structural borders (`corpus.phases.cuts`), so its rows put together are its tokens, none lost and none added but one EOS, trained,
at the end. A row never crosses documents. A token is trained when every character it stands for lies in a trained span: one
that straddles the border of a span that is not trained is not trained either (law 7).

Text that spells a control token, such as "<|endoftext|>" on a page about tokenizers, is encoded as the ordinary characters it
is, unless the format says that it writes control tokens itself. Then, too, an EOS that stands in mid-document is not trained:
SmolLM2's tokenizer makes one of every control character it does not know, and the model would learn to stop there.

Reads doc_id, text and messages of `schemas.tables.DOCUMENTS`; writes `CUT` and `REFUSALS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from corpus.phases.alignment import Aligner, Alignment, Ints
from corpus.phases.cuts import cuts
from plugins.contracts import Format, Span
from schemas.fingerprint import identify
from schemas.tables import CHUNKS

UNTRAINED = -100
"""The label PyTorch's cross-entropy ignores."""

BATCH_CHARACTERS = 1 << 21
"""Characters encoded at a time. An encoding takes some hundred bytes a token until its ids are copied, so this bounds memory
(to about 100 MB, or one document) without slowing the tokenizer's threads down. No result depends on it."""

CUT = pa.schema([field for field in CHUNKS if field.name not in {"group_id", "split"}])
"""Rows before publish joins in the group and the split."""

REFUSALS = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("stage", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("detail", pa.string()),
])
"""Documents that became no row: `stage` is format or tokenize; `reason` is empty, untrained or failed."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document as the model reads it."""

    doc_id: str
    text: str
    spans: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document became no row."""

    doc_id: str
    stage: str
    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One chunk, its columns but `position` and the ids that follow from the document."""

    doc_id: str
    position: int
    chars: tuple[int, int]
    turns: tuple[int | None, int | None]
    ids: NDArray[np.int32]
    labels: NDArray[np.int32]


def tokenize(
    documents: pa.Table, spans_of: Format, tokenizer: Tokenizer, max_tokens: int, eos_token_id: int
) -> tuple[pa.Table, pa.Table]:
    """(chunks, refusals): the rows of each document in order, and the documents that became none.

    `max_tokens` bounds a row, EOS included. Offsets are characters of the rendered text, half-open; so are turns.
    Results depend on each document alone, not on its neighbours or their number.
    """
    encoder, aligner = _tools(tokenizer, control_tokens=spans_of.control_tokens)
    cutter = Cutter(aligner, max_tokens, eos_token_id, spans_of.control_tokens)
    tables: list[pa.Table] = []
    refusals: list[Refusal] = []
    for batch in _batches(_render(documents, spans_of, refusals)):
        rows: list[Row] = []
        for document, encoded in zip(batch, _encode(encoder, batch), strict=True):
            if isinstance(encoded, Refusal):
                refusals.append(encoded)
            else:
                rows += cutter.rows(document, encoded)
        tables.append(_table(rows))
    chunks = pa.concat_tables([CUT.empty_table(), *tables]).combine_chunks()
    columns = {name: [getattr(refusal, name) for refusal in refusals] for name in REFUSALS.names}
    return chunks, pa.table(columns, schema=REFUSALS)


@lru_cache(maxsize=2)
def _tools(tokenizer: Tokenizer, *, control_tokens: bool) -> tuple[Tokenizer, Aligner]:
    """What encodes and aligns, made once a tokenizer: reading its vocabulary takes a fifth of a second."""
    encoder = plain_encoder(tokenizer, control_tokens=control_tokens)
    return encoder, Aligner(encoder)


def plain_encoder(tokenizer: Tokenizer, *, control_tokens: bool = False) -> Tokenizer:
    """A copy that neither cuts nor pads; without `control_tokens`, one that reads "<|endoftext|>" as plain characters."""
    encoder = Tokenizer.from_str(tokenizer.to_str())
    encoder.no_truncation()
    encoder.no_padding()
    encoder.encode_special_tokens = not control_tokens
    return encoder


@dataclass(frozen=True, slots=True)
class Cutter:
    """Makes rows of a document's tokens."""

    aligner: Aligner
    max_tokens: int
    eos_token_id: int
    control_tokens: bool

    def rows(self, document: Rendered, ids: NDArray[np.int32]) -> Iterator[Row]:
        """The rows of one document, of whose tokens there is at least one."""
        lengths = np.array([len(span.text) for span in document.spans], np.int64)
        begins = np.cumsum(lengths) - lengths
        alignment: Alignment | None = None
        ends, labels = [len(ids)], ids
        if len(ids) >= self.max_tokens or not all(span.trained for span in document.spans):
            alignment = self.aligner.align(document.text, ids)
            turns = [
                int(at) for at, span in zip(begins, document.spans, strict=True) if span.turn is not None
            ]
            ends = cuts(document.text, alignment, turns, self.max_tokens)
            labels = labels_of(ids, alignment, document.spans)
        if not self.control_tokens:
            labels = np.where(ids == self.eos_token_id, np.int32(UNTRAINED), labels)
        eos = np.array([self.eos_token_id], np.int32)
        start = char_start = 0
        for position, end in enumerate(ends):
            last = position == len(ends) - 1
            char_end = len(document.text) if last or alignment is None else int(alignment.ends[end - 1])
            tail = [eos] if last else []
            yield Row(
                document.doc_id,
                position,
                (char_start, char_end),
                _turns(document.spans, begins, char_start, char_end),
                np.concatenate([ids[start:end], *tail]),
                np.concatenate([labels[start:end], *tail]),
            )
            start, char_start = end, char_end


def labels_of(ids: NDArray[np.int32], tokens: Alignment, spans: Sequence[Span]) -> NDArray[np.int32]:
    """Each token itself where all its characters are trained, else -100. One that stands for no character goes with the
    character after it."""
    trained = np.repeat([span.trained for span in spans], [len(span.text) for span in spans])
    untrained_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(~trained)])
    starts = np.minimum(tokens.starts, len(trained) - 1)
    ends = np.maximum(tokens.ends, starts + 1)
    kept = untrained_before[ends] == untrained_before[starts]
    return np.where(kept, ids, np.int32(UNTRAINED))


def _turns(spans: Sequence[Span], begins: Ints, start: int, end: int) -> tuple[int | None, int | None]:
    """The messages shown in characters [start, end), as [first, last + 1); nulls where no message is."""
    first = max(int(np.searchsorted(begins, start, "right")) - 1, 0)
    last = max(int(np.searchsorted(begins, end, "left")), first + 1)
    turns = [span.turn for span in spans[first:last] if span.turn is not None]
    return (min(turns), max(turns) + 1) if turns else (None, None)


def _render(documents: pa.Table, spans_of: Format, refusals: list[Refusal]) -> Iterator[Rendered]:
    """Documents as spans; one that the format refuses, or that has nothing to read or to train, is added to `refusals`."""
    for batch in documents.select(["doc_id", "text", "messages"]).to_batches(max_chunksize=256):
        for doc_id, text, messages in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            rendered = _render_one(doc_id, text, messages, spans_of)
            if isinstance(rendered, Refusal):
                refusals.append(rendered)
            else:
                yield rendered


def _render_one(
    doc_id: str, text: str | None, messages: list[dict[str, Any]] | None, spans_of: Format
) -> Rendered | Refusal:
    try:
        spans = [span for span in spans_of.render(text, messages) if span.text]
    except Exception as error:  # noqa: BLE001  a plugin may raise anything: it costs this document a fate, not the build
        return Refusal(doc_id, "format", "failed", f"{type(error).__name__}: {error}")
    if not spans:
        return Refusal(doc_id, "format", "empty")
    if not any(span.trained for span in spans):
        return Refusal(doc_id, "format", "untrained", "no span of it is marked for training")
    return Rendered(doc_id, "".join(span.text for span in spans), spans)


def _batches(documents: Iterator[Rendered]) -> Iterator[list[Rendered]]:
    """Runs of documents of about BATCH_CHARACTERS together, at least one each."""
    batch: list[Rendered] = []
    size = 0
    for document in documents:
        if batch and size + len(document.text) > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += len(document.text)
    if batch:
        yield batch


def _encode(encoder: Tokenizer, batch: list[Rendered]) -> Iterator[NDArray[np.int32] | Refusal]:
    """The tokens of each document, or why it has none. A batch that fails is tried again one by one, to name the culprit."""
    try:
        encoded = encoder.encode_batch_fast([document.text for document in batch], add_special_tokens=False)
    except Exception as error:  # noqa: BLE001  the tokenizer raises plain Exception
        if len(batch) > 1:
            for document in batch:
                yield from _encode(encoder, [document])
        else:
            yield Refusal(batch[0].doc_id, "tokenize", "failed", f"{type(error).__name__}: {error}")
        return
    for document, encoding in zip(batch, encoded, strict=True):
        ids = np.array(encoding.ids, np.int32)
        yield (
            ids
            if len(ids)
            else Refusal(document.doc_id, "tokenize", "empty", "the tokenizer makes no token of it")
        )


def _table(rows: list[Row]) -> pa.Table:
    """The rows as Arrow; the lists are laid out once, without a Python object a token."""
    counts = np.array([len(row.ids) for row in rows], np.int64)
    borders = pa.array(np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int32))
    return pa.table(
        [
            pa.array([identify(row.doc_id, str(row.position)) for row in rows], pa.string()),
            pa.array([row.doc_id for row in rows], pa.string()),
            pa.array([row.position for row in rows], pa.int32()),
            pa.array([row.chars[0] for row in rows], pa.int64()),
            pa.array([row.chars[1] for row in rows], pa.int64()),
            pa.array([row.turns[0] for row in rows], pa.int32()),
            pa.array([row.turns[1] for row in rows], pa.int32()),
            pa.array(counts, pa.int32()),
            pa.array([int(np.count_nonzero(row.labels != UNTRAINED)) for row in rows], pa.int32()),
            pa.ListArray.from_arrays(borders, _joined([row.ids for row in rows])),
            pa.ListArray.from_arrays(borders, _joined([row.labels for row in rows])),
        ],
        schema=CUT,
    )


def _joined(arrays: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate([np.zeros(0, np.int32), *arrays])
