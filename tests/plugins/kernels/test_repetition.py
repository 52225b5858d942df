import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate,
    find_duplicates,
    find_top_duplicate,
    get_n_grams,
)
from hypothesis import given, settings, strategies as st

from plugins.kernels.buffers import buffers
from plugins.kernels.repetition import COLUMNS, DUP, TOP, repetition

REPETITIVE = st.lists(
    st.sampled_from([
        *"abcé \n",
        "\n\n",
        " a b",
        "ab ",
        "\n \n",
        "\x00",
        "\u2028",
        "日本",
        "a a a a a a a ",
        "b ab ",
    ]),
    max_size=120,
).map("".join)


class Spans(NamedTuple):
    starts: np.ndarray
    ends: np.ndarray
    offsets: np.ndarray


def split_at_spaces(part):
    """Words as `str.split(" ")` finds them, by byte position."""
    data, starts, ends, offsets = bytes(part.data), [], [], [0]
    for start, end in zip(part.offsets[:-1].tolist(), part.offsets[1:].tolist(), strict=True):
        for word in re.finditer(rb"[^ \n]+", data[start:end]):
            starts.append(start + word.start())
            ends.append(start + word.end())
        offsets.append(len(starts))
    return Spans(*(np.array(values, np.int64) for values in (starts, ends, offsets)))


def measure(*texts):
    [part] = buffers(pa.array(texts, pa.large_string()))
    return repetition(part, split_at_spaces(part))


def by_datatrove(text):
    if not text:
        return [None] * len(COLUMNS)
    paragraphs, lines, words = (
        re.split(r"\n{2,}", text.strip()),
        re.split("\n+", text),
        re.findall(r"[^ \n]+", text),
    )
    row = []
    for pieces in (paragraphs, lines):
        again, chars = find_duplicates(pieces)
        row += [again / len(pieces), chars / len(text)]
    for n in TOP:
        n_grams = get_n_grams(words, n)
        row.append(find_top_duplicate(n_grams) / len(text) if n_grams else 0.0)
    return row + [find_all_duplicate(words, n) / len(text) for n in DUP]


def rows(measured):
    return [[None if np.isnan(value) else value for value in row] for row in measured.tolist()]


@settings(max_examples=400)
@given(st.lists(st.one_of(st.text(max_size=60), REPETITIVE), max_size=4))
def test_every_fraction_is_the_float_that_datatrove_compares(texts):
    if texts:
        assert rows(measure(*texts)) == [by_datatrove(text) for text in texts]


@given(st.lists(REPETITIVE, min_size=2, max_size=6), st.data())
def test_a_row_depends_on_its_text_alone(texts, data):
    cut = data.draw(st.integers(1, len(texts) - 1))
    assert rows(measure(*texts)) == rows(measure(*texts[:cut])) + rows(measure(*texts[cut:]))


@pytest.mark.parametrize(
    "text",
    [
        "word",
        "\n",
        "\n\n\n",
        " \n ",
        "a\n\na\n\na",
        "a\na\n",
        "\na\n",
        "\x00\x00 \x00\x00",
        "b\na\x00\nb\x00\na\x00\x00",
        "b\n\na\x00\n\nb",
        "abcdefghi x bbcdefghi\x00 x",
        "abcdefghi x abcdefghi\x00 x",
        "é é é é é é é é é é é é",
    ],
)
def test_small_texts(text):
    assert rows(measure(text)) == [by_datatrove(text)]


def test_words_that_part_elsewhere_run_together_alike():
    # The first five words and the next six spell the same, so does no n-gram of either length beside itself.
    text = "ab cd ef gh ijklmnopqrstuv " + "a bcd ef gh ijklmnopqrstuv z"
    found = dict(zip(COLUMNS, measure(text)[0], strict=True))
    assert found["dup_5_gram"] == len("abcdefghijklmnopqrstuv") / len(text)
    assert rows(measure(text)) == [by_datatrove(text)]


def test_of_equally_frequent_n_grams_the_first_counts():
    text = "longest word once b b a a"
    assert measure(text)[0][COLUMNS.index("top_2_gram")] == len("longest word") / len(text)
    text = "z a bb a bb cc d cc d"
    assert measure(text)[0][COLUMNS.index("top_2_gram")] == 2 * len("a bb") / len(text)


def test_ten_megabytes_of_one_character_and_of_one_word():
    size = 10_000_000
    one, words, lines = rows(measure("a" * size, "a " * (size // 2), "\n" * size))
    assert one == [0.0] * len(COLUMNS)
    pairs = size // 2 - 1
    assert words[COLUMNS.index("top_2_gram")] == 3 * pairs / size
    assert words[COLUMNS.index("dup_5_gram")] == (size // 2 // 5 - 1) * 5 / size
    assert (
        lines[COLUMNS.index("dup_line_frac")] == 0.5
    )  # an empty line before the run of line ends, and one behind


def test_a_batch_of_nothing():
    assert measure("", "").shape == (2, len(COLUMNS))
    assert np.isnan(measure("", "")).all()
