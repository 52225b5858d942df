"""Words and shingles, against a plain Python reading of the same rule."""

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, strategies as st

from plugins.kernels.alphabet import SIZE, UNSPACED, alphabet
from plugins.kernels.words import distinct, shingle, shingles

WORDS = st.lists(
    st.sampled_from(["tea", "Tee", "茶", "ชา", "Ärger", "x1", "٣", "naïve", "e\u0301", "co\u00adop"]),
    max_size=30,
)


def words_of(text):
    """The rule of `plugins.kernels.alphabet` in plain Python."""
    found, open_ = [], ""
    for character in text:
        point = ord(character)
        category = unicodedata.category(character)
        if category == "Cf" and point != 0x200B and point < SIZE:
            continue
        kind = category[0] if point < SIZE and category[0] in "LMN" else ""
        alone = kind in ("L", "N") and any(first <= point <= last for first, last in UNSPACED)
        if not kind:
            open_ = ""
            continue
        if open_ == "" or alone or (kind != "M" and open_ == "alone"):
            found.append("")
            open_ = "alone" if alone else "run"
        folded = character.casefold()
        folded = folded if len(folded) == 1 else character.lower()
        found[-1] += folded if len(folded) == 1 else character
    return found


def shingles_of(text, ngram):
    words = words_of(text)
    return [tuple(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))] if words else []


def same_partition(hashes, values):
    """Whether equal hashes stand exactly where equal values do."""
    pairs = set(zip(hashes, values, strict=False))
    return len(hashes) == len(values) and len(pairs) == len(set(hashes)) == len(set(values))


def hashes_of(text, ngram=1):
    return next(shingles(pa.array([text]), ngram)).tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, World!", "hello world"),
        ("DON'T", "don t"),
        ("Straße STRASSE", "straße strasse"),
        ("ΛΌΓΟΣ", "λόγος"),  # final sigma folds to sigma
        ("snake_case", "snake case"),
        ("co\u00adoperate", "cooperate"),
        ("東京tower", "東 京 tower"),
        ("ภาษา", "ภ า ษ า"),
        ("กี่", "กี่"),
        ("a\u200bb", "a b"),
        ("\ufeffbom", "bom"),
        ("", "?! …"),
        ("ẞ", "ß"),
    ],
)
def test_texts_with_the_same_words_have_the_same_shingles(one, other):
    assert hashes_of(one) == hashes_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("東京", "京東"), ("e\u0301", "é"), ("resume", "résumé"), ("ab", "a b"), ("x1", "x2"), ("กา", "กี")],
)
def test_texts_with_other_words_have_other_shingles(one, other):
    assert hashes_of(one) != hashes_of(other)


@given(st.lists(st.text(), max_size=8), st.integers(1, 6))
@example(["𝔘𝔫𝔦 𐐀𐐨 \U000e0100x", "\U0010ffff"], 2)
def test_shingles_are_those_of_the_stated_word_rule(texts, ngram):
    found = [value for hashes in shingles(pa.array(texts, pa.string()), ngram) for value in hashes.tolist()]
    assert same_partition(found, [value for text in texts for value in shingles_of(text, ngram)])


@given(WORDS, st.integers(1, 13))
def test_a_shingle_depends_on_its_words_alone_and_not_on_what_stands_before(words, ngram):
    text = " ".join(words)
    assert same_partition(hashes_of(text, ngram), shingles_of(text, ngram))


def test_english_words_are_those_of_the_usual_pattern():
    text = "It's 7 o'clock; Mr. O'Neil's e-mail (at 10:45, re: café) was read."
    assert same_partition(hashes_of(text), re.findall(r"\w+", text.lower()))


def test_a_text_shorter_than_a_shingle_is_one_shingle_and_one_without_words_none():
    lengths = [
        len(found)
        for found in shingles(pa.array(["one two three", "...", "", None, "a b c d e", "a b c d e f"]), 5)
    ]
    assert lengths == [1, 0, 0, 0, 1, 2]
    assert hashes_of("one two three", 5) != hashes_of("one two", 5)


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=12), st.integers(0, 12), st.integers(0, 12)
)
def test_slices_chunks_nulls_and_types_give_the_same_sets(texts, start, length):
    plain = pa.array(texts, pa.large_string())
    expected = [found.tolist() for found in shingles(plain, 3)]
    variants = [
        plain.cast(pa.string()),
        plain.cast(pa.string_view()),
        pa.chunked_array([plain[:start], plain[start:]], pa.large_string()),
        plain.dictionary_encode(),
    ]
    for variant in variants:
        assert [found.tolist() for found in shingles(variant, 3)] == expected
    part = plain.slice(min(start, len(plain)), length)
    assert [found.tolist() for found in shingles(part, 3)] == expected[start : start + length]


def test_a_null_that_spans_bytes_is_empty():
    array = pa.array(["hidden words", "seen"], pa.large_string())
    _, offsets, data = array.buffers()
    masked = pa.Array.from_buffers(pa.large_string(), 2, [pa.py_buffer(b"\x02"), offsets, data])
    assert [len(found) for found in shingles(masked, 1)] == [0, 1]


@given(
    st.lists(
        st.sampled_from([
            *"aB9 _-é",
            "кот ",
            "word",
            "ABCDEFGH",
            "x" * 17,
            "\u212a",
            "\u00ad",
            "語",
            "e\u0301",
        ])
    ).map("".join),
    st.integers(0, 130),
    st.integers(0, 130),
)
def test_a_word_has_one_hash_wherever_it_stands(text, before, behind):
    """Blocks of 64 bytes, words of eight, and the last bytes of a buffer are read in other ways: each place must tell the same."""
    padded = " " * before + text + " " * behind
    assert hashes_of(padded, 1) == hashes_of(text, 1)
    assert hashes_of(padded, 3) == hashes_of(text, 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cooperative", "co\u00adoperative"),
        ("kelvin", "\u212aELVIN"),
        ("ΟΔΟΣ", "οδοσ"),
        ("ABCDEFGHIJ", "abcdefgh\u200dij"),
    ],
)
def test_a_word_has_one_hash_however_it_is_written(one, other):
    assert hashes_of(one, 1) == hashes_of(other, 1)


def test_a_zero_hash_of_nothing_is_no_word_of_one_letter():
    assert len({*hashes_of("a aa aaa aaaaaaaa aaaaaaaaa", 1)}) == 5


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_distinct_is_sorted_set(values):
    assert distinct(np.array(values, np.uint64)).tolist() == sorted(set(values))


@given(st.binary(max_size=40), st.integers(1, 4))
def test_bytes_that_are_no_utf8_end_and_stay_in_bounds(raw, ngram):
    data = np.frombuffer(raw, np.uint8)
    out = np.full(len(raw) + 6, 7, np.uint64)
    count = shingle(data, 0, len(raw), *alphabet(), np.zeros(ngram, np.uint64), out[: len(raw) + 1])
    assert 0 <= count <= len(raw) + 1
    assert (out[len(raw) + 1 :] == 7).all()


def test_a_column_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="int64"):
        list(shingles(pa.array([1, 2]), 5))


@pytest.mark.parametrize("ngram", [0, 65])
def test_an_ngram_out_of_range_is_refused(ngram):
    with pytest.raises(ValueError, match=f"ngram is {ngram}"):
        list(shingles(pa.array(["a"]), ngram))
