import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from protego import Protego

from plugins.web.robots import (
    ALLOW_ALL,
    DISALLOW_ALL,
    MAX_BYTES,
    Robots,
    is_product_token,
    path_of,
    records,
    robots_of,
)
from plugins.web.urls import canonical, encoded

sys.path.insert(0, str(Path(__file__).parent))
from robots_cases import CASES, MARKS, NAMES, PATHS, PIECES, PUBLISHED, SIX_LINES, H


def robots(text, agent="gristmill"):
    return Robots.from_bytes(text.encode(), agent)


def rules(*lines):
    return robots("\n".join(["User-agent: gristmill", *lines]))


def test_all_21_published_tests_are_here():
    assert len(PUBLISHED) == 21


@pytest.mark.parametrize("index", range(len(CASES)))
def test_decisions_are_those_of_the_published_tests(index):
    name, text, agent, decisions = CASES[index]
    read = robots(text, agent)
    assert {url: read.allows(url) for url in decisions} == decisions, name
    if "Sitemap" in name:
        assert read.sitemaps == ("https://site.example/map.xml",)


def test_names_lines_marks_paths_and_escapes_are_those_of_the_published_tests():
    assert {name: is_product_token(name) for name in NAMES} == NAMES
    for body in SIX_LINES:
        assert [(number, kind) for number, kind, _ in records(body)] == [
            (1, "agent"),
            (2, "allow"),
            (3, "agent"),
            (6, "disallow"),
        ]
    for body, understood in MARKS:
        kinds = [kind for _, kind, _ in records(body)]
        assert len(kinds) == 2
        assert sum(kind != "other" for kind in kinds) == understood
    assert {url: path_of(url) for url in PATHS} == PATHS
    assert {piece: encoded(piece, decode=False) for piece in PIECES} == PIECES


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    # RFC 9309, 2.2.2 and 2.2.3: its two tables.
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz", True),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https://foo.bar", True),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", True),
        ("/foo/bar/\u30c4", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/%E3%83%84", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", True),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", True),
        ("/path/foo-%24", "/path/foo-$", True),
        ("/a%2fb", "/a%2Fb", True),
        ("/a%3Fb", "/a?b", False),
        ("/a%2Fb", "/a/b", False),
        ("/a$b", "/a$b", True),
        ("/a*c$", "/abc/c", True),
        ("/a*c$", "/ac/d", False),
        ("/a*bc*c$", "/abc", False),
        ("/**a", "/xa", True),
        ("a", "/a", False),
    ],
)
def test_what_a_pattern_forbids_is_as_the_rfc_says(pattern, path, matches):
    assert rules(f"Disallow: {pattern}").allows(H + path) is not matches


def test_robots_txt_itself_is_always_allowed():
    assert rules("Disallow: /").allows(f"{H}/robots.txt?x")
    assert DISALLOW_ALL.allows(f"{H}/robots.txt")
    assert not DISALLOW_ALL.allows(f"{H}/robots.txt/x")
    assert ALLOW_ALL.allows(H)


def test_a_group_is_ours_by_our_whole_name_only():
    for name, ours in [
        ("gristmill", True),
        ("GristMill/2.0 (+https://a.example)", True),
        ("grist", False),
        ("gristmill-images", False),
        ("*mill", False),
    ]:
        assert robots(f"User-agent: {name}\nDisallow: /").allows(H) is not ours, name
    assert not robots("User-agent: mill360\nDisallow: /", "mill360").allows(H)


def test_all_our_groups_count_and_then_not_those_for_everyone():
    read = robots(
        "User-agent: *\nDisallow: /all\nUser-agent: gristmill\nDisallow: /a\nUser-agent: x\nDisallow: /x\n"
        "User-agent: y\nUser-agent: GRISTMILL\nDisallow: /b"
    )
    assert [read.allows(f"{H}/{path}") for path in ("a", "b", "all-this", "x")] == [False, False, False, True]
    assert robots("User-agent: *\nDisallow: /all\nUser-agent: gristmill\n").allows(f"{H}/all")


def test_crawl_delay_is_that_of_our_group_and_closes_none():
    text = "User-agent: other\nCrawl-delay: 9\nUser-agent: gristmill\nCrawl-delay: 2,5\nDisallow: /x\nUser-agent: *\nCrawl-delay: 7"
    assert robots(text).delay == 2.5
    assert robots(text, "third").delay == 7
    assert not robots(text, "other").allows(f"{H}/x")
    for nonsense in ("-1", "soon", "inf", "nan", "", "1e9"):
        assert rules(f"Crawl-delay: {nonsense}").delay in {None, 1.0}


def test_marks_and_encodings_of_windows_are_read():
    text = "User-agent: *\r\nDisallow: /k"
    for codec in ("utf-8-sig", "utf-16"):
        assert not Robots.from_bytes(text.encode(codec), "gristmill").allows(f"{H}/k")
    latin = Robots.from_bytes("User-agent: *\nDisallow: /é".encode("latin-1"), "gristmill")
    assert not latin.allows(f"{H}/%E9")


HOSTILE = {
    "endless line": b"Disallow: /" + b"a" * 10_000_000,
    "binary": bytes(range(256)) * 40_000,
    "zeros": b"\0" * 10_000_000,
    "line ends": b"\r\n\r" * 3_000_000,
    "stars": b"User-agent: *\nDisallow: /" + b"*a" * 8000 + b"$\n",
    "many rules": b"User-agent: *\n"
    + b"".join(b"Disallow: /*a%d*b$\n" % number for number in range(500_000)),
    "many lengths": b"User-agent: *\n"
    + b"".join(b"Disallow: /" + b"a" * number + b"\n" for number in range(3000)),
    "many agents": b"User-agent: gristmill\n" * 500_000,
    "many agents, one rule": (b"User-agent: gristmill\nUser-agent: *\n" * 5 + b"Disallow: /x\n") * 100_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_survived_in_a_moment(what):
    began = time.process_time()
    read = Robots.from_bytes(HOSTILE[what], "gristmill")
    url = f"{H}/{'ab' * 900}"
    for _ in range(3):
        read.allows(url)
    assert time.process_time() - began < 3


def test_a_rule_cut_in_two_at_500_kib_is_not_read():
    begin = b"User-agent: *\nDisallow: /first\n"
    filler = b"#" * (MAX_BYTES - len(begin) - len(b"\nAllow: /fi")) + b"\nAllow: /first/but/not/that\n"
    read = Robots.from_bytes(begin + filler, "gristmill")
    assert read.rules == (("/first", False),)


def test_what_is_kept_as_json_decides_the_same():
    read = rules(
        "Disallow: /%61",
        "Allow: /á$",
        "Crawl-delay: 3",
        "Sitemap: https://a.example/s",
        "Disallow: /\udce9".replace("\udce9", "é"),
    )
    again = Robots.load(json.loads(json.dumps(read.dump())))
    assert again == read
    assert not again.allows(f"{H}/a")


@given(st.binary(max_size=300), st.text(max_size=50))
def test_any_bytes_and_any_url_give_an_answer(body, url):
    assert Robots.from_bytes(b"user-agent: *\ndisallow: /" + body, "gristmill").allows(url) in {True, False}


SEGMENTS = st.lists(st.sampled_from(["a", "b", "/", "*", "ab", "x"]), max_size=6).map(
    lambda parts: "/" + "".join(parts)
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["Allow", "Disallow"]), SEGMENTS, st.sampled_from(["", "", "$"])),
        max_size=6,
    ),
    SEGMENTS.map(lambda path: path.replace("*", "/c")),
)
def test_plain_files_are_read_as_protego_reads_them(lines, path):
    if path.startswith("//"):
        path = path[1:]
    text = "User-agent: *\n" + "".join(f"{field}: {pattern}{end}\n" for field, pattern, end in lines)
    assert robots(text).allows(H + path) is Protego.parse(text).can_fetch(H + path, "gristmill"), text


PRINTED = st.characters(categories=["L", "N", "P", "S", "M"], exclude_characters="#*$\\.;&?")


@given(st.text(PRINTED, min_size=1, max_size=20))
def test_a_path_forbidden_as_it_reads_is_forbidden_as_we_write_it(path):
    url = canonical(f"{H}/x{path}", drop=())
    assert not rules(f"Disallow: /x{path}").allows(url)
    assert rules("Disallow: /", f"Allow: /x{path}$").allows(url) or "%" in path


# ------------------------------------------------------------------------------------------------ fetching


class Answer:
    def __init__(self, status, body=b"", **headers):
        self.status, self.body, self.headers = status, body, headers

    def header(self, name):
        return self.headers.get(name.replace("-", "_"))


def fetched(answers):
    """What is made of these answers, by URL, and what was asked for."""
    from plugins.web.client import FetchError

    asked = []

    async def get(url):
        asked.append(url)
        answer = answers[url]
        if isinstance(answer, str):
            raise FetchError(answer, "")
        return answer

    return asyncio.run(robots_of("https://a.example", get, "gristmill")), asked


FORBID = Answer(200, b"User-agent: *\nDisallow: /k")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (FORBID, "rules"),
        (Answer(204), "rules"),
        (Answer(404), "allow-all"),
        (Answer(403), "allow-all"),
        (Answer(429), "disallow-all"),
        (Answer(500), "disallow-all"),
        (Answer(503), "disallow-all"),
        (Answer(304), "disallow-all"),
        (Answer(301), "disallow-all"),
        (Answer(301, location="file:///etc/passwd"), "disallow-all"),
        ("timeout", "disallow-all"),
        (Answer(200, b"not gzip", content_encoding="gzip"), "disallow-all"),
    ],
)
def test_each_answer_has_its_meaning(answer, state):
    assert fetched({"https://a.example/robots.txt": answer})[0].state == state


def test_five_redirects_are_followed_to_other_hosts_and_a_sixth_is_not():
    chain = {"https://a.example/robots.txt": Answer(301, location="//b.example/1")}
    chain |= {
        f"https://b.example/{n}": Answer((302, 303, 307, 308)[n % 4], location=str(n + 1))
        for n in range(1, 6)
    }
    read, asked = fetched(chain | {"https://b.example/5": FORBID})
    assert not read.allows("https://a.example/k")
    assert asked[-1] == "https://b.example/5"
    read, asked = fetched(chain | {"https://b.example/6": FORBID})
    assert read.state == "allow-all"
    assert len(asked) == 6
