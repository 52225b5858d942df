"""Questions and answers, from an engine's markup, JSON-LD and microdata."""

import gzip
import json
from pathlib import Path

import pytest

from plugins.contracts import Place
from plugins.extractors.encoding import decode
from plugins.scrapers.qa import Qa

PAGES = Path(__file__).parent / "forum_pages"


def page(name):
    return (PAGES / f"{name}.html").read_text("utf-8")


def linked(question, *, body=""):
    data = {
        "@context": "https://schema.org",
        "@type": "QAPage",
        "mainEntity": {"@type": "Question", **question},
    }
    return f'<html><head><script type="application/ld+json">{json.dumps(data)}</script></head><body>{body}</body></html>'


def answer(text, votes=0, name="Bob", **more):
    return {
        "@type": "Answer",
        "text": text,
        "upvoteCount": votes,
        "author": {"@type": "Person", "name": name},
        **more,
    }


def contents(found):
    return [message["content"] for message in found.messages]


def test_the_question_is_the_users_and_answers_are_the_assistants_best_first():
    found = Qa(path="x").parse(page("stack-exchange"))
    assert [(m["role"], m["name"], m["train"]) for m in found.messages] == [
        ("user", "Ann", False),
        ("assistant", "Bob", True),  # accepted, with 3 votes
        ("assistant", "Dan", True),  # 7 votes
        ("assistant", None, True),  # -2 votes
    ]
    assert contents(found)[0].startswith(
        "Is the pan too hot?\n\nIs the pan too hot?\n\nMy settings:\n\n```py\n"
    )
    assert found.title == "Is the pan too hot?"
    assert found.text == "\n\n".join(contents(found))  # as a build makes it of the messages
    assert found.published == "2024-05-01 10:00:00Z"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"min_votes": 0}, ["Bob", "Dan"]),
        ({"min_votes": 5}, ["Bob", "Dan"]),  # the accepted one stays
        ({"min_votes": 8}, ["Bob"]),
        ({"max_answers": 1}, ["Bob"]),
        ({}, ["Bob", "Dan", None]),
    ],
)
def test_answers_of_few_votes_can_be_left_out(options, names):
    assert [m["name"] for m in Qa(path="x", **options).parse(page("stack-exchange")).messages[1:]] == names


def test_pages_of_a_question_stay_dialogues_of_their_own_in_one_group(tmp_path):
    (tmp_path / "a.html").write_text(page("stack-exchange"), "utf-8")
    place = Place(tmp_path, tmp_path)
    qa = Qa(path="*.html")
    (found,) = [p for part in qa.parts(place) for p in qa.fetch(place, part)]
    assert (found.group, found.position, found.fold) == ("qa.example#12", 1, False)


def test_a_question_without_an_answer_that_counts_has_a_fate():
    html = page("stack-exchange").replace("accepted-answer js-accepted-answer", "")
    with pytest.raises(ValueError, match="none of 8 votes or more"):
        Qa(path="x", min_votes=8).parse(html)
    with pytest.raises(ValueError, match="0 answers"):
        Qa(path="x").parse(linked({"name": "Why?", "text": "I wonder."}))


def test_an_accepted_answer_that_json_cuts_short_is_read_from_its_post():
    found = Qa(path="x").parse(page("discourse"))
    assert [m["name"] for m in found.messages] == ["Ann", "Bob"]
    assert "heat = 9\n\nwait = 2" in contents(found)[0]
    assert "- turn it down\n- wait" in contents(found)[1]
    assert found.title == "Hot pan"


def test_an_answer_cut_short_without_its_post_is_left_out():
    question = {
        "name": "Why?",
        "text": "I wonder.",
        "suggestedAnswer": [answer("Because the…", 9), answer("It is.", 2)],
    }
    assert contents(Qa(path="x").parse(linked(question))) == ["Why?\n\nI wonder.", "It is."]


def test_json_answers_may_be_html_text_or_a_list_and_votes_text():
    question = {
        "name": "Why &amp; how?",
        "text": "<p>I wonder:</p><pre>a\n\nb</pre>",
        "author": [{"name": "Ann"}],
        "suggestedAnswer": [
            answer("a < b &amp; c\n\nd", "3"),
            answer("<p>e</p><ul><li>f</li></ul>", "1,200"),
        ],
    }
    found = Qa(path="x").parse(linked(question))
    assert contents(found) == ["Why & how?\n\nI wonder:\n\n```\na\n\nb\n```", "e\n\n- f", "a < b & c\n\nd"]
    assert found.author == "Ann"


def test_json_text_that_utf_8_cannot_hold_is_cleaned():
    question = {"name": "Why?", "text": "I \ud800wonder\0.", "acceptedAnswer": answer("So\udfff.")}
    assert contents(Qa(path="x").parse(linked(question))) == ["Why?\n\nI ?wonder.", "So?."]


def test_a_question_may_lie_in_a_graph_or_a_list():
    node = {"@type": ["Question"], "name": "Why?", "text": "I wonder.", "acceptedAnswer": answer("So.")}
    for data in (
        {"@graph": [{"@type": "WebSite"}, {"@type": "https://schema.org/QAPage", "mainEntity": [node]}]},
        [node],
    ):
        html = f'<script type="application/ld+json">{json.dumps(data)}</script><p>x'
        assert contents(Qa(path="x").parse(html)) == ["Why?\n\nI wonder.", "So."]


MICRODATA = """<main itemscope itemtype="https://schema.org/QAPage"><div itemprop="mainEntity" itemscope itemtype="https://schema.org/Question">
<h1 itemprop="name">Why?</h1><div itemprop="text"><p>I wonder.</p></div><i itemprop="author" itemscope><b itemprop="name">Ann</b></i>
<div itemprop="comment" itemscope itemtype="https://schema.org/Comment"><p itemprop="text">Me too.</p></div>
<div itemprop="suggestedAnswer" itemscope itemtype="https://schema.org/Answer"><span itemprop="upvoteCount">7</span><div itemprop="text">So.</div></div>
<div itemprop="acceptedAnswer" itemscope itemtype="https://schema.org/Answer"><span itemprop="upvoteCount">2</span><div itemprop="text">Hence.</div>
<b itemprop="author" itemscope><i itemprop="name">Bob</i></b></div></div></main>"""


def test_microdata_is_read_comments_left_out():
    found = Qa(path="x").parse(MICRODATA)
    assert contents(found) == ["Why?\n\nI wonder.", "Hence.", "So."]
    assert [m["name"] for m in found.messages] == ["Ann", "Bob", None]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>An article.</p>",
        page("phpbb3"),
        page("microdata"),
        '<script type="application/ld+json">{"@type": "QAPage", "mainEntity": </script><p>x',
        '<script type="application/ld+json">' + "[" * 100_000 + "</script><p>x",
        '<script type="application/ld+json">{"@type": "QAPage", "mainEntity": 3}</script><p>x',
        '<script type="application/ld+json">{"@type": 3, "@graph": "x"}</script><p>x',
        linked({"name": 5, "text": None, "acceptedAnswer": "no"}),
    ],
    ids=range(9),
)
def test_a_page_that_asks_no_question_is_left_to_the_extractor(html):
    assert Qa(path="x").parse(html).text is None


def test_real_questions_have_their_answers(shared_data):
    """Of the WCXB forum pages, by eye: every Stack Exchange page, and topics whose JSON-LD states an accepted answer."""
    expected = {"0172": ("KumikoGoingCrAzY", ["Michael Natkin", "Joe"]), "4309": ("Jack Scandall", ["Ishteaque Alam", "Jack Scandall"]),
                "0505": ("TatyanaBol", ["MikeMcQ"]), "0510": ("tinterweb", ["sid.m"])}  # fmt: skip
    folder = shared_data / "extraction/wcxb-dev/html"
    if not folder.is_dir():
        pytest.skip(f"no WCXB pages: {folder} is not a folder")
    for number, (asker, answerers) in expected.items():
        html = decode(
            gzip.decompress((folder / f"{number}.html.gz").read_bytes()), "text/html", html=True
        ).text
        messages = Qa(path="x").parse(html).messages
        assert [m["name"] for m in messages] == [asker, *answerers]
        assert all(m["content"] for m in messages)
