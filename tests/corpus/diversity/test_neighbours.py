"""Documents with a near neighbour are found by their signatures, and others are not."""

import numpy as np
import pyarrow as pa

from corpus.diversity.neighbours import near
from plugins.kernels.signatures import sign


def signatures(texts: list[str]) -> np.ndarray:
    lists = sign(pa.array(texts), 5, 112)["minhash"].to_pylist()
    return np.array(lists, np.uint32)


def text(number: int, changed: int = 0) -> str:
    return " ".join(f"w{number}x{k}" if k >= changed else f"c{number}x{k}" for k in range(300))


def test_a_document_near_another_is_found_and_one_that_shares_little_is_not() -> None:
    texts = [text(0), text(1), text(2), text(1, changed=60), text(2, changed=240), text(4)]
    assert near(signatures(texts)).tolist() == [False, True, False, True, False, False]


def test_all_copies_of_one_document_are_found_among_many_others() -> None:
    texts = [text(n) for n in range(40)] + [text(7)] * 5
    found = near(signatures(texts))
    assert np.flatnonzero(found).tolist() == [7, 40, 41, 42, 43, 44]


def test_nothing_is_near_in_an_empty_or_single_corpus() -> None:
    assert near(np.zeros((0, 112), np.uint32)).tolist() == []
    assert near(signatures([text(1)])).tolist() == [False]
