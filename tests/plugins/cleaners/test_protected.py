from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from plugins.cleaners.protected import covers, protected

PIECES = [
    *"ab A1 .,:()[]{}<>`~/\\_@#$\"'\n",
    "```\n",
    "    ",
    "\t",
    "https://a.b/c ",
    "x = {1} ",
    "wordOne ",
    "…",
    "é",
]
TEXTS = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


@given(TEXTS)
def test_spans_ascend_and_do_not_touch(text):
    spans = protected(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[1] < two[0] for one, two in pairwise(spans))


@given(TEXTS, st.integers(0, 80), st.integers(1, 20))
def test_covers_is_an_overlap_with_some_span(text, start, length):
    spans = protected(text)
    wanted = any(one < start + length and start < two for one, two in spans)
    assert covers(spans, start, start + length) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "```\nteh\n```", "~~~py\nteh", "say `teh` now", "``a ` teh``", "    teh", "\tteh", "https://a.org/teh", "www.teh.org", "me@teh.org",
        "/usr/teh", "C:\\teh", "~/teh", "./teh", "a/teh", "teh_dir", "_teh", "getTeh", "TehDir", "teh2", "2teh", "@teh", "#teh", "$teh", "--teh", "-teh",
        "teh()", "teh(x)", "a.teh", "std::teh", "<teh>", "</teh>", '"teh"', "'teh'", "“teh”", "teh;", "$ cat teh", ">>> teh", "// teh", "x = {teh}; y",
        "teh=1", "teh[0]", "key:teh", "[teh](http://a.org)", "HTMLTeh",
    ],
)  # fmt: skip
def test_what_is_not_prose_is_protected(text):
    at = text.lower().index("teh")
    assert covers(protected(text), at, at + 3)


@pytest.mark.parametrize(
    "text",
    [
        "in teh end.", "(teh end)", "Teh end!", "*teh* end", "**teh end**", "it’s teh end…", "“in teh end”", "teh, end", "a—teh—end", "the 3rd teh",
        "> teh end", "- teh end", "1. teh end", "`open teh end", "end: teh", "US teh end", "$5 teh end", "TEH END",
    ],
)  # fmt: skip
def test_prose_is_not_protected(text):
    at = text.lower().index("teh")
    assert not covers(protected(text), at, at + 3)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "`",
        "` ",
        "<",
        "<a",
        "(",
        "{",
        "'a",
        "\n",
        "=\n",
        "A",
        "9",
        "- ",
        "```\n",
        ";a",
        "a.b",
        "\ufffd",
        "\x00",
    ],
)
def test_a_megabyte_of_one_thing_is_read(piece):
    text = piece * (1_000_000 // len(piece))
    assert all(end <= len(text) for _, end in protected(text))
