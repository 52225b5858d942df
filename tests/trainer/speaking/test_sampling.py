"""Tokens are filtered as transformers filters them, and drawn as often as they are likely, from numbers of the prompt's own."""

import pytest
import torch
from hypothesis import given, strategies as st

from schemas.errors import UserError
from trainer.speaking.sampling import Sampling, choose, filtered, stream


@given(
    scores=st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=30, unique=True),
    top_k=st.integers(0, 12),
    top_p=st.floats(0.05, 1),
    min_p=st.floats(0, 0.9),
)
def test_filters_keep_what_those_of_transformers_keep(scores, top_k, top_p, min_p):
    from transformers.generation.logits_process import (
        LogitsProcessorList,
        MinPLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    theirs = LogitsProcessorList(
        [*([TopKLogitsWarper(top_k)] if top_k else []), *([TopPLogitsWarper(top_p)] if top_p < 1 else [])]
        + ([MinPLogitsWarper(min_p)] if min_p else [])
    )
    likely = torch.tensor(sorted(scores, reverse=True), dtype=torch.float64)
    wanted = theirs(torch.tensor([[0]]), likely[None].clone())[0].softmax(0)
    found = filtered(likely, Sampling(temperature=1.0, top_k=top_k, top_p=top_p, min_p=min_p))
    # A share that meets a bound to the last bit may fall on either side of it.
    assert torch.allclose(found, wanted, atol=1e-6) or _at_a_bound(likely, top_p, min_p)


def _at_a_bound(likely, top_p, min_p):
    shares = likely.softmax(0)
    sums = torch.cat([shares.cumsum(0), shares / shares[0]])
    return bool(
        (
            ((sums - top_p).abs() < 1e-5) | ((sums - min_p).abs() < 1e-5) | ((1 - sums - top_p).abs() < 1e-5)
        ).any()
    )


def test_the_penalty_is_that_of_transformers_on_the_prompts_own_tokens():
    from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

    scores, seen = torch.tensor([1.0, -0.5, 0.9, 0.2]), torch.tensor([0, 1, 0])
    told = RepetitionPenaltyLogitsProcessor(1.5)(seen[None], scores[None].clone())[0]
    assert choose(scores, seen, Sampling(repetition_penalty=1.5), 0.0) == int(told.argmax()) == 2
    assert scores[0] == 1.0, "nothing is changed in place"


def test_tokens_are_drawn_as_often_as_they_are_likely():
    shares = torch.tensor([0.1, 0.6, 0.3])
    numbers = (torch.arange(3000) + 0.5) / 3000
    drawn = torch.tensor([
        choose(shares.log(), torch.tensor([0]), Sampling(temperature=1.0), float(n)) for n in numbers
    ])
    assert torch.allclose(drawn.bincount() / 3000, shares, atol=1e-3)
    hot = [choose(shares.log(), torch.tensor([0]), Sampling(temperature=4.0), float(n)) for n in numbers]
    assert hot.count(0) > 2 * 300, "heat evens out"
    assert choose(shares.log(), torch.tensor([0]), Sampling(temperature=1.0), 1 - 1e-12) == 0


def test_numbers_are_of_seed_prompt_and_occurrence():
    def first(*told):
        return float(torch.rand(1, generator=stream(*told)))

    assert first(1, [2, 3]) == first(1, [2, 3], 0)
    assert len({first(1, [2, 3]), first(2, [2, 3]), first(1, [23]), first(1, [2, 3], 1)}) == 4


@pytest.mark.parametrize(
    "option",
    [
        {"temperature": -1},
        {"top_p": 0},
        {"min_p": 2},
        {"max_new_tokens": 0},
        {"stop": ("",)},
        {"temperature": float("nan")},
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(option):
    with pytest.raises(UserError, match=f"{next(iter(option))} is .* must be"):
        Sampling(**option)
