import json

import polars as pl
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters.decontaminate import Decontaminate

QUESTION = "which of the seven hills of rome stands nearest to the river tiber and why was it settled first"
SHORT = "how many moons does the planet mars have"  # eight words
FILLER = "nothing of that kind was ever asked of anyone in this whole long and tedious document about trains"


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    (folder / "quiz.txt").write_text(f"{QUESTION}\n\n{SHORT}\n \nof the seven hills", "utf-8")
    rows = [
        {"q": "unrelated words " * 8, "choices": ["a b c d e", "f g h i j k l m"], "n": 1},
        {"q": FILLER, "choices": [], "n": 2},
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    pl.DataFrame({"q": [None, QUESTION], "a": ["", SHORT]}).write_parquet(folder / "rows.parquet")
    return folder


def found(filter_, texts):
    return filter_.score(pl.Series(texts, dtype=pl.String)).rows()


def verdicts(filter_, texts):
    scores = filter_.score(pl.Series(texts, dtype=pl.String))
    rules = filter_.rules()
    fails = scores.select(rule.fails.fill_null(value=True).alias(rule.reason) for rule in rules)
    return [next((rule.reason for rule in rules if row[rule.reason]), None) for row in fails.to_dicts()]


def test_n_grams_of_an_item_are_found_whatever_their_case_and_punctuation(sets):
    quiz = Decontaminate(files=str(sets / "quiz.txt"))
    thirteen = " ".join(QUESTION.split()[2:15])
    twelve = " ".join(QUESTION.split()[2:14])
    texts = [
        QUESTION.upper().replace(" ", ",\n"),
        f"x {thirteen} y",
        f"x {twelve} y",
        FILLER,
        "",
        None,
        "rome",
        "\0",
    ]
    n = len(QUESTION.split())
    assert [row[0] for row in found(quiz, texts)] == [n - 12, 1, 0, 0, 0, 0, 0, 0]
    assert [row[2] for row in found(quiz, texts)] == ["quiz.txt#0"] * 2 + [None] * 6


def test_the_share_is_of_the_documents_own_n_grams_and_repeats_count_once_among_different_ones(sets):
    quiz = Decontaminate(files=str(sets / "quiz.txt"))
    n = len(QUESTION.split()) - 12
    twice = f"{QUESTION} | {QUESTION}"
    total = 2 * len(QUESTION.split()) - 12
    assert found(quiz, [QUESTION, twice]) == [
        (n, 1, "quiz.txt#0"),
        (n, pytest.approx(2 * n / total), "quiz.txt#0"),
    ]


def test_short_items_are_looked_for_whole_and_very_short_ones_not_at_all(sets):
    quiz = Decontaminate(files=str(sets / "quiz.txt"))
    texts = [f"Well: {SHORT}?", SHORT, " ".join(SHORT.split()[:-1]), "of the seven hills"]
    assert [row[2] for row in found(quiz, texts)] == ["quiz.txt#1", "quiz.txt#1", None, None]
    low = Decontaminate(files=str(sets / "quiz.txt"), min_words=4)
    assert found(low, ["one of the seven hills"])[0][2] == "quiz.txt#2"


def test_rows_of_tables_are_items_and_the_first_met_is_named(sets):
    tables = Decontaminate(files=(str(sets / "rows.jsonl"), str(sets / "rows.parquet")))
    texts = [f"{FILLER} {QUESTION}", f"{QUESTION} {FILLER}", SHORT, "a b c d e f g h i j k l m", "fine"]
    assert [row[2] for row in found(tables, texts)] == [
        "rows.jsonl#1",
        "rows.parquet#1",
        "rows.parquet#1",
        "rows.jsonl#0",
        None,
    ]
    only = Decontaminate(files=(str(sets / "rows.jsonl"), str(sets / "rows.parquet")), fields=("q",))
    assert [row[2] for row in found(only, texts[2:4])] == [None, None]


def test_bounds_drop_what_is_beyond_them_and_nothing_on_them(sets):
    file = str(sets / "quiz.txt")
    n = len(QUESTION.split()) - 12
    assert verdicts(Decontaminate(files=file), [FILLER, QUESTION, None]) == [None, "max_ngrams", None]
    assert verdicts(Decontaminate(files=file, max_ngrams=n), [QUESTION]) == [None]
    assert verdicts(Decontaminate(files=file, max_ngrams=n - 1), [QUESTION]) == ["max_ngrams"]
    mixed = f"{FILLER} {QUESTION}"
    share = found(Decontaminate(files=file), [mixed])[0][1]
    assert verdicts(Decontaminate(files=file, max_ngrams=99, max_share=share), [mixed, QUESTION]) == [
        None,
        "max_share",
    ]


@given(
    st.lists(
        st.none() | st.lists(st.sampled_from([*QUESTION.split(), "x"]), max_size=30).map(" ".join), max_size=5
    )
)
def test_no_text_raises_or_changes_with_its_neighbours_and_sets_tell_the_same(sets, texts):
    quiz = Decontaminate(files=str(sets / "quiz.txt"), ngram=3, min_words=3)
    rows = found(quiz, texts)
    assert rows == [row for text in texts for row in found(quiz, [text])]
    known = {
        tuple(item.split()[at : at + 3])
        for item in (QUESTION, SHORT, "of the seven hills")
        for at in range(len(item.split()) - 2)
    }
    for text, row in zip(texts, rows, strict=True):
        words = (text or "").split()
        grams = [tuple(words[at : at + 3]) for at in range(len(words) - 2)]
        assert row[0] == len(known.intersection(grams))
        assert row[1] == pytest.approx(sum(gram in known for gram in grams) / max(len(grams), 1))


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ("quiz.csv", {}, "is no .txt"),
        ("rows.jsonl", {"fields": ("qq",)}, 'no column "qq"'),
        ("rows.parquet", {"fields": ("z",)}, "It has q, a."),
        ("quiz.txt", {"ngram": 1}, "greater than or equal"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_recipe(sets, files, options, message):
    with pytest.raises(ValidationError, match=message):
        Decontaminate(files=str(sets / files), **options)


def test_bounds_are_no_part_of_the_scores_identity(sets):
    one, two = (
        Decontaminate(files=str(sets / "quiz.txt"), max_ngrams=n).identity(without=Threshold) for n in (0, 5)
    )
    assert one == two
