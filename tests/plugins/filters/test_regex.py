import re

import polars as pl
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters.regex import Regex

PHONE = {"phone": r"\d{3}-\d{4}", "cry": "!"}


def verdicts(regex, texts):
    scores = regex.score(pl.Series(texts, dtype=pl.String))
    assert tuple(scores.columns) == regex.columns()
    rules = regex.rules()
    fails = scores.select(rule.fails.fill_null(value=True).alias(rule.reason) for rule in rules)
    return [next((rule.reason for rule in rules if row.get(rule.reason)), None) for row in fails.to_dicts()]


def test_matches_are_counted_by_pattern():
    scores = Regex(patterns=PHONE).score(pl.Series(["555-1234 555-9999!", "", None, "\0!"], dtype=pl.String))
    assert scores.to_dict(as_series=False) == {"regex_phone": [2, 0, None, 0], "regex_cry": [1, 0, None, 1]}


@given(st.lists(st.none() | st.text("ab1!-\n\0é"), max_size=6))
def test_counts_are_those_of_pythons_expressions_alone_or_together(texts):
    regex = Regex(patterns={"runs": "[ab]+!?", "dot": "a."})
    rows = regex.score(pl.Series(texts, dtype=pl.String)).rows()
    assert rows == [
        (None, None) if text is None else (len(re.findall("[ab]+!?", text)), len(re.findall("a.", text)))
        for text in texts
    ]


def test_bounds_drop_what_is_beyond_them_and_nothing_on_them():
    regex = Regex(patterns=PHONE, max={"phone": 1}, min={"cry": 1})
    assert verdicts(regex, ["555-1234!", "555-1234 555-1234!", "555-1234", "!", None]) == [
        None,
        "max_phone",
        "min_cry",
        None,
        "max_phone",
    ]


def test_a_pattern_without_a_bound_drops_nothing():
    assert Regex(patterns=PHONE).rules() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patterns": {"a": "("}}, "no regular expression"),
        ({"patterns": {"a": r"(?<=x)y"}}, "no regular expression"),
        ({"patterns": {}}, "names no pattern"),
        ({"patterns": {"My Phone": "a"}}, "cannot name a score"),
        ({"patterns": PHONE, "max": {"phon": 1}}, 'Nearest: "phone"'),
        ({"patterns": PHONE, "max": {"cry": 1}, "min": {"cry": 2}}, "above max.cry"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_the_recipe_is_read(options, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        Regex(**options)


def test_bounds_are_no_part_of_the_scores_identity_patterns_are():
    identity = Regex(patterns=PHONE).identity(without=Threshold)
    assert Regex(patterns=PHONE, max={"cry": 3}).identity(without=Threshold) == identity
    assert Regex(patterns={"phone": "x", "cry": "!"}).identity(without=Threshold) != identity
