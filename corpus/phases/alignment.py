"""Which characters of a text each of its tokens stands for.

`encode_batch_fast`, twice as fast as `encode_batch`, keeps no offsets. A byte-level tokenizer (GPT-2, Llama 3, Qwen, SmolLM)
does not need them: its tokens spell the text's UTF-8 bytes one for one, so their lengths are the offsets. Where the lengths do
not add up to the text, and for every other kind of tokenizer, the text is encoded once more with offsets.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

Ints = NDArray[np.int64]

UNSPELT = 1 << 40
"""Length of a token that is not spelt in bytes: any text that holds one fails to add up."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Token i stands for characters [starts[i], ends[i]). `ends` never falls and ends at the text's length; the tokens that
    share one character all name it, so `starts[i] < ends[i - 1]` says that the border before token i splits a character."""

    starts: Ints
    ends: Ints


class Aligner:
    """Aligns the tokens of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._settings: dict[str, Any] = json.loads(tokenizer.to_str())
        self._lengths = byte_lengths(tokenizer) if self._spells_bytes() else None

    def align(self, text: str, ids: NDArray[np.int32]) -> Alignment:
        """The characters each of `ids` stands for; `ids` are what the tokenizer made of `text`, no special tokens added."""
        if self._lengths is not None and self._unchanged(text):
            lengths = self._lengths[ids]
            if int(lengths.sum()) == (len(text) if text.isascii() else len(text.encode())):
                return align_bytes(text, lengths)
        return align_offsets(text, self._tokenizer.encode(text, add_special_tokens=False).offsets)

    def _spells_bytes(self) -> bool:
        """Whether its tokens spell the bytes of the text (as `_unchanged` has it) and add none."""
        byte_level = [
            step for step in steps_of(self._settings["pre_tokenizer"]) if step["type"] == "ByteLevel"
        ]
        normal = {step["type"] for step in steps_of(self._settings["normalizer"])}
        return (
            bool(byte_level)
            and not any(step["add_prefix_space"] for step in byte_level)
            and normal <= {"NFC"}
        )

    def _unchanged(self, text: str) -> bool:
        """Whether the tokenizer's normaliser leaves the text as it is."""
        return not steps_of(self._settings["normalizer"]) or unicodedata.is_normalized("NFC", text)


def steps_of(component: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A normaliser or pre-tokenizer of `tokenizer.json` as a flat list of its steps."""
    if component is None:
        return []
    nested = component.get("normalizers", component.get("pretokenizers"))
    return [component] if nested is None else [step for inner in nested for step in steps_of(inner)]


def byte_lengths(tokenizer: Tokenizer) -> Ints:
    """By token id: how many bytes of text it spells. A byte-level token has one stand-in letter a byte."""
    alphabet = set(ByteLevel.alphabet())
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    lengths = np.full(max(vocabulary.values(), default=-1) + 1, UNSPELT, np.int64)
    for token, index in vocabulary.items():
        if alphabet.issuperset(token):
            lengths[index] = len(token)
    for index, added in tokenizer.get_added_tokens_decoder().items():
        lengths[index] = len(added.content.encode())
    return lengths


def align_bytes(text: str, lengths: Ints) -> Alignment:
    """From the byte length of each token; a character cut in pieces is named by each of them."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    if text.isascii():
        return Alignment(starts, ends)
    data = np.frombuffer(text.encode(), np.uint8)
    begun = np.zeros(len(data) + 1, np.int64)
    np.cumsum((data & 0xC0) != 0x80, out=begun[1:])  # 10xxxxxx goes on with a character (RFC 3629, section 3)
    return Alignment(begun[np.minimum(starts + 1, len(data))] - 1, begun[ends])


def align_offsets(text: str, offsets: list[tuple[int, int]]) -> Alignment:
    """From the tokenizer's own offsets, with the gaps closed that it leaves where it trims or drops white space: they belong
    to the token after them, and what follows the last token belongs to that one."""
    given = np.array(offsets, np.int64).reshape(-1, 2)
    ends = np.maximum.accumulate(given[:, 1])
    if len(ends):
        ends[-1] = len(text)
    before = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(ends)]
    starts = np.where(given[:, 0] == given[:, 1], before, np.minimum(given[:, 0], before))
    return Alignment(starts, ends)
