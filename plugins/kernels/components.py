"""Connected components by union-find with path halving (Tarjan and van Leeuwen 1984), over node numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plugins.kernels.compiled import compiled, inlined

Numbers = npt.NDArray[np.int64]


def components(nodes: int, a: Numbers, b: Numbers) -> Numbers:
    """For each of `nodes` nodes the smallest node it is joined with through edges (a[i], b[i]), itself included."""
    parent = np.arange(nodes, dtype=np.int64)
    _join_all(parent, np.asarray(a, np.int64), np.asarray(b, np.int64))
    return parent


@inlined
def find(parent: Numbers, node: int) -> int:
    """The root of `node`: its component's smallest member. Shortens the path it walks."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@inlined
def join(parent: Numbers, a: int, b: int) -> None:
    """Make one component of those of `a` and `b`."""
    root_a, root_b = find(parent, a), find(parent, b)
    if root_a < root_b:
        parent[root_b] = root_a
    else:
        parent[root_a] = root_b


@compiled
def _join_all(parent: Numbers, a: Numbers, b: Numbers) -> None:
    for edge in range(len(a)):
        join(parent, a[edge], b[edge])
    for node in range(len(parent)):
        parent[node] = find(parent, node)
