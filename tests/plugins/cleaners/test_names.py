import pytest
from hypothesis import given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.names import Names

NAMES = st.sampled_from(["wren_42", "Mark", "mark", "Dorrit", "Ana María", "Speaker A", "Speaker C", "Alex", "Robin 2", "old gaffer", "a", "", None, "A.*(", "É"])  # fmt: skip
WORDS = st.sampled_from(["wren_42", "Mark", "mark", "Dorrit", "@", " ", ", ", ": ", "\n", "> ", " wrote:", "Speaker A", "Speaker", "Alex", "!", "A.*(", "Ana María", "old gaffer", "[", "]", "<", ">"])  # fmt: skip
DIALOGUES = st.lists(
    st.builds(
        lambda name, words: {"role": None, "name": name, "content": "".join(words), "train": True},
        NAMES,
        st.lists(WORDS, max_size=8),
    ),
    max_size=6,
)


def clean(messages, **options):
    turns = Names(**options).clean_messages(messages)
    return [
        {**m, "name": m["name"] if t.name is None else t.name, "content": apply(m["content"] or "", t.content or [])}
        for m, t in zip(messages, turns, strict=True)
    ]  # fmt: skip


def say(*pairs):
    return [{"role": None, "name": name, "content": content, "train": True} for name, content in pairs]


def contents(*pairs, **options):
    return [message["content"] for message in clean(say(*pairs), **options)]


@settings(max_examples=400)
@given(DIALOGUES, st.sampled_from(["letter", "name"]))
def test_cleaning_twice_changes_nothing_more(messages, style):
    once = clean(messages, style=style)
    assert clean(once, style=style) == once


@given(DIALOGUES, st.sampled_from(["letter", "name"]))
def test_one_name_has_one_pseudonym_and_two_names_have_two(messages, style):
    after = clean(messages, style=style)
    pairs = {(m["name"].strip().casefold(), a["name"].strip()) for m, a in zip(messages, after, strict=True) if m["name"] and m["name"].strip()}  # fmt: skip
    assert len({before for before, _ in pairs}) == len(pairs) == len({now for _, now in pairs})


def test_pseudonyms_follow_the_order_of_first_appearance():
    said = say(("wren", ""), ("mole", ""), ("Wren", ""), (None, ""), ("rat", ""))
    assert [m["name"] for m in clean(said)] == ["Speaker A", "Speaker B", "Speaker A", None, "Speaker C"]
    assert [m["name"] for m in clean(said, style="name")] == ["Alex", "Robin", "Alex", None, "Sam"]


def test_more_speakers_than_letters_go_on_with_two():
    assert [m["name"] for m in clean(say(*((f"user{n}", "") for n in range(28))))][25:] == ["Speaker Z", "Speaker AA", "Speaker AB"]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("@Mark, look", "@Speaker A, look"),
        ("Mark: hello", "Speaker A: hello"),
        ("> mark wrote:\n> so", "> Speaker A wrote:\n> so"),
        ("<mark> so", "<Speaker A> so"),
        ("Thank you, Mark!", "Thank you, Speaker A!"),
        ("Mark my words, they mark it", "Mark my words, they mark it"),
        ("so wren_42 left wren_421", "so Speaker B left wren_421"),
        ("I saw Dorrit there", "I saw Speaker C there"),
        ("mail me@Mark.example", "mail me@Mark.example"),
    ],
)
def test_what_is_a_mention(content, expected):
    assert contents(("Mark", ""), ("wren_42", ""), ("Dorrit", content))[2] == expected


def test_a_name_that_the_thread_uses_as_a_word_is_none_in_the_middle_of_a_sentence():
    assert contents(("Sparrow", "a sparrow sat. Sparrow saw it"))[0] == "a sparrow sat. Sparrow saw it"


def test_mentions_may_be_left():
    assert contents(("wren_42", "wren_42 here"), mentions=False) == ["wren_42 here"]


def test_a_thread_of_a_thousand_names_ends():
    said = say(*((f"user_{n}", f"@user_{n + 1} and user_{n // 2} " * 5) for n in range(1000)))
    assert "user_" not in "".join(contents(*said and [(m["name"], m["content"]) for m in said])[:900])


def test_a_name_with_a_sharp_s_is_found_where_others_mention_it():
    messages = [
        {"role": None, "name": "Weißbär", "content": "Hello.", "train": None},
        {"role": None, "name": "Ada_7", "content": "@Weißbär wrote: well", "train": None},
    ]
    turns = Names().clean_messages(messages)
    made = turns[1].content
    text = made if isinstance(made, str) else apply(messages[1]["content"], made)
    assert "Weißbär" not in text
    assert turns[0].name in text
