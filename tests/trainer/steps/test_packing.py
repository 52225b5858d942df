"""Packed loss equals unpacked loss: in eval mode, in train mode, against an explicit block-diagonal mask."""

import pytest
import torch

from plugins.backends.peft import Peft
from schemas.errors import GristmillError
from schemas.recipe import Train
from schemas.store import Store
from trainer import sft
from trainer.data import read_rows
from trainer.evaluation.measure import measure
from trainer.steps import packing
from trainer.steps.packing import Collator


@pytest.fixture
def loaded(tiny_model):
    """The tiny model with an adapter that is not at zero, so that its layers take part."""
    found = Peft().load(tiny_model, Train(), max_length=128)
    torch.manual_seed(0)
    for name, weight in found.model.named_parameters():
        if ".lora_B." in name:
            weight.data.normal_(std=0.05)
    return found


@pytest.fixture
def both(made):
    """The train split plain and packed."""
    root, _ = made()
    rows = read_rows(Store(root).version("tale"), "train")
    return packing.dataset(rows, 128, packing=False), packing.dataset(rows, 128, packing=True)


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_packed_and_unpacked_loss_agree_in_eval_mode(loaded, both, batch_size):
    plain, packed = both
    alone = measure(loaded.model, plain, Collator(0), batch_size=1)
    joined = measure(loaded.model, packed, Collator(0), batch_size=batch_size)
    assert joined.tokens == alone.tokens
    assert joined.loss == pytest.approx(alone.loss, abs=1e-5)
    assert joined.accuracy == pytest.approx(alone.accuracy)


def test_a_packed_row_is_what_a_block_diagonal_mask_computes(loaded, both):
    row = max(both[1], key=lambda row: len(row["seq_lengths"]))
    part = torch.repeat_interleave(torch.arange(len(row["seq_lengths"])), torch.tensor(row["seq_lengths"]))
    block = (part[:, None] == part[None, :]).tril()
    positions = torch.cat([torch.arange(n) for n in row["seq_lengths"]])[None]
    loaded.model.eval()
    with torch.no_grad():
        logits = loaded.model(
            input_ids=torch.tensor([row["input_ids"]]),
            attention_mask=block[None, None],
            position_ids=positions,
            use_cache=False,
        ).logits
    oracle = torch.nn.functional.cross_entropy(logits[0, :-1], torch.tensor(row["labels"][1:]))
    assert measure(loaded.model, [row], Collator(0), batch_size=1).loss == pytest.approx(
        float(oracle), abs=1e-5
    )


def test_packed_and_unpacked_loss_and_gradient_agree_in_train_mode(made):
    """`gd` takes all rows in one step, so the first step of both runs sees the same tokens."""
    root, recipe = made('optimizer = "gd"\nmax_steps = 2')
    text, seen = recipe.read_text(), {}
    for packed in ("true", "false"):
        recipe.write_text(f"{text}packing = {packed}\n")
        seen[packed] = sft.train(recipe, root=root).metrics().to_pylist()
    for ours, theirs in zip(seen["true"], seen["false"], strict=True):
        assert ours["kind"] == theirs["kind"]
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
        assert ours["tokens"] == theirs["tokens"]
        if ours["kind"] == "train":
            assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)


class Leaky(torch.nn.Module):
    """A model whose attention does not know positions: what a kernel that ignores them would be."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, *, position_ids=None, **more):
        return self.inner(**more)


def test_a_model_that_lets_packed_documents_read_each_other_is_refused(loaded, both):
    with pytest.raises(GristmillError, match=r"packing changes the loss of this model.*packing = false"):
        packing.check(Leaky(loaded.model), both[1], Collator(0), "float32")
    assert packing.check(loaded.model, both[1], Collator(0), "float32") < 1e-5


def test_measuring_leaves_the_mode_as_it_was(loaded, both):
    loaded.model.train()
    measure(loaded.model, both[0], Collator(0), batch_size=4)
    assert loaded.model.training
