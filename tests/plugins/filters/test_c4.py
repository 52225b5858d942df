import json
import re
from itertools import pairwise

import datatrove.pipeline.filters.c4_filters as peer
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from datatrove.data import Document
from hypothesis import given, settings, strategies as st

from plugins.contracts import Threshold
from plugins.filters.c4 import C4
from plugins.kernels.buffers import buffers
from plugins.kernels.c4_phrases import PHRASES

PIECES = [
    *"ab .?!\"'{[]1²٣K\n", "...", "\r\n", "\x85", "\u2028", "\x1c", "\u3000", "\x00", "é", "日本",
    "[1]", "[edit]", "[citation needed]", "[[2]3]", " [4] ", "one two three", " four five. ", "x" * 12,
    "Lorem Ipsum", "lorem [5]ipsum", "JavaScript", "CooKie policy", "İ", "use coo\u212aies", *PHRASES,
]  # fmt: skip
PAGES = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


def count(line):
    """Sentences by a rule that any tokenizer might have: one at least, one more behind each run of stops inside."""
    return len(re.findall(r"[.?!]+.", line.strip())) + 1


def counts(lines):
    data, offsets = bytes(lines.texts.data), lines.texts.offsets.tolist()
    bounds = pairwise(offsets)
    return np.array([count(data[start:end].decode()) for start, end in bounds], np.int64)


def score(texts, options=None):
    [part] = buffers(pa.array(texts, pa.large_string()))
    return C4(**(options or {})).score_lines(part, counts)


def reasons(texts, options=None):
    """As `judge` finds them."""
    rules = C4(**(options or {})).rules()
    failed = score(texts, options).select(
        pl.coalesce(*(pl.when(rule.fails.fill_null(value=True)).then(pl.lit(rule.reason)) for rule in rules))
    )
    return failed.to_series().to_list()


@pytest.fixture
def datatrove(monkeypatch):
    monkeypatch.setattr(peer, "split_into_sentences", lambda line, _: [line] * count(line))

    def reason(text, **options):
        result = peer.C4QualityFilter(**options).filter(Document(text=text, id=""))
        return None if result is True else result[1]

    return reason


OPTIONS = [
    ({}, {}),
    ({"min_sentences": 1}, {"min_num_sentences": 1}),
    ({"min_sentences": 0, "max_word_length": 10}, {"min_num_sentences": -1, "max_word_length": 10}),
    (
        {"min_sentences": 3, "terminal_punctuation": False, "min_words_per_line": 0, "max_word_length": 0},
        {"min_num_sentences": 3, "filter_no_terminal_punct": False, "min_words_per_line": -1, "max_word_length": -1},
    ),
    (
        {"min_sentences": 2, "remove_citations": False, "lorem_ipsum": False, "javascript": False},
        {"min_num_sentences": 2, "remove_citations": False, "filter_lorem_ipsum": False, "filter_javascript": False},
    ),
    (
        {"min_sentences": 2, "curly_bracket": False, "policy": False, "min_words_per_line": 1},
        {"min_num_sentences": 2, "filter_curly_bracket": False, "filter_policy": False, "min_words_per_line": 1},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), OPTIONS)
def test_the_decision_and_its_reason_are_datatroves(datatrove, ours, theirs):
    @settings(max_examples=150)
    @given(st.lists(PAGES, min_size=1, max_size=4))
    def agree(texts):
        assert reasons(texts, ours) == [datatrove(text, **theirs) for text in texts]

    agree()


@pytest.mark.slow
def test_the_decision_is_datatroves_on_real_pages(datatrove, shared_data):
    paths = sorted((shared_data / "extraction/wcxb-dev/ground-truth").glob("*.json"))
    texts = [json.loads(path.read_text("utf-8"))["ground_truth"]["main_content"] or "" for path in paths]
    texts += [path.read_text("utf-8", "replace") for path in sorted((shared_data / "books").rglob("*.txt"))]
    texts += [
        re.sub(r"<[^>]+>", "", path.read_text("utf-8", "replace"))
        for path in sorted((shared_data / "lid-udhr").rglob("*.html"))
    ]
    assert len(texts) > 1500
    found = reasons(texts)
    assert found == [datatrove(text) for text in texts]
    assert set(found) >= {None, "curly_bracket", "too_few_sentences"}


def test_the_line_that_comes_first_gives_the_reason():
    lorem, bracket = "It says lorem ipsum.", "if (a) { then b."
    assert reasons([f"{lorem}\n{bracket}", f"{bracket}\n{lorem}", f"{lorem[:-1]}\n{bracket}"]) == [
        "lorem_ipsum",
        "curly_bracket",
        "curly_bracket",
    ]


def test_a_row_depends_on_its_text_alone():
    texts = [
        "One is here. Two too.",
        "",
        "a { b.",
        "We use cookies here.",
        "x\n" * 50,
        "One two three. Four.",
    ]
    whole = score(texts).rows()
    assert whole == [row for text in texts for row in score([text]).rows()]
    assert whole == [
        (False, False, n) if i != 2 else (False, True, 0) for i, n in enumerate([2, 0, 0, 0, 0, 2])
    ]


def test_no_other_character_lowers_to_a_letter_of_a_phrase():
    letters = {letter for phrase in PHRASES for letter in phrase}
    others = {
        chr(point)
        for point in range(0x80, 0x110000)
        if not 0xD800 <= point < 0xE000 and letters & set(chr(point).lower())
    }
    # İ lowers to an i and a dot above, which no phrase has behind its i.
    assert others == {"\u212a", "\u0130"}
    assert not any("i" in phrase[-1:] for phrase in PHRASES)


def test_nulls_nothing_and_ten_megabytes_are_scored():
    texts = pl.Series(
        [None, "", "\x00", "word", "a" * 10_000_000, "A line it is. " * 70_000], dtype=pl.String
    )
    scored = C4().score(texts)
    assert scored["c4_sentences"].to_list() == [0, 0, 0, 0, 0, 70_000]
    assert C4().score(pl.Series([], dtype=pl.String)).schema == scored.schema


def test_only_the_bound_on_sentences_decides_alone():
    assert C4.marked(Threshold) == {"min_sentences"}
