"""`quotes`: what a thread says twice, and what only looks so."""

import pytest
from hypothesis import given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.quotes import Quotes

LONG = "The road to the mill is long and the mill is shut on all days but two"


def cleaned(text, **options):
    return apply(text, Quotes(**options).clean(text))


def thread(*posts, **options):
    messages = [{"role": "user", "name": name, "content": text, "train": None} for name, text in posts]
    return [
        apply(text, turn.content)
        for (_, text), turn in zip(posts, Quotes(**options).clean_messages(messages), strict=True)
    ]


@pytest.mark.parametrize(
    "quotation",
    [
        "[quote]Is it far?[/quote]",
        '[QUOTE="Bob, post: 12"]Is [quote]what[/quote] it far?[/QUOTE]',
        "> Bob said:\n>\n> Is it far?",
        "> b.scherer wrote: ↑\n>> old\n> Is it far?",
        "> ryshab:\n> Is it far?",
        "> Is it far?",
        "Bob wrote:\n> Is it far?",
        "On Mon, 3 May 2021 at 10:11, Bob <bob@example.org> wrote:\n> Is it far?",
        "@JonB said in Which version:\n\n> Is it far?",
        "Bob posted...\n\n> Is it far?",
        "Originally posted by Bob\n> Is it far?",
        "Bob said:\nIs it far?\nClick to expand...",
    ],
)
def test_a_quotation_at_the_head_goes(quotation):
    assert cleaned(f"{quotation}\n\nTwo days.") == "Two days."


def test_answers_between_quotations_stay():
    assert (
        cleaned("> Bob said:\n> Is it far?\n\nTwo days.\n\n> And the inn?\n\nShut.") == "Two days.\n\nShut."
    )


@pytest.mark.parametrize(
    "text",
    [
        "He wrote: I am well.\n\nThen he slept.",
        "She read it.\n\nHe wrote:\n\n> I am well.\n\nShe wept.",
        "Nkem read to the end.\n\n> Dima: it's a kind of soup mama. love you",
        ">>> 1 + 1\n2\n\nSo it adds.",
        "```\n> not a quotation\n```\n\nA fence.",
        "[quote]never closed, she said",
        "> nothing but a quotation",
        "5 > 3, said Bob.",
        "",
    ],
)
def test_quoting_in_a_story_code_and_whole_quotations_stay(text):
    assert Quotes().clean(text) == []


def test_who_is_quoted_stays_when_asked():
    assert cleaned("[quote=Bob]Far?[/quote]\n\nNo.", keep_attribution=True) == "Bob\n\nNo."
    assert cleaned("Bob wrote:\n> Far?\n\nNo.", keep_attribution=True) == "Bob wrote:\n\nNo."


def test_a_post_loses_the_head_that_another_wrote_before():
    posts = [("a", f"{LONG}."), ("b", f"{LONG}.\n\nThen we wait."), ("a", f"{LONG}.\n\nAs I said.")]
    assert thread(*posts) == [posts[0][1], "Then we wait.", posts[2][1]]
    assert thread(*posts, repeats=False) == [text for _, text in posts]


def test_a_whole_repeat_and_a_short_one_stay():
    posts = [("a", f"{LONG}."), ("b", f"{LONG}."), ("c", "The road to the mill\n\nis long.")]
    assert thread(*posts) == [text for _, text in posts]


PIECES = st.sampled_from(["[quote]", "[/quote]", '[quote="Bob"]', "> ", ">", ">>> ", "\n", "\n\n", "Bob said:", "On Monday, Bob wrote:", "Click to expand...", "one two", "```", " ", LONG])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join), st.booleans())
def test_cleaning_twice_changes_nothing_more(text, keep):
    assert Quotes(keep_attribution=keep).clean(cleaned(text, keep_attribution=keep)) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(PIECES, max_size=12).map("".join)), max_size=5))
def test_cleaning_a_thread_twice_changes_nothing_more(posts):
    once = thread(*posts)
    assert thread(*zip([name for name, _ in posts], once, strict=True)) == once


@pytest.mark.parametrize("text", ["[quote]" * 100_000, "[/quote]" * 100_000, "> a\n" * 200_000, "Bob said:\n" * 50_000 + "Click to expand...\n" * 50_000, "\n" * 10**6 + ">", "On " * 200_000 + ">"])  # fmt: skip
def test_hostile_texts_end(text):
    assert isinstance(Quotes().clean(text), list)


def test_where_nobody_says_who_speaks_nothing_is_taken_for_a_repetition():
    head = "one two three four five six seven eight nine ten eleven twelve thirteen"
    asked = {"role": "user", "name": None, "content": f"{head}\nMake it sad.", "train": None}
    again = {**asked, "content": f"{head}\nMake it glad."}
    assert [turn.content for turn in Quotes().clean_messages([asked, again])] in ([None, None], [[], []])
