import importlib.util

import polars as pl
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.filters.datatrove import Datatrove
from plugins.registry import entries, load_recipe
from schemas.errors import RecipeError

PARAGRAPHS = "\n".join(["word " * 50] * 3)


def test_it_decides_as_the_class_itself_and_tells_its_reason():
    from datatrove.data import Document
    from datatrove.pipeline.filters import C4ParagraphFilter

    texts = [PARAGRAPHS, "short", "", "\0", "one"]
    scores = Datatrove(filter="C4ParagraphFilter").score(pl.Series(texts))
    theirs = [C4ParagraphFilter().filter(Document(text=text, id="")) for text in texts]
    assert scores.rows() == [(True, None) if answer is True else answer for answer in theirs]
    assert scores.columns == ["datatrove_C4ParagraphFilter", "datatrove_C4ParagraphFilter_reason"]


def test_further_keys_are_its_arguments_and_a_null_text_fails():
    digits = Datatrove(filter="RegexFilter", regex_exp="[0-9]")
    scores = digits.score(pl.Series(["a", "1", "", None], dtype=pl.String))
    assert scores.rows() == [(True, None), (False, None), (True, None), (None, None)]
    fails = scores.select(rule.fails.fill_null(value=True) for rule in digits.rules()).to_series()
    assert fails.to_list() == [False, True, False, True]


@given(st.lists(st.none() | st.text("ab1\0\n"), max_size=6))
def test_no_text_changes_with_its_neighbours(texts):
    digits = Datatrove(filter="RegexFilter", regex_exp="1")
    together = digits.score(pl.Series(texts, dtype=pl.String)).rows()
    assert together == [
        row for text in texts for row in digits.score(pl.Series([text], dtype=pl.String)).rows()
    ]


def test_arguments_are_part_of_identity():
    one, two = (Datatrove(filter="RegexFilter", regex_exp=pattern).identity() for pattern in ("a", "b"))
    assert one != two


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"filter": "C4ParagraphFiltr"},
            'Nearest: "C4ParagraphFilter". It has C4BadWordsFilter, C4ParagraphFilter',
        ),
        ({"filter": "SamplerFilter"}, 'use = "sampler" does not'),
        ({"filter": "LambdaFilter"}, "takes a function"),
        ({"filter": "RegexFilter", "regex": "a"}, 'Nearest: "regex_exp"'),
        ({"filter": "RegexFilter"}, "missing 1 required"),
        ({"filter": "RegexFilter", "regex_exp": "("}, "cannot be made"),
        ({"filter": "RegexFilter", "regex_exp": "a", "exclusion_writer": "x"}, "leave it out"),
        ({"filter": "C4BadWordsFilter", "keep_fraction": 0.5}, "number of workers"),
    ],
)
def test_what_cannot_run_is_refused_when_the_recipe_is_read(options, message):
    with pytest.raises(ValidationError) as caught:
        Datatrove(**options)
    assert message in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("spacy") is not None, reason="spaCy is installed")
def test_what_is_not_installed_is_named_with_the_line_that_mends_it():
    with pytest.raises(ValidationError, match="pip install spacy"):
        Datatrove(filter="GopherQualityFilter")


def test_the_class_stands_behind_a_colon_in_the_recipe(tmp_path):
    recipe = tmp_path / "recipe.toml"
    if "datatrove" not in entries("filter"):
        pytest.skip("the entry point is not installed yet")
    text = 'name = "a"\n[[source]]\nuse = "files"\npath = "*.txt"\n[[filter]]\nuse = "datatrove:{}"\nregex_exp = "a"\n'
    recipe.write_text(text.format("RegexFilter"), "utf-8")
    made = load_recipe(recipe).filters[0].make()
    assert made.columns()[0] == "datatrove_RegexFilter"
    recipe.write_text(text.format("RegxFilter"), "utf-8")
    with pytest.raises(RecipeError, match='Nearest: "RegexFilter"'):
        load_recipe(recipe)
