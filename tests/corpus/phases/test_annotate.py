"""annotate scores every document, and a filter that fails on one of them costs that one."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from phase_runs import FILES, Bench, plugin

from corpus.engine.parquet import read_table, write_table
from corpus.phases.annotate import FAILED, annotate, distinct, score, sign, signing
from corpus.phases.clean import Drafts, clean
from schemas.errors import UserError
from schemas.fingerprint import identify
from schemas.recipe import Fuzzy
from schemas.tables import DRAFTS, SIGNATURES

COUNTING = """
from pathlib import Path
import polars as pl
from plugins.contracts import Filter, Rule

class Counting(Filter):
    name = "counting"
    scores = ("letters", "ratio")
    log: str = ""

    def score(self, texts):
        if any("raise" in text for text in texts):
            raise RuntimeError("never\\nthis one")
        if any("outage" in text for text in texts):
            raise FileNotFoundError("words.txt is away")
        if any("short" in text for text in texts):
            return pl.DataFrame({"letters": [], "ratio": []})
        if any("other" in text for text in texts):
            return pl.DataFrame({"letters": [1] * len(texts)})
        letters = texts.str.len_chars()
        return pl.DataFrame({"ratio": [float("nan") if "nan" in text else 0.5 for text in texts], "letters": letters})

    def rules(self):
        return [Rule("few", pl.col("letters") < 3, "letters", "< 3"), Rule("ratio", pl.col("ratio") < 0.4, "ratio", "< 0.4")]
"""


ERASER = """
from plugins.contracts import Cleaner

class Eraser(Cleaner):
    name = "eraser"

    def clean(self, text):
        return text.replace("erase", "")
"""


def written(folder: Path, *texts: str) -> list[tuple[str, list[int]]]:
    """Documents as a drafts file, and the references to all of them."""
    rows = [
        {
            **dict.fromkeys(DRAFTS.names),
            "doc_id": text,
            "page_id": text,
            "source": "s",
            "locator": text,
            "text": text,
            "n_chars": len(text),
            "content_hash": identify(text),
        }
        for text in texts
    ]
    write_table(pa.Table.from_pylist(rows, schema=DRAFTS), folder / "drafts.parquet")
    return [(str(folder / "drafts.parquet"), list(range(len(texts))))]


def scored(folder: Path, *texts: str) -> dict[str, dict[str, Any]]:
    spec = plugin(folder, COUNTING, "counting", "filter")
    (table,) = score(written(folder, *texts), [spec.to_json()]).values()
    return {row.pop("doc_id"): row for row in table.to_pylist()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise", "counting\nRuntimeError: never this one"),
        (
            "short",
            "counting\nValueError: score gave 0 rows of ['letters', 'ratio']; 1 rows of ['letters', 'ratio'] were due",
        ),
        (
            "other",
            "counting\nValueError: score gave 1 rows of ['letters']; 1 rows of ['letters', 'ratio'] were due",
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_filter_that_fails_on_one_document_scores_all_others(
    tmp_path: Path, text: str, told: str, place: int
) -> None:
    others = [f"text {n}" for n in range(6)]
    rows = scored(tmp_path, *others[:place], text, *others[place:])
    assert rows.pop(text) == {"letters": None, "ratio": None, FAILED: told}
    assert rows == {other: {"letters": 6, "ratio": 0.5, FAILED: None} for other in others}


def test_a_score_that_is_no_number_is_null_so_that_it_fails(tmp_path: Path) -> None:
    rows = scored(tmp_path, "nan", "fine")
    assert [row["ratio"] for row in rows.values()] == [None, 0.5]


def test_all_documents_may_fail(tmp_path: Path) -> None:
    assert all(row[FAILED] for row in scored(tmp_path, "raise 1", "raise 2", "raise 3").values())


def test_what_keeps_a_filter_from_scoring_anything_ends_the_build_and_is_not_remembered(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        UserError, match=r'filter "counting" could score nothing: FileNotFoundError: words.txt is away'
    ):
        scored(tmp_path, "outage 1", "outage 2")
    rows = scored(tmp_path, "outage 1", "fine")
    assert rows["outage 1"][FAILED] == "counting\nFileNotFoundError: words.txt is away"
    assert rows["fine"][FAILED] is None


def test_signatures_are_of_the_text_alone(tmp_path: Path) -> None:
    (table,) = sign(written(tmp_path, "one two  three", "one two three", "…"), 2, 16).values()
    assert table.schema == SIGNATURES
    first, second, third = table.to_pylist()
    assert first["exact_hash"] == second["exact_hash"] != third["exact_hash"]
    assert first["minhash"] == second["minhash"]
    assert (len(first["minhash"]), first["n_shingles"]) == (16, 2)
    assert third["minhash"] is None
    (plain,) = sign(written(tmp_path, "one two"), None, None).values()
    assert plain["minhash"].to_pylist() == [None]


def test_what_signatures_depend_on_leaves_the_threshold_out() -> None:
    assert signing(None) == {"ngram": None, "permutations": None}
    near = [signing(Fuzzy(threshold=threshold)) for threshold in (0.8, 0.801)]
    assert near[0] == near[1]
    assert signing(Fuzzy(ngram=6)) != signing(Fuzzy(ngram=5))


def test_a_filter_that_stands_twice_with_other_thresholds_scores_once(tmp_path: Path) -> None:
    twice = '[[filter]]\nuse = "length"\nmin_words = 2\n[[filter]]\nuse = "length"\nmax_words = 9\n[[filter]]\nuse = "language"\n'
    filters = Bench(tmp_path, FILES + twice).resolved().filters
    assert sorted(spec.use for spec in distinct(filters)) == ["language", "length"]


def test_only_documents_in_play_are_scored_in_their_order_and_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FILES + '[[clean]]\nuse = "eraser"\n[[filter]]\nuse = "length"\n', ERASER)
    for n in range(9):
        bench.page(f"{n}.txt", f"Page number {n}.")
    bench.page("5.txt", "erase")
    gathered, resolved, engine = bench.gather(), bench.resolved(), bench.engine()
    drafts = clean(gathered.pages, bench.extract(gathered), resolved, engine)
    notes = annotate(drafts, resolved, engine)
    assert notes.drafts["locator"].to_list() == [f"{n}.txt" for n in range(9)]
    in_play = notes.drafts.filter(pl.col("stage").is_null())["doc_id"].to_list()
    assert len(in_play) == 8
    assert notes.scores["doc_id"].to_list() == notes.signatures["doc_id"].to_list() == in_play
    for file, row, locator in notes.drafts.select("file", "row", "locator").iter_rows():
        assert read_table(file, ["locator"])["locator"][row].as_py() == locator
    again = bench.engine()
    annotate(drafts, resolved, again)
    assert again.performed == {"annotate": 0, "sign": 0}


def test_no_draft_at_all_gives_empty_tables(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FILES + '[[filter]]\nuse = "length"\n')
    bench.page("x.txt", "x")
    notes = annotate(Drafts(()), bench.resolved(), bench.engine())
    assert notes.drafts.height == notes.scores.height == notes.signatures.height == 0
    assert {"doc_id", "stage", "reason", "file", "row"} <= set(notes.drafts.columns)
