from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest
from hypothesis import example, given, strategies as st

from corpus.phases.edits import apply, diff, invert
from plugins.contracts import Edit

PIECES = st.lists(
    st.sampled_from([
        "one",
        "two",
        "three",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "é",
        "e\u0301",
        "「",
        "\u2028",
        "\r\n",
    ])
)
TEXTS = st.one_of(st.text(), PIECES.map("".join))


@given(TEXTS, TEXTS)
@example("a\n", "a")
@example("a b a b", "b a b a")
def test_the_edits_between_two_texts_lead_from_one_to_the_other_and_back(before, after):
    edits = diff(before, after)
    assert apply(before, edits) == after
    assert apply(after, invert(before, edits)) == before


@given(TEXTS, TEXTS)
def test_edits_ascend_do_not_touch_and_change_something(before, after):
    edits = diff(before, after)
    assert all(first.end < second.start for first, second in pairwise(edits))
    assert all(before[edit.start : edit.end] != edit.after for edit in edits)


def test_only_what_changed_is_an_edit_though_every_line_did():
    before = "\n".join(f"line {number} of the book " for number in range(300))
    after = before.replace(" \n", "\n").rstrip()
    edits = diff(before, after)
    assert len(edits) == 300
    assert all((edit.end - edit.start, edit.after) == (1, "") for edit in edits)


def test_a_paragraph_taken_out_is_one_edit():
    before = "".join(f"Paragraph {number}, and more of it.\n\n" for number in range(50))
    after = before.replace("Paragraph 17, and more of it.\n\n", "")
    (edit,) = diff(before, after)
    assert edit.end - edit.start == len(before) - len(after)


@pytest.mark.parametrize("change", ["each line", "one line", "backwards", "blank lines", "nothing alike"])
def test_a_megabyte_takes_seconds_whatever_changed(change):
    before = "".join(
        f"It was the {number % 977}th of May, and the rain fell on {number % 13}.\n\n"
        for number in range(18_000)
    )
    after = {
        "each line": before.replace("e", "é"),
        "one line": before.replace("\n", " "),
        "backwards": before[::-1],
        "blank lines": before.replace("\n\n", "\n"),
        "nothing alike": "".join(chr(0x4E00 + ord(char)) for char in before),
    }[change]
    start = process_time()
    edits = diff(before, after)
    assert process_time() - start < 15
    assert apply(before, edits) == after


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(2, 1, "")],
        [Edit(0, 9, "")],
        [Edit(1, 2, "x"), Edit(0, 1, "y")],
        [Edit(0, 2, ""), Edit(1, 3, "")],
    ],
)
def test_edits_that_overlap_descend_or_reach_past_the_end_are_refused(edits):
    with pytest.raises(ValueError, match="does not follow"):
        apply("abc", edits)


def test_edits_of_real_pages_replay(shared_data: Path):
    path = shared_data / "books/The-Adventures-of-Sherlock-Holmes_1661/1661-0.txt"
    other = next(path.parent.rglob("advsh12.txt"))
    before = (path if path.exists() else next(path.parent.glob("*.txt"))).read_text("latin-1")
    after = other.read_text("latin-1")
    assert apply(before, diff(before, after)) == after
