"""Posts of pages as each engine writes them. The snippets under forum_pages/ have the engines' structure and our own words."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from lxml import html as lxml_html

from plugins.scrapers.sites import ENGINES, posts_of
from plugins.scrapers.sites.engine import is_of
from plugins.scrapers.sites.microdata import MICRODATA
from plugins.scrapers.sites.prose import markdown
from plugins.scrapers.sites.siblings import siblings
from plugins.scrapers.sites.tree import parsed

PAGES = Path(__file__).parent / "forum_pages"
ASKED = "Is the pan too hot?\n\nMy settings:\n\n```\nheat = 9\n\nwait = 2\n```"
ANSWERED = "Yes. Do this:\n\n- turn it down\n- wait"
QUOTE = "> Is the pan too hot?\n\n"

# File, engine, what stands above the quoted words, and the times.
CASES = [
    ("xenforo2", "xenforo", "Ann said:", "2024-05-01T10:00:00+0000", "2024-05-02T11:30:00+0000"),
    ("xenforo1", "xenforo", "Ann said:", "May 1, 2024 at 10:00 AM", "May 2, 2024 at 11:30 AM"),
    ("xenforo-cards", "xenforo", "Ann said:", "2024-05-01T10:00:00+0000", "2024-05-02T11:30:00+0000"),
    ("phpbb3", "phpbb", "Ann wrote:", "2024-05-01T10:00:00+00:00", "2024-05-02T11:30:00+00:00"),
    ("phpbb30", "phpbb", "Ann wrote:", "Wed May 01, 2024 10:00 am", "Thu May 02, 2024 11:30 am"),
    ("fluxbb", "punbb", "Ann wrote:", "2024-05-01 10:00:00", "2024-05-02 11:30:00"),
    ("vbulletin3", "vbulletin3", "Originally Posted by Ann", "1st May 2024, 10:00", "2nd May 2024, 11:30"),
    ("vbulletin4", "vbulletin4", "Originally Posted by Ann", "05-01-2024, 10:00 AM", "05-02-2024, 11:30 AM"),
    ("vbulletin5", "vbulletin5", "Originally posted by Ann", "2024-05-01T10:00:00", "2024-05-02T11:30:00"),
    ("invision4", "invision", "On 5/1/2024 at 10:00 AM, Ann said:", "2024-05-01T10:00:00Z", "2024-05-02T11:30:00Z"),
    ("invision5", "invision", "On 5/1/2024 at 10:00 AM, Ann said:", "2024-05-01T10:00:00Z", "2024-05-02T11:30:00Z"),
    ("nodebb", "nodebb", "@Ann said:", "2024-05-01T10:00:00.000Z", "2024-05-02T11:30:00.000Z"),
    ("discourse", "discourse", "Ann:", "2024-05-01T10:00:00Z", "2024-05-02T11:30:00Z"),
    ("discourse-rendered", "discourse", "Ann:", "May 1, 2024 10:00 am", "May 2, 2024 11:30 am"),
    ("smf21", "smf", "Quote from: Ann on May 01, 2024, 10:00:00 AM", "May 01, 2024, 10:00:00 AM", "May 02, 2024, 11:30:00 AM"),
    ("mybb", "mybb", "(2024-05-01, 10:00 AM)Ann Wrote:", "2024-05-01, 10:00 AM", "2024-05-02, 11:30 AM"),
    ("old-reddit", "old-reddit", "", "2024-05-01T10:00:00+00:00", "2024-05-02T11:30:00+00:00"),
    ("reddit", "reddit", "", "2024-05-01T10:00:00.000000+0000", "2024-05-02T11:30:00.000000+0000"),
    ("microdata", "microdata", "", "2024-05-01T10:00:00Z", "2024-05-02T11:30:00Z"),
]  # fmt: skip


def tree_of(name):
    return parsed((PAGES / f"{name}.html").read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "engine", "citation", "first", "second"), CASES, ids=[case[0] for case in CASES]
)
def test_an_engines_posts_have_their_author_time_and_words(name, engine, citation, first, second):
    found, posts = posts_of(tree_of(name))
    asked, answered = posts[:2]
    assert found == engine
    assert [(post.author, post.time) for post in (asked, answered)] == [("Ann", first), ("Bob", second)]
    assert asked.content == ASKED
    above = f"> {citation}\n>\n" if citation else ""
    assert answered.content.removesuffix("\n\n### A guide to pans") == above + QUOTE + ANSWERED


def test_a_quote_whose_header_stands_outside_it_is_two_quotes():
    content = posts_of(tree_of("smf20"))[1][1].content
    assert content == f"> Quote from: Ann on May 01, 2024, 10:00:00 AM\n\n{QUOTE}{ANSWERED}"


def test_stack_exchange_names_the_asker_not_the_editor_and_leaves_comments_out():
    _, posts = posts_of(tree_of("stack-exchange"))
    assert [(p.author, p.votes, p.answer, p.accepted) for p in posts] == [
        ("Ann", 11, False, False),
        ("Dan", 7, True, False),
        ("Bob", 3, True, True),
        (None, -2, True, False),
    ]
    assert posts[0].time == "2024-05-01 10:00:00Z"
    assert "What stove" not in " ".join(post.content for post in posts)


@pytest.mark.parametrize("name", sorted(path.stem for path in PAGES.glob("*.html")))
def test_no_signature_edit_mark_button_or_preview_is_in_a_post(name):
    text = " ".join(post.content for post in posts_of(tree_of(name))[1])
    assert not re.search(
        r"Sent from my stove|[Ll]ast edited|Edited May|modified|Like|Reply\b|Quote\b(?! from)|Click to|Words of the other page|Select",
        text,
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in PAGES.glob("*.html")))
def test_quotes_can_be_left_out(name):
    posts = posts_of(tree_of(name), keep_quotes=False)[1]
    assert not any(">" in post.content for post in posts)
    assert ANSWERED in [post.content.removesuffix("\n\n### A guide to pans") for post in posts]


def test_answers_within_answers_are_posts_of_their_own():
    for name in ("old-reddit", "reddit"):
        posts = posts_of(tree_of(name))[1]
        assert [(post.author, post.content.splitlines()[-1]) for post in posts] == [
            ("Ann", "```"),
            ("Bob", "- wait"),
            ("Ann", "Thank you."),
        ]


@pytest.mark.parametrize("name", sorted(path.stem for path in PAGES.glob("*.html")))
def test_no_page_bears_the_mark_of_a_second_engine(name):
    tree = tree_of(name)
    assert len([engine.name for engine in ENGINES if is_of(engine, tree)]) == (name != "microdata")


# ------------------------------------------------------------------------------------------------ unknown engines

FILLER = "The butter browns in a minute, so take the pan off the flame before you turn the fish."


def unknown(*replies, opening="", sidebar=""):
    items = "".join(
        f'<div class="k{n % 2} card"><div class="who"><a href="/profile/{name}">{name}</a> <i>5 posts</i></div>'
        f'<small>{time}</small><div class="words">{words}</div><a href="#">Answer</a> <a href="#">Report</a></div>'
        for n, (name, time, words) in enumerate(replies)
    )
    return parsed(f"<html><body><nav>{FILLER * 9}</nav>{opening}<div>{items}</div>{sidebar}</body></html>")


REPLIES = [
    ("Ann", "2024-05-01 10:00", f"<p>{FILLER}</p><p>Is that so?</p>"),
    ("Bob", "2024-05-01 10:05", f"<p>No. {FILLER}</p>"),
    ("Cat", "3 hours ago", f"<blockquote>{FILLER}</blockquote><p>Yes, it is.</p>"),
]


def test_repeated_blocks_with_names_and_times_are_posts():
    posts = siblings(unknown(*REPLIES))
    assert [(post.author, post.time) for post in posts] == [
        ("Ann", "2024-05-01 10:00"),
        ("Bob", "2024-05-01 10:05"),
        ("Cat", "3 hours ago"),
    ]
    assert [post.content for post in posts] == [
        f"{FILLER}\n\nIs that so?",
        f"No. {FILLER}",
        f"> {FILLER}\n\nYes, it is.",
    ]


def test_an_opening_post_unlike_its_answers_comes_first():
    opening = f'<article><h1>Pans</h1><a href="/profile/Zoe">Zoe</a> <time datetime="2024-04-30">yesterday</time><p>{FILLER * 3}</p></article>'
    posts = siblings(unknown(*REPLIES, opening=opening))
    assert [post.author for post in posts] == ["Zoe", "Ann", "Bob", "Cat"]
    assert FILLER * 3 in posts[0].content


def test_lists_of_links_with_names_and_times_are_no_posts():
    links = "".join(
        f'<li class="row"><a href="/t/{n}">{FILLER}</a> <a href="/profile/Zoe">Zoe</a> <time>2024-05-0{n}</time></li>'
        for n in range(1, 9)
    )
    assert posts_of(parsed(f"<html><body><ul>{links}</ul></body></html>")) == (None, [])
    assert len(siblings(unknown(*REPLIES, sidebar=f"<ul>{links}</ul>"))) == 3


@pytest.mark.parametrize(
    "body",
    [
        f"<p>{FILLER}</p>" * 20,  # an article names no author with each paragraph
        f'<div class="card">{FILLER}</div>' * 5,
        "".join(f"<tr><td>{n}</td><td>2024-05-0{n}</td></tr>" for n in range(1, 9)),
        "",
    ],
)
def test_what_is_no_thread_has_no_posts(body):
    assert posts_of(parsed(f"<html><body>{body}</body></html>")) == (None, [])


def test_a_false_mark_does_not_hide_the_posts():
    page = unknown(*REPLIES)
    page.set("id", "XF")  # says XenForo, and is not
    assert is_of(ENGINES[0], page)
    assert posts_of(page)[0] == "siblings"


def test_one_item_of_microdata_is_no_thread():
    page = parsed(
        '<div itemscope itemtype="https://schema.org/Comment"><p itemprop="text">Nice.</p></div><p>An article.</p>'
    )
    assert is_of(MICRODATA, page)
    assert posts_of(page) == (None, [])


# ------------------------------------------------------------------------------------------------ text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<p>a</p>b<p>c</p>", "a\n\nb\n\nc"),
        ("<ol><li>a<li>b<ul><li>c</ul></ol>", "1. a\n2. b\n\n   - c"),
        ("<pre>\n  a\n\n\n  b\n</pre>", "```\n  a\n\n\n  b\n```"),
        ("<pre>a ``` b</pre>", "````\na ``` b\n````"),
        ('<pre><code class="language-c++">x</code></pre>', "```c++\nx\n```"),
        ("x <code>y</code><code></code> z", "x `y` z"),
        ("``quoted''", "``quoted''"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>\n> > b\n\nc"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d</table>", "a | b\nc | d"),
        ("<h2>a</h2>b<script>c</script><style>d</style><textarea>e</textarea>", "## a\n\nb"),
        ("a<!-- b -->c<?d?>e", "ace"),
        ("a &nbsp; \t\n b", "a b"),
        ("<blockquote> </blockquote><ul><li></ul><pre> </pre>a", "a"),
    ],
)
def test_structure_is_written_as_markdown(html, text):
    assert markdown([lxml_html.fromstring(f"<div>{html}</div>")]) == text


def words(text):
    return re.findall(r"\w+", text)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<br>",
                "<ul>",
                "<li>",
                "</ul>",
                "<ol>",
                "</ol>",
                "<blockquote>",
                "</blockquote>",
                "<pre>",
                "</pre>",
                "<code>",
                "</code>",
                "<table>",
                "<tr>",
                "<td>",
                "</table>",
                "<h1>",
                "</h1>",
                "<div>",
                "</div>",
                "<b>",
                "</b>",
                "<hr>",
                "<dl>",
                "<dt>",
                "<dd>",
                "<cite>",
                "</cite>",
                "<!--x-->",
                "<noscript>",
                "</noscript>",
            ],
        ),
        st.sampled_from(["ab", "cd ", " ef", "\n", "gh\n\nij"]),
    ),
    max_size=40,
)


@given(PIECES)
def test_every_word_of_a_post_is_kept_once_and_in_order(pieces):
    root = lxml_html.fromstring(f"<div>x{''.join(pieces)}</div>")
    text = re.sub(r"\d+\. ", "", markdown([root]))  # numbers of list items
    assert "".join(words(text)) == "".join(words("".join(root.itertext())))


@given(PIECES)
def test_leaving_quotes_out_only_takes_words_away(pieces):
    root = lxml_html.fromstring(f"<div>x{''.join(pieces)}</div>")
    kept, dropped = markdown([root]), markdown([root], keep_quotes=False)
    assert len(words(dropped)) <= len(words(kept))


# ------------------------------------------------------------------------------------------------ hostile pages


@given(
    st.lists(
        st.one_of(
            st.text(max_size=20),
            st.sampled_from([
                '<html id="XF">', '<article class="message message--post" id="js-post-1" data-author="a">', '<div class="bbWrapper">',
                '<div class="crawler-post">', '<div class="post" itemprop="text">', '<div class="thing comment" id="thing_1">', "</div>",
                '<div class="post_wrapper"><div class="poster">', "<time>2024-01-01</time>", '<a href="/user/x">x</a>', "<blockquote>",
                "<shreddit-post>", '<p id="post_message_1">', "<!--", "<![CDATA[", "&#0;", "&#xd800;", "\0", "<?xml version='1.0' encoding='utf-16'?>",
            ]),
        ),
        max_size=30,
    ),
)  # fmt: skip
def test_no_page_is_a_crash(pieces):
    tree = parsed("".join(pieces))
    if tree is not None:
        engine, posts = posts_of(tree)
        assert (engine is None) == (posts == [])
        assert all(post.content.strip() for post in posts)


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000 + "x",
        "<blockquote>" * 100_000 + "x",
        '<html id="XF">' + '<article class="message--post" id="js-post-1"><div class="bbWrapper">a' * 20_000,
        '<div class="thing comment" id="thing_1"><div class="entry"><form><div class="md">a</div></form></div>'
        * 5_000,
        "<p>" + "x" * 5_000_000,
        "<a class='" + "y " * 200_000 + "'>z</a>",
    ],
    ids=["deep", "quotes", "posts in posts", "deep posts", "long", "classes"],
)
def test_monstrous_pages_are_survived(html):
    tree = parsed(html)
    assert tree is not None
    posts_of(tree)
