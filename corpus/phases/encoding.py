"""From a rendered document to its tokens: control tokens where the format writes them, plain characters wherever else they are spelt.

A document is encoded once as a whole, as a server encodes a prompt, so that the tokens at every seam between header, text and end mark are
those the model meets later. A format without control tokens gets an encoder that knows none. One with control tokens gets the tokenizer's
own; if the control tokens it finds are not exactly those that the control spans spell, some other span spells one too ("<|im_end|>" on a page
about templates) or the tokenizer makes one of a character it does not know. Such a document is encoded again in disguise: a copy of the
tokenizer has each control token renamed to as many characters of a private plane, and the control spans are respelt so. All else (where the
tokenizer splits, what it trims beside a control token, the "▁" it puts in front) stays as it is, and so do all offsets.

"Control tokens" are the tokenizer's special tokens. An added token that is not special, such as a run of spaces, is part of how it writes text.

Rejected: encoding such a document span by span. Tokens at the seams then differ from those of inference, SentencePiece puts a "▁" in front of
each span, and a control token that trims the white space beside it can no longer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from corpus.phases.alignment import Aligner, Alignment, align_offsets
from plugins.contracts import Span

PLANES = (0xF0000, 0x100000)
"""Where the private planes 15 and 16 begin, which no text that people read makes use of (Unicode 15, section 23.5)."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document as the model reads it."""

    doc_id: str
    text: str
    spans: Sequence[Span]
    header: Sequence[str] = ()
    """The lines of its header (`corpus.phases.header`)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document became no row."""

    doc_id: str
    stage: str
    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document's tokens; `alignment` where it was found on the way."""

    ids: NDArray[np.int32]
    alignment: Alignment | None = None


class Encoder:
    """Encodes documents with one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, *, control_tokens: bool = False) -> None:
        self._tokenizer = plain_encoder(tokenizer, control_tokens=control_tokens)
        self._aligner = Aligner(self._tokenizer)
        self._control_tokens = control_tokens
        added = self._tokenizer.get_added_tokens_decoder()
        self._special = np.array(sorted(index for index, token in added.items() if token.special), np.int32)
        self._spelt: dict[str, list[int]] = {}
        self._disguises: dict[int, Disguise] = {}

    def encode(self, batch: Sequence[Rendered]) -> Iterator[Encoded | Refusal]:
        """The tokens of each document, or why it has none. A batch that fails is tried again one by one, to name the culprit."""
        try:
            found = self._tokenizer.encode_batch_fast(
                [document.text for document in batch], add_special_tokens=False
            )
        except Exception as error:  # noqa: BLE001  the tokenizer raises plain Exception
            if len(batch) > 1:
                for document in batch:
                    yield from self.encode([document])
            else:
                yield _failed(batch[0], error)
            return
        for document, encoding in zip(batch, found, strict=True):
            ids = np.array(encoding.ids, np.int32)
            if not len(ids):
                yield Refusal(document.doc_id, "tokenize", "empty", "the tokenizer makes no token of it")
            elif self._control_tokens and not self._as_spelt(document, ids):
                yield self._disguised(document)
            else:
                yield Encoded(ids)

    def align(self, document: Rendered, encoded: Encoded) -> Alignment:
        """The characters each token stands for."""
        return encoded.alignment or self._aligner.align(document.text, encoded.ids)

    def plain(self, text: str) -> NDArray[np.int32]:
        """The tokens of a text beside the documents: of its characters alone. Only where the encoder knows no control tokens."""
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def _as_spelt(self, document: Rendered, ids: NDArray[np.int32]) -> bool:
        """Whether its control tokens are exactly those its control spans spell."""
        expected = [index for text in _control_texts(document.spans) for index in self._spelt_by(text)]
        return ids[np.isin(ids, self._special)].tolist() == expected

    def _spelt_by(self, text: str) -> list[int]:
        """The control tokens that a control span spells. A template has few such spans, and many documents."""
        if text not in self._spelt:
            if len(self._spelt) > 1 << 12:
                self._spelt.clear()
            ids = np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)
            self._spelt[text] = ids[np.isin(ids, self._special)].tolist()
        return self._spelt[text]

    def _disguised(self, document: Rendered) -> Encoded | Refusal:
        try:
            plane = next(plane for plane in PLANES if not _reaches(document.text, plane))
        except StopIteration:
            detail = "it has characters of both private planes, and spells control tokens"
            return Refusal(document.doc_id, "tokenize", "failed", detail)
        try:
            if plane not in self._disguises:
                self._disguises[plane] = Disguise(self._tokenizer, plane)
            return self._disguises[plane].encode(document)
        except Exception as error:  # noqa: BLE001  as above
            return _failed(document, error)


def plain_encoder(tokenizer: Tokenizer, *, control_tokens: bool = False) -> Tokenizer:
    """A copy that neither cuts nor pads; without `control_tokens`, one that reads "<|endoftext|>" as plain characters."""
    encoder = Tokenizer.from_str(tokenizer.to_str())
    encoder.no_truncation()
    encoder.no_padding()
    encoder.encode_special_tokens = not control_tokens
    return encoder


class Disguise:
    """A tokenizer whose control tokens go by other names, equally long, which no document spells by chance."""

    def __init__(self, tokenizer: Tokenizer, plane: int) -> None:
        added = tokenizer.get_added_tokens_decoder()
        special = {index: token.content for index, token in added.items() if token.special}
        self._names = {
            name: chr(plane + place) * len(name) for place, name in enumerate(special.values()) if name
        }
        self._find = re.compile(
            "|".join(map(re.escape, sorted(self._names, key=len, reverse=True))) or r"(?!)"
        )
        self._tokenizer = Tokenizer.from_str(json.dumps(_renamed(tokenizer, self._names)))
        moved = [
            name
            for index, name in special.items()
            if name and self._tokenizer.token_to_id(self._names[name]) != index
        ]
        if moved:
            raise ValueError(f"the tokenizer keeps no place for {', '.join(moved)} under another name")

    def encode(self, document: Rendered) -> Encoded:
        """Its tokens, with the characters of the text as it stands."""
        respelt = "".join(
            self._find.sub(lambda found: self._names[found[0]], text) if control else text
            for control, text in _runs(document.spans)
        )
        found = self._tokenizer.encode(respelt, add_special_tokens=False)
        return Encoded(np.array(found.ids, np.int32), align_offsets(document.text, found.offsets))


def _renamed(tokenizer: Tokenizer, names: dict[str, str]) -> dict[str, Any]:
    """`tokenizer.json` with other names for its control tokens, wherever it names them. Names are matched in the text as it stands: a
    normaliser must not take the private characters away."""
    settings: dict[str, Any] = json.loads(tokenizer.to_str())
    settings["truncation"] = settings["padding"] = settings["post_processor"] = None
    for token in settings["added_tokens"]:
        if token["special"] and token["content"] in names:
            token["content"], token["normalized"] = names[token["content"]], False
    model = settings["model"]
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(piece, piece): index for piece, index in vocabulary.items()}
    elif isinstance(vocabulary, list):
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    return settings


def _runs(spans: Sequence[Span]) -> Iterator[tuple[bool, str]]:
    """Texts of neighbouring spans of one kind, and whether they spell control tokens."""
    for control, run in groupby(spans, key=lambda span: span.control):
        yield control, "".join(span.text for span in run)


def _control_texts(spans: Sequence[Span]) -> Iterator[str]:
    return (text for control, text in _runs(spans) if control)


def _reaches(text: str, plane: int) -> bool:
    return max(text) >= chr(plane) and any(plane <= ord(letter) < plane + 0x10000 for letter in text)


def _failed(document: Rendered, error: Exception) -> Refusal:
    return Refusal(document.doc_id, "tokenize", "failed", f"{type(error).__name__}: {error}")
