"""Which rows make up an optimiser step, and how a step is cut into passes.

The order is a pure function of (seed, epoch): a fresh permutation an epoch, cut into steps of `batch_size` rows, of
which the last may hold fewer. It knows nothing of micro-batches, of processes or of how far a run has come, so none of
them can change what a step learns from. transformers is given one "batch" a step and no accumulation: its own sampler
(torch's RandomSampler, fed from the global generator) was rejected because what it draws depends on what else drew
before it, and its accumulation because a step is a whole number of micro-batches there: 8 rows in threes are 9.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data import MASKED

if TYPE_CHECKING:
    import datasets
    from torch.utils.data import DataLoader

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Batch:
    """One optimiser step."""

    rows: list[dict[str, Any]]
    """This process' rows; none where a small last step has fewer rows than there are processes."""
    trained: int
    """Tokens a loss is taken on, over the rows of all processes."""


def order(rows: int, seed: int, epoch: int) -> Vector:
    """The order in which an epoch reads `rows` rows: int64, a permutation.

    >>> order(5, seed=7, epoch=0), order(5, seed=7, epoch=1)
    (array([2, 0, 4, 1, 3]), array([3, 0, 2, 1, 4]))
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)


def passes(rows: Any, micro: int) -> Iterator[Any]:
    """A step's rows (anything that can be sliced) in passes of `micro`, the last with what is left.

    >>> [len(part) for part in passes(range(8), 3)]
    [3, 3, 2]
    """
    return (rows[start : start + micro] for start in range(0, len(rows), micro))


def trained_tokens(rows: datasets.Dataset) -> Vector:
    """Labels a loss is taken on in each row, int64. `trainer.data` masked each row's first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = rows.with_format("arrow")[:]["labels"]
    labels = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    kept = pc.list_flatten(labels).to_numpy() != MASKED
    return np.bincount(pc.list_parent_indices(labels).to_numpy()[kept], minlength=len(rows))


class Steps:
    """torch's batch sampler protocol: the indices of each step of the epoch that was set."""

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """transformers says which epoch begins, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.rows / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        read = order(self.rows, self.seed, self.epoch)
        return (list(map(int, part)) for part in passes(read, self.batch_size))


class Shares:
    """torch's dataset protocol: a step's rows, of which each process fetches every `processes`-th."""

    def __init__(self, rows: datasets.Dataset, process: int = 0, processes: int = 1) -> None:
        self.rows = rows
        self.process = process
        self.processes = processes
        self.trained = trained_tokens(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, step: list[int]) -> Batch:
        mine = step[self.process :: self.processes]
        return Batch(self.rows.__getitems__(mine) if mine else [], int(self.trained[step].sum()))


def loader(
    rows: datasets.Dataset, *, batch_size: int, seed: int, process: int = 0, processes: int = 1
) -> DataLoader[Batch]:
    """A loader that yields a `Batch` a step. transformers skips steps in it to resume, so it must be torch's."""
    import torch
    from torch.utils.data import DataLoader

    class Loader(DataLoader[Batch]):
        def set_epoch(self, epoch: int) -> None:
            steps.set_epoch(epoch)

    steps = Steps(len(rows), batch_size, seed)
    return Loader(
        Shares(rows, process, processes),
        batch_sampler=steps,
        collate_fn=_as_it_is,
        # A loader draws a seed for its workers; from a generator of its own, so that dropout's numbers do not depend on it.
        generator=torch.Generator(),
    )


def _as_it_is(batch: Any) -> Any:
    return batch
