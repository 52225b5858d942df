"""Piles: rows keep the name of their set, and those of other sets say that they were not wanted."""

import json

import pytest
import zstandard
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Part, Place
from plugins.scrapers.pile import Pile, flat

ROWS = [
    {"text": "In the beginning", "meta": {"pile_set_name": "Gutenberg (PG-19)"}},
    {"text": "Show HN", "meta": {"pile_set_name": "HackerNews"}},
    {"text": "no set", "meta": {}},
    {"text": "int main", "meta": {"pile_set_name": "Github"}},
]


def write(folder, rows, name="00.jsonl.zst"):
    lines = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)
    (folder / name).write_bytes(zstandard.compress(lines) if name.endswith("zst") else lines)


def gather(base, **options):
    scraper, place = Pile(**options), Place(base, base / ".work")
    parts = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    return [page for where in parts for page in scraper.fetch(place, Part(where))]


def test_all_rows_are_pages_that_keep_the_name_of_their_set(tmp_path):
    write(tmp_path, ROWS)
    pages = gather(tmp_path, path="*.jsonl.zst")
    assert [page.content for page in pages] == [row["text"].encode() for row in ROWS]
    assert pages[0].metadata == {"meta.pile_set_name": "Gutenberg (PG-19)"}
    assert pages[3].locator == "00.jsonl.zst#000000003"


def test_rows_of_other_sets_are_deselected_and_none_vanishes(tmp_path):
    write(tmp_path, ROWS)
    pages = gather(tmp_path, path="*.zst", sets=["HackerNews", "Github"])
    assert [page.error for page in pages] == ["deselected", None, "deselected", None]
    assert pages[0].content is None
    assert pages[0].detail == 'of set "Gutenberg (PG-19)"'
    assert pages[2].detail == 'names no set: it has no "meta.pile_set_name"'


def test_a_row_that_is_broken_or_has_no_text_says_so_rather_than_deselected(tmp_path):
    write(tmp_path, [b'{"text": "cut', {"meta": {"pile_set_name": "Github"}}, *ROWS])
    assert [page.error for page in gather(tmp_path, path="*.zst", sets=["Github"])][:2] == [
        "malformed",
        "no-text",
    ]


def test_a_misspelt_set_of_the_pile_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ValidationError, match=r'"Hackernews" is no set of The Pile. Nearest: "HackerNews"'):
        Pile(path="x.jsonl", sets=["Hackernews"])


def test_another_pile_names_its_sets_and_licences_where_it_likes(tmp_path):
    rows = [
        {"id": "a", "text": "one", "source": "peS2o", "metadata": {"license": "CC-BY"}},
        {"id": "b", "text": "two", "source": "wiki", "metadata": {"license": "CC0"}},
    ]
    write(tmp_path, rows, "pile.jsonl")
    pages = gather(
        tmp_path, path="*.jsonl", set_key="source", sets=["wiki"], license="metadata.license", id="id"
    )
    assert [(page.locator, page.error, page.license) for page in pages] == [
        ("pile.jsonl#a", "deselected", "CC-BY"),
        ("pile.jsonl#b", None, "CC0"),
    ]


def test_an_archive_that_was_cut_short_costs_one_page(tmp_path):
    write(tmp_path, ROWS * 500)
    whole = (tmp_path / "00.jsonl.zst").read_bytes()
    (tmp_path / "00.jsonl.zst").write_bytes(whole[:-5])
    assert [page.error for page in gather(tmp_path, path="*.zst")][-1] == "unreadable"


JSON = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(blacklist_characters="."), max_size=3), JSON, max_size=4))
def test_flattening_keeps_every_scalar_of_the_top_and_leaves_no_object_that_has_cells(cells):
    made = flat(cells)
    assert all(made[key] == value for key, value in cells.items() if not isinstance(value, dict))
    assert not any(isinstance(value, dict) and value for value in made.values())


def test_a_nested_name_never_hides_a_cell_of_the_row():
    assert flat({"a": {"b": 1}, "a.b": 2})["a.b"] == 2
    assert flat({"a.b": 2, "a": {"b": 1}})["a.b"] == 2
