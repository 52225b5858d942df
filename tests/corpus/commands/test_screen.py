"""What is printed of a stranger's text cannot drive a terminal, and shows every character that changed."""

import re

from hypothesis import given, strategies as st

from corpus.commands.screen import Piece, lines, visible

OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@given(st.text())
def test_nothing_is_printed_that_a_terminal_obeys_or_that_turns_the_writing(text: str) -> None:
    assert not OBEYED.search(visible(text))
    visible(text).encode()


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=300))
def test_what_is_harmless_is_shown_as_it_is(text: str) -> None:
    plain = re.sub("[\u2028-\u202f\ufe00-\ufe0f\u034f\U000e0000-\U000e0fff]", "", text)
    assert visible(plain) == plain


def test_spans_are_marked_without_colour_and_painted_with_it() -> None:
    pieces = [Piece("The "), Piece("old", "removed"), Piece("new", "added"), Piece(" inn")]
    assert list(lines(pieces, indent="  ", width=None, colour=False)) == ["  The [-old-]{+new+} inn"]
    assert list(lines(pieces, indent="", width=None, colour=True)) == [
        "The \x1b[31;9mold\x1b[0m\x1b[32mnew\x1b[0m inn"
    ]


@given(
    st.lists(
        st.tuples(st.text("ab  c", max_size=60), st.sampled_from(["same", "removed", "added"])), max_size=6
    ),
    st.integers(30, 90),
    st.booleans(),
)
def test_lines_fit_the_terminal_and_lose_no_word(
    drawn: list[tuple[str, str]], width: int, colour: bool
) -> None:
    pieces = [Piece(text, kind) for text, kind in drawn]  # type: ignore[arg-type]
    shown = [
        re.sub("\x1b\\[[0-9;]*m", "", line)
        for line in lines(pieces, indent="    ", width=width, colour=colour)
    ]
    assert all(len(line) <= width for line in shown)
    whole = "".join(lines(pieces, indent="", width=None, colour=colour))
    assert "".join("".join(shown).split()) == "".join(re.sub("\x1b\\[[0-9;]*m", "", whole).split())
