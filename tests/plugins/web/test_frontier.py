"""The crawl's database: one row and one fate a URL, whatever happens in between."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings, strategies as st

from plugins.web import frontier as module
from plugins.web.crawl_tables import FILE, Found
from plugins.web.frontier import Frontier
from schemas.errors import Corruption

ORIGIN = "https://a.example"


@pytest.fixture
def frontier(tmp_path):
    frontier = Frontier(tmp_path)
    yield frontier
    frontier.close()


def found(path: str, depth: int = 0, **more) -> Found:
    return Found(f"{ORIGIN}{path}", ORIGIN, depth, **more)


def paths(works) -> list[str]:
    return [work.url.removeprefix(ORIGIN) for work in works]


def rows(frontier) -> dict[str, str]:
    return {row["url"].removeprefix(ORIGIN): row["fate"] for row in frontier.rows()}


def test_urls_are_taken_by_depth_and_then_as_they_were_found(frontier) -> None:
    frontier.add([found("/c", 1), found("/a", 1), found("/b", 0), found("/d", 2)])
    frontier.add([found("/e", 1)])
    number = frontier.origin_id(ORIGIN)
    assert paths(frontier.take(number, 3)) == ["/b", "/c", "/a"]
    assert paths(frontier.take(number, 9)) == ["/e", "/d"]
    assert frontier.take(number, 9) == []


def test_a_url_found_again_is_not_queued_again(frontier) -> None:
    frontier.add([found("/a")])
    (work,) = frontier.take(frontier.origin_id(ORIGIN), 5)
    frontier.add([found("/a", 3)])
    frontier.settle(work.id, "fetched")
    frontier.add([found("/a", 3), found("/a", 0, fate="nofollow")])
    assert frontier.take(frontier.origin_id(ORIGIN), 5) == []
    assert rows(frontier) == {"/a": "fetched"}


def test_a_better_way_to_a_url_revokes_a_fate_of_the_way_and_no_other(frontier) -> None:
    refused = {"/deep": "depth", "/unfollowed": "nofollow", "/far": "redirects", "/other": "denied"}
    frontier.add([found(path, 4, fate=fate) for path, fate in refused.items()])
    frontier.add([found(path, 2) for path in refused])
    assert paths(frontier.take(1, 9)) == ["/deep", "/unfollowed", "/far"]
    assert rows(frontier) == {"/other": "denied"}


def test_an_archived_page_that_is_nearer_than_thought_is_to_be_linked_again_once(tmp_path) -> None:
    frontier = Frontier(tmp_path, bounded_depth=True)
    frontier.add([found("/a", 3)])
    (work,) = frontier.take(1, 1)
    frontier.settle(work.id, "fetched", file="f", offset=0, length=9)
    frontier.add([found("/a", 3), found("/a", 5)])
    assert frontier.take_relinks(9) == []
    frontier.add([found("/a", 1)])
    assert [(work.depth, work.file) for work in frontier.take_relinks(9)] == [(1, "f")]
    assert frontier.take_relinks(9) == []
    frontier.close()


def test_a_redirect_reached_by_fewer_hops_is_followed_again(frontier) -> None:
    frontier.add([found("/r", 1, hops=7)])
    (work,) = frontier.take(1, 1)
    frontier.settle(work.id, "redirect", file="f", offset=0, length=9)
    frontier.add([found("/r", 1)])
    assert [work.hops for work in frontier.take_relinks(9)] == [0]


def test_what_was_not_committed_never_happened_and_what_was_in_flight_is_queued_again(tmp_path) -> None:
    first = Frontier(tmp_path)
    first.add([found("/a"), found("/b")])
    number = first.origin_id(ORIGIN)
    (a,) = first.take(number, 1)
    first.take(number, 1)
    first.settle(a.id, "fetched", file="w", offset=0)
    first.commit(("w", 100))
    (_,) = first.add([found("/c")])
    first.settle(a.id, "status-404")
    first.close()
    second = Frontier(tmp_path)
    assert second.archive == ("w", 100)
    assert rows(second) == {"/a": "fetched"}
    assert second.pending_origins(0, 9) == [(number, ORIGIN)]
    (b,) = second.take(number, 5)
    assert b.url == f"{ORIGIN}/b"
    second.close()


def test_refused_urls_beyond_a_bound_are_counted_not_kept(frontier, monkeypatch) -> None:
    monkeypatch.setattr(module, "REFUSED_ROWS", 10)
    frontier.add([found(f"/{n}", fate="denied") for n in range(25)])
    frontier.add([found("/3", fate="denied"), found("/x", fate="nofollow"), found("/y")])
    assert len(rows(frontier)) == 10
    assert frontier.tallies() == {"denied": 15, "nofollow": 1}
    assert paths(frontier.take(1, 9)) == ["/y"]


FATES = (
    "fetched",
    "robots",
    "trap-calendar",
    "status-404",
    "budget",
    "noai",
    "redirect",
    "denied",
    "depth",
    "nofollow",
)


def with_fates(frontier) -> None:
    frontier.add([found(f"/{fate}") for fate in FATES])
    for work, fate in zip(frontier.take(1, 99), FATES, strict=True):
        frontier.settle(work.id, fate)


def test_other_options_bring_back_what_options_refused_if_it_belongs_to_the_crawl_now(frontier) -> None:
    with_fates(frontier)
    frontier.reconsider(
        lambda work: ("denied", "still") if work.url.endswith("/denied") else None, nofollow=True
    )
    assert paths(frontier.take(1, 99)) == ["/robots", "/budget", "/noai", "/depth"]
    assert rows(frontier)["/denied"] == "denied"
    frontier.reconsider(lambda work: None, nofollow=False)
    assert paths(frontier.take(1, 99)) == ["/denied", "/nofollow"]


def test_a_refresh_brings_back_what_was_asked_for_and_nothing_that_was_refused(frontier) -> None:
    with_fates(frontier)
    frontier.refresh()
    assert paths(frontier.take(1, 99)) == [
        "/fetched",
        "/robots",
        "/status-404",
        "/budget",
        "/noai",
        "/redirect",
    ]


def test_after_a_reset_everything_is_new(frontier) -> None:
    with_fates(frontier)
    frontier.reset()
    frontier.add([found("/fetched", 1), found("/x", fate="denied")])
    assert paths(frontier.take(frontier.origin_id(ORIGIN), 99)) == ["/fetched"]
    assert frontier.fates() == {"denied": 1, "queued": 1}


def test_origins_wait_in_the_order_in_which_they_were_met(frontier) -> None:
    frontier.add([Found(f"https://{n}.example/", f"https://{n}.example", 0) for n in (3, 1, 2)])
    assert [origin for _, origin in frontier.pending_origins(0, 2)] == [
        "https://3.example",
        "https://1.example",
    ]
    frontier.take(1, 5)
    frontier.add([Found("https://1.example/", "https://1.example", 0, fate="denied")])
    assert [number for number, _ in frontier.pending_origins(0, 9)] == [2, 3]


def test_one_that_only_reads_changes_nothing_for_one_that_crawls(frontier, tmp_path) -> None:
    frontier.add([found("/a"), found("/b")])
    (work,) = frontier.take(1, 1)
    frontier.commit(None)
    other = Frontier(tmp_path, read_only=True)
    assert other.fates() == {"queued": 2}
    other.close()
    frontier.settle(work.id, "fetched")
    assert paths(frontier.take(1, 9)) == ["/b"]


def test_a_database_that_is_none_is_told_with_its_name(tmp_path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, and long enough to be read as a header" * 20)
    with pytest.raises(Corruption, match="crawl.sqlite"):
        Frontier(tmp_path)
    (tmp_path / FILE).unlink()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        db.execute("INSERT INTO meta VALUES ('format', '99')")
    db.close()
    with pytest.raises(Corruption, match="another version"):
        Frontier(tmp_path)


OPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 12), st.integers(0, 4), st.sampled_from([None, "depth", "nofollow", "denied"])),
        st.tuples(st.just("take"), st.integers(1, 4)),
        st.tuples(st.just("settle"), st.sampled_from(["fetched", "robots", "status-404"])),
        st.tuples(st.just("commit")),
        st.tuples(st.just("kill")),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(OPS)
def test_whatever_happens_each_url_has_one_row_and_a_committed_page_is_never_taken_again(
    tmp_path_factory, ops
) -> None:
    folder = tmp_path_factory.mktemp("state")
    frontier, taken, fetched, durable = Frontier(folder), [], set(), set()
    try:
        for op, *values in ops:
            if op == "add":
                frontier.add([found(f"/{values[0]}", values[1], fate=values[2])])
            elif op == "take":
                works = frontier.take(frontier.origin_id(ORIGIN), values[0])
                assert not fetched & {work.url for work in works}
                taken += works
            elif op == "settle" and taken:
                work = taken.pop()
                frontier.settle(work.id, values[0])
                fetched |= {work.url}
            elif op == "commit":
                frontier.commit(None)
                durable = set(fetched)
            elif op == "kill":
                frontier.close()
                frontier, taken, fetched = Frontier(folder), [], set(durable)
        while works := frontier.take(frontier.origin_id(ORIGIN), 5):
            for work in works:
                frontier.settle(work.id, "fetched")
        for work in taken:
            frontier.settle(work.id, "fetched")
        fates = [(row["url"], row["fate"]) for row in frontier.rows()]
        assert len({url for url, _ in fates}) == len(fates)
        assert all(fate for _, fate in fates)
        assert "queued" not in frontier.fates()
    finally:
        frontier.close()
