import json
import unicodedata

import polars as pl
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters.symbols import Symbols
from plugins.kernels.alphabet import SIZE
from plugins.kernels.symbols import MARKUP_CHARACTERS

PROSE = "She walked to the station. It was late, and 3 trains had left!"
HTML = '<div class="a"><a href="/b">c</a></div><ul><li>d</li></ul>' * 5


def verdicts(symbols, texts):
    scores = symbols.score(pl.Series(texts, dtype=pl.String))
    rules = symbols.rules()
    fails = scores.select(rule.fails.fill_null(value=True).alias(rule.reason) for rule in rules)
    return [next((rule.reason for rule in rules if row[rule.reason]), None) for row in fails.to_dicts()]


@given(
    st.lists(
        st.none() | st.text(st.characters(max_codepoint=SIZE - 1, exclude_categories=("Cs",))), max_size=6
    )
)
def test_shares_follow_unicode_categories_alone_or_together(texts):
    scores = Symbols().score(pl.Series(texts, dtype=pl.String))
    assert scores.rows() == [
        row for text in texts for row in Symbols().score(pl.Series([text], dtype=pl.String)).rows()
    ]
    for text, row in zip(texts, scores.rows(), strict=True):
        if text is None:
            assert row == (None,) * 4
            continue
        kinds = [
            unicodedata.category(character)
            for character in text
            if unicodedata.category(character)[0] not in "ZC"
        ]
        solid = max(len(kinds), 1)
        told = (
            sum(kind[0] in "PS" for kind in kinds),
            sum(kind == "Nd" for kind in kinds),
            sum(kind in {"Lu", "Lt"} for kind in kinds),
            sum(character in MARKUP_CHARACTERS for character in text),
        )
        assert row == pytest.approx([count / solid for count in told], abs=1e-6)


def test_markup_characters_are_all_symbols():
    assert {unicodedata.category(character)[0] for character in MARKUP_CHARACTERS} <= {"P", "S"}


def test_spaces_and_control_characters_count_nowhere():
    assert Symbols().score(pl.Series([" \n\t\0", "", "A \0\n a"])).rows() == [
        (0, 0, 0, 0),
        (0, 0, 0, 0),
        (0, 0, 0.5, 0),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PROSE, None),
        (HTML, "max_symbols"),
        ("a..", "max_symbols"),
        ("1234 5678 9abc", "max_digits"),
        ("STOP SHOUTING", "max_upper"),
        ("name=value; " * 3, "max_markup"),
        ("one", None),
        ("", None),
        (None, "max_symbols"),
    ],
)
def test_prose_passes_and_dumps_do_not(text, reason):
    assert verdicts(Symbols(), [text]) == [reason]


def test_a_share_on_the_bound_passes():
    assert verdicts(
        Symbols(max_symbols=0.2, max_digits=0.4, max_upper=None, max_markup=None),
        ["abcd.", "abc12", "abc..", "ab123"],
    ) == [
        None,
        None,
        "max_symbols",
        "max_digits",
    ]


def test_bounds_are_no_part_of_the_scores_identity_and_lie_in_0_to_1():
    assert Symbols(max_upper=0.1).identity(without=Threshold) == Symbols(max_upper=None).identity(
        without=Threshold
    )
    with pytest.raises(ValidationError):
        Symbols(max_symbols=20)


def test_real_pages_pass_and_their_html_does_not(shared_data):
    import gzip

    folder = shared_data / "extraction/wcxb-dev"
    files = sorted((folder / "ground-truth").glob("*.json"))[::5]
    texts = [json.loads(file.read_text("utf-8"))["ground_truth"].get("main_content") or "" for file in files]
    assert sum(reason is not None for reason in verdicts(Symbols(), texts)) <= 0.01 * len(texts)
    pages = [
        gzip.decompress((folder / f"html/{file.stem}.html.gz").read_bytes()).decode("utf-8", "replace")
        for file in files[:60]
    ]
    assert sum(reason is not None for reason in verdicts(Symbols(), pages)) >= 0.8 * len(pages)
