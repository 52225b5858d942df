import pytest
from hypothesis import given, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.whitespace import Whitespace

SPACES = st.lists(
    st.sampled_from([*" \t\n\r\v\f\x1c\x85\xa0\u2003\u2028\u2029\u3000", "a", "b", "  ", "\r\n", "\n\n\n"])
).map("".join)


def clean(text):
    return apply(text, Whitespace().clean(text))


@given(st.one_of(st.text(), SPACES))
def test_cleaning_twice_changes_nothing_more(text):
    assert Whitespace().clean(clean(text)) == []


@given(st.one_of(st.text(), SPACES))
def test_words_and_their_order_stay(text):
    assert clean(text).split() == text.split()


@given(st.one_of(st.text(), SPACES))
def test_no_trailing_space_no_second_blank_line_no_odd_space_is_left(text):
    result = clean(text)
    assert "\n\n\n" not in result
    assert result == result.strip()
    assert all(line == line.rstrip() for line in result.split("\n"))
    assert {char for char in result if char.isspace()} <= {" ", "\t", "\n"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  both ends \n", "both ends"),
        ("in  a   line", "in a line"),
        ("trailing  \nspaces\t\n\tstay out", "trailing\nspaces\n\tstay out"),
        ("a\n \n\t\n\nb", "a\n\nb"),
        ("a\n\nb\nc", "a\n\nb\nc"),
        ("def f():\n    return  1", "def f():\n    return 1"),
        ("col\tcol \t col\t\tcol", "col\tcol\tcol\t\tcol"),
        ("no\u00a0break\u2003em\u3000ideographic", "no break em ideographic"),
        ("a\r\nb\u2028c\u2029d", "a\nb\nc\n\nd"),
        ("\u3000\u3000", ""),
    ],
)
def test_before_and_after(before, after):
    assert clean(before) == after
