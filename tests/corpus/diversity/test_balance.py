"""Balance counts what characters name, by characters."""

import polars as pl
import pytest

from corpus.diversity.balance import balances


def documents(**columns: list[object]) -> pl.DataFrame:
    schema = dict.fromkeys(("source", "site", "author", "group_id"), pl.String) | {"n_chars": pl.Int64}
    size = len(next(iter(columns.values())))
    rows = {name: columns.get(name, [None] * size) for name in schema}
    return pl.DataFrame({**rows, "source": columns.get("source", ["s"] * size)}, schema=schema)


def test_equal_ones_are_worth_their_number_and_unequal_ones_less() -> None:
    even = balances(documents(site=["a", "b", "c", "d"], n_chars=[5, 5, 5, 5]))["site"]
    skewed = balances(documents(site=["a", "b", "c", "d"], n_chars=[97, 1, 1, 1]))["site"]
    assert (even.effective, even.evenness) == (pytest.approx(4), pytest.approx(1))
    assert skewed.effective < 1.3
    assert (skewed.largest, skewed.share, skewed.top) == ("a", 0.97, 0.99)


def test_an_author_is_one_of_its_source_and_who_names_none_does_not_count() -> None:
    frame = documents(source=["s", "t", "t"], author=["Ada", "Ada", None], n_chars=[1, 1, 98])
    assert balances(frame)["author"].count == 2
    assert balances(frame)["author"].share == 0.5
    assert "site" not in balances(frame)
