import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from corpus.phases.alignment import Alignment
from corpus.phases.cuts import Borders, runs

GLUED = re.compile(r"\n| ?[^\s]+| +")


def words_of(text: str) -> Alignment:
    """Tokens as a byte-level tokenizer's pre-tokenizer would leave them: words with the space before them, line ends alone."""
    spans = [match.span() for match in GLUED.finditer(text)]
    return Alignment(np.array([a for a, _ in spans], np.int64), np.array([b for _, b in spans], np.int64))


def letters_of(text: str) -> Alignment:
    ends = np.arange(1, len(text) + 1, dtype=np.int64)
    return Alignment(ends - 1, ends)


def cuts(text: str, tokens: Alignment, turns: tuple[int, ...], max_tokens: int) -> list[int]:
    """Where each row ends, with room for an EOS in the last."""
    return [run.stop for run in runs(Borders(text, tokens, turns), 0, len(tokens.ends), max_tokens, end=1)]


def pieces(text: str, tokens: Alignment, max_tokens: int, turns: tuple[int, ...] = ()) -> list[str]:
    ends = cuts(text, tokens, turns, max_tokens)
    borders = [0, *(int(tokens.ends[end - 1]) if end else 0 for end in ends)]
    return [text[a:b] for a, b in pairwise(borders)]


LEVELS = {
    "chapter": "one two three four five\n\nChapter 3\n\nsix.\n\nSeven eight\nnine. Ten",
    "markdown": "one two three four five\n\n## Ways\n\nsix.\n\nSeven eight\nnine. Ten",
    "paragraph": "one two three four five six\n\nseven eight\nnine. Ten eleven twelve thirteen",
    "blanks": "one two three four five six\n \t\n  seven eight\nnine. Ten eleven twelve thirteen",
    "line": "one two three four five six\n  seven eight. Nine ten eleven twelve thirteen",
    "sentence": 'one two three four five "six!" Seven eight nine ten eleven twelve thirteen',
    "word": "one two three four five six seven eight nine ten eleven twelve thirteen",
}
SECOND = {
    "chapter": "Chapter 3",
    "markdown": "## Ways",
    "paragraph": "seven",
    "blanks": "  seven",
    "line": "  seven",
    "sentence": " Seven",
    "word": " eleven",
}


@pytest.mark.parametrize("level", LEVELS)
def test_the_coarsest_border_in_the_second_half_of_the_row_wins(level):
    found = pieces(LEVELS[level], words_of(LEVELS[level]), max_tokens=10)
    assert found[1].startswith(SECOND[level]), found


def test_a_message_begins_a_row_before_a_chapter_does():
    text = LEVELS["chapter"]
    turn = text.index(" four five") + len(" four")
    assert pieces(text, words_of(text), 8, turns=(0, turn))[0] == "one two three four"


def test_a_coarse_border_in_the_first_half_is_left_alone():
    text = "one\n\ntwo three four five six seven eight nine ten eleven twelve"
    assert pieces(text, words_of(text), 10)[0] == "one\n\ntwo three four five six seven eight"


@pytest.mark.parametrize(
    "text",
    [
        "Go and ask Mr. Holmes of Baker Street",
        "Today it is approx. eleven miles",
        "It was told to J. Watson later",
    ],
)
def test_an_abbreviation_is_no_end_of_a_sentence(text):
    sentence_like = text.index(". ") + 1
    first = pieces(text, letters_of(text), max_tokens=sentence_like + 8)[0]
    assert len(first) > sentence_like, first


def test_wide_punctuation_ends_a_sentence_without_white_space():
    text = "雨が降って来た。「誰だ。」彼は言った、そして黙り込んだ"
    assert pieces(text, letters_of(text), 16)[0] == "雨が降って来た。「誰だ。」"


def test_a_word_longer_than_a_row_fills_rows():
    found = pieces("x" * 100, letters_of("x" * 100), 10)
    assert [len(piece) for piece in found] == [10] * 9 + [9, 1]


def test_eos_finds_room_in_the_last_row():
    for count in range(1, 60):
        ends = cuts("x" * count, letters_of("x" * count), (), 8)
        sizes = np.diff([0, *ends])
        assert sizes.max() <= 8
        assert 1 <= sizes[-1] <= 7


def test_a_document_without_tokens_is_one_empty_row():
    nothing = np.zeros(0, np.int64)
    assert cuts("", Alignment(nothing, nothing), (), 8) == [0]


def test_no_character_is_split_while_a_row_can_hold_it():
    starts = np.repeat(np.arange(50), 3)  # every character is three tokens
    ends = cuts("語" * 50, Alignment(starts, starts + 1), (), 8)
    assert all(end % 3 == 0 for end in ends)
    assert np.diff([0, *ends]).max() <= 8


def test_a_character_longer_than_a_row_is_split_rather_than_lost():
    starts = np.repeat(np.arange(3), 20)
    ends = cuts("﷽﷽﷽", Alignment(starts, starts + 1), (), 8)
    assert ends[-1] == 60
    assert np.diff([0, *ends]).max() <= 8


TEXTS = st.text(st.sampled_from("ab .!\n\r\t#。語"), max_size=400)


@given(TEXTS, st.integers(8, 40), st.booleans())
def test_rows_cover_the_text_and_all_but_the_last_are_at_least_half_full(text, max_tokens, letters):
    tokens = letters_of(text) if letters else words_of(text)
    ends = cuts(text, tokens, (), max_tokens)
    sizes = np.diff([0, *ends])
    assert ends[-1] == len(tokens.ends)
    assert sizes.sum() == len(tokens.ends)
    assert sizes[-1] < max_tokens
    assert all(max_tokens / 2 <= size <= max_tokens for size in sizes[:-1])


@pytest.mark.parametrize(
    "text", ["\n" * 300_000, " " * 300_000, "." * 300_000, "\n " * 150_000, "。" * 300_000]
)
def test_monotonous_text_takes_no_more_than_linear_time(text):
    assert cuts(text, letters_of(text), (), 2048)[-1] == len(text)


@given(
    TEXTS,
    st.integers(8, 40),
    st.integers(0, 10),
    st.integers(1, 10),
    st.integers(0, 1),
    st.booleans(),
)
def test_with_overlap_and_a_least_length_rows_still_share_the_text_out(
    text, room, overlap, least, end, letters
):
    tokens = letters_of(text) if letters else words_of(text)
    found = runs(Borders(text, tokens), 0, len(tokens.ends), room, end=end, overlap=overlap, least=least)
    assert [run.start for run in found] == [0, *(run.stop for run in found[:-1])]
    assert found[-1].stop == len(tokens.ends)
    lengths = [run.stop - run.start + (end if run is found[-1] else 0) for run in found]
    assert all(run.back + length <= room for run, length in zip(found, lengths, strict=True))
    assert all(run.back <= min(overlap, room // 2) for run in found)
    assert all(run.back <= before.stop - before.start for before, run in pairwise(found))
    if len(found) > 1:
        assert min(lengths) >= min(least, (room - min(overlap, room // 2)) // 2)


def test_an_overlap_begins_where_a_sentence_does():
    text = "One two three. Four five six seven. Eight nine ten eleven twelve thirteen fourteen fifteen"
    found = runs(Borders(text, words_of(text)), 0, 15, 10, overlap=5)
    assert [run.back for run in found][:2] == [0, 4]
    assert text[words_of(text).starts[found[1].start - 4] :].startswith(" Four five six seven.")


def test_a_short_last_row_takes_whole_paragraphs_from_the_one_before():
    text = "one two three four\n\nfive six\n\nseven eight nine\n\nten"
    tokens = words_of(text)
    assert [run.stop for run in runs(Borders(text, tokens), 0, len(tokens.ends), 15)] == [15, 16]
    joined = runs(Borders(text, tokens), 0, len(tokens.ends), 15, least=4)
    assert text[tokens.starts[joined[1].start] :] == "seven eight nine\n\nten"
    assert joined[1].level == "paragraph"
