import numpy as np
from hypothesis import given, strategies as st

from plugins.kernels.components import components

NODES = 12


@given(st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=20), st.randoms())
def test_every_node_is_named_after_the_smallest_it_can_reach_whatever_the_order_of_edges(edges, rng):
    reach = [{node} for node in range(NODES)]
    for _ in range(NODES):
        for a, b in edges:
            reach[a] = reach[b] = reach[a] | reach[b]
    rng.shuffle(edges)
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    assert components(NODES, a, b).tolist() == [min(found) for found in reach]
