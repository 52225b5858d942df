"""datatrove's own filters as oracles: run on given words and sentences, so that no tokenizer of theirs is needed.

Their filters ask `load_word_tokenizer`, which gives here an object that answers with what it was handed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import datatrove.utils.text as datatrove_text
import datatrove.utils.word_tokenizers as datatrove_tokenizers
import pyarrow as pa
from datatrove.data import Document

from plugins.kernels.buffers import buffers
from plugins.kernels.tokens import tokens


class Verdict(NamedTuple):
    """What a datatrove filter said; `text` is the document's text afterwards. `reason` is "ZeroDivisionError" where it raised that."""

    kept: bool
    reason: str | None
    text: str


class _Given:
    """A tokenizer that answers what it was made with."""

    def __init__(self, words: Sequence[str], sentences: Sequence[str]) -> None:
        self.words, self.sentences = list(words), list(sentences)

    def word_tokenize(self, _text: str) -> list[str]:
        return list(self.words)

    def sent_tokenize(self, _text: str) -> list[str]:
        return list(self.sentences)

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return list(datatrove_tokenizers.simple_span_tokenize(text, self.sentences))


@contextmanager
def given(words: Sequence[str], sentences: Sequence[str] = ()) -> Iterator[None]:
    """Within it, datatrove's tokenizers find these words and sentences in any text."""
    tokenizer = _Given(words, sentences)
    datatrove_text.split_into_parts.cache_clear()
    try:
        with patch.object(datatrove_tokenizers, "load_word_tokenizer", lambda _language: tokenizer):
            yield
    finally:
        datatrove_text.split_into_parts.cache_clear()


def verdict(judge: Any, text: str, words: Sequence[str], sentences: Sequence[str] = ()) -> Verdict:
    """What the datatrove filter `judge` says of `text`, given its words and sentences."""
    document = Document(text=text, id="0")
    with given(words, sentences):
        try:
            answer = judge.filter(document)
        except ZeroDivisionError:
            return Verdict(False, "ZeroDivisionError", document.text)
    kept, reason = answer if isinstance(answer, tuple) else (answer, None)
    return Verdict(bool(kept), reason, document.text)


def words_of(text: str) -> list[str]:
    """The words that our own kernel finds."""
    part = next(iter(buffers(pa.array([text], pa.large_string()))))
    data, spans = part.data.tobytes(), tokens(part)
    return [
        data[start:end].decode()
        for start, end in zip(spans.starts.tolist(), spans.ends.tolist(), strict=True)
    ]
