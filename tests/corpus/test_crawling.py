"""`gristmill crawl` gathers and builds nothing; a build gathers first, and needs no network for what was gathered."""

import json
from pathlib import Path

import pytest
from builds import html, prose
from crawl_site import Site
from typer.testing import CliRunner

import corpus
from corpus.cli import app
from corpus.crawling import crawl
from corpus.engine.alone import alone
from corpus.pipeline import build
from corpus.query import query
from plugins.scrapers.kaggle import Kaggle
from plugins.scrapers.warc import Warc
from schemas.errors import SourceError, UserError
from schemas.runtime import Runtime
from schemas.store import Store

RECIPE = """
name = "mill"
[[source]]
use = "crawl"
name = "site"
seeds = ["{seed}"]
allow = ["/p/[0-9]+$", "/missing"]
contact = "mailto:miller@example.org"
allow_private = ["127.0.0.1"]
delay = 0.0
concurrency = 4
backoff = 0.0
[extract]
use = "none"
[dedup]
exact = false
fuzzy = false
[split]
group = "document"
[tokens]
model = "{model}"
"""


def written(base: Path, site: Site, model: Path) -> Path:
    path = base / "recipe.toml"
    path.write_text(RECIPE.format(seed=site.url("127.0.0.1", "/p/0"), model=model), encoding="utf-8")
    return path


def test_a_crawl_gathers_and_a_build_needs_no_network_for_what_it_did(
    tmp_path: Path, tokenizer: Path
) -> None:
    with Site(tmp_path, 30) as site:
        recipe = written(tmp_path, site, tokenizer)
        (found,) = crawl(recipe, Runtime(tmp_path, quiet=True))
        assert (found.source, found.use, found.fates["ok"]) == ("site", "crawl", 30)
        assert found.fates["status-404"] >= 1
        assert found.path == tmp_path / ".gristmill" / "sources" / "mill" / "site"
        assert not (tmp_path / "corpora").exists() or not list((tmp_path / "corpora").iterdir())
    version = build(recipe, Runtime(tmp_path, workers=2, quiet=True)).version
    counts = dict(query(version, "select stage, count(*) from fates group by all").iter_rows())
    assert counts == {"kept": 30, "gather": found.fates["status-404"]}
    (place,) = query(version, "select distinct raw_path from pages where status = 200")["raw_path"]
    assert (found.path / "warc" / place).is_file()


def test_a_refresh_asks_again_and_what_did_not_change_makes_no_new_version(
    tmp_path: Path, tokenizer: Path
) -> None:
    with Site(tmp_path, 30) as site:
        recipe = written(tmp_path, site, tokenizer)
        before = corpus.crawl(recipe, root=tmp_path, quiet=True)
        asked = len(site.log())
        assert corpus.crawl(recipe, root=tmp_path, quiet=True)[0].fates == before[0].fates
        assert len(site.log()) == asked, "a crawl that has ended is left as it is"
        after = corpus.crawl(recipe, root=tmp_path, quiet=True, refresh=True)
        assert len(site.log()) > asked + 29
    assert after[0].fates == before[0].fates


def test_the_command_tells_what_it_did(tmp_path: Path, tokenizer: Path) -> None:
    with Site(tmp_path, 30) as site:
        recipe = written(tmp_path, site, tokenizer)
        told = CliRunner().invoke(app, ["crawl", str(recipe), "--root", str(tmp_path)])
        as_json = CliRunner().invoke(app, ["crawl", str(recipe), "--root", str(tmp_path), "--json", "-q"])
    assert told.exit_code == 0
    assert "site: 30 pages" in told.stdout
    assert "status-404" in told.stdout
    assert f"build {recipe} --root {tmp_path}" in told.stdout
    (row,) = json.loads(as_json.stdout)
    assert (row["source"], row["fates"]["ok"]) == ("site", 30)


def test_a_recipe_of_files_has_nothing_to_gather(tmp_path: Path, tokenizer: Path) -> None:
    (tmp_path / "a.html").write_text(html(prose(1)), encoding="utf-8")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'name = "x"\n[[source]]\nuse = "files"\npath = "*.html"\n[tokens]\nmodel = "{tokenizer}"\n'
    )
    with pytest.raises(SourceError, match=r"nothing to gather: .*\(files\)"):
        crawl(recipe, Runtime(tmp_path, quiet=True))


def test_what_downloads_gathers_and_what_reads_this_disk_does_not() -> None:
    asked = {"urls": ["https://a.example/a.warc.gz"], "contact": "mailto:ann@a.example"}
    assert Warc.model_validate(asked).gathers
    assert not Warc(path="a.warc.gz").gathers
    assert Kaggle(dataset="ann/reviews", version=1, path="*.csv").gathers


def test_a_crawl_and_a_build_of_one_name_do_not_run_side_by_side(tmp_path: Path, tokenizer: Path) -> None:
    running = pytest.raises(UserError, match='another build or crawl of "mill"')
    with Site(tmp_path, 3) as site, alone(Store(tmp_path), "mill"), running:
        crawl(written(tmp_path, site, tokenizer), Runtime(tmp_path, quiet=True))
