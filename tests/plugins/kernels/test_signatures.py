"""MinHash signatures estimate Jaccard similarity; exact hashes tell texts apart."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from plugins.kernels.signatures import exact_hashes, sign
from schemas.fingerprint import digest


def agreement(one, other, permutations):
    signed = sign(pa.array([one, other]), 1, permutations)["minhash"].to_pylist()
    return float(np.mean(np.array(signed[0]) == np.array(signed[1])))


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_signatures_estimate_jaccard_similarity_within_the_binomial_error(size):
    """Over many pairs the mean is unbiased and the spread is that of independent permutations."""
    rng, pairs, permutations = random.Random(size), 150, 112
    shared, errors, expected = round(size * 0.8), [], 0.0
    for _ in range(pairs):
        names = [f"w{rng.randrange(10**12)}" for _ in range(2 * size - shared)]
        one, other = names[:size], names[size - shared :]
        similarity = shared / (2 * size - shared)
        errors.append(agreement(" ".join(one), " ".join(other), permutations) - similarity)
        expected = (similarity * (1 - similarity) / permutations) ** 0.5
    assert abs(np.mean(errors)) < 4 * expected / pairs**0.5
    assert np.std(errors) < 1.3 * expected


def test_a_shorter_signature_is_the_beginning_of_a_longer_one():
    texts = pa.array(["the quick brown fox jumps over the lazy dog", "another text of a few words more"])
    short, long = (sign(texts, 3, count)["minhash"].to_pylist() for count in (16, 1024))
    assert [row[:16] for row in long] == short


def test_signatures_never_change():
    """They are stored in corpora: another value is another algorithm."""
    table = sign(pa.array(["In the beginning was the word, and the word was long."]), 5, 4)
    assert table.to_pylist() == [{"n_shingles": 7, "minhash": GOLDEN}]


GOLDEN = [548923618, 655048092, 364683218, 766029329]


def test_what_has_no_word_has_no_signature():
    table = sign(pa.array(["", None, "...", "one", "a b c d e a b c d e a"]), 5, 16)
    assert table["n_shingles"].to_pylist() == [0, 0, 0, 1, 5]
    assert [row is None for row in table["minhash"].to_pylist()] == [True, True, True, False, False]
    assert {len(row) for row in table["minhash"].to_pylist() if row} == {16}


def test_without_permutations_only_shingles_are_counted():
    table = sign(pa.array(["a b c", "d"]), 1, None)
    assert table.to_pylist() == [{"n_shingles": 3, "minhash": None}, {"n_shingles": 1, "minhash": None}]


def test_an_empty_column_gives_an_empty_table():
    assert sign(pa.array([], pa.string()), 5, 112).num_rows == 0
    assert len(exact_hashes(pa.chunked_array([], pa.string()))) == 0


@pytest.mark.parametrize("permutations", [0, 1025])
def test_a_number_of_permutations_out_of_range_is_refused(permutations):
    with pytest.raises(ValueError, match=f"permutations is {permutations}"):
        sign(pa.array(["a"]), 5, permutations)


@given(st.lists(st.text(st.sampled_from("ab \n\t\u3000\u00a0\u2028\x1cé漢😀\u200b")), max_size=6))
def test_exact_hashes_are_those_of_the_text_with_single_spaces(texts):
    expected = [digest(" ".join(text.split()).encode()) for text in texts]
    assert exact_hashes(pa.array(texts, pa.string())).to_pylist() == expected


@given(st.text())
def test_exact_hashes_know_every_white_space(text):
    assert exact_hashes(pa.array([text])).to_pylist() == [digest(" ".join(text.split()).encode())]


def test_exact_hashes_see_slices_chunks_and_nulls():
    whole = pa.array(["x", " one  two ", None, "one two", "y"])
    hashes = exact_hashes(pa.chunked_array([whole.slice(1, 2), whole.slice(3, 1)])).to_pylist()
    assert hashes[0] == hashes[2]
    assert hashes[1] == digest(b"")
