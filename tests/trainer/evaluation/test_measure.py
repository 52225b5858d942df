"""Sums part by part: packing and batches do not change them, and memory that ends halves the batch."""

import numpy as np
import pytest
import torch

from plugins.backends.peft import Peft
from schemas.errors import UserError
from schemas.recipe import Train
from schemas.store import Store
from trainer.data import MASKED, read_rows
from trainer.evaluation.measure import RowTooLarge, measure, measure_parts
from trainer.steps import packing
from trainer.steps.packing import Collator


@pytest.fixture(scope="module")
def model(tiny_model):
    """The tiny model with an adapter that is not at zero."""
    found = Peft().load(tiny_model, Train(), max_length=128).model
    torch.manual_seed(0)
    for name, weight in found.named_parameters():
        if ".lora_B." in name:
            weight.data.normal_(std=0.05)
    return found.eval()


@pytest.fixture(scope="module")
def rows(make_version, tmp_path_factory):
    """The train split as it lies there, and packed."""
    root, _ = make_version(tmp_path_factory.mktemp("measured"))
    found = read_rows(Store(root).version("tale"), "train")
    return [packing.dataset(found, 128, packing=packed) for packed in (False, True)]


class Small(torch.nn.Module):
    """A model on a machine that holds so many rows."""

    def __init__(self, inner, holds, error=torch.OutOfMemoryError):
        super().__init__()
        self.inner, self.holds, self.error, self.passes = inner, holds, error, []

    def forward(self, *, input_ids, **more):
        self.passes.append(len(input_ids))
        if len(input_ids) > self.holds:
            raise self.error("CUDA out of memory. Tried to allocate 4.00 GiB")
        return self.inner(input_ids=input_ids, **more)


def test_the_parts_of_a_packed_row_are_the_rows_it_was_made_of(model, rows):
    packed = measure_parts(model, rows[1], Collator(0), batch_size=3)
    apart = [part for row in rows[1] for part in packing.parts(row)]
    alone = measure_parts(model, apart, Collator(0), batch_size=1)
    assert len(packed.loss) == len(rows[0]) > len(rows[1])
    np.testing.assert_allclose(packed.loss / packed.tokens, alone.loss / alone.tokens, atol=1e-5)
    assert packed.tokens.tolist() == alone.tokens.tolist()
    assert packed.hits.tolist() == alone.hits.tolist()


@pytest.mark.parametrize("batch_size", [2, 7, 64])
def test_no_batch_size_changes_a_row(model, rows, batch_size):
    one, many = (measure_parts(model, rows[0], Collator(0), batch_size=n) for n in (1, batch_size))
    np.testing.assert_allclose(many.loss, one.loss, atol=1e-4)
    assert many.total().loss == pytest.approx(one.total().loss, abs=1e-5)
    assert many.hits.tolist() == one.hits.tolist()


def test_untrained_labels_count_for_nothing(model, rows):
    row = rows[0][0]
    half = len(row["labels"]) // 2
    rest = {**row, "labels": [MASKED] * half + row["labels"][half:]}
    found = measure_parts(model, [row, rest], Collator(0), batch_size=2)
    assert found.tokens.tolist() == [len(row["labels"]) - 1, len(row["labels"]) - half]
    with pytest.raises(UserError, match="no trained token in these rows"):
        measure(model, [{**row, "labels": [MASKED] * len(row["labels"])}], Collator(0), batch_size=1)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_memory_that_ends_halves_the_batch_and_changes_no_number(model, rows, error):
    small, told, ticks = Small(model, holds=2, error=error), [], []
    found = measure_parts(small, rows[0], Collator(0), batch_size=8, halved=told.append, tick=ticks.append)
    whole = measure_parts(model, rows[0], Collator(0), batch_size=8)
    assert told == [4, 2]
    assert small.passes == [8, 4, *[2] * 12]
    assert ticks[-1] == len(rows[0])
    np.testing.assert_allclose(found.loss, whole.loss, atol=1e-4)


def test_a_single_row_that_does_not_fit_says_what_to_change(model, rows):
    with pytest.raises(RowTooLarge, match=rf"one row of {len(rows[0][0]['input_ids'])} tokens.*max_length"):
        measure(Small(model, holds=0), rows[0], Collator(0), batch_size=4)


def test_another_failure_is_not_taken_for_memory(model, rows):
    class Broken(Small):
        def forward(self, **more):
            raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        measure(Broken(model, holds=9), rows[0], Collator(0), batch_size=4)
