import numpy as np
import pyarrow as pa
from hypothesis import given, strategies as st

from plugins.kernels.presence import Presence
from plugins.kernels.words import distinct, shingles

TEXTS = st.lists(st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join), max_size=5)


@given(TEXTS, TEXTS, st.integers(1, 3))
def test_a_shingle_is_met_exactly_when_a_text_holds_it(few, many, ngram):
    wanted = distinct(np.concatenate([np.zeros(0, np.uint64), *shingles(pa.array(few, pa.string()), ngram)]))
    held = {value for hashes in shingles(pa.array(many, pa.string()), ngram) for value in hashes.tolist()}
    presence = Presence(wanted, ngram)
    for text in many:
        presence.meet(pa.array([text]))
    assert [presence.met(wanted[i : i + 1]) for i in range(len(wanted))] == [
        value in held for value in wanted.tolist()
    ]
