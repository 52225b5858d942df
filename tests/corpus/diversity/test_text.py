"""Measures of text agree with their definitions on small texts, and order what is more repetitive below what is less."""

import math
import random

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from corpus.diversity.records import TextMeasures
from corpus.diversity.text import DOCUMENTS, PASSAGE, WINDOW, WORDS, text_measures

VOCABULARY = [f"{a}{b}" for a in "bcdfghklmnprstvwz" for b in ("a", "er", "il", "ond", "ump", "ek", "ix")]


def words(seed: int, count: int, vocabulary: int = len(VOCABULARY)) -> list[str]:
    return random.Random(seed).choices(VOCABULARY[:vocabulary], k=count)


def measured(texts: list[str]) -> TextMeasures:
    return text_measures(pa.chunked_array([pa.array(texts, pa.large_string())]), list(range(len(texts))))


def test_distinct_counts_different_ngrams_in_windows() -> None:
    cycle = " ".join(f"w{n % 100}" for n in range(PASSAGE))
    found = measured([cycle, cycle]).distinct
    assert found[:2] == (100 / WINDOW, 100 / WINDOW)


def test_entropy_is_of_the_shares_of_ngrams() -> None:
    found = measured([" ".join(f"w{n % 8}" for n in range(WINDOW))]).entropy
    assert found[0] == pytest.approx(3)
    assert found[1] == pytest.approx(3, abs=0.01)


def test_repetition_is_between_documents_and_not_within_one() -> None:
    own = [" ".join(f"d{n}x{word % 10}" for word in range(120)) for n in range(DOCUMENTS)]
    assert measured(own).repeated == 0
    assert measured(own).self_repetition == 0
    half = [f"{text} {' '.join(f'all{n}' for n in range(123))}" for text in own]
    assert measured(half).repeated == pytest.approx(0.5, abs=0.01)


def test_self_repetition_is_the_logarithm_of_the_others_that_have_each_4gram() -> None:
    texts = ["one two three four", *(" ".join(f"d{n}x{k}" for k in range(200)) for n in range(DOCUMENTS))]
    found = measured([*texts, texts[0]])
    assert found.self_repetition == pytest.approx(2 * math.log(2) / len([*texts, ""]))


def test_spread_is_one_over_n_for_equal_documents_and_one_for_documents_without_a_common_word() -> None:
    same = [" ".join(f"w{n}" for n in range(150))] * 25
    apart = [" ".join(f"d{n}x{k}" for k in range(150)) for n in range(25)]
    assert measured(same).spread == pytest.approx(1 / 25)
    assert measured(apart).spread == pytest.approx(1, abs=0.05)


def test_compression_near_and_far() -> None:
    once = " ".join(words(1, 15_000))
    alone, twice = measured([once]), measured([once, once])
    assert twice.compression == pytest.approx(alone.compression, rel=0.02)
    assert (twice.compression_far or 0) > 1.8 * (alone.compression_far or 0)


def test_what_is_too_small_is_not_measured() -> None:
    found = measured(["a few words", "", "…"])
    assert found.words == 3
    assert (
        found.compression is found.repeated is found.spread is found.entropy[0] is found.distinct[0] is None
    )


def test_no_document_fills_the_passages_alone_and_there_is_an_end() -> None:
    found = measured([" ".join(words(n, PASSAGE + 500)) for n in range(WORDS // PASSAGE + 20)])
    assert found.words == WORDS


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.integers(3, 60))
def test_a_smaller_vocabulary_never_looks_more_diverse(seed: int, size: int) -> None:
    many = measured([" ".join(words(seed + n, 200)) for n in range(30)])
    few = measured([" ".join(words(seed + n, 200, size)) for n in range(30)])
    for wide, narrow in (
        (many.distinct[0], few.distinct[0]),
        (many.entropy[0], few.entropy[0]),
        (many.spread, few.spread),
        (few.compression, many.compression),
        (few.repeated, many.repeated),
    ):
        assert wide is not None
        assert narrow is not None
        assert wide >= narrow


@given(st.lists(st.one_of(st.none(), st.text(max_size=60)), max_size=30))
@settings(deadline=None)
def test_no_text_breaks_it(texts: list[str | None]) -> None:
    found = text_measures(pa.chunked_array([pa.array(texts, pa.large_string())]), range(len(texts)))
    assert found.documents == len(texts)
