"""measure reads a published version and nothing else, says the same each time, and the command shows it in 80 columns."""

import json
from pathlib import Path

import pytest
from builds import build_here
from handmade import write_version
from typer.testing import CliRunner

from corpus.cli import app
from corpus.commands.diversity import diversity_report
from corpus.diversity import measure
from corpus.pipeline import Build
from corpus.query import query

RECIPE = """\
name = "talk"

[[source]]
use = "files"
name = "web"
path = "web.jsonl"
url = "url"
author = "author"

[[source]]
use = "files"
name = "forum"
path = "forum.jsonl"
url = "url"
group = "thread"

[dedup]
fuzzy = {{ threshold = 0.95 }}

[tokens]
model = "{model}"
"""
OPENING = (
    "Welcome back to the tavern, traveller, sit down by the fire and tell us where the road has taken you. "
)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path, shared_data: Path) -> Build:
    """Ordinary articles beside a forum whose posts all open alike, and of which three threads hold most."""
    base = tmp_path_factory.mktemp("talk")
    found = sorted((shared_data / "extraction/wcxb-dev/ground-truth").glob("*.json"))[:120]
    articles = [json.loads(path.read_text(encoding="utf-8")) for path in found]
    texts = [page["ground_truth"]["main_content"] for page in articles]
    web = [
        {"text": text[:2500], "url": page["url"], "author": f"author {n}"}
        for n, (text, page) in enumerate(zip(texts, articles, strict=True))
    ]
    forum = [
        {
            "text": OPENING * 2 + text[:300],
            "url": f"https://forum.example/{n}",
            "thread": f"t{n // 28}" if n < 84 else f"t{n}",
        }
        for n, text in enumerate(texts)
    ]
    for name, rows in (("web", web), ("forum", forum)):
        (base / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (base / "recipe.toml").write_text(RECIPE.format(model=tokenizer))
    return build_here(base / "recipe.toml")


def test_planted_monotony_is_told_of_its_source_and_of_no_other(talk: Build) -> None:
    found = measure(talk.version)
    told = "\n".join(found.remarks)
    assert "source `forum` repeats itself" in told
    assert "source `forum` leans on few threads" in told
    assert "Try [mix] cap = { thread = " in told
    assert "`web`" not in told


def test_what_it_advises_mends_it(talk: Build) -> None:
    before = measure(talk.version)
    recipe = talk.version.path.parents[2] / "recipe.toml"
    (recipe.parent / "capped.toml").write_text(recipe.read_text() + "\n[mix]\ncap = { thread = 5 }\n")
    after = measure(build_here(recipe.parent / "capped.toml").version)
    assert any("few threads" in sentence for sentence in before.remarks)
    assert not any("few threads" in sentence for sentence in after.remarks)


def test_its_counts_are_those_of_the_tables(talk: Build) -> None:
    rows = {(row.by, row.name): row for row in measure(talk.version, by=("source", "split", "site")).rows}
    counted = query(talk.version, "select source, count(*) n, sum(n_chars) c from documents group by all")
    for source, documents, characters in counted.iter_rows():
        assert (rows["source", source].documents, rows["source", source].characters) == (
            documents,
            characters,
        )
    dropped = query(
        talk.version,
        "select avg((stage = 'dedup')::int) from fates where doc_id is not null and stage <> 'clean'",
    ).item()
    assert rows["all", "all"].dropped == pytest.approx(dropped)
    assert rows["site", "forum.example"].documents == rows["source", "forum"].documents


def test_it_says_the_same_each_time(talk: Build) -> None:
    assert measure(talk.version).to_json() == measure(talk.version).to_json()


def test_a_version_too_small_to_measure_is_said_to_be_nothing_special(tmp_path: Path) -> None:
    found = measure(write_version(tmp_path))
    assert found.rows[0].documents == 4
    assert found.remarks == ()
    assert "nothing is far from ordinary text" in diversity_report(found)


def test_the_command_prints_tables_of_80_columns_or_json(talk: Build) -> None:
    root = str(talk.version.path.parents[2])
    shown = CliRunner().invoke(app, ["diversity", "talk@1", "--root", root])
    assert shown.exit_code == 0
    tables = [line for line in shown.stdout.splitlines() if line.startswith("  ")]
    assert len(tables) == 2 * (1 + 1 + 2 + 3)
    assert max(map(len, tables)) <= 80
    told = CliRunner().invoke(app, ["diversity", "talk", "--by", "source", "--json", "--root", root])
    rows = json.loads(told.stdout)["rows"]
    assert [row["name"] for row in rows] == ["all", "web", "forum"]
