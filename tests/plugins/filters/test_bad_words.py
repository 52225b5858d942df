import re

import polars as pl
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters.bad_words import BadWords

WORDS = ("casino", "jack off", "s&m", "色情", "a$$", "Straße")


def found(texts, words=WORDS, **options):
    return BadWords(words=words, **options).score(pl.Series(texts, dtype=pl.String)).rows()


def fails(bad_words, texts):
    rule = bad_words.rules()[0]
    return bad_words.score(pl.Series(texts, dtype=pl.String)).select(rule.fails).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("A CASINO.", (1, "casino")),
        ("casinos, occasino", (0, None)),
        ("casino casino", (2, "casino")),
        ("off, jack", (0, None)),
        ("jack\n\noff casino", (2, "jack off")),
        ("casino, jack-off", (2, "casino")),
        ("S & M", (1, "s&m")),
        ("这是色情网站", (1, "色情")),
        ("you A$$!", (1, "a$$")),
        ("a", (0, None)),
        ("STRAßE", (1, "Straße")),
        ("ca\u00adsino", (1, "casino")),
        ("\0casino\0", (1, "casino")),
        ("casino", (1, "casino")),
        ("", (0, None)),
        (None, (0, None)),
    ],
)
def test_words_are_found_whole_whatever_their_case_and_separators(text, row):
    assert found([text]) == [row]


@given(st.lists(st.none() | st.text("casino jkf$色情&\0-"), max_size=6))
def test_no_text_raises_or_changes_with_its_neighbours(texts):
    assert found(texts) == [row for text in texts for row in found([text])]


@given(
    st.lists(
        st.sampled_from(["casino", "Casino", "jack", "off", "jackpot", ".", ",", "-", "it", "éa", "12", "\n"])
    )
)
def test_decisions_are_those_of_c4_and_datatrove(pieces):
    from datatrove.data import Document
    from datatrove.pipeline.filters import C4BadWordsFilter

    words = ("casino", "jackpot")
    theirs = C4BadWordsFilter()
    theirs._badwords_regex["en"] = re.compile(
        rf"(?:\W|^)({'|'.join(words)})(?:\W|$)"
    )  # as it makes it of its list
    text = " ".join(pieces)
    kept = theirs.filter(Document(text=text, id=""))
    assert fails(BadWords(words=words), [text]) == [kept is not True]


def test_counts_on_the_bound_pass():
    assert fails(BadWords(words=WORDS, max=1), ["casino", "casino casino"]) == [False, True]
    assert fails(BadWords(words=WORDS), ["fine", "casino", None]) == [False, True, False]


def test_files_and_words_make_one_list(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("# a remark\npoker\n\n", "utf-8")
    assert found(["poker", "casino", "a remark"], files=str(file)) == [(1, "poker"), (1, "casino"), (0, None)]
    assert found(["poker", "casino"], words=(), files=(str(file),)) == [(1, "poker"), (0, None)]


def test_a_list_that_is_not_utf8_is_a_fault_of_the_recipe(tmp_path):
    file = tmp_path / "words.txt"
    file.write_bytes("café\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"words\.txt is not UTF-8 \(byte 3\)"):
        BadWords(files=str(file)).check()


@pytest.mark.parametrize("options", [{}, {"words": (" ",)}, {"words": ("a",), "max": -1}])
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        BadWords(**options)


def test_the_bound_is_no_part_of_the_scores_identity():
    one, two = (BadWords(words=WORDS, max=n).identity(without=Threshold) for n in (0, 5))
    assert one == two
