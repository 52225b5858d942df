"""Tokenize: kept documents become the rows the trainer reads.

A document is rendered by the recipe's format, encoded once as a whole by the model's own tokenizer (`corpus.phases.encoding`), and cut in tokens at
structural borders: a text wherever it has them (`corpus.phases.cuts`), a dialogue before a turn of the user (`corpus.phases.dialogue_rows`). A row
never crosses documents. Unless `[tokens]` asks for an overlap or a header, a text's rows put together are its tokens, none lost and none added but
one EOS, trained, at the end; a format that spells its end itself gets none. What is repeated and what is lost is counted in the table `cuts`.

A token is trained when every character it stands for lies in a trained span: one that straddles the border of a span that is not trained is not
trained either (law 7).

Text that spells a control token, such as "<|endoftext|>" on a page about tokenizers, is encoded as the ordinary characters it is. An EOS that
stands in a text all the same is not trained: SmolLM2's tokenizer makes one of every control character it does not know, and the model would
learn to stop there. Only spans that write control tokens on purpose teach them.

Reads doc_id, text, messages, and title, author and url where the header shows them, of `schemas.tables.DRAFTS`; writes `CUT`, `REFUSALS` and
`schemas.tables.CUTS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from corpus.phases.alignment import Alignment, Ints
from corpus.phases.cuts import Borders, runs
from corpus.phases.dialogue_rows import Crowded, Dialogue, is_dialogue
from corpus.phases.encoding import Encoded, Encoder, Refusal, Rendered
from corpus.phases.header import header_lines
from corpus.phases.row_plan import (
    CUT,
    UNTRAINED,
    Cut,
    Ids,
    Plan,
    Planned,
    Row,
    chunk_table,
    cut_table,
    cuts_of,
    rows_of,
    taught,
)
from plugins.contracts import Format, Span

__all__ = ["CUT", "REFUSALS", "UNTRAINED", "Cutting", "tokenize"]

BATCH_CHARACTERS = 1 << 21
"""Characters encoded at a time. An encoding takes some hundred bytes a token until its ids are copied, so this bounds memory
(to about 100 MB, or one document) without slowing the tokenizer's threads down. No result depends on it."""

REFUSALS = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("stage", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("detail", pa.string()),
])
"""Documents that became no row: `stage` is format or tokenize; `reason` is empty, untrained, failed, short or crowded."""


NOTHING = "no token of it is trained"


@dataclass(frozen=True, slots=True)
class Cutting:
    """How long rows are and what stands in front of them; options of `schemas.recipe.Tokens`, in tokens."""

    max_tokens: int
    overlap: int = 0
    min_tokens: int = 1
    header: tuple[str, ...] = ()


def tokenize(
    documents: pa.Table, spans_of: Format, tokenizer: Tokenizer, cutting: Cutting, eos_token_id: int
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """(chunks, refusals, cuts): the rows of each document in order, the documents that became none, and where rows end.

    `cutting.max_tokens` bounds a row, EOS included. Offsets are characters of the rendered text, half-open; so are turns. Those of a dialogue
    do not count what is carried. Results depend on each document alone, not on its neighbours or their number.
    """
    encoder = _encoder(tokenizer, control_tokens=spans_of.control_tokens)
    cutter = Cutter(encoder, cutting, eos_token_id, adds_end=not spans_of.ends)
    tables: list[pa.Table] = []
    cuts: list[Cut] = []
    refusals: list[Refusal] = []
    for batch in _batches(_render(documents, spans_of, cutting.header, refusals)):
        rows: list[Row] = []
        for document, encoded in zip(batch, encoder.encode(batch), strict=True):
            made = encoded if isinstance(encoded, Refusal) else cutter.made(document, encoded)
            if isinstance(made, Refusal):
                refusals.append(made)
            else:
                rows += made[0]
                cuts += made[1]
        tables.append(chunk_table(rows))
    chunks = pa.concat_tables([CUT.empty_table(), *tables]).combine_chunks()
    columns = {name: [getattr(refusal, name) for refusal in refusals] for name in REFUSALS.names}
    return chunks, pa.table(columns, schema=REFUSALS), cut_table(cuts)


@lru_cache(maxsize=2)
def _encoder(tokenizer: Tokenizer, *, control_tokens: bool) -> Encoder:
    """Made once a tokenizer: reading its vocabulary takes a fifth of a second."""
    return Encoder(tokenizer, control_tokens=control_tokens)


@dataclass(frozen=True, slots=True)
class Cutter:
    """Makes rows of a document's tokens."""

    encoder: Encoder
    cutting: Cutting
    eos_token_id: int
    adds_end: bool

    def made(self, document: Rendered, encoded: Encoded) -> tuple[Iterator[Row], Iterator[Cut]] | Refusal:
        """Rows and cuts of one document, of whose tokens there is at least one; or why it has none."""
        ids, spans = encoded.ids, document.spans
        end = np.array([self.eos_token_id] if self.adds_end else [], np.int32)
        if len(ids) + len(end) < self.cutting.min_tokens:
            return Refusal(
                document.doc_id,
                "tokenize",
                "short",
                f"{len(ids) + len(end)} tokens; min_tokens is {self.cutting.min_tokens}",
            )
        head = self._header(document)
        room = self.cutting.max_tokens - len(head)
        dialogue = is_dialogue(spans)
        alignment: Alignment | None = None
        labels = ids
        plain = all(span.trained and not span.control for span in spans)
        if dialogue or not plain or len(ids) + len(end) > room:
            alignment = self.encoder.align(document, encoded)
            labels = labels_of(ids, alignment, spans)
        labels = self._without_stray_ends(ids, labels, alignment, spans)
        borders = None if alignment is None else Borders(document.text, alignment, _openings(spans))
        if dialogue and borders is not None:
            planned = self._dialogue(document, borders, ids, labels)
        else:
            planned = taught(self._text(ids, head, borders, room, len(end)), labels, ends=len(end) > 0)
        if isinstance(planned, Refusal):
            return planned
        if not planned.plans:
            return Refusal(document.doc_id, "tokenize", "untrained", NOTHING)
        characters = None if borders is None else borders.characters
        return rows_of(document, planned, ids, labels, characters, end), cuts_of(document, planned)

    def _text(self, ids: Ids, head: Ids, borders: Borders | None, room: int, end: int) -> Planned:
        if borders is None:
            return Planned([Plan(head, len(head), 0, len(ids), "document")])
        overlap, least = self.cutting.overlap, self.cutting.min_tokens
        found = runs(borders, 0, len(ids), room, end=end, overlap=overlap, least=least)
        plans = []
        for run in found:
            front = np.concatenate([head, ids[run.start - run.back : run.start]])
            plans.append(Plan(front, len(front), run.start, run.stop, run.level))
        return Planned(plans)

    def _dialogue(self, document: Rendered, borders: Borders, ids: Ids, labels: Ids) -> Planned | Refusal:
        room = self.cutting.max_tokens - self.adds_end
        overlap, least = self.cutting.overlap, self.cutting.min_tokens
        dialogue = Dialogue(document.spans, borders, ids, labels, room, overlap, least, self._alone)
        try:
            planned = dialogue.planned()
        except Crowded as crowded:
            return Refusal(document.doc_id, "tokenize", "crowded", str(crowded))
        return planned

    def _alone(self, spans: Sequence[Span]) -> Ids:
        """The tokens of some spans by themselves."""
        rendered = Rendered("", "".join(span.text for span in spans), spans)
        (found,) = self.encoder.encode([rendered])
        return np.zeros(0, np.int32) if isinstance(found, Refusal) else found.ids

    def _header(self, document: Rendered) -> Ids:
        """The tokens of as many of its header's lines as take a quarter of a row."""
        for count in range(len(document.header), 0, -1):
            ids = self.encoder.plain("".join(document.header[:count]) + "\n")
            if len(ids) <= self.cutting.max_tokens // 4:
                return ids
        return np.zeros(0, np.int32)

    def _without_stray_ends(
        self, ids: Ids, labels: Ids, alignment: Alignment | None, spans: Sequence[Span]
    ) -> Ids:
        """The labels, without each EOS that no control span spells."""
        stray = ids == self.eos_token_id
        if alignment is not None and stray.any() and any(span.control for span in spans):
            places = np.repeat([span.control for span in spans], [len(span.text) for span in spans])
            stray &= ~places[np.minimum(alignment.starts, len(places) - 1)]
        return np.where(stray, np.int32(UNTRAINED), labels)


def labels_of(ids: Ids, tokens: Alignment, spans: Sequence[Span]) -> Ids:
    """Each token itself where all its characters are trained, else -100. One that stands for no character goes with the
    character after it."""
    trained = np.repeat(
        [span.trained and not span.carried for span in spans], [len(span.text) for span in spans]
    )
    untrained_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(~trained)])
    starts = np.minimum(tokens.starts, len(trained) - 1)
    ends = np.maximum(tokens.ends, starts + 1)
    kept = untrained_before[ends] == untrained_before[starts]
    return np.where(kept, ids, np.int32(UNTRAINED))


def _openings(spans: Sequence[Span]) -> Ints:
    """The characters at which a message begins that a row may begin with."""
    found, place = [], 0
    for span in spans:
        if span.turn is not None and span.opens:
            found.append(place)
        place += len(span.text)
    return np.array(found, np.int64)


def _render(
    documents: pa.Table, spans_of: Format, header: Sequence[str], refusals: list[Refusal]
) -> Iterator[Rendered]:
    """Documents as spans; one that the format refuses, or that has nothing to read or to train, is added to `refusals`."""
    shown = [name for name in ("title", "author", "url") if name in header]
    for batch in documents.select(["doc_id", "text", "messages", *shown]).to_batches(max_chunksize=256):
        for doc_id, text, messages, *values in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            rendered = _render_one(doc_id, text, messages, spans_of)
            if isinstance(rendered, Refusal):
                refusals.append(rendered)
                continue
            known = dict(zip(shown, values, strict=True))
            lines = header_lines(header, known, messages) if header else ()
            yield Rendered(doc_id, "".join(span.text for span in rendered), rendered, lines)


def _render_one(
    doc_id: str, text: str | None, messages: list[dict[str, Any]] | None, spans_of: Format
) -> list[Span] | Refusal:
    try:
        spans = _shown(spans_of.render(text, messages))
    except Exception as error:  # noqa: BLE001  a plugin may raise anything: it costs this document a fate, not the build
        return Refusal(doc_id, "format", "failed", f"{type(error).__name__}: {error}")
    if not spans:
        return Refusal(doc_id, "format", "empty")
    if not any(span.trained and not span.carried for span in spans):
        return Refusal(doc_id, "format", "untrained", "no span of it is marked for training")
    return spans


def _shown(spans: Sequence[Span]) -> list[Span]:
    """The spans that have a text; where an empty one begins a conversation, the next does."""
    found: list[Span] = []
    begins = False
    for span in spans:
        begins |= span.begins
        if span.text:
            found.append(replace(span, begins=True) if begins and not span.begins else span)
            begins = False
    return found


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
