"""judge names the first rule a document fails, in recipe order; what was not measured fails."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import polars as pl
import pytest
from hypothesis import given, strategies as st
from phase_runs import FILES, Bench

from corpus.phases.annotate import FAILED
from corpus.phases.judge import judge
from plugins.contracts import Rule
from plugins.specs import PluginSpec

LENGTH = '[[filter]]\nuse = "length"\nmin_words = 3\nmax_words = 9\n'
LANGUAGE = '[[filter]]\nuse = "language"\nkeep = ["en"]\nmin_score = 0.5\n'


@pytest.fixture(scope="module")
def filters(tmp_path_factory: pytest.TempPathFactory) -> tuple[PluginSpec, ...]:
    """length, then language."""
    return Bench(tmp_path_factory.mktemp("judge"), FILES + LENGTH + LANGUAGE).resolved().filters


def scores(*rows: tuple[int | None, str | None, float | None, str | None]) -> pl.DataFrame:
    words, lang, score, failed = (list(column) for column in zip(*rows, strict=True))
    return pl.DataFrame(
        {
            "doc_id": [f"d{n}" for n in range(len(rows))],
            "n_words": words,
            "n_chars": [9] * len(rows),
            "lang": lang,
            "lang_score": score,
            FAILED: failed,
        },
        schema_overrides={
            "n_words": pl.Int64,
            "lang": pl.String,
            "lang_score": pl.Float32,
            FAILED: pl.String,
        },
    )


def test_the_first_rule_that_fails_is_the_reason_with_the_score_and_its_bound(
    filters: tuple[PluginSpec, ...],
) -> None:
    table = scores(
        (5, "en", 0.75, None),
        (2, "de", 0.1, None),
        (10, "de", 0.1, None),
        (5, "de", 0.1, None),
        (5, "en", 0.42, None),
    )
    assert judge(table, filters).rows() == [
        ("d0", None, None),
        ("d1", "length:min_words", "n_words 2 < 3"),
        ("d2", "length:max_words", "n_words 10 > 9"),
        ("d3", "language:language", "lang de not in en"),
        ("d4", "language:score", "lang_score 0.42 < 0.5"),
    ]


def test_recipe_order_decides_which_reason_is_given(filters: tuple[PluginSpec, ...]) -> None:
    both = scores((1, "de", 0.9, None))
    assert judge(both, filters)["reason"][0] == "length:min_words"
    assert judge(both, filters[::-1])["reason"][0] == "language:language"


def test_a_null_score_fails_its_rule(filters: tuple[PluginSpec, ...]) -> None:
    table = scores((None, "en", 0.9, None), (5, None, None, None), (5, "en", None, None))
    assert judge(table, filters).select("reason", "detail").rows() == [
        ("length:min_words", "n_words unknown < 3"),
        ("language:language", "lang unknown not in en"),
        ("language:score", "lang_score unknown < 0.5"),
    ]


def test_a_filter_that_raised_is_the_reason_unless_an_earlier_one_refused(
    filters: tuple[PluginSpec, ...],
) -> None:
    table = scores(
        (None, "en", 0.9, "length\nValueError: boom"),
        (1, None, None, "language\nValueError: boom"),
        (5, None, None, "language\nValueError: boom"),
    )
    assert judge(table, filters).select("reason", "detail").rows() == [
        ("length:failed", "ValueError: boom"),
        ("length:min_words", "n_words 1 < 3"),
        ("language:failed", "ValueError: boom"),
    ]


def test_columns_that_are_null_throughout_are_judged_too(filters: tuple[PluginSpec, ...]) -> None:
    """Where a filter raised on every document, nobody knows the types of its scores."""
    failed = ["language\nValueError: boom"] * 2
    table = pl.DataFrame({
        "doc_id": ["a", "b"],
        "n_words": [5, 1],
        "n_chars": [9, 9],
        "lang": [None, None],
        "lang_score": [None, None],
        FAILED: failed,
    })
    assert judge(table, filters)["reason"].to_list() == ["language:failed", "length:min_words"]


def test_without_filters_everything_passes() -> None:
    table = scores((None, None, None, None), (1, "xx", 0.0, None))
    assert judge(table, ())["reason"].to_list() == [None, None]


def test_no_document_has_no_verdict_whatever_the_filters(filters: tuple[PluginSpec, ...]) -> None:
    verdicts = judge(pl.DataFrame(schema={"doc_id": pl.String, FAILED: pl.String}), filters)
    assert verdicts.height == 0
    assert verdicts.columns == ["doc_id", "reason", "detail"]


ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 12),
        st.sampled_from([None, "en", "de"]),
        st.none() | st.floats(0, 1, width=32),
        st.sampled_from([None, "length\nE: x", "language\nE: x"]),
    ),
    min_size=1,
)


@given(ROWS)
def test_every_document_has_one_verdict_in_order_and_passes_only_what_passes_every_rule(
    filters: tuple[PluginSpec, ...], rows: list[tuple[int | None, str | None, float | None, str | None]]
) -> None:
    verdicts = judge(scores(*rows), filters)
    assert verdicts["doc_id"].to_list() == [f"d{n}" for n in range(len(rows))]
    for (words, lang, score, failed), reason in zip(rows, verdicts["reason"], strict=True):
        good = words is not None and 3 <= words <= 9 and lang == "en" and score is not None and score >= 0.5
        assert (reason is None) == (good and failed is None)


ALWAYS = """
from pathlib import Path

import polars as pl
from plugins.contracts import Filter, Rule

class Always(Filter):
    name = "always"
    scores = ("good",)

    def score(self, texts):
        raise ValueError("no model")

    def rules(self):
        return [Rule("bad", ~pl.col("good"), "good", "not good")]
"""


def test_a_filter_that_raised_on_every_document_has_no_type_and_costs_fates_alone(tmp_path: Path) -> None:
    filters = Bench(tmp_path, FILES + '[[filter]]\nuse = "always"\n', ALWAYS).resolved().filters
    table = pl.DataFrame({"doc_id": ["a"], "good": [None], FAILED: ["always\nValueError: no model"]})
    assert judge(table, filters).rows() == [("a", "always:failed", "ValueError: no model")]


def test_a_rule_that_counts_fails_where_it_is_not_zero_and_keeps_its_place() -> None:
    rules = [Rule("first", pl.col("a") > 1, "a", "> 1"), Rule("second", pl.col("b") * 1, "b", "0")]
    plugin = SimpleNamespace(name="mine", rules=lambda: rules)
    spec = cast(PluginSpec, SimpleNamespace(make=lambda: plugin))
    scores = pl.DataFrame({"doc_id": ["x", "y", "z"], "a": [2, 0, 0], "b": [3, 3, 0]})
    failed = scores.with_columns(pl.lit(None, pl.String).alias(FAILED))
    assert judge(failed, [spec])["reason"].to_list() == ["mine:first", "mine:second", None]
