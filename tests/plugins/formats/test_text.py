import pytest
from hypothesis import given, strategies as st

from plugins.contracts import Span
from plugins.formats.text import Text

MESSAGES = [
    {"role": "user", "name": "Ada", "content": "Who goes there?", "train": None},
    {"role": "user", "name": "Bo", "content": "  ", "train": True},
    {"role": "user", "name": "Cy", "content": "A friend.", "train": False},
]


@given(st.text().filter(lambda text: text and not text.isspace()))
def test_a_text_is_one_trained_span_exactly_as_it_stands(text):
    assert Text().render(text, None) == [Span(text)]


@pytest.mark.parametrize("text", [None, "", "Who goes there?\n\nA friend."])
def test_the_messages_of_a_dialogue_count_whatever_its_text(text):
    spans = Text().render(text, MESSAGES)
    assert "".join(span.text for span in spans) == "Who goes there?\n\nA friend."
    assert [span.turn for span in spans] == [0, 2], "an empty message shows nothing, but is counted"


def test_messages_that_all_say_nothing_leave_the_text():
    assert Text().render("Rain.", [{"content": " "}]) == [Span("Rain.")]


def test_a_message_marked_as_not_trained_is_not_trained():
    assert [span.trained for span in Text().render(None, MESSAGES)] == [True, False]


@pytest.mark.parametrize("messages", [None, [], [{"content": None}], [{"content": "\n"}]])
def test_nothing_to_say_gives_no_spans(messages):
    assert Text().render(None, messages) == []
