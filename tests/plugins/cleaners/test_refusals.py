import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.refusals import Refusals

DATA = Path(__file__).resolve().parents[4] / "shared/data/dialogue"

REFUSALS = [
    "As an AI language model, I cannot do that.",
    "I’m sorry, but as an AI I don't take sides.",
    "I am just an AI, so no.",
    "I'm sorry, but I can't assist with that.",
    "I apologize, but I cannot fulfill this request.",
    "I cannot assist with that request.",
    "I can't help you with this kind of request.",
    "I cannot generate explicit content.",
    "That goes against OpenAI's content policy.",
    "My programming prevents me from it.",
    "I do not condone violence of any kind.",
    "It is important to note that such acts should be consensual and respectful.",
    "I\ncannot\nassist with\nyour request",
]
SPEECH = [
    "I'm sorry, I can't let you pass.",
    "I cannot help you with this burden, friend. I am sorry.",
    '"I won\'t help you," she said. "Not with that."',
    "I am unable to see in the dark. Is there anything else in the room?",
    "It's important to remember the way home.",
    "He is a model of discretion. My programming job pays badly.",
    "I can't answer that question in front of the king.",
    "> As an AI language model, I cannot do that.\nlol, look at that",
    "```\nI cannot assist with that request.\n```",
    "The AI woke. I am the ship, it said; I will not open the doors.",
    "Please remember that the gate closes at dusk.",
]


def turn(content, role="assistant", **options):
    return Refusals(**options).clean_messages([{"role": role, "content": content}])[0]


@pytest.mark.parametrize("content", REFUSALS)
def test_what_assistants_say_is_masked(content):
    assert turn(content).train is False
    assert turn(content).content is None


@pytest.mark.parametrize("content", SPEECH)
def test_what_characters_say_is_left(content):
    assert turn(content).train is None


def test_removing_empties_the_message_and_keeps_its_place():
    made = turn(REFUSALS[0], action="remove")
    assert apply(REFUSALS[0], made.content) == ""
    assert made.train is False


def test_only_the_model_is_judged_where_roles_are_known_and_everyone_where_not():
    assert turn(REFUSALS[0], role="user").train is None
    assert turn(REFUSALS[0], role=None).train is False
    assert turn(REFUSALS[0], role="user", roles=()).train is False


def test_moralising_may_be_left_and_phrases_added():
    assert turn(REFUSALS[10], moralising=False).train is None
    assert turn("No can do, boss.", phrases=("no can do",)).train is False
    with pytest.raises(ValueError, match="no regular expression"):
        Refusals(phrases=("(",)).check()


def test_a_text_without_messages_is_left():
    assert Refusals().clean(REFUSALS[0]) == []


@given(st.lists(st.sampled_from([*REFUSALS, *SPEECH, "", "\ufffd"]), max_size=4).map(" ".join), st.sampled_from(["mask", "remove"]))  # fmt: skip
def test_cleaning_twice_changes_nothing_more(content, action):
    first = turn(content, action=action)
    after = apply(content, first.content or [])
    second = turn(after, action=action)
    assert apply(after, second.content or []) == after
    assert second.train in {None, first.train}


@pytest.mark.parametrize("content", ["request " * 10**5, "it is important to note that such " + "a, " * 10**5, "```\n" * 10**4, "as an ai" * 10**5])  # fmt: skip
def test_hostile_messages_end(content):
    turn(content)


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/dialogue")
def test_people_at_a_table_refuse_nothing_as_assistants_do():
    read = 0
    for path in sorted(DATA.rglob("*.json"))[:40]:
        found = json.loads(path.read_bytes())
        for row in found["TURNS"] if isinstance(found, dict) and "TURNS" in found else []:
            read += 1
            assert turn(" ".join(row["UTTERANCES"])).train is None
    assert read > 1000
