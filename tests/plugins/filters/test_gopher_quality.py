import json
import re
import warnings

import polars as pl
import pytest
from datatrove.pipeline.filters import GopherQualityFilter
from datatrove_oracle import verdict, words_of
from hypothesis import given, strategies as st

from plugins.filters.gopher_quality import GopherQuality

PREFIX = "gopher_"
OPTIONS = {
    "min_words": "min_doc_words",
    "max_words": "max_doc_words",
    "min_mean_word_length": "min_avg_word_length",
    "max_mean_word_length": "max_avg_word_length",
    "max_symbol_ratio": "max_symbol_word_ratio",
    "max_bullet_lines": "max_bullet_lines_ratio",
    "max_ellipsis_lines": "max_ellipsis_lines_ratio",
    "min_alpha_words": "max_non_alpha_words_ratio",
    "min_stop_words": "min_stop_words",
    "stop_words": "stop_words",
}
PIECES = st.sampled_from([
    *"ab #\n-•.…\r\v\x1c\x85\u2028\u3000\u200b\x00é日!１",
    "\r\n", " ...", "....", "…\n", " the ", "the\n", " be of and ", "\n- ", "\n • ", "don't ", "(a) ", "  \n", "ß\u0301 ", "😀", "123 ",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)


def first_reasons(texts, **options):
    """As `judge` finds them."""
    plugin = GopherQuality(**options)
    scores = plugin.score(pl.Series(texts, dtype=pl.String))
    cases = [pl.when(rule.fails.fill_null(value=True)).then(pl.lit(rule.reason)) for rule in plugin.rules()]
    return scores.select(reason=pl.coalesce(*cases))["reason"].to_list()


def theirs(texts, **options):
    judge = GopherQualityFilter(**{OPTIONS[name]: value for name, value in options.items()})
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no words
        for text in texts:
            kept, reason, _ = verdict(judge, text, words_of(text))
            assert kept == (reason is None)
            found.append(reason and reason.removeprefix(PREFIX))
    return found


def gold(shared_data):
    files = sorted((shared_data / "extraction" / "wcxb-dev" / "ground-truth").glob("*.json"))
    texts = [
        json.loads(file.read_text(encoding="utf-8"))["ground_truth"].get("main_content") for file in files
    ]
    return [text for text in texts if text]


def udhr(shared_data):
    """The declaration in 532 languages; what is left of its markup is text as good as any."""
    files = sorted((shared_data / "lid-udhr").rglob("*.html"))
    return [re.sub(r"<[^>]*>", "", file.read_text(encoding="utf-8")) for file in files]


def books(shared_data):
    return [
        file.read_text(encoding="utf-8", errors="replace")
        for file in sorted((shared_data / "books").rglob("*.txt"))
    ]


@given(TEXTS)
def test_without_a_least_length_every_rule_decides_as_datatrove_does(text):
    options = {
        "min_words": None,
        "max_words": 12,
        "min_mean_word_length": 2,
        "max_mean_word_length": 5,
        "min_stop_words": 1,
    }
    expected = theirs([text], **options)
    if expected == ["ZeroDivisionError"]:
        assert first_reasons([text], **options) != [None]
    else:
        assert first_reasons([text], **options) == expected


@pytest.mark.parametrize(
    "rule",
    ["max_symbol_ratio", "max_bullet_lines", "max_ellipsis_lines", "min_alpha_words", "min_stop_words"],
)
@given(texts=st.lists(TEXTS, max_size=4))
def test_each_rule_alone_decides_as_datatrove_does(rule, texts):
    options = {name: None for name in OPTIONS if name not in {rule, "stop_words"}}
    if rule == "min_stop_words":
        options |= {"stop_words": ["the", "a", "é", "日", "the the"], "min_stop_words": 2}
    texts = [text for text in texts if words_of(text)]
    assert first_reasons(texts, **options) == theirs(texts, **options)


def test_gold_pages_get_datatroves_decision_and_reason(shared_data):
    texts = gold(shared_data)[::40]
    assert first_reasons(texts) == theirs(texts)


@pytest.mark.slow
def test_all_pages_languages_and_books_get_datatroves_decision_and_reason(shared_data):
    texts = [*gold(shared_data), *udhr(shared_data), *books(shared_data)]
    assert len(texts) > 1800
    assert first_reasons(texts) == theirs(texts)


def test_scores_do_not_depend_on_the_batch():
    texts = ["The cat sat. " * 9, None, "", "- a\n- b...\n", "# x"]
    plugin = GopherQuality()
    whole = plugin.score(pl.Series(texts))
    alone = pl.concat([plugin.score(pl.Series([text], dtype=pl.String)) for text in texts])
    assert whole.equals(alone)
    assert whole.row(1) == (None,) * len(plugin.scores)
    assert whole.columns == list(plugin.scores)


def test_texts_without_words_fail_whatever_is_asked():
    assert first_reasons(["", " \n ", None]) == ["short_doc"] * 3
    assert first_reasons(["", "\u200b"], min_words=None) == ["too_many_hashes"] * 2
    assert first_reasons([]) == []


def test_scores_are_the_ratios_of_the_paper():
    (row,) = GopherQuality().score(pl.Series(["- The # of it...\nfine, 12 …"])).to_dicts()
    assert row["gopher_n_words"] == 5
    assert row["gopher_mean_word_length"] == 13 / 5
    assert row["gopher_hash_ratio"] == 1 / 10
    assert row["gopher_ellipsis_ratio"] == 2 / 10
    assert row["gopher_bullet_lines"] == 1 / 2
    assert row["gopher_ellipsis_lines"] == 1.0
    assert row["gopher_alpha_words"] == 4 / 10
    assert row["gopher_stop_words"] == 1


def test_an_impossible_number_of_stop_words_is_refused():
    with pytest.raises(ValueError, match="no text could pass"):
        GopherQuality(stop_words=("the",), min_stop_words=2)
