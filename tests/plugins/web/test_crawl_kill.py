"""`kill -9` at any moment: the rerun fetches no page twice and loses none."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from crawl_runs import archived, child, fates, kill_and_rerun, killed, settings_for
from crawl_site import Site

QUICK = {"deny": ["/broken/drip", "//closed.test", "//busy.test", "//trap.test", "/slow/"]}
"""Left out: what takes long; and traps, since which of their endless addresses are met first depends on which answers come first."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("whole")
    with Site(folder, 600) as site:
        process = child(site.port, folder / "crawl", **QUICK)
        process.communicate()
        assert process.returncode == 0
    return fates(folder / "crawl")


@pytest.mark.slow
def test_a_dozen_kills_leave_the_same_fates_and_no_page_fetched_twice(tmp_path, uninterrupted) -> None:
    with Site(tmp_path, 600) as site:
        struck = kill_and_rerun(site, tmp_path / "crawl", kills=12, seed=4, **QUICK)
    assert struck >= 6
    assert fates(tmp_path / "crawl") == uninterrupted
    assert "queued" not in uninterrupted.values()
    kept = {
        url
        for url, fate in uninterrupted.items()
        if fate in {"fetched", "redirect", "noindex", "sitemap", "feed", "status-404"}
    }
    assert kept <= set(archived(tmp_path / "crawl"))


@pytest.mark.slow
def test_one_request_at_a_time_a_killed_crawl_meets_the_traps_as_if_it_had_not_been(tmp_path) -> None:
    options = {"concurrency": 1, "seeds": ["http://trap.test:{port}/"], "feeds": []}
    found = []
    for name, kills in (("whole", 0), ("killed", 6)):
        folder = tmp_path / name
        folder.mkdir()
        with Site(folder, 10) as site:
            seeds = [seed.format(port=site.port) for seed in options["seeds"]]
            kill_and_rerun(
                site, folder / "crawl", kills=kills, seed=1, **options | {"seeds": seeds}, deny=["/sessions"]
            )
        found.append(fates(folder / "crawl"))
    assert any(fate.startswith("trap-") for fate in found[0].values())
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_killed_refresh_goes_on_and_records_each_page_once(tmp_path) -> None:
    options = {"deny": [*QUICK["deny"], "/broken/", "/dead", "/heals", "/noai", "/tdm", "/huge"], "total": 8}
    rng = random.Random(3)
    with Site(tmp_path, 300) as site:
        kill_and_rerun(site, tmp_path / "crawl", kills=0, seed=0, **options)
        whole = fates(tmp_path / "crawl")
        struck = sum(
            killed(site, child(site.port, tmp_path / "crawl", refresh=True, **options), rng) for _ in range(4)
        )
        process = child(site.port, tmp_path / "crawl", refresh=True, **options)
        process.communicate()
    assert struck >= 2
    assert fates(tmp_path / "crawl") == whole
    records = Counter(archived(tmp_path / "crawl", "response", "revisit"))
    assert len(set(records.values())) == 1  # one more for each refresh, however often that was killed
    assert len(records) > 300


def test_the_settings_of_these_tests_can_be_told_to_a_child() -> None:
    assert settings_for(1, **QUICK).deny == QUICK["deny"]
