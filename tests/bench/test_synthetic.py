"""Synthetic documents follow from seed and number, and one in ten nearly repeats an earlier one."""

import numpy as np
import pytest

from bench import oracle, synthetic

LIST = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu omicron sigma tau upsilon omega"
WORDS = LIST.split()


@pytest.fixture(scope="module")
def maker():
    rows = np.random.default_rng(1).integers(0, len(WORDS), (700, 12))
    sentences = (" ".join(WORDS[word] for word in row) + f" number {n} here." for n, row in enumerate(rows))
    return synthetic.Maker([("manual", "\n".join(sentences))], seed=3)


def likeness(one, other):
    shingler = oracle.Shingler()
    a, b = shingler.shingles(one), shingler.shingles(other)
    shared = len(np.intersect1d(a, b))
    return shared / (len(a) + len(b) - shared)


def test_a_document_depends_on_seed_and_number_alone(maker):
    table = synthetic.drafts(maker, range(8, 12))
    assert table["text"].to_pylist() == [maker.document(number) for number in range(8, 12)]
    assert table == synthetic.drafts(maker, range(12)).slice(8)


def test_documents_are_of_the_size_stated(maker):
    sizes = [len(maker.document(number)) for number in range(50)]
    assert abs(np.mean(sizes) - synthetic.CHARACTERS) < 400


def test_one_in_ten_is_like_an_earlier_original_and_the_others_like_none(maker):
    twins = {number: maker.repeats(number) for number in range(200) if maker.repeats(number) is not None}
    assert len(twins) == 20
    assert all(earlier < number and maker.repeats(earlier) is None for number, earlier in twins.items())
    found = [likeness(maker.document(number), maker.document(earlier)) for number, earlier in twins.items()]
    assert np.median(found) > 0.8
    assert likeness(maker.document(1), maker.document(2)) < 0.3
