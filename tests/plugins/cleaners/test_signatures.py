"""`signatures`: what programs, boards and habits put under posts."""

import pytest
from hypothesis import given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.signatures import Signatures


def cleaned(text, **options):
    return apply(text, Signatures(**options).clean(text))


def thread(*posts, **options):
    messages = [{"role": "user", "name": name, "content": text, "train": None} for name, text in posts]
    turns = Signatures(**options).clean_messages(messages)
    return [apply(text, turn.content) for (_, text), turn in zip(posts, turns, strict=True)]


@pytest.mark.parametrize(
    "mark",
    [
        "Sent from my iPhone",
        "Sent from my SM-G950F using Tapatalk",
        "*Sent via mobile*",
        "Posted via Tapatalk",
        "Gesendet von mit Tapatalk",
        "Last edited by Bob on Mon May 03, 2021 10:11 am; edited 2 times in total",
        "Last edited: May 3, 2021",
        "Edited by Bob on 3 May 2021",
        "Get Outlook for iOS",
        "-- \nBob\nKeeper of the mill",
        "--\nhttps://example.org",
    ],
)
def test_a_mark_at_the_end_goes(mark):
    assert cleaned(f"See you there.\n\n{mark}") == "See you there."
    assert cleaned(f"See you there.\n{mark}\n") == "See you there."


@pytest.mark.parametrize(
    "text",
    [
        "Sent from my iPhone",
        "-- \nBob",
        'She read it twice.\n\n"Sent from my phone," it said.',
        "He was sent from the mobile camp to the coast, and there he died.",
        "The paper was last edited by Bob on a Monday, and he was never asked about it again by any who came there.\n\nHe slept.",
        "A list:\n\n--\n\n" + "\n".join(f"line {n}" for n in range(20)),
        "Run it:\n\n```\n--\nx\n```",
        "",
    ],
)
def test_whole_posts_stories_lists_and_code_stay(text):
    assert Signatures().clean(text) == []


SIGNED = "Bob, keeper of the mill\nask me about flour"


def test_the_last_lines_of_an_author_s_posts_go():
    posts = [("Bob", f"{word}.\n\n{SIGNED}") for word in ("One", "Two", "Three")]
    assert thread(*posts) == ["One.", "Two.", "Three."]
    assert thread(*posts, learned=False) == [text for _, text in posts]
    assert thread(*posts[:2]) == [text for _, text in posts[:2]]
    assert thread(*posts, min_posts=4) == [text for _, text in posts]


def test_lines_of_several_authors_and_posts_that_are_nothing_else_stay():
    posts = [(name, f"One.\n\n{SIGNED}") for name in "abc"]
    assert thread(*posts) == [text for _, text in posts]
    assert thread(*[("Bob", SIGNED)] * 3)[0].startswith("Bob, keeper")


def test_an_action_that_ends_some_posts_of_many_stays():
    posts = [("Bob", f"Post {n}.\n\n{'*bows low*' if n < 3 else 'End of ' + str(n)}") for n in range(8)]
    assert thread(*posts) == [text for _, text in posts]


PIECES = st.sampled_from(["-- ", "--", "\n", "\n\n", "Sent from my iPhone", "Last edited by Bob on 3 May", "One.", "Two words", '"', " ", "```"])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_cleaning_twice_changes_nothing_more_and_never_empties(text):
    once = cleaned(text)
    assert Signatures().clean(once) == []
    assert bool(once.strip()) == bool(text.strip())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(PIECES, max_size=8).map("".join)), max_size=8))
def test_cleaning_a_thread_twice_changes_nothing_more(posts):
    once = thread(*posts, min_posts=2)
    assert thread(*zip([name for name, _ in posts], once, strict=True), min_posts=2) == once


@pytest.mark.parametrize("text", ["--\n" * 300_000, "sent from my " * 80_000, "\n" * 10**6 + "sent ", "-" * 10**6, "Last edited by " * 70_000, "sent " * 200_000])  # fmt: skip
def test_hostile_texts_end(text):
    assert isinstance(Signatures().clean(text), list)
    assert isinstance(thread(("a", text), ("a", text), ("a", text)), list)
