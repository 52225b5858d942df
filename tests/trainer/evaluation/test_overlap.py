"""The longest common stretch: found wherever it lies, checked against the plain way, never across two chunks."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from trainer.evaluation.blocks import Block
from trainer.evaluation.overlap import SEED, longest_overlaps


def block(*rows, first=0):
    ids = np.array([token for row in rows for token in row], np.int64)
    starts = np.cumsum([0, *map(len, rows)])
    names = [f"c{first + n}" for n in range(len(rows))]
    return Block(names, [f"doc-{name}" for name in names], ids, np.ones(len(ids), bool), starts)


def plainly(text, rows):
    """Length of the longest common stretch, by trying all."""
    return max(
        (
            length
            for row in rows
            for start in range(len(text))
            for length in range(SEED, len(text) - start + 1)
            if any(row[at : at + length] == text[start : start + length] for at in range(len(row)))
        ),
        default=None,
    )


FEW = st.lists(st.integers(0, 1), min_size=0, max_size=24)


@settings(max_examples=60, deadline=None)
@given(text=FEW, rows=st.lists(FEW, min_size=1, max_size=4))
def test_it_is_what_trying_all_finds(text, rows):
    """Two words only, so that stretches repeat, overlap and begin alike."""
    (found,) = longest_overlaps([text], [block(*rows)])
    assert (found.tokens if found else None) == plainly(text, rows)
    if found:
        row = rows[int(found.chunk[1:])]
        stretch = text[found.start : found.start + found.tokens]
        assert any(row[at : at + found.tokens] == stretch for at in range(len(row)))


def test_each_text_has_its_own_and_its_chunk_is_named():
    random = np.random.default_rng(0)
    rows = [random.integers(0, 1000, 200).tolist() for _ in range(40)]
    texts = [[5000, *rows[31][50:70], 5001], random.integers(2000, 3000, 80).tolist(), rows[7][:9]]
    found = longest_overlaps(texts, [block(*rows[:20]), block(*rows[20:], first=20)])
    assert (found[0].tokens, found[0].start, found[0].chunk, found[0].document) == (20, 1, "c31", "doc-c31")
    assert found[1] is None
    assert (found[2].tokens, found[2].chunk) == (9, "c7")


def test_a_stretch_does_not_run_on_from_one_chunk_into_the_next():
    text = list(range(30))
    (found,) = longest_overlaps([text], [block(text[:12], text[12:])])
    assert (found.tokens, found.chunk) == (18, "c1")


@pytest.mark.parametrize("text", [[], [1] * (SEED - 1)])
def test_what_is_shorter_than_a_seed_shares_nothing(text):
    assert longest_overlaps([text], [block([1] * 50)]) == [None]
    assert longest_overlaps([[1] * 50], [block(), block(text)]) == [None]
