"""The oracle against plain sets, and against the kernels it judges."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from bench import oracle
from plugins.kernels.words import distinct, shingles

TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "B", "naïve", "茶", "x1", "—", "co\u00adop", "ชา"]), max_size=12).map(
        " ".join
    ),
    max_size=8,
)


def plain(text, ngram):
    words = oracle.words(text)
    return {tuple(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))} if words else set()


@given(TEXTS)
def test_pairs_are_those_of_plain_sets(texts):
    near = oracle.pairs(oracle.index(texts, 2), range(len(texts)), 0.5)
    found = {
        (a, b): s
        for a, b, s in zip(near.one.tolist(), near.other.tolist(), near.similarity.tolist(), strict=True)
    }
    sets = [plain(text, 2) for text in texts]
    expected = {
        (a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b])
        for a in range(len(texts))
        for b in range(len(texts))
        if a != b and sets[a] and sets[b] and 2 * len(sets[a] & sets[b]) >= len(sets[a] | sets[b])
    }
    assert found == pytest.approx(expected)


@given(TEXTS)
def test_a_text_has_as_many_shingles_as_the_kernels_find(texts):
    shingler = oracle.Shingler(5)
    found = [len(shingler.shingles(text)) for text in texts]
    assert found == [len(distinct(hashes)) for hashes in shingles(pa.array(texts, pa.large_string()), 5)]


def test_judging_counts_pairs_kept_whole_and_documents_lost():
    near = oracle.Pairs(np.array([0, 1, 2, 3]), np.array([1, 0, 3, 2]), np.array([0.9, 0.9, 0.82, 0.82]))
    removed = np.array([False, True, False, False, True])
    assert oracle.judge(near, removed, range(5)) == {
        "pairs_80": 4,
        "residual_80": 0.5,
        "pairs_85": 2,
        "residual_85": 0.0,
        "removed": 2,
        "no_neighbour": 1,
        "no_kept_neighbour": 1,
    }


def test_a_removed_document_whose_only_likeness_is_removed_too_is_lost():
    near = oracle.Pairs(np.array([0, 1]), np.array([1, 0]), np.array([0.9, 0.9]))
    assert oracle.judge(near, np.array([True, True]), [0, 1])["no_kept_neighbour"] == 2
