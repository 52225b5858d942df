"""Short rows joined into full ones without changing the loss.

TRL packs (best-fit decreasing). A packed row carries the lengths of its parts; the collator turns them into positions
that start at 0 for each part, from which transformers builds a block-diagonal mask: but only without an attention
mask and without a cache (`use_cache=False`). TRL's own switch is not used: with sdpa it flattens a batch into one row, whose
attention costs the square of its length, and unsloth turns it off on a CPU. `check` measures, on the
model at hand, that a packed row's loss is the loss of its parts: attention kernels come and go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import GristmillError
from trainer.data import MASKED, Rows

if TYPE_CHECKING:
    import datasets
    import torch

TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 1e-2}
"""How far the mean loss of a packed row may be from its parts': about ten times the rounding seen. A leak
between documents moves it by more: the third digit on real text (FINDINGS)."""


def dataset(rows: Rows, max_length: int, *, packing: bool) -> datasets.Dataset:
    """`input_ids` and `labels`, and `seq_lengths` where rows are packed; kept in memory, so no cache can be stale."""
    import datasets
    from datasets.table import InMemoryTable

    plain = datasets.Dataset(InMemoryTable(rows.table.select(["input_ids", "labels"])))
    if not packing or not len(plain):
        return plain
    from trl import pack_dataset

    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        return pack_dataset(
            plain,
            max_length,
            strategy="bfd",
            map_kwargs={"keep_in_memory": True, "load_from_cache_file": False},
        )
    finally:
        if not shown:
            datasets.enable_progress_bars()


@dataclass(frozen=True)
class Collator:
    """Pads rows to the longest of the batch. Plain rows get an attention mask, packed ones positions instead."""

    pad_token_id: int

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """int64 tensors of shape (rows, longest): input_ids, labels, and attention_mask or position_ids."""
        import torch

        longest = max(len(row["input_ids"]) for row in rows)

        def padded(values: list[list[int]], fill: int) -> torch.Tensor:
            return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in values], dtype=torch.int64)

        batch = {
            "input_ids": padded([row["input_ids"] for row in rows], self.pad_token_id),
            "labels": padded([row["labels"] for row in rows], MASKED),
        }
        if "seq_lengths" in rows[0]:
            # A pad at position 0 after another is a part of its own: it attends to itself and is not trained.
            batch["position_ids"] = padded(
                [[n for length in row["seq_lengths"] for n in range(length)] for row in rows], 0
            )
        else:
            batch["attention_mask"] = padded([[1] * len(row["input_ids"]) for row in rows], 0)
        return batch


def parts(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows a packed row is made of."""
    cut, start = [], 0
    for length in row["seq_lengths"]:
        cut.append({
            "input_ids": row["input_ids"][start : start + length],
            "labels": row["labels"][start : start + length],
        })
        start += length
    return cut


def check(model: Any, packed: datasets.Dataset, collator: Collator, precision: str) -> float | None:
    """The difference in mean loss between a packed row and its parts; None where no row joins two.

    Raises GristmillError where it is more than rounding explains.
    """
    from trainer.evaluation.measure import measure

    joined = [n for n, lengths in enumerate(packed["seq_lengths"]) if len(lengths) > 1]
    if not joined:
        return None
    row = packed[min(joined, key=lambda n: len(packed[n]["input_ids"]))]
    together = measure(model, [row], collator, batch_size=1, precision=precision)
    apart = measure(model, parts(row), collator, batch_size=1, precision=precision)
    difference = abs(together.loss - apart.loss)
    if difference > TOLERANCE[precision]:
        raise GristmillError(
            f"packing changes the loss of this model: {together.loss:.5f} packed, {apart.loss:.5f} apart, so documents in one row "
            "read each other. Its attention does not keep packed rows apart here. Set [train] packing = false."
        )
    return difference
