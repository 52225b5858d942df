"""A learner sees every page once, as it was extracted, and a document is cleaned anew only where what was learned of its own site changed."""

from pathlib import Path

import pytest
from builds import RECIPE, build_here, prose, write_recipe
from phase_runs import Bench

from corpus.engine.parquet import read_table
from corpus.engine.tasks import beside
from corpus.phases import clean as clean_phase, learn as learn_phase
from corpus.phases.clean import Drafts, clean
from corpus.phases.extract import extract
from corpus.phases.gather import gather
from corpus.query import query
from corpus.versions import verify
from schemas.errors import TaskFailed
from schemas.tables import LEARNED

BANNER = "We use cookies on this site, as every inn does."
SITES = """
[[source]]
name = "north"
use = "files"
path = "site/north/*"
[[source]]
name = "south"
use = "files"
path = "site/south/*"
[[clean]]
use = "whitespace"
[[clean]]
use = "boilerplate"
"""

FAULTY = """
from plugins.contracts import Learner

class Faulty(Learner):
    name = "faulty"

    def key(self, line):
        return line

    def count(self, pages, scopes):
        import pyarrow as pa
        return pa.table({{"n": [len(pages)]}})

    def learn(self, counts, sizes):
        {learns}

    def clean_learned(self, pages, scopes, learned):
        {cleans}
"""


def page(bench: Bench, site: str, n: int, seed: int) -> None:
    bench.page(f"{site}/{n}.txt", f"{BANNER}  \n\n{prose(seed, 60)}")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Two sites of ten pages, tasks so small that each has many."""
    monkeypatch.setattr(clean_phase, "SHARD_BYTES", 2000)
    monkeypatch.setattr(learn_phase, "SHARD_BYTES", 2000)
    made = Bench(tmp_path, SITES)
    for n in range(10):
        page(made, "north", n, n)
        page(made, "south", n, 100 + n)
    return made


def cleaned(bench: Bench) -> Drafts:
    engine, resolved = bench.engine(), bench.resolved()
    pages = gather(resolved, engine).pages
    made = clean(pages, extract(pages, resolved, engine), resolved, engine)
    bench.performed = engine.performed
    return made


def test_what_is_learned_is_counted_with_what_was_removed(bench: Bench) -> None:
    made = cleaned(bench)
    assert made.learned.to_arrow().cast(LEARNED).to_pylist() == [
        {
            "step": "1:boilerplate",
            "scope": site,
            "line": BANNER,
            "n_pages": 10,
            "n_scope_pages": 10,
            "n_removed": 10,
        }
        for site in ("north", "south")
    ]
    texts = [text for file in made.files for text in read_table(file)["text"].to_pylist()]
    assert sorted(texts) == sorted(prose(n, 60) for n in [*range(10), *range(100, 110)])
    assert bench.performed["learn"] == 20


def test_pages_of_equal_bytes_count_once(bench: Bench) -> None:
    for n in range(20, 30):
        page(bench, "north", n, 3)
    rows = cleaned(bench).learned.filter(scope="north").to_dicts()
    assert [(row["line"], row["n_scope_pages"], row["n_removed"]) for row in rows] == [(BANNER, 10, 20)]


def test_a_page_more_counts_and_cleans_its_own_piece_of_its_own_site(bench: Bench) -> None:
    before = set(cleaned(bench).files)
    page(bench, "north", 99, 7777)
    made = cleaned(bench)
    assert bench.performed["learn"] < 8
    assert bench.performed["clean"] < 8
    assert made.learned["n_scope_pages"].to_list() == [11, 10]
    assert len(before - set(made.files)) <= 2


def test_another_lesson_cleans_its_own_site_anew_and_no_other(bench: Bench) -> None:
    cleaned(bench)
    for n in range(10):
        bench.page(f"north/{n}.txt", f"{BANNER}\n\n{prose(n, 60)}\n\nFollow us wherever you see this sign.")
    made = cleaned(bench)
    assert made.learned.group_by("scope").len().sort("scope")["len"].to_list() == [2, 1]
    assert bench.performed["clean"] == 10


def test_a_moved_threshold_counts_nothing_anew(bench: Bench) -> None:
    cleaned(bench)
    bench.recipe = SITES + "min_pages = 11\n"
    made = cleaned(bench)
    assert bench.performed["learn"] == 0
    assert made.learned.height == 0


def test_a_site_is_the_host_of_its_pages_where_they_have_one(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        '[[source]]\nuse = "files"\npath = "site/*.jsonl"\nurl = "url"\n[[clean]]\nuse = "boilerplate"\n',
    )
    rows = [
        f'{{"text": "{BANNER}\\n{prose(n, 60).splitlines()[0]}", "url": "https://{host}/{n}"}}'
        for n, host in enumerate(["www.north.example"] * 6 + ["south.example"] * 4)
    ]
    bench.page("rows.jsonl", "\n".join(rows))
    assert cleaned(bench).learned.select("scope", "n_removed").rows() == [("north.example", 6)]


def test_a_learner_that_fails_on_one_document_costs_that_document(tmp_path: Path) -> None:
    learns = "import pyarrow as pa; from corpus.phases.learn import LEARNS; return LEARNS.empty_table()"
    cleans = "return [[text[:3 // (text != 'bad')] for text in texts] for texts in pages]"
    bench = Bench(
        tmp_path,
        '[[source]]\nuse = "files"\npath = "site/*"\n[[clean]]\nuse = "faulty"\n',
        FAULTY.format(learns=learns, cleans=cleans),
    )
    for name in ("good", "bad", "fine"):
        bench.page(f"{name}.txt", name)
    (file,) = cleaned(bench).files
    rows = {row["locator"]: row for row in read_table(file).to_pylist()}
    assert (rows["good.txt"]["text"], rows["fine.txt"]["text"]) == ("goo", "fin")
    assert rows["bad.txt"]["reason"] == "faulty"
    assert "ZeroDivisionError" in rows["bad.txt"]["detail"]
    assert read_table(beside(file, "edits")).num_rows == 2


def test_a_learner_that_cannot_learn_ends_the_build_and_is_named(tmp_path: Path) -> None:
    source = FAULTY.format(learns="raise ValueError('no lesson')", cleans="return []")
    bench = Bench(tmp_path, '[[source]]\nuse = "files"\npath = "site/*"\n[[clean]]\nuse = "faulty"\n', source)
    bench.page("a.txt", "Hm.")
    with pytest.raises(TaskFailed, match='cleaner "0:faulty" could not learn: ValueError: no lesson'):
        cleaned(bench)


def test_a_version_publishes_what_was_learned_whatever_the_workers(tmp_path: Path, tokenizer: Path) -> None:
    for n in range(12):
        (tmp_path / "site").mkdir(exist_ok=True)
        (tmp_path / "site" / f"{n}.txt").write_text(f"{BANNER}\n\n{prose(n)}")
    recipe = write_recipe(
        tmp_path,
        tokenizer,
        RECIPE.replace('["site/**/*.html", "site/**/*.txt"]', '"site/*"')
        + '\n[[clean]]\nuse = "boilerplate"\n',
    )
    made = [build_here(recipe, tmp_path / f"root{workers}", workers) for workers in (1, 2)]
    (row,) = query(made[0].version, "select * from learned").to_dicts()
    assert row == {
        "step": "0:boilerplate",
        "scope": "files",
        "line": BANNER,
        "n_pages": 12,
        "n_scope_pages": 12,
        "n_removed": 12,
    }
    assert made[0].manifest.files == made[1].manifest.files
    assert verify(made[0].version) == []
