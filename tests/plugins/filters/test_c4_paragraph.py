import polars as pl
from datatrove.data import Document
from datatrove.pipeline.filters.c4_filters import C4ParagraphFilter
from hypothesis import given, strategies as st

from plugins.filters.c4_paragraph import C4Paragraph

LINES = st.lists(
    st.one_of(st.text(max_size=20), st.integers(195, 205).map(lambda n: "é" * n), st.just("")), max_size=8
)


def score(*texts):
    return C4Paragraph().score(pl.Series(texts, dtype=pl.String)).to_series()


@given(st.lists(LINES.map("\n".join), min_size=1, max_size=5))
def test_the_decision_is_datatroves(texts):
    [rule] = C4Paragraph().rules()
    fails = score(*texts).to_frame().select(rule.fails).to_series().to_list()
    assert fails == [C4ParagraphFilter().filter(Document(text=text, id="")) is not True for text in texts]


@given(LINES)
def test_the_score_is_the_third_longest_line(lines):
    lengths = sorted(map(len, "\n".join(lines).split("\n")), reverse=True)
    assert score("\n".join(lines)).to_list() == [lengths[2] if len(lengths) > 2 else 0]


def test_nulls_nothing_and_ten_megabytes_are_scored():
    size = 10_000_000
    assert score(None, "", "\x00", "word", "a" * size, "\n" * size, "a\nb\r\nc\x85\n").to_list() == [
        *[0] * 6,
        1,
    ]
    assert score().to_list() == []
