"""Serial fiction: the text of a chapter and nothing around it, its work and its number, and one way on."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import process_time

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Part, Place
from plugins.scrapers.serial import Serial
from plugins.scrapers.serial_about import about, chapter_of
from plugins.scrapers.serial_text import text_of

RAIN = "Rain fell on the long road, and nobody had thought to bring a lantern or a map."
DOOR = "The door stood open. Behind it lay the hall that she had drawn so often from memory."
DUSK = "At dusk they counted the horses again, and again there was one more than they owned."
STORY = f"{RAIN}\n\n{DOOR}\n\n* * *\n\n{DUSK}"

FICTION = f"""<!DOCTYPE html><html><head><title>Chapter 12: The Door - The Long Road | Fictions</title>
<meta property="og:site_name" content="Fictions"><link rel="canonical" href="https://fictions.example/fiction/77/the-long-road/chapter/9123/the-door">
<style>.cXyz {{ display: none; speak: never }}</style></head><body class="has-navigation">
<nav class="menu"><a href="/fictions">Browse</a></nav>
<div class="breadcrumb"><a href="/">Home</a> <a href="/fiction/77">The Long Road</a></div>
<h1>Chapter 12: The Door</h1>
<div class="nav-buttons"><a href="/fiction/77/the-long-road/chapter/9100/rain">Previous Chapter</a>
<a href="/fiction/77/the-long-road/chapter/9150/dusk">Next <br>Chapter</a></div>
<div class="author-note-portlet"><p>Thank you all for reading, it means so much to me. See you on Friday with the next one!</p></div>
<div class="chapter-inner chapter-content"><p>{RAIN}</p><p class="cXyz">This tale was taken from Fictions without leave.</p><p>{DOOR}</p><hr><p>{DUSK}</p>
<p><a href="/fiction/77/the-long-road/chapter/9150/dusk">Next Chapter</a></p></div>
<div class="comments"><div class="comment-body">{"<p>I liked this chapter more than the last one, truly, and I cannot wait.</p>" * 9}</div></div>
</body></html>"""

BLOG = f"""<html><head><title>Gestation 1.3 | Salt</title><meta property="og:site_name" content="Salt">
<meta property="og:url" content="https://salt.example/2011/06/14/gestation-1-3/"></head><body>
<header><h1 class="site-title">Salt</h1></header><article id="post-9"><h1 class="entry-title">Gestation 1.3</h1>
<div class="entry-content"><p><a href="/2011/06/11/gestation-1-2/">Last Chapter</a> &nbsp; <a title="1.4" href="/2011/06/18/gestation-1-4/">Next Chapter</a></p>
<p>{RAIN}</p><p>{DOOR}</p><p style="text-align:center">* * *</p><p>{DUSK}</p>
<p><a href="/2011/06/11/gestation-1-2/">Last Chapter</a> <a href="/2011/06/18/gestation-1-4/">Next Chapter</a></p>
<div class="sharedaddy"><h3>Share this:</h3><ul><li><a href="?share=x">X</a></li></ul></div></div></article>
<section id="comments"><ol><li><p>{"Typo thread, please put typos below, thanks. " * 20}</p></li></ol></section></body></html>"""

PLAIN = f"""<HTML><HEAD><TITLE>The Long Road, Part IV</TITLE></HEAD><BODY><CENTER><H2>The Long Road</H2><H3>IV</H3></CENTER>
<TABLE><TR><TD WIDTH=150><A HREF=index.html>Index</A><BR><A HREF=links.html>Links</A></TD><TD>
<FONT FACE=Times>{RAIN}<BR><BR>{DOOR}<BR><BR>* * *<BR><BR>{DUSK}</FONT></TD></TR></TABLE>
<A HREF=part3.html>&lt;&lt; Back</A> | <A HREF=part5.html>Next &gt;&gt;</A></BODY></HTML>"""

ARCHIVE = f"""<html><head><title>The Long Road - Chapter 4 - ann - Any Fandom [Archive]</title></head><body>
<ul class="work navigation actions"><li class="chapter next"><a href="/works/55/chapters/1005">Next Chapter →</a></li></ul>
<div id="workskin"><div class="preface group"><h2 class="title heading">The Long Road</h2></div>
<div id="chapters"><div class="chapter" id="chapter-4"><div class="chapter preface group"><h3 class="title"><a href="/works/55/chapters/1004">Chapter 4</a>: Dusk</h3>
<div class="notes module"><h3 class="heading">Notes:</h3><blockquote class="userstuff"><p>Beta-read by bo. All mistakes are mine, as ever.</p></blockquote></div></div>
<div class="userstuff module" role="article"><h3 class="landmark heading" id="work">Chapter Text</h3><p>{RAIN}</p><p>{DOOR}</p><hr/><p>{DUSK}</p></div></div></div></div>
</body></html>"""

SHAPES = {"fiction": FICTION, "blog": BLOG, "plain": PLAIN, "archive": ARCHIVE}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_text_is_the_chapter_and_nothing_around_it(shape):
    assert text_of(SHAPES[shape], notes=False) == STORY


@pytest.mark.parametrize(
    ("shape", "url", "work", "title", "number", "following"),
    [
        (
            "fiction", None, "fictions.example/fiction/77/the-long-road", "Chapter 12: The Door", 12,
            "https://fictions.example/fiction/77/the-long-road/chapter/9150/dusk",
        ),
        ("blog", None, "Salt", "Gestation 1.3", 100_003, "https://salt.example/2011/06/18/gestation-1-4/"),
        ("plain", None, None, "The Long Road, Part IV", 4, "part5.html"),
        ("archive", "https://ao.example/works/55/chapters/1004", "ao.example/works/55", "Chapter 4: Dusk", 4, "https://ao.example/works/55/chapters/1005"),
    ],
)  # fmt: skip
def test_a_page_says_which_chapter_of_which_work_it_is_and_where_the_next_one_is(
    shape, url, work, title, number, following
):
    told = about(SHAPES[shape], url)
    assert (told.work, told.title, told.number, told.following) == (work, title, number, following)


@pytest.mark.parametrize(
    ("links", "following"),
    [
        ('<link rel="next" href="/b"><a href="/c">Next</a>', "https://a.example/b"),
        ('<a href="/c" rel="noopener next">onward</a>', "https://a.example/c"),
        ('<base href="/road/"><a href="2">Next Chapter &gt;</a>', "https://a.example/road/2"),
        (
            '<a href="#">Next</a><a href="javascript:go()">Next</a><a href="/d" aria-label="Next Chapter"><i></i></a>',
            "https://a.example/d",
        ),
        ('<a href="/e">The next day</a><a href="/f">Next Chapter: The Inn</a>', "https://a.example/f"),
        ('<a href="/road/1#top">Next</a>', None),
        ('<a href="http://[">Next</a>', None),
        ('<a href="/g">Previous</a>', None),
    ],
)
def test_the_next_chapter_is_what_the_page_calls_so(links, following):
    assert about(f"<p>x</p>{links}", "https://a.example/road/1").following == following


def test_a_page_that_holds_several_chapters_is_none_of_them():
    page = "<title>The Long Road</title><h1>The Long Road</h1>" + "".join(
        f"<h2>Chapter {n}</h2><p>x</p>" for n in (1, 2)
    )
    assert (about(page).number, about(page).title) == (None, "The Long Road")
    assert about(page.replace("<title>", "<title>Chapter 2 - ")).number == 2


@pytest.mark.parametrize("shape", ["fiction", "archive"])
def test_notes_of_the_author_stand_where_they_stood_if_they_are_wanted(shape):
    text = text_of(SHAPES[shape], notes=True)
    assert text.endswith(STORY)
    assert ("Thank you all" if shape == "fiction" else "Beta-read by bo") in text.removesuffix(STORY)


def test_a_note_within_the_text_goes_unless_wanted():
    page = FICTION.replace(f"<p>{DOOR}</p>", f"<p>A/N: sorry for the wait!</p><p>{DOOR}</p>")
    assert text_of(page, notes=False) == STORY
    assert "sorry for the wait" in text_of(page, notes=True)


def test_a_chapter_that_advertisements_cut_in_pieces_is_whole():
    long = " ".join([RAIN] * 4)
    page = f'<body><div><div class="t"><p>{long}</p></div><div class="ad"><p>Buy!</p></div><div class="t"><p>{DOOR}</p></div></div></body>'
    assert text_of(page, notes=False) == f"{long}\n\n{DOOR}"


def test_a_wrapper_that_sounds_like_furniture_is_none_though_comments_outweigh_the_chapter():
    page = re.sub(r"<body([^>]*)>", r"<body\1><div class='page-widget'>", FICTION)
    assert text_of(page, notes=False) == STORY


def test_a_class_of_the_whole_page_that_sounds_like_furniture_does_not_empty_it():
    assert text_of(
        f'<body class="widget nav notes"><div id="comment-page"><p>{RAIN} {DOOR} {DUSK}</p></div></body>',
        notes=False,
    ) == (f"{RAIN} {DOOR} {DUSK}")


@pytest.mark.parametrize(
    "page",
    ["", "<html></html>", "<p>short</p>", "<nav>" + "<a href=x>Chapter</a> " * 99 + "</nav>", "\0<\x01>&#0;"],
)
def test_a_page_without_a_chapter_is_left_to_the_extractor(page):
    assert Serial(path="x").parse(page).text is None


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("Chapter 12", 12), ("CHAPTER XIV. The Inn", 14), ("Ch.7 - Rain", 7), ("Chapter One", 1), ("chapter twenty two: x", 22),
        ("Volume 3 Chapter 4", 300_004), ("Book Two, Chapter 1", 200_001), ("Chapter 3, Part 2", 3), ("Episode 9", 9), ("第12章 雨", 12),
        ("Kapitel 5", 5), ("Chapitre IV", 4), ("Глава 8", 8), ("Prologue", 0), ("12. The Door", 12), ("IX", 9), ("iv – Dusk", 4),
        ("Research 5", None), ("The Arch 5 affair", None), ("Mix", None), ("Chapter", None), ("I am here", None), ("Chapter ill", None),
        ("Version 1.2.3", None), ("Epilogue", None), ("", None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_titles_write_it(title, number):
    assert chapter_of(title) == number


@given(st.integers(1, 3999))
def test_every_roman_numeral_means_its_number(n):
    parts = zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"],
        strict=True,
    )
    numeral, left = "", n
    for value, letters in parts:
        numeral, left = numeral + letters * (left // value), left % value
    assert chapter_of(f"Chapter {numeral}") == n


@given(
    st.text(st.sampled_from('<>="/ aphrelnxtCiv1.\n&;'))
    | st.lists(st.sampled_from(re.findall(r"<[^>]*>|[^<]+", FICTION))).map("".join)
)
def test_no_page_raises(page):
    told = about(page, "https://a.example/x")
    assert told.following is None or isinstance(told.following, str)
    text_of(page, notes=True)


@pytest.mark.parametrize(
    "unit",
    [
        "<a ",
        "<a href=x>",
        "<h1>",
        "<h1 ",
        '<div class="breadcrumb">',
        "<meta ",
        "<title>",
        "<!--",
        "chapter ",
        "a b=",
    ],
)
def test_hostile_pages_take_linear_time(unit):
    began = process_time()
    about(unit * (200_000 // len(unit)), "https://a.example/")
    assert process_time() - began < 5  # CPU; where one is quadratic, minutes


def gather(base, **options):
    scraper, place = Serial(**options), Place(base, base / ".work")
    parts = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    return {page.locator: page for where in parts for page in scraper.fetch(place, Part(where))}


def test_saved_pages_are_chapters_of_their_work_in_order(tmp_path):
    for n, name in ((11, "b.html"), (12, "a.html")):
        (tmp_path / name).write_text(FICTION.replace("Chapter 12", f"Chapter {n}"))
    (tmp_path / "c.txt").write_text("no chapter")
    (tmp_path / "d.png").write_bytes(b"\x89PNG")
    pages = gather(tmp_path, path="*.*", license_value="CC-BY", fold=True)
    assert [(page.group, page.position, page.fold) for page in pages.values()][:2] == [
        ("fictions.example/fiction/77/the-long-road", 12, True),
        ("fictions.example/fiction/77/the-long-road", 11, True),
    ]
    assert (pages["a.html"].title, pages["a.html"].license) == ("Chapter 12: The Door", "CC-BY")
    assert (pages["c.txt"].group, pages["c.txt"].error, pages["d.png"].error) == (None, None, "unsupported")


def test_parse_gives_text_and_title():
    found = Serial(path="x").parse(FICTION)
    assert (found.text, found.title, found.messages) == (STORY, "Chapter 12: The Door", None)


def test_one_book_on_one_page_of_gutenberg_keeps_its_chapters(shared_data):
    folder = shared_data / "books/Pride-and-Prejudice_1342/1342-h"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    text = text_of((folder / "1342-h.htm").read_bytes().decode("utf-8", "replace"), notes=False)
    assert (
        text.index("It is a truth universally acknowledged")
        < text.index("Chapter 2")
        < text.index("Chapter 61")
    )
    assert len(text) > 650_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs either path .* or seeds"),
        (
            {"path": "x", "seeds": ["https://a.example/"], "crawl": {"contact": "mailto:a@b.example"}},
            "needs either path .* or seeds",
        ),
        ({"seeds": ["https://a.example/"]}, "crawl.contact: .*is missing"),
        ({"path": "x", "encoding": "utf-99"}, "is not an encoding"),
    ],
)
def test_a_recipe_says_where_the_chapters_are(options, says):
    with pytest.raises(ValidationError, match=says):
        Serial(**options)


class Site(BaseHTTPRequestHandler):
    """A serial of four chapters that all link to everything else there is."""

    def do_GET(self):
        self.server.asked.append(self.path)
        found = re.fullmatch(r"/road/chapter-(\d)", self.path)
        body = b""
        if found:
            n = int(found[1])
            following = f'<a href="/road/chapter-{n + 1}">Next Chapter</a>' if n < 4 else ""
            body = (
                f"<html><title>Chapter {n} - Road</title><a href='/about'>About</a> <a href='/other/chapter-1'>Next work</a>"
                f"<div><p>{RAIN}</p><p>{DOOR}</p><p>{DUSK} {n}</p></div>{following}</html>"
            ).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_crawl_follows_the_way_to_the_next_chapter_and_no_other(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        pages = gather(
            tmp_path,
            seeds=[f"http://127.0.0.1:{server.server_port}/road/chapter-1"],
            crawl={"contact": "mailto:a@b.example", "allow_private": ["127.0.0.1"], "delay": 0},
        )
        server.shutdown()
    assert sorted(set(server.asked)) == [
        "/road/chapter-1",
        "/road/chapter-2",
        "/road/chapter-3",
        "/road/chapter-4",
        "/robots.txt",
    ]
    assert [(page.position, page.error) for page in pages.values()] == [(n, None) for n in (1, 2, 3, 4)]
    assert {page.group for page in pages.values()} == {f"127.0.0.1:{server.server_port}/road"}


def test_a_position_fits_the_tables_column_whatever_a_page_says():
    assert 0 < chapter_of("Book 99999, Chapter 99999") < 1 << 31
