"""Three rows as the model will read them, so that a wrong mask is seen before it is trained.

Text is what the tokenizer makes of the rows' own token numbers, not of the text they were cut from. Trained tokens are green on a
terminal, elsewhere between marks. Control characters, invisible and direction-changing ones are written out: a row may
have come from anywhere, and must not command a terminal.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from plugins import models
from trainer.data import MASKED, Rows

ROWS = 3
SHOWN = 240
"""Tokens of a row that are shown: two thirds from its start, the rest from its end."""
MARKS = ("⟦", "⟧")
GREEN, PLAIN = "\x1b[32m", "\x1b[0m"
VISIBLE = {"\n": "⏎\n", "\t": "⇥", "\r": "␍"}


@dataclass(frozen=True)
class Run:
    """Tokens in a row that are all trained, or all only read."""

    text: str
    """As decoded, control characters and all."""
    trained: bool


@dataclass(frozen=True)
class Preview:
    """One row."""

    chunk: str
    document: str
    tokens: int
    trained: int
    runs: tuple[Run, ...]
    left_out: int
    """Tokens in the middle that are not shown."""
    cut: int
    """The run before which they stood; the number of runs where none are left out."""

    def lines(self, *, colour: bool) -> Iterator[str]:
        """For people, indented; trained text is coloured or marked."""
        yield f"  chunk {self.chunk} of document {visible(self.document)}: {self.trained:,} of {self.tokens:,} tokens trained"
        before, after = (GREEN, PLAIN) if colour else MARKS
        text = ""
        for n, run in enumerate(self.runs):
            if n == self.cut:
                text += f" […{self.left_out:,} tokens…] "
            shown = visible(run.text)
            text += f"{before}{shown}{after}" if run.trained else shown
        for line in text.split("\n"):
            yield f"    {line}"


def previews(rows: Rows, model: Path, count: int = ROWS) -> tuple[Preview, ...]:
    """The first, the last and evenly chosen rows between, decoded with the model's tokenizer."""
    from tokenizers import Tokenizer

    if not rows.table.num_rows:
        return ()
    tokenizer = Tokenizer.from_file(str(models.tokenizer_path(model)))
    chosen = np.linspace(0, rows.table.num_rows - 1, min(count, rows.table.num_rows)).round().astype(int)
    return tuple(_preview(rows, int(n), tokenizer) for n in chosen)


def _preview(rows: Rows, n: int, tokenizer: object) -> Preview:
    row = {name: rows.table[name][n].as_py() for name in ("chunk_id", "doc_id", "input_ids", "labels")}
    ids, trained = row["input_ids"], [label != MASKED for label in row["labels"]]
    head = len(ids) if len(ids) <= SHOWN else 2 * SHOWN // 3
    tail = len(ids) if len(ids) <= SHOWN else len(ids) - (SHOWN - head)
    first = _runs(ids[:head], trained[:head], tokenizer)
    last = _runs(ids[tail:], trained[tail:], tokenizer)
    return Preview(
        row["chunk_id"], row["doc_id"], len(ids), sum(trained), (*first, *last), tail - head, len(first) if last else -1
    )  # fmt: skip


def _runs(ids: Sequence[int], trained: Sequence[bool], tokenizer: object) -> list[Run]:
    """Runs of tokens as text. Each is what decoding up to its end adds: some tokenizers drop a space in front of what they decode alone."""
    found, end, before = [], 0, ""
    for learned, run in groupby(trained):
        end += len(list(run))
        text = tokenizer.decode(list(ids[:end]), skip_special_tokens=False)  # type: ignore[attr-defined]
        found.append(Run(text[len(before) :], learned))
        before = text
    return found


def visible(text: str) -> str:
    r"""The text with nothing in it that a terminal would obey or hide.

    >>> print(visible("a\x1b[2Jb\u202ec"))
    a␛[2Jb\u202ec
    """
    return "".join(_visible(letter) for letter in text)


def _visible(letter: str) -> str:
    if letter in VISIBLE:
        return VISIBLE[letter]
    if letter < " ":
        return chr(0x2400 + ord(letter))
    if letter == "\x7f":
        return "␡"
    if unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}:
        return f"\\u{ord(letter):04x}"
    return letter


def colours() -> bool:
    """Whether stderr is a terminal whose owner wants colours (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
