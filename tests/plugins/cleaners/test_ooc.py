"""`ooc`: what goes, what stays, and that it may be run twice."""

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.ooc import Ooc
from plugins.contracts import Turn

STORY = '"Not a cat," said Nkem, and she shut the door behind him.\n\nRain came down on the roof of the inn.'


def cleaned(text, **options):
    return apply(text, Ooc(**options).clean(text))


def turn(text, **options):
    return Ooc(**options).clean_messages([{"role": "user", "name": "a", "content": text, "train": None}])[0]


@pytest.mark.parametrize(
    "aside",
    [
        "OOC: does he know her?",
        "ooc - back later",
        "**OOC:** tag me",
        "OOC2: and the funeral?",
        "[OT] nice weather",
        "Mod note: keep dice out of here.",
        "CW: blood",
        "(OOC: moving house (again), slow replies)",
        "[ooc. no eyes please]",
        "{ooc: lol}",
        "((sorry this is so short, work is killing me))",
        "{{sorry if this is rambly, been awake since 4}}",
        "((he can leave, thank you :) ))",
        "(OOC: I never closed this",
        "brb dinner",
        "sorry this is short, more tomorrow",
        "over to you, tallow :)",
        "(can somebody remind me what colour her eyes are?)",
        "~ back from vacation, sorry! ~",
        "Out of character: where did they park?",
        "[Deception DC 14, rolled a 3, sorry]",
        "(A/N: this was fun to write)",
        "(Mun note: he is lying)",
        "o-o-c: poor Marek",
        "<ooc>back tuesday</ooc>",
        "[ooc]back tuesday[/ooc]",
        "tagging: Jess, Mira",
        "tag @mira",
        "Word count: 412",
        "((She would know of him! Do not edit.))",
        "(is this ok?)",
        "(stealth: 14)",
        "no rush on replying!",
        "my wifi is being awful",
        "wrote this on my phone so forgive the formatting",
        "tagging Ingrid and Leif",
        "Written in a hurry, will proofread later",
        "Hope nobody minds me jumping in!",
        "Just a short reply so Kit can jump in.",
        "Shall we skip to the morning after this?",
        ">> brb dinner, feel free to have him wait",
    ],
)
def test_an_aside_below_a_scene_goes_with_its_blank_line(aside):
    assert cleaned(f"{STORY}\n\n{aside}") == STORY


@pytest.mark.parametrize("aside", ["((home! ok! real post now))", "ooc: dibs on marcy", "[ooc: no eyes pls]"])
def test_an_aside_above_a_scene_goes_too(aside):
    assert cleaned(f"{aside}\n\n{STORY}") == STORY


def test_an_aside_between_paragraphs_leaves_one_blank_line():
    assert cleaned("He ran.\n\n(OOC: brb)\n\nShe followed.") == "He ran.\n\nShe followed."


def test_an_aside_that_says_so_goes_from_within_a_sentence_and_leaves_the_sentence():
    assert cleaned("He took (ooc: brb) the sword.") == "He took the sword."


def test_an_aside_under_a_heading_goes_with_it():
    assert cleaned(f"{STORY}\n\nOOC:\nHe is yours to play.") == STORY


@pytest.mark.parametrize(
    "text",
    [
        'PERSONAL LOG, TUESDAY\n\nHe is well. Sorry for the short entry. Back on duty tomorrow.\n\n"Dinner," she said.',
        "<jinx> brb\n<0rpheus> lol ok, back tomorrow\n<jinx> sorry",
        '{I hear you,} thought the house. {{Come in, all of you.}} "Well," she said.',
        '"Tower, we are back on Sunday. Over." The radio hissed.\n\n"Say again your souls. Over."',
        'She wrote: "sorry this is short, brb, work is killing me lol"',
        "He sat (she looked away) and waited. (It was late by then, and he had nothing to say.)",
        "```\n// brb lol\n((a, b))\n```\n\nHe closed the book.",
        "The value ((a + b) * c) is [[1, 2], [3, 4]] there.",
        "He shut the ledger, and she rose.\n\nMy boss was a small man with a big desk, and he hated me from the first day.",
        "He shut the ledger, and she rose.\n\nNote: do not open the third drawer.",
        "He shut the ledger, and she rose.\n\nI don't know what to do with my hands. It doesn't make sense, any of it.",
        "the dog wont go in the yard\n\nthe dog has never gone in the yard",
        "((Can you hear me?)) she asked without moving her lips. ((Don't turn round.))",
        "She opened the envelope with her thumb.\n\nI'm sorry about the piano. I'll be back on Sunday. Don't wait up for me.",
        "The phone buzzed against his leg.\n\nrunning late, sorry!! save me a seat x",
        "He sat down on the kerb and shut his eyes.\n\nOkay. Okay, think. You've still got the keys, and nobody's seen you.",
        "[I'll wait for you at the gate. Don't be late.]\n\nThe words faded from the slate as soon as she had read them.",
        "I am late again. The bus went past with its lights on and nobody in it, and my exam began ten minutes ago.",
        "lol, reads the text. That's all. Four years of marriage, and he is standing in the rain in Leeds, and lol.",
        "Burn this. // Do not, on any account, burn the enclosure. //",
        "",
    ],
)
def test_what_looks_alike_stays(text):
    assert Ooc().clean(text) == []
    assert turn(text).train is None


def test_a_post_that_is_all_aside_is_masked_emptied_or_kept():
    text = "OOC: brb, dinner!"
    assert turn(text) == Turn(train=False)
    assert turn(text, whole="remove").content == ""
    assert turn(text, whole="keep") == Turn()
    assert cleaned(text) == text
    assert cleaned(text, whole="remove") == ""


@pytest.mark.parametrize(
    "text",
    [
        "brb, phone",
        "I'll wait for Jonah to post before I go on, if that's ok with everyone?",
        "Welcome aboard, Fennick! Jump in wherever you like, we're pretty relaxed here.",
        "oops wrong thread, ignore me",
        "*waves* Not closed! Post a sheet in the sign-up thread and ping Dan, he's keeping the list.",
    ],
)
def test_a_short_post_of_talk_alone_is_masked(text):
    assert turn(text) == Turn(train=False)


def test_parts_of_posts_in_a_thread_of_few_stories_must_say_more():
    talk = "The driver works for him now.\n\nHope you all enjoy it."
    thread = ["The driver works.", "Mine does not.", "Try the new version.", talk]
    messages = [{"role": "user", "name": "a", "content": text, "train": None} for text in thread]
    assert apply(talk, Ooc().clean_messages(messages)[-1].content) == talk
    assert cleaned(talk) == "The driver works for him now."


def test_a_whole_post_is_judged_by_its_thread():
    talk = "Thanks everyone, sorry for the delay. I'll post more tomorrow."
    plain = ["The driver works.", "Mine does not, on a laptop.", "Try the new version.", talk]
    story = [STORY, "She ran to his door.", "He opened it, slowly.", talk]
    for thread, train in ((plain, None), (story, False)):
        messages = [{"role": "user", "name": "a", "content": text, "train": None} for text in thread]
        assert Ooc().clean_messages(messages)[-1].train is train


def test_a_tail_that_says_so_goes_from_behind_its_sentence():
    assert cleaned("She sat down. // ooc sorry, short one") == "She sat down."
    assert cleaned('"Well," he said. OOC loved that') == '"Well," he said.'


def test_a_story_with_talk_under_it_is_no_aside_as_a_whole():
    story = "the dog wont go in the yard\n\nthe dog has never gone in the yard\n\nthe dog knows"
    text = f"{story}\n\nok thats my whole post im sorry i just wanted to be spooky, brb"
    messages = [
        {"role": "user", "name": "a", "content": part, "train": None} for part in (STORY, STORY, STORY, text)
    ]
    assert apply(text, Ooc().clean_messages(messages)[-1].content) == story


def test_marked_only_leaves_talk_that_nothing_sets_apart():
    text = f"{STORY}\n\nbrb dinner"
    assert cleaned(text, marked_only=True) == text
    assert cleaned(f"{STORY}\n\n((brb dinner))", marked_only=True) == STORY


def test_a_higher_threshold_removes_less():
    assert cleaned(f"{STORY}\n\nbrb dinner", threshold=9.0) == f"{STORY}\n\nbrb dinner"


def test_a_transcript_is_never_cut():
    assert Ooc(spoken=True).clean("He ran. (OOC: brb)") == []


BOOKS = Path(__file__).resolve().parents[4] / "shared/data/books"


@pytest.mark.skipif(not BOOKS.is_dir(), reason="the shared data are absent")
@pytest.mark.parametrize("name", ["Frankenstein_84/84-0.txt", "Pride-and-Prejudice_1342/1342-0.txt"])
def test_nothing_goes_from_novels(name):
    text = (BOOKS / name).read_text(encoding="utf-8")
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")][40:-90]
    posts = ["\n\n".join(paragraphs[at : at + 3]) for at in range(0, len(paragraphs), 3)]
    assert [post for post in posts if Ooc().clean(post)] == []


PIECES = st.sampled_from(
    ["((", "))", "[", "]", "{", "}", "(", ")", "OOC:", "ooc", "//", "brb", "sorry this is short", "He ran.", '"', "*", " ", "\n", "\n\n", "lol", ":)", "`", "```", "\x00", "\ufffd", "i am back tomorrow.", "“", "Edit: typos", "|"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_cleaning_twice_changes_nothing_more(text):
    once = cleaned(text)
    assert Ooc().clean(once) == []
    assert not Ooc().clean(text) or once.strip()


@pytest.mark.parametrize("text", ["(" * 10**6, "()" * 300_000, "(a b) " * 50_000, "“" * 10**6, "OOC:\n" * 20_000, "// a\n" * 50_000, "<ooc>" * 200_000, "[ooc]" * 50_000, "sorry my " * 100_000, "\n" * 10**6, "((a b. " * 50_000])  # fmt: skip
def test_hostile_texts_end(text):
    assert isinstance(Ooc().clean(text), list)
