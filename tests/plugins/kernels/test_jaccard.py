import numpy as np
import pytest
from hypothesis import given, strategies as st

from plugins.kernels.jaccard import UNLIKE, similarity

SETS = st.sets(st.integers(0, 60), max_size=40)


def ascending(values):
    return np.array(sorted(values), np.uint64)


@given(SETS, SETS, st.sampled_from([0.0, 0.05, 0.2, 0.5, 2 / 3, 0.8, 0.95, 1.0]))
def test_similarity_is_exact_at_and_above_the_threshold_and_unlike_below(a, b, threshold):
    found = similarity(ascending(a), ascending(b), threshold)
    true = len(a & b) / len(a | b) if a | b else UNLIKE
    assert found == (true if true >= threshold else UNLIKE)


@pytest.mark.parametrize(("shared", "rest"), [(4, 1), (80, 20), (2, 1), (9, 1), (799, 1)])
def test_a_similarity_equal_to_the_threshold_reaches_it(shared, rest):
    a, b = ascending(range(shared)), ascending(range(shared + rest))
    assert similarity(a, b, shared / (shared + rest)) == shared / (shared + rest)
