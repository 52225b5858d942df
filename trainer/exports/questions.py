"""The golden prompts: a few rows of val, cut where an answer begins, and a few constants. Never test (law 9)."""

from __future__ import annotations

from typing import Any

from schemas.errors import NotFound
from schemas.store import Store
from trainer.exports.golden import Question
from trainer.exports.spoken import Spoken, written
from trainer.record import RunRecord, find_corpus

ROWS = 4
LONGEST = 192
"""Tokens of a prompt, at most."""
ASKED = ("Hello! Who are you?", "What happened next?", "Count from 8 to 12.", "„Naïve“ — 東京?\n\nGo on …")
BEGUN = ("Once upon a time", "The door", "In 1987, 12 of", "„Naïve“ — 東京\n\n“I do not know,” she")


def questions(record: RunRecord, store: Store, spoken: Spoken, tokenizer: Any) -> list[Question]:
    """The prompts as tokens; those of val only where the run's corpus is on this machine. Raises Mismatch for another corpus of its name."""
    texts = BEGUN if spoken.form is None else [written(spoken.form.asked(text)) for text in ASKED]
    fixed = [
        Question("fixed", tuple(tokenizer(text, add_special_tokens=False)["input_ids"])) for text in texts
    ]
    try:
        version = find_corpus(record, store)
    except NotFound:  # pruned, or never on this machine
        return fixed
    import pyarrow.parquet as pq

    rows = [
        row
        for file in version.files("chunks", "val")
        for row in pq.read_table(file, columns=["input_ids", "labels"]).to_pylist()
    ]
    rows = rows[:: max(1, len(rows) // ROWS)][:ROWS]
    return [Question("val", _prompt(row["input_ids"], row["labels"])) for row in rows] + fixed


def _prompt(ids: list[int], labels: list[int]) -> tuple[int, ...]:
    """A row up to its first trained token; where that is at its head, its first half."""
    first = next((n for n, label in enumerate(labels) if label >= 0), 0)
    return tuple(ids[: min(first if first > 0 else max(1, len(ids) // 2), LONGEST)])
