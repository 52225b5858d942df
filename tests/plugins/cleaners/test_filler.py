import tomllib

import pytest
from hypothesis import given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.filler import KINDS, LISTS, Filler
from plugins.cleaners.protected import protected

PIECES = [
    "basically", "Basically,", ", you know,", "Well,", "honestly,", "I mean,", "literally", "it", "is", "a", "not", "house", "like", ", like.",
    *".,;\n\"“”`()…", "\n\n", "    ", " ", "Actually,", "so to speak", "- ", "\ufffd",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
)
OPTIONS = [{"lists": ["en"]}, {"lists": ["en", "en-strong"], "quotes": True}, {"words": ["it", "house"]}]


def clean(text, **options):
    made = Filler(**options).clean(text)
    return made if isinstance(made, str) else apply(text, made)


@pytest.mark.parametrize("options", OPTIONS)
def test_cleaning_twice_changes_nothing_more(options):
    @settings(max_examples=300)
    @given(TEXTS)
    def settles(text):
        once = clean(text, **options)
        assert clean(once, **options) == once
        assert len(once) <= len(text)

    settles()


@given(TEXTS)
def test_nothing_is_taken_out_unless_it_is_asked_for(text):
    assert Filler().clean(text) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Basically, it is, you know, a shed.", "It is a shed."),
        ("It is basically a shed.", "It is a shed."),
        ("It rained basically.", "It rained."),
        ("well, it rained, you know.", "it rained."),
        ("Well, honestly, no one came.", "No one came."),
        ("He was literally, you know, dead.", "He was dead."),
        ("It rained. Needless\nto say, we left.", "It rained. We left."),
        ("It is, you know, so to speak, a shed.", "It is a shed."),
        ("- Honestly, it leans.\n- So it is.", "- It leans.\n- So it is."),
    ],
)
def test_spaces_commas_and_capitals_are_mended(before, after):
    assert clean(before, lists=["en"]) == after


@pytest.mark.parametrize(
    "text",
    [
        "Basically.", "It was a basically empty house.", "He is not literally dead.", "It is symbolically and literally so.",
        "Run `basically x` in src/literally now.", "    basically it", '"Well, you know, it rained," she said.', "“It is basically so,” he said.",
        "Well done, I mean it.", "He is a well, look.", "I like it, you know nothing.", "lists, like:", "some…well, work", "basically-so", "unbasically",
    ],
)  # fmt: skip
def test_what_a_sentence_needs_stays(text):
    assert clean(text, lists=["en"]) == text


def test_quotes_open_where_the_recipe_says_so():
    assert (
        clean('"Well, it is basically so," she said.', lists=["en"], quotes=True) == '"It is so," she said.'
    )


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("de", "Ehrlich gesagt, es ist sozusagen ein Haus.", "Es ist ein Haus."),
        ("fr", "C'est, tu sais, une maison.", "C'est une maison."),
        ("es", "Bueno, es básicamente una casa.", "Es una casa."),
    ],
)
def test_each_language_has_its_list(name, before, after):
    assert clean(before, lists=[name]) == after
    assert clean(before, lists=["en"]) == before


def test_a_list_that_is_not_there_and_words_that_are_none_are_faults():
    with pytest.raises(ValueError, match=r'"eng" is no list.*en, '):
        Filler(lists=["eng"]).check()
    with pytest.raises(ValueError, match="begin and end with a letter"):
        Filler(words=["uh, "]).check()


def test_lists_hold_known_kinds_and_no_entry_twice_in_one():
    lists = tomllib.loads(LISTS.read_text(encoding="utf-8"))
    for kinds in lists.values():
        assert set(kinds) <= set(KINDS)
        assert all(len(entries) == len(set(entries)) for entries in kinds.values())


@pytest.mark.parametrize("piece", ["a", "basically ", "Well, ", '"', "(", "\n", ", you know,", "well,"])
def test_hostile_texts_come_to_rest(piece):
    text = piece * (200_000 // len(piece))
    assert clean(clean(text, lists=["en"]), lists=["en"]) == clean(text, lists=["en"])


def test_code_fences_stay():
    text = "It is basically so.\n\n```\nBasically, it is\n```\n"
    assert clean(text, lists=["en"]) == "It is so.\n\n```\nBasically, it is\n```\n"
    assert protected(text)
