import json
import re
from itertools import pairwise

import datatrove.pipeline.filters.c4_filters as peer
import numpy as np
import pyarrow as pa
import pytest
from datatrove.data import Document
from hypothesis import given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.c4_lines import C4Lines
from plugins.filters.c4 import C4
from plugins.kernels.buffers import buffers

PIECES = [
    *"ab .?!\"{[]1٣\n", "\n\n", "...", "\r\n", "\x85", "\u2028", "\u3000", "\x00", "é", "日本",
    "[1]", "[edit]", "[citation needed]", "[[2]3]", " [4] ", "\n[5] ", "one two three", " four five. ", " six.\n",
    "Lorem Ipsum", "lorem [6]ipsum", "JavaScript", "cookie policy", "terms of use", "x" * 9,
]  # fmt: skip
PAGES = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
OPTIONS = [
    {},
    {"max_word_length": 10},
    {"terminal_punctuation": False, "min_words_per_line": 0},
    {"remove_citations": False, "lorem_ipsum": False},
    {"min_words_per_line": 1, "curly_bracket": False, "policy": False, "javascript": False},
]


def clean(text, **options):
    return apply(text, C4Lines(**options).clean(text))


def count(line):
    return len(re.findall(r"[.?!]+.", line.strip())) + 1


def score(text, options):
    def counts(lines):
        data, bounds = bytes(lines.texts.data), lines.texts.offsets.tolist()
        pairs = pairwise(bounds)
        return np.array([count(data[start:end].decode()) for start, end in pairs], np.int64)

    [part] = buffers(pa.array([text], pa.large_string()))
    return C4(**options).score_lines(part, counts).row(0)


@pytest.fixture
def datatrove(monkeypatch):
    """What a page that it keeps becomes; None for one that it drops."""
    monkeypatch.setattr(peer, "split_into_sentences", lambda line, _: [line] * count(line))

    def text_of(text, **options):
        document = Document(text=text, id="")
        return document.text if peer.C4QualityFilter(**options).filter(document) is True else None

    return text_of


@pytest.mark.parametrize("options", OPTIONS)
def test_cleaning_twice_changes_nothing_more(options):
    @settings(max_examples=200)
    @given(PAGES)
    def settles(text):
        assert C4Lines(**options).clean(clean(text, **options)) == []

    settles()


@pytest.mark.parametrize("options", OPTIONS)
def test_the_filter_scores_a_cleaned_page_as_it_scored_the_page(options):
    if not options.get("min_words_per_line", 3):
        pytest.skip("without a least number of words, blank lines are lines, and those at the ends go")

    @settings(max_examples=200)
    @given(PAGES)
    def agrees(text):
        assert score(clean(text, **options), options) == score(text, options)

    agrees()


def test_a_kept_page_reads_as_datatrove_leaves_it(datatrove):
    @settings(max_examples=400)
    @given(PAGES)
    def reads_alike(text):
        theirs = datatrove(text, min_num_sentences=-1)
        # Where a second pass of its own would change nothing, so that a single one and ours can agree.
        if theirs is not None and datatrove(theirs, min_num_sentences=-1) == theirs:
            assert clean(text) == theirs

    reads_alike()


@pytest.mark.slow
def test_real_pages_read_as_datatrove_leaves_them(datatrove, shared_data):
    paths = sorted((shared_data / "extraction/wcxb-dev/ground-truth").glob("*.json"))
    texts = [json.loads(path.read_text("utf-8"))["ground_truth"]["main_content"] or "" for path in paths]
    cleaned = [apply(text, edits) for text, edits in zip(texts, C4Lines().clean_column(texts), strict=True)]
    theirs = [datatrove(text) for text in texts]
    assert sum(text is not None for text in theirs) > 1200
    assert [ours for ours, text in zip(cleaned, theirs, strict=True) if text is not None] == [
        text for text in theirs if text is not None
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Home | About\n\nThe inn is old.[1] It leans.\n\n  So does he.  ", "The inn is old. It leans.\nSo does he."),
        ("The inn is old...\nToo short.\nJavaScript is needed here.\nAs our Terms of Use say.", ""),
        ("[1] The inn is old.", "The inn is old."),
        ("[7] Ibid, 34.", "[7] Ibid, 34."),  # two words without
        ("[[1]2] The inn is old.", "[[1]2] The inn is old."),  # "[2]" would be uncovered
        ("The inn is old [3].\r\n[edit]\u2028He leans on it.", "The inn is old .\nHe leans on it."),
        ("Here stands [4] lorem ipsum.\nNo end", "Here stands [4] lorem ipsum."),
        ("It has a { in it. [5]", ""),  # the space before the citation ends the line
        ("It has a [5] { in it.", "It has a [5] { in it."),
        ("", ""),
    ],
)  # fmt: skip
def test_before_and_after(before, after):
    assert clean(before) == after


@given(st.lists(PAGES, max_size=5))
def test_a_column_is_cleaned_as_its_texts_are(texts):
    assert C4Lines().clean_column(texts) == [C4Lines().clean(text) for text in texts]


def test_ten_megabytes_are_cleaned():
    assert clean("a" * 10_000_000) == ""
    text = "A line it is.\n" * 700_000
    assert clean(text) == text.rstrip()
