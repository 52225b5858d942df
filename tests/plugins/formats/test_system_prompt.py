"""System prompts: wordings by the document, fields by stated rules."""

import doctest

import pytest

from plugins.formats import system_prompt
from plugins.formats.conversation import conversations
from plugins.formats.system_prompt import parse, system_text


def conversation(said: str, asked: str = "Hi."):
    messages = [{"role": "user", "name": "Ada", "content": asked}, {"role": "assistant", "name": "Bo", "content": said}]  # fmt: skip
    return conversations(messages, model_speaks=None, names=None)[0]


def written(prompt: str, said: str = "Yes.", seed: int = 0, **more) -> str:
    return system_text(parse(prompt), conversation(said, **more), seed)


def test_fields_nest_in_wordings_and_a_backslash_makes_a_brace_ordinary():
    assert written(r"{You are {name}|You are {name}}, with {names}. \{x\}") == "You are Bo, with Ada. {x}"


def test_every_wording_is_chosen_by_some_document_and_always_the_same():
    prompt = "{a|b|c}"
    chosen = [written(prompt, asked=f"Question {n}") for n in range(60)]
    assert set(chosen) == {"a", "b", "c"}
    assert chosen == [written(prompt, asked=f"Question {n}") for n in range(60)]
    assert chosen != [written(prompt, asked=f"Question {n}", seed=1) for n in range(60)]


@pytest.mark.parametrize(("words", "length"), [(49, "short"), (50, "medium"), (199, "medium"), (200, "long")])
def test_length_is_words_a_turn(words, length):
    assert written("{length}", "word " * words) == length


@pytest.mark.parametrize(
    ("said", "style"),
    [
        ('"Late," she says.', "with dialogue"),
        ("“Late,” she says.", "with dialogue"),
        ("She is late.", "narration"),
        ('A "word" ' + "and more " * 20, "narration"),
        ('"' * 100_000, "narration"),
    ],
)
def test_style_is_the_share_of_words_in_quotation_marks(said, style):
    assert written("{style}", said) == style


def test_a_name_nobody_has_refuses_the_conversation():
    messages = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes."}]
    nameless = conversations(messages, model_speaks=None, names=None)[0]
    with pytest.raises(ValueError, match=r"asks for \{name\}"):
        system_text(parse("You are {name}."), nameless, 0)


@pytest.mark.parametrize("prompt", ["{", "}", "{a|b", "{x}", "{" * 20, "{a|{b}"])
def test_braces_that_do_not_add_up_are_refused(prompt):
    with pytest.raises(ValueError, match="system"):
        parse(prompt)


def test_the_examples_hold():
    assert doctest.testmod(system_prompt).failed == 0
