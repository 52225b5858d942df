"""Dumps of Reddit: threads in reading order, nothing unaccounted, memory of a cell, the same whatever was killed on the way."""

import bz2
import gzip
import json
import lzma
import random
import tracemalloc

import pytest
import zstandard
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Part, Place
from plugins.extractors.encoding import decode
from plugins.scrapers import reddit, reddit_dumps
from plugins.scrapers.reddit import Reddit, in_order, thread_page
from schemas.errors import SourceError


def submission(name="s1", **more):
    return {
        "id": name, "title": "Which dice?", "selftext": "I roll &gt;20 &amp; lose.", "author": "ann", "subreddit": "rpg", "score": 5,
        "created_utc": 1577836800, "permalink": f"/r/rpg/comments/{name}/which_dice/", "is_self": True, "over_18": False, **more,
    }  # fmt: skip


def comment(name, parent, text, *, link="t3_s1", at=1577836900, **more):
    return {
        "id": name, "link_id": link, "parent_id": parent, "body": text, "author": "bo", "subreddit": "rpg", "score": 3,
        "created_utc": at, **more,
    }  # fmt: skip


THREAD = [
    submission(),
    comment("c1", "t3_s1", "late", at=1577837000),
    comment("c2", "t3_s1", "first", at=1577836900),
    comment("c3", "t1_c2", "answer", at=1577839999),
]


def dump(folder, name, rows):
    raw = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
    path = folder / name
    path.write_bytes(pack.get(path.suffix, bytes)(raw))
    return path


def parts(base, **options):
    return Reddit(**{"path": "R*", **options}).parts(Place(base, base / "work"))


def gather(base, **options):
    scraper, place = Reddit(**{"path": "R*", **options}), Place(base, base / "work")
    told = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    return {page.locator: page for where in told for page in scraper.fetch(place, Part(where))}


def messages(page):
    html = decode(page.content, page.content_type, html=True).text
    return [(message["name"], message["content"]) for message in Reddit(path="x").parse(html).messages]


@pytest.mark.parametrize("suffix", [".zst", ".gz", ".bz2", ".xz", ""])
def test_a_thread_is_its_submission_and_its_comments_in_reading_order(tmp_path, suffix):
    dump(tmp_path, f"RS_2020-01{suffix}", THREAD[:1])
    dump(tmp_path, f"RC_2020-01{suffix}", THREAD[1:])
    (page,) = gather(tmp_path).values()
    assert messages(page) == [
        ("ann", "Which dice?\n\nI roll >20 & lose."),
        ("bo", "first"),
        ("bo", "answer"),
        ("bo", "late"),
    ]
    assert (page.locator, page.group, page.title, page.author) == ("rpg/s1", "t3_s1", "Which dice?", "ann")
    assert (page.published, page.url) == (
        "2020-01-01T00:00:00Z",
        "https://www.reddit.com/r/rpg/comments/s1/which_dice/",
    )
    assert page.metadata == {"subreddit": "rpg", "posts": 4, "score": 5}


def test_comments_of_the_next_month_join_the_thread_and_order_of_lines_does_not_matter(tmp_path):
    for folder, first, second in (("a", THREAD[:3], THREAD[3:]), ("b", THREAD[:0:-1], THREAD[:1])):
        (tmp_path / folder).mkdir()
        dump(tmp_path / folder, "RC_2020-01.zst", first)
        dump(tmp_path / folder, "RC_2020-02.zst", second)
    one, two = gather(tmp_path / "a"), gather(tmp_path / "b")
    assert one["rpg/s1"].content == two["rpg/s1"].content


def test_comments_without_their_submission_are_a_thread_that_says_so(tmp_path):
    dump(tmp_path, "RC.zst", THREAD[1:])
    (page,) = gather(tmp_path).values()
    assert (page.locator, page.title, page.metadata["submission"]) == ("rpg/s1", None, "absent")
    assert [text for _, text in messages(page)] == ["first", "answer", "late"]


def test_what_is_deleted_or_not_wanted_is_counted_and_its_answers_keep_their_place(tmp_path):
    rows = [
        submission(selftext="[removed]"),
        comment("c1", "t3_s1", "[deleted]", author="[deleted]"),
        comment("c2", "t1_c1", "answer to what is gone"),
        comment("c3", "t3_s1", "poor", score=-4, at=1577836950),
        comment("c4", "t1_c3", "answer to what is poor", at=1577836960),
        comment("c5", "t3_s1", "I am a bot", author="AutoModerator"),
        comment("c6", "t3_s1", "too late", at=1580515200),
        comment("c7", "t3_s1", "unknown score", score=None, at=1577836999),
    ]
    dump(tmp_path, "R.zst", rows)
    (page,) = gather(tmp_path, min_score=0, before="2020-02-01", after="2020-01-01").values()
    assert [text for _, text in messages(page)] == [
        "Which dice?", "answer to what is gone", "answer to what is poor", "unknown score",
    ]  # fmt: skip
    assert page.metadata["dropped"] == {"deleted": 2, "score": 1, "author": 1, "date": 1}


def test_a_thread_of_which_nothing_is_left_has_a_fate(tmp_path):
    dump(
        tmp_path,
        "R.zst",
        [submission(title="[deleted by user]", selftext="[deleted]"), comment("c", "t3_s1", "[removed]")],
    )
    (page,) = gather(tmp_path).values()
    assert (page.error, page.detail) == ("no-text", "all 2 posts are empty or left out")


def test_subreddits_are_chosen_in_any_case_and_a_crosspost_of_one_is_not_one(tmp_path):
    rows = [
        submission("s1"),
        submission("s2", subreddit="aww"),
        submission("s3", subreddit="aww", crosspost_parent_list=[{"subreddit": "rpg", "title": "x"}]),
        submission("s4", subreddit="RPG", crosspost_parent_list=[{"subreddit": "aww", "title": "x"}]),
    ]
    dump(tmp_path, "R.zst", rows)
    assert set(gather(tmp_path, subreddits=["r/Rpg"])) == {"rpg/s1", "RPG/s4"}
    assert len(gather(tmp_path)) == 4


def test_a_line_that_cannot_be_read_is_a_page_and_the_rest_is_read(tmp_path):
    rows = [
        b'{"id": "cut", "subreddit": "r', b"[1]{}", b"[1]", b'{"subreddit": "rpg", "id": "x"}', b'{"subreddit":"rpg","id":7,"title":"t"}',
        b"", b'{"subreddit": "rpg", "title": "\\ud800", "id": "odd", "created_utc": "1e999"}', submission(),
    ]  # fmt: skip
    dump(tmp_path, "R.zst", rows)
    found = gather(tmp_path, subreddits=["rpg"])
    assert {name for name, page in found.items() if page.error == "malformed"} == {
        "R.zst#000000000", "R.zst#000000002", "R.zst#000000003", "R.zst#000000004",
    }  # fmt: skip
    assert messages(found["rpg/odd"]) == [(None, "\ufffd")]
    assert found["rpg/s1"].error is None


def test_a_dump_that_is_cut_short_costs_a_page_and_keeps_what_came_before(tmp_path):
    path = dump(tmp_path, "R.zst", [submission(f"s{n}", selftext=str(n) * 999) for n in range(300)])
    path.write_bytes(path.read_bytes()[:-10])
    found = gather(tmp_path)
    lost = [page for page in found.values() if page.error]
    assert [page.error for page in lost] == ["unreadable"]
    assert "ends inside a frame" in lost[0].detail


def test_a_dump_that_is_not_there_has_a_fate_and_is_looked_for_again(tmp_path):
    (tmp_path / "R1.zst").symlink_to(tmp_path / "nowhere")
    assert [page.error for page in gather(tmp_path).values()] == ["unreadable"]
    dump(tmp_path, "nowhere", [])
    (tmp_path / "nowhere").write_bytes(zstandard.compress(json.dumps(submission()).encode()))
    assert [page.error for page in gather(tmp_path).values()] == [None]


def test_a_frame_with_a_window_of_two_gibibytes_is_read(tmp_path):
    line = json.dumps(submission()).encode()
    # RFC 8878: magic number, no frame options, window 2^(10+21), one last raw block.
    frame = b"\x28\xb5\x2f\xfd" + bytes([0, 21 << 3]) + (len(line) << 3 | 1).to_bytes(3, "little") + line
    (tmp_path / "R.zst").write_bytes(
        frame + zstandard.compress(b"\n" + json.dumps(submission("s2")).encode())
    )
    assert set(gather(tmp_path)) == {"rpg/s1", "rpg/s2"}


def test_of_a_post_that_two_dumps_hold_the_later_counts(tmp_path):
    dump(tmp_path, "R1.zst", [submission(score=1, selftext="old")])
    dump(tmp_path, "R2.zst", [submission(score=9, selftext="new")])
    (page,) = gather(tmp_path).values()
    assert page.metadata["score"] == 9
    assert messages(page)[0][1].endswith("new")


def test_a_new_dump_is_sorted_alone_and_what_it_does_not_touch_keeps_its_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(reddit, "PART_BYTES", 1)
    dump(tmp_path, "RS_1.zst", [submission(f"s{n}") for n in range(40)])
    before = {part.digest for part in parts(tmp_path)}
    dump(tmp_path, "RC_2.zst", [comment("c1", "t3_s1", "hello")])
    asked = []
    monkeypatch.setattr(
        reddit_dumps, "lines", lambda path, was=reddit_dumps.lines: asked.append(path) or was(path)
    )
    after = {part.digest for part in parts(tmp_path)}
    assert [path.rpartition("/")[2] for path in asked] == ["RC_2.zst"]
    assert None not in after
    assert len(before - after) == 1


def test_sorting_that_was_killed_is_done_again_and_other_options_sort_anew(tmp_path, monkeypatch):
    dump(tmp_path, "R.zst", THREAD)
    with monkeypatch.context() as patch:
        patch.setattr(reddit_dumps._Writer, "index", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            parts(tmp_path)
    whole = gather(tmp_path)["rpg/s1"].content
    assert len(gather(tmp_path, min_score=4)["rpg/s1"].content) < len(whole)
    assert gather(tmp_path)["rpg/s1"].content == whole
    assert len(list((tmp_path / "work/cells").iterdir())) == 2  # no cells of options that are no more


def test_memory_is_that_of_a_part_of_the_dump(tmp_path, monkeypatch):
    monkeypatch.setattr(reddit_dumps, "FLUSH_BYTES", 1 << 20)
    monkeypatch.setattr(reddit, "PART_BYTES", 1 << 18)
    noise = random.Random(0)
    rows = (comment(f"c{n}", "t3_x", noise.randbytes(1000).hex(), link=f"t3_t{n % 400}") for n in range(4000))
    path = dump(tmp_path, "RC.zst", rows)
    size = len(zstandard.ZstdDecompressor().decompress(path.read_bytes()))
    place, scraper = Place(tmp_path, tmp_path / "work"), Reddit(path="RC.zst")
    tracemalloc.start()
    count = sum(1 for part in scraper.parts(place) for _ in scraper.fetch(place, part))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400
    assert peak < size / 2


IDS = st.text("abc", min_size=1, max_size=2)
POSTS = st.lists(st.tuples(IDS, IDS, st.integers(0, 3)), max_size=12, unique_by=lambda post: post[0])


@given(POSTS)
def test_every_comment_stands_once_after_its_parent_and_its_elders_unless_they_answer_in_a_ring(rows):
    posts = [{"id": own, "parent": parent, "time": at} for own, parent, at in rows]
    shown = [post["id"] for post, _ in in_order(posts)]
    assert sorted(shown) == sorted(post["id"] for post in posts)
    parent = {post["id"]: post["parent"] for post in posts}
    for own in shown:
        above, at = set(), own
        while at in parent and at not in above:
            above.add(at)
            at = parent[at]
        if at not in parent and parent[own] in parent:
            assert shown.index(parent[own]) < shown.index(own)
            brothers = [post for post in posts if post["parent"] == parent[own]]
            places = [
                shown.index(post["id"])
                for post in sorted(brothers, key=lambda post: (post["time"], len(post["id"]), post["id"]))
            ]
            assert places == sorted(places)


def test_a_chain_of_answers_deeper_than_the_stack_is_walked():
    posts = [{"id": str(n), "parent": str(n - 1), "time": 0} for n in range(20_000)]
    assert [depth for _, depth in in_order(posts)][-1] == 20_000


SAID = (
    st
    .text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("<>&\"'\n\t"), min_size=1)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(st.tuples(SAID, SAID), min_size=1, max_size=3))
def test_parse_reads_back_exactly_what_was_written(said):
    posts = [
        {
            "id": f"c{n}",
            "parent": "",
            "time": n,
            "score": 1,
            "author": author,
            "subreddit": "rpg",
            "text": text,
        }
        for n, (author, text) in enumerate(said)
    ]
    assert messages(thread_page("s1", posts)) == said


def test_a_page_of_another_kind_is_left_to_the_extractor():
    assert Reddit(path="x").parse("<html><article data-author=''><pre>\nx</pre></article>").messages is None


def test_a_glob_without_dumps_and_a_date_that_is_none_say_so(tmp_path):
    with pytest.raises(SourceError, match="no file matches"):
        parts(tmp_path)
    with pytest.raises(ValidationError, match="after"):
        Reddit(path="x", after="last year")
