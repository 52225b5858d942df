from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, strategies as st

from plugins.kernels.sets import write_sets
from plugins.kernels.words import distinct, shingles

TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c d", "long word here", "語", ""])).map(" ".join), max_size=12
)


def sets_of(texts, ngram):
    return [distinct(found) for found in shingles(pa.array(texts, pa.string()), ngram)]


def room_for(sets):
    bounds = np.zeros(len(sets) + 1, np.int64)
    np.cumsum([len(found) for found in sets], out=bounds[1:])
    return bounds, np.zeros(bounds[-1], np.uint64)


@given(TEXTS, st.integers(1, 4), st.randoms())
def test_each_set_is_written_to_its_place_ascending_and_without_repeats(texts, ngram, chance):
    sets = sets_of(texts, ngram)
    bounds, flat = room_for(sets)
    order = list(range(len(texts)))
    chance.shuffle(order)
    column = pa.chunked_array([pa.array([texts[place]]) for place in order], pa.string())
    assert write_sets(column, ngram, np.array(order, np.int64), bounds, flat) is None
    assert [flat[a:b].tolist() for a, b in pairwise(bounds)] == [found.tolist() for found in sets]


def test_a_text_of_another_size_is_named_and_writes_nowhere_else():
    texts = ["a b c", "d e", "f"]
    bounds, flat = room_for(sets_of(["a b c", "d", "f"], 1))
    assert write_sets(pa.array(texts), 1, np.arange(3), bounds, flat) == 1
    assert flat[bounds[2] :].tolist() == [0]
    assert write_sets(pa.array(["a b c", "", "f"]), 1, np.arange(3), bounds, flat) == 1


def test_threads_write_side_by_side():
    texts = [f"{number} is followed by {number + 1}" for number in range(400)]
    sets = sets_of(texts, 2)
    bounds, flat = room_for(sets)
    with ThreadPoolExecutor(4) as pool:
        halves = [np.arange(start, len(texts), 4) for start in range(4)]
        list(
            pool.map(
                lambda part: write_sets(pa.array([texts[n] for n in part]), 2, part, bounds, flat), halves
            )
        )
    assert flat.tolist() == np.concatenate(sets).tolist()
