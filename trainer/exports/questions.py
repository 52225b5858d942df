"""The golden prompts: a few rows of val, cut where an answer begins, and a few constants. Never test (law 9)."""

from __future__ import annotations

from typing import Any

from schemas.errors import Mismatch, NotFound
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
    """The prompts as tokens; those of val only where the run's corpus, and not another of its name, is on this machine."""
    texts = BEGUN if spoken.form is None else [written(spoken.form.asked(text)) for text in ASKED]
    fixed = [
        Question("fixed", tuple(tokenizer(text, add_special_tokens=False)["input_ids"])) for text in texts
    ]
    try:
        version = find_corpus(record, store)
    except (
        NotFound,
        Mismatch,
    ):  # pruned, never on this machine, or built anew: the model is the run's all the same
        return fixed
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [pq.ParquetFile(file) for file in version.files("chunks", "val")]
    total = sum(file.metadata.num_rows for file in files)
    wanted = range(0, total, max(1, total // ROWS))[:ROWS]
    rows, at = [], 0
    for (
        file
    ) in files:  # val may be large: one batch at a time, and only the rows that are asked become Python's
        for batch in file.iter_batches(columns=["input_ids", "labels"], batch_size=1024):
            inside = [n - at for n in wanted if at <= n < at + batch.num_rows]
            rows += batch.take(pa.array(inside, pa.int64())).to_pylist()
            at += batch.num_rows
    return [Question("val", _prompt(row["input_ids"], row["labels"])) for row in rows] + fixed


def _prompt(ids: list[int], labels: list[int]) -> tuple[int, ...]:
    """A row up to its first trained token; where that is at its head, its first half."""
    first = next((n for n, label in enumerate(labels) if label >= 0), 0)
    return tuple(ids[: min(first if first > 0 else max(1, len(ids) // 2), LONGEST)])
