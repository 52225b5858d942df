import json
import random
import time

import pytest
from hypothesis import given, strategies as st

from plugins.web.traps import Traps

HOST = "https://a.example"


def reasons(paths, traps=None):
    """What is said of these paths, in order."""
    traps = traps or Traps(2026)
    return [traps.reason(HOST + path) for path in paths]


def admitted(paths, traps=None):
    return sum(reason is None for reason in reasons(paths, traps))


def drawn(number):
    return random.Random(number).randbytes(12).hex()


def months(first, last):
    return [(year, month) for year in range(first, last) for month in range(1, 13)]


LEGITIMATE = {
    "threads by parameter": [f"/showthread.php?t={n}" for n in range(1, 50_001)],
    "threads and their pages": [
        f"/threads/some-title.{n}/page-{page}" for n in range(1, 5000) for page in (1, 2, 7)
    ],
    "phpBB": [
        f"/viewtopic.php?f={n % 12}&t={n}&start={start}" for n in range(1, 5000) for start in (0, 20, 40)
    ],
    "phpBB, one long thread": [f"/viewtopic.php?f=1&t=7&start={20 * n}" for n in range(5000)],
    "phpBB, keys as they come": [
        f"/viewtopic.php?{query}"
        for n in range(200)
        for query in (f"t={n}", f"f=1&t={n}", f"p={n}", f"t={n}&view=next", f"f=2&t={n}&start=5")
    ],
    "vBulletin 4": [f"/showthread.php?{n}-some-title&p={n * 9}" for n in range(1, 5000)],
    "Invision": [f"/index.php?/topic/{n}-some-title/page/{page}/" for n in range(1, 3000) for page in (1, 2)],
    "SMF": [f"/index.php?topic={n}.{start}" for n in range(1, 3000) for start in (0, 15)],
    "Discourse": [f"/t/some-title-{n % 50}/{n}/{post}" for n in range(1900, 4000) for post in (1, 10, 12)],
    "topic numbers and pages": [f"/topic/{n}/{page:02}" for n in range(1900, 4000) for page in (1, 11)],
    "Joomla": [
        f"/index.php?option=com_{'abc'[n % 3]}&view={'xyz'[n % 3]}&id={n}&catid={n % 30}&Itemid={n % 7}&lang={['de', 'en', 'fr'][n % 3]}"
        for n in range(5000)
    ],
    "boards and pages": [
        f"/board.php?board={board}&page={page}" for board in range(100) for page in range(100)
    ],
    "boards, pages and one style": [
        f"/board.php?board={board}&page={page}&style=1" for board in range(80) for page in range(80)
    ],
    "numbers cut in pieces": [f"/data/{n}/07/12/file.html" for n in range(2300, 4000)],
    "posts by date": [
        f"/{year}/{month:02}/{day:02}/a-post-{day % 3}/"
        for year, month in months(1998, 2026)
        for day in range(1, 28)
    ],
    "archives by month": [f"/{year}/{month:02}/" for year, month in months(1998, 2028)],
    "archives by day": [
        f"/{year}/{month:02}/{day:02}/" for year, month in months(1865, 1900) for day in range(1, 29)
    ],
    "archives by parameter": [
        f"/archive.php?date={year}-{month:02}-{day:02}"
        for year, month in months(1900, 1950)
        for day in range(1, 28)
    ],
    "films by year": [
        f"/films?year={year}&page={page}" for year in range(1895, 2027) for page in range(1, 5)
    ],
    "a calendar of some years": [
        f"/calendar?month={month}&year={year}" for year, month in months(2000, 2028)
    ],
    "documents by hash": [f"/doc?id={drawn(n)}" for n in range(2000)],
    "pages by token": [f"/list?pageToken={drawn(n)}" for n in range(100)]
    + [f"/list?next_token={drawn(n)}" for n in range(100)],
    "searches": [f"/?s=covid{n}vaccine" for n in range(100)],
    "talks": [f"/session/a-talk-of-{n}-words" for n in range(100)],
    "stories by sid": [
        f"/viewstory.php?sid={n}&chapter={chapter}" for n in range(1, 4000) for chapter in (1, 2, 12)
    ],
    "shards": [f"/img/0/0/0/{n}/1/1/1.html" for n in range(500)],
    "chapters": [f"/fiction/{n}/the-inn/chapter/{n * 7}/the-inn-{n}" for n in range(3000)],
    "deep code": [
        f"/src/main/java/org/example/{name}/main/internal/impl/v{n}.html"
        for n in range(100)
        for name in ("core", "main")
    ],
    "years as numbers": [f"/games/cyberpunk-2077/{n}" for n in range(300)]
    + ["/2077/", "/articles/2049/", "/item/8821/11"],
    "search with many words": [f"/tag/word-{n}?page={page}" for n in range(1000) for page in range(1, 4)],
}


@pytest.mark.parametrize("what", LEGITIMATE)
def test_what_a_site_really_has_is_no_trap(what):
    paths = LEGITIMATE[what]
    found = [(path, reason) for path, reason in zip(paths, reasons(paths), strict=True) if reason]
    assert not found, (len(found), found[:3])


def combined(*sizes):
    """All combinations of so many values of the parameters a, b, c …, shuffled."""
    queries = [""]
    for name, size in zip("abcdef", sizes, strict=False):
        queries = [f"{query}&{name}={value}" for query in queries for value in range(size)]
    random.Random(1).shuffle(queries)
    return [f"/shop?{query[1:]}" for query in queries]


def shuffled_keys(count):
    names = [f"k{n}=1" for n in range(6)]
    shuffler = random.Random(2)
    return list(dict.fromkeys("/p?" + "&".join(shuffler.sample(names, len(names))) for _ in range(count)))


TRAPS = {
    "next month": ("calendar", 60, [f"/calendar?month={month}&year={year}" for year, month in months(2025, 2300)]),
    "previous month": ("calendar", 440, [f"/calendar/{year}/{month}" for year, month in reversed(months(1000, 2026))]),
    "next day": ("calendar", 550, [f"/events/{year}-{month:02}-{day:02}/" for year, month in months(2010, 2100) for day in range(1, 29)]),
    "a day of a parameter": ("calendar", 550, [f"/cal?view=day&date={year}{month:02}{day:02}" for year, month in months(2010, 2100) for day in range(1, 29)]),
    "seconds": ("calendar", 550, [f"/calendar?view=week&time={604800 * n}" for n in range(1800, 9000)]),
    "path without a word": ("calendar", 1100, [f"/{year}/{month:02}/{day:02}/" for year, month in months(2026, 2100) for day in range(1, 29)]),
    "months counted": ("calendar", 30, [f"/agenda?month={n}" for n in range(500)]),
    "months counted back": ("calendar", 30, [f"/agenda?month=-{n}" for n in range(500)]),
    "brief names": ("calendar", 550, [f"/c.php?y={year}&m={month}&d={day}" for year, month in months(2020, 2200) for day in range(1, 29)]),
    "session parameter": ("session", 3, [f"/page?id=4&sessid={drawn(n)}" for n in range(200)]),
    "session as uuid": ("session", 3, [f"/page?token={drawn(n)[:8]}-aaaa-4bbb-8ccc-{drawn(n)[:12]}" for n in range(200)]),
    "session in the path": ("session", 3, [f"/session/{drawn(n)}/page" for n in range(200)]),
    "s": ("session", 3, [f"/index.php?s={drawn(n)}&showtopic=4" for n in range(200)]),
    "relative links": ("repeating", 1, ["/a/b" + "/about/us" * n for n in range(3, 12)] + ["/fine"]),
    "one segment": ("repeating", 1, ["/fine"] + ["/x" + "/deep" * n for n in range(3, 12)]),
    "one segment, others between": ("repeating", 1, ["/fine", "/tag/a/tag/b/tag/c/tag/d", "/blog/x/y/blog/x/blog/z/blog"]),
    "empty segments": ("repeating", 1, ["/fine", "/a////b", "/a//////b"]),
    "a parameter again": ("repeating", 1, ["/fine", "/p?a=1&a=1&a=1", "/p?b=2&a=1&b=2&a=1&a=1"]),
    "orders": ("permutations", 3, shuffled_keys(400)),
    "names without end": ("permutations", 40, [f"/p?id=1&x{n}=1" for n in range(400)]),
    "any of many": ("permutations", 100, [f"/p?f[]={n % 7}&f[]={n}" for n in range(400)]),
    "facets": ("permutations", 600, combined(8, 6, 5, 5, 4)),
    "facets of a big shop": ("permutations", 5000, combined(200, 10, 10, 4)),
    "depth": ("too-deep", 1, ["/fine"] + ["/" + "/".join(f"s{n}" for n in range(depth)) for depth in range(21, 40)]),
    "length": ("too-long", 1, ["/fine"] + ["/p?q=" + "ab" * length for length in range(500, 600)]),
}  # fmt: skip


@pytest.mark.parametrize("what", TRAPS)
def test_a_trap_is_left_and_for_its_own_reason(what):
    reason, most, paths = TRAPS[what]
    said = reasons(paths)
    assert set(said) - {None} == {reason}
    assert said.count(None) <= most


def test_a_trap_does_not_close_the_rest_of_the_site():
    traps = Traps(2026)
    for _, _, paths in TRAPS.values():
        reasons(paths[:2000], traps)
    assert (
        reasons([path for paths in LEGITIMATE.values() for path in paths[:20]], traps).count("calendar") == 0
    )
    assert reasons(["/threads/new.1/", "/shop", "/q?q=1", "/2026/05/12/post"], traps) == [None] * 4


def test_hosts_do_not_count_for_each_other():
    traps = Traps(2026)
    for number in range(10):
        traps.reason(f"https://a.example/p?sessid={drawn(number)}")
    assert traps.reason(f"https://a.example/p?sessid={drawn(11)}") == "session"
    assert traps.reason(f"https://b.example/p?sessid={drawn(11)}") is None


MIXED = [paths[index] for index in range(0, 900, 30) for *_, paths in TRAPS.values() if index < len(paths)]


@given(st.integers(0, len(MIXED)))
def test_the_same_calls_give_the_same_answers_also_after_a_rest_as_json(cut):
    traps = Traps(2026)
    first = reasons(MIXED[:cut], traps)
    rested = Traps.load(json.loads(json.dumps(traps.dump())))
    assert first + reasons(MIXED[cut:], rested) == reasons(MIXED)


def test_what_was_held_leaves_no_mark():
    paths = TRAPS["facets"][2]
    traps, passing = Traps(2026), Traps(2026)
    reasons(
        [path for path, reason in zip(paths, reasons(paths, traps), strict=True) if reason is None], passing
    )
    assert traps.dump() == passing.dump()


def test_memory_is_bounded_whatever_comes():
    traps, source = Traps(2026), random.Random(3)
    for number in range(20_000):
        names = [f"{source.randbytes(30).hex()}={number}" for _ in range(source.randrange(9))]
        traps.reason(f"{HOST}/{number % 40}?{'&'.join(names)}")
        traps.reason(f"{HOST}/{number}/calendar/2020/05?sessid={drawn(number)}&a={number}&b=1&c=1")
    assert len(json.dumps(traps.dump())) < 400_000


def test_judging_is_quick():
    traps = Traps(2026)
    paths = LEGITIMATE["phpBB"]
    began = time.process_time()
    admitted(paths, traps)
    assert time.process_time() - began < 3


@given(st.text(max_size=60))
def test_any_address_is_judged_without_harm(text):
    assert Traps(2026).reason(f"https://a.example/{text}") in {
        None,
        "calendar",
        "session",
        "repeating",
        "permutations",
        "too-long",
        "too-deep",
    }
