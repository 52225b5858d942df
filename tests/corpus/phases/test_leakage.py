"""The leakage certificate: the share of a document's 13-grams that stands anywhere in train."""

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from corpus.phases.leakage import certificate


def words(first, last):
    return " ".join(f"w{number}" for number in range(first, last))


def column(*texts):
    return pa.array(texts, pa.large_string())


def test_a_document_leaks_when_more_than_the_bound_of_its_shingles_stands_in_train():
    """100 words make 88 shingles; the first 33 words, 21 of them, stand in train: a share of 21 / 88 = .239."""
    text = words(0, 100)
    train = [column("before " + words(0, 33) + " after")]
    leaking, clean = (certificate(train, [column(text)], [], bound) for bound in (0.238, 0.239))
    assert leaking.val_mean_overlap == pytest.approx(21 / 88)
    assert (leaking.val_leaking, clean.val_leaking) == (1, 0)
    assert (leaking.ngram, leaking.bound) == (13, 0.238)


def test_a_share_equal_to_the_bound_is_clean():
    found = certificate([column(words(0, 10))], [column(words(5, 15))], [], bound=0.5, ngram=1)
    assert (found.val_mean_overlap, found.val_leaking) == (0.5, 0)


def test_val_and_test_are_counted_apart_and_not_against_each_other():
    found = certificate(
        [column("a b c")], [column("a x", "y")], [column("x y"), column("c", "b", "z")], bound=0.6, ngram=1
    )
    assert (found.val_documents, found.val_leaking, found.val_mean_overlap) == (2, 0, 0.25)
    assert (found.test_documents, found.test_leaking, found.test_mean_overlap) == (4, 2, 0.5)


def test_a_short_document_leaks_only_when_train_holds_it_whole():
    short = [column("Yes, I do.")]
    assert certificate([column("yes i do")], short, [], bound=0).val_leaking == 1
    assert certificate([column("yes i do and " + words(0, 20))], short, [], bound=0).val_leaking == 0


def test_repeats_count_once():
    found = certificate([column("a")], [column("a a a a b")], [], bound=0.5, ngram=1)
    assert found.val_mean_overlap == 0.5


def test_empty_splits_and_texts_without_words_overlap_nothing():
    found = certificate([column("a")], [column("", "...", None)], [], bound=0.0)
    assert (found.val_documents, found.val_mean_overlap, found.test_documents, found.test_mean_overlap) == (
        3,
        0.0,
        0,
        0.0,
    )


TEXTS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=10).map(" ".join), max_size=6)


@given(TEXTS, TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_the_order_and_batching_of_texts_changes_nothing(train, val, test, rng):
    one = certificate([column(*train)], [column(*val)], [column(*test)], 0.3, ngram=2)
    for texts in (train, val, test):
        rng.shuffle(texts)
    other = certificate(map(column, train), map(column, val), map(column, test), 0.3, ngram=2)
    assert one == other
