import io
import json

import polars as pl
import pytest
from handmade import write_version

from corpus.answers import ROWS_SHOWN, render
from corpus.query import TABLES, query


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return write_version(tmp_path_factory.mktemp("root"))


def test_a_plan_is_shown_as_it_is_drawn(version):
    shown = render(query(version, "explain select * from documents order by title"), width=40)
    assert len(shown.splitlines()) > 5
    assert "explain_key" not in shown


# ---------------------------------------------------------------------------- answers

FRAME = pl.DataFrame({
    "title": ["inn", None],
    "text": ["Rain\nruns \x1b[31mdown[/red] " + "the window " * 50, ""],
    "score": [0.98123456, float("nan")],
    "labels": [[1, -100], []],
})


def test_csv_holds_everything_and_nested_values_as_json():
    back = pl.read_csv(io.StringIO(render(FRAME, "csv")))
    assert back["text"].to_list()[0] == FRAME["text"][0]
    assert json.loads(back["labels"][0]) == [1, -100]


def test_json_is_a_list_of_objects_with_null_for_what_is_not_a_number():
    first, second = json.loads(render(FRAME, "json"))
    assert first == {"title": "inn", "text": FRAME["text"][0], "score": 0.98123456, "labels": [1, -100]}
    assert second["score"] is None


def test_json_of_every_table_can_be_read_back(version):
    for table in TABLES:
        frame = query(version, f"select * from {table}")
        assert [len(row) for row in json.loads(render(frame, "json"))] == [frame.width] * frame.height
        assert render(frame, "csv").startswith(frame.columns[0] + ",")


@pytest.mark.parametrize("width", [20, 60, 100, 200])
def test_a_table_fits_the_terminal_and_shows_no_control_characters(width):
    shown = render(FRAME, "table", width=width)
    rows = shown.splitlines()
    assert len(rows) == 3 + ("more columns" in shown)
    assert all(len(line) <= width for line in rows[:3])
    assert "\x1b" not in shown
    assert rows[1].startswith("inn")


def test_a_table_names_the_rows_and_columns_it_leaves_out():
    wide = pl.DataFrame({f"column_{place}": ["a longer value"] * 60 for place in range(12)})
    shown = render(wide, "table", width=70)
    assert f"({ROWS_SHOWN} of 60 rows; --format csv prints them all)" in shown
    assert "(7 more columns: column_5," in shown
    assert render(pl.DataFrame({"n": [1]}), "table", width=70) == "n\n1\n"


def test_markup_in_a_page_is_shown_as_it_stands():
    assert "[bold]x[/bold]" in render(pl.DataFrame({"t": ["[bold]x[/bold]"]}), "table", width=60)
