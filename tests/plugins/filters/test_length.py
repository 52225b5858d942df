import polars as pl
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.filters.length import Length
from plugins.kernels.words import shingles


def score(*texts):
    return Length().score(pl.Series(texts, dtype=pl.String)).rows()


def test_words_are_runs_of_letters_and_digits():
    assert score("one two_3, don't", "", "…!", None) == [(5, 16), (0, 0), (0, 2), (None, None)]
    assert score("\0", "a\0b", "soft\u00adhyphen", "zero\u200bwidth") == [(0, 1), (2, 3), (1, 11), (2, 10)]


@given(st.lists(st.none() | st.text(), max_size=8))
def test_words_are_counted_as_shingles_of_one_word_alone_or_together(texts):
    together = score(*texts)
    assert together == [row for text in texts for row in score(text)]
    hashes = shingles(pl.Series(texts, dtype=pl.String).to_arrow(), 1)
    assert [words or 0 for words, _ in together] == [len(each) for each in hashes]


def test_scripts_without_spaces_count_by_character_where_word_processors_do():
    assert score("日本語テキスト", "abc日本") == [(7, 7), (3, 5)]
    assert score("안녕 세계") == [(2, 5)]


def test_combining_marks_belong_to_their_word():
    assert score("cafe\u0301 हिन्दी") == [(2, 12)]


@pytest.mark.parametrize(
    ("options", "text", "reason"),
    [
        ({}, "…", "min_words"),
        ({"min_words": 3}, "one two", "min_words"),
        ({"max_words": 1}, "one two", "max_words"),
        ({"min_chars": 8}, "one two", "min_chars"),
        ({"max_chars": 6}, "one two", "max_chars"),
        ({"min_words": 2, "max_words": 2, "min_chars": 7, "max_chars": 7}, "one two", None),
    ],
)
def test_bounds_drop_what_is_beyond_them_and_nothing_on_them(options, text, reason):
    length = Length(**options)
    row = (
        length
        .score(pl.Series([text]))
        .with_columns(rule.fails.alias(rule.reason) for rule in length.rules())
        .to_dicts()[0]
    )
    assert next((rule.reason for rule in length.rules() if row[rule.reason]), None) == reason


def test_bounds_that_no_text_can_meet_are_refused():
    with pytest.raises(ValidationError, match="min_words: 9 is above max_words = 3"):
        Length(min_words=9, max_words=3)
