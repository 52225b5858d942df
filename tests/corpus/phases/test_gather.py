"""gather makes one row of every page, whatever the scraper hands it, and puts them in (source, locator) order."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from phase_runs import FILES, Bench

from corpus.engine.parquet import read_rows
from corpus.phases import gather as phase
from corpus.phases.gather import page_tables
from plugins.contracts import Page
from schemas.errors import EmptyCorpus, SourceError
from schemas.fingerprint import digest, identify
from schemas.tables import GATHERED

SCRAPER = """
from plugins.contracts import Page, Part, Scraper

class Odd(Scraper):
    name = "odd"

    def parts(self, place):
        return [Part({{"n": n}}) for n in range({parts})]

    def fetch(self, place, part):
        {body}
"""
ODD = '[[source]]\nuse = "odd"\n'


def odd(folder: Path, body: str, parts: int = 1) -> Bench:
    return Bench(folder, ODD, SCRAPER.format(body=body, parts=parts))


def rows(*pages: Page) -> list[dict]:
    return pa.concat_tables(page_tables("source", pages)).to_pylist()


def test_pages_come_in_source_and_locator_order_with_what_identifies_them(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        FILES + '[[source]]\nuse = "files"\nname = "a-table"\npath = "rows.csv"\nid = "id"\ntitle = "t"\n',
    )
    for name in ("b.txt", "a.html", "ä.txt", "B.md"):
        bench.page(name, f"Page {name}")
    (tmp_path / "rows.csv").write_text("id,text,t\nz,Zoe,Z\na,Ann,A\n")
    gathered = bench.gather()
    assert gathered.pages.select("source", "locator").rows() == [
        ("a-table", "rows.csv#a"),
        ("a-table", "rows.csv#z"),
        ("files", "B.md"),
        ("files", "a.html"),
        ("files", "b.txt"),
        ("files", "ä.txt"),
    ]
    page = gathered.pages.row(4, named=True)
    assert page["page_id"] == identify("files", "b.txt")
    assert page["content_hash"] == digest(b"Page b.txt")
    assert (page["size"], page["path"]) == (10, str(tmp_path / "site" / "b.txt"))
    assert [(source.name, source.use, source.pages, source.bytes) for source in gathered.sources] == [
        ("files", "files", 4, 41),
        ("a-table", "files", 2, 6),
    ]
    table = read_rows([(gathered.pages["file"][1], [gathered.pages["row"][1]])], ["content", "title"])
    assert table.to_pylist() == [{"content": b"Zoe", "title": "Z"}]


def test_two_pages_of_one_name_are_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='source "odd" yields "same" 2 times.*`id` column'):
        odd(tmp_path, 'yield Page("same", content=b"x")', parts=2).gather()


def test_two_sources_may_have_pages_of_one_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FILES + FILES.replace("use", 'name = "again"\nuse'))
    bench.page("a.txt", "Once.")
    pages = bench.gather().pages
    assert pages["locator"].to_list() == ["a.txt", "a.txt"]
    assert pages["page_id"].n_unique() == 2


def test_no_page_at_all_is_an_empty_corpus(tmp_path: Path) -> None:
    with pytest.raises(EmptyCorpus, match="no source yielded a single page"):
        odd(tmp_path, "return []").gather()


def test_a_page_without_bytes_is_a_page_with_an_error(tmp_path: Path) -> None:
    gone, folder, told = rows(
        Page("gone", path=str(tmp_path / "gone")),
        Page("folder", path=str(tmp_path)),
        Page("told", error="status-404", detail="Not Found"),
    )
    assert (gone["error"], gone["detail"], gone["content_hash"]) == (
        "unreadable",
        "No such file or directory",
        None,
    )
    assert folder["error"] == "unreadable"
    assert (told["error"], told["detail"], told["content_hash"], told["size"]) == (
        "status-404",
        "Not Found",
        None,
        0,
    )


@pytest.mark.parametrize(
    "broken",
    [
        Page("b", content=b"x", title="half a \ud83d pair"),
        Page("b", content=b"x", position=1 << 40),
        Page("b", content=b"x", author=["A", "B"]),  # type: ignore[arg-type]
        Page("b", content=b"x", metadata={"when": object()}),
        Page("b", content=b"x", metadata={"name": "half a \udc00 pair"}),
    ],
    ids=["surrogate", "position", "list", "metadata", "metadata surrogate"],
)
def test_a_page_that_no_table_holds_costs_itself_and_not_its_neighbours(broken: Page) -> None:
    first, second, third = rows(Page("a", content=b"a"), broken, Page("c", content=b"c", title="C"))
    assert (second["locator"], second["error"], second["metadata"]) == ("b", "malformed", None)
    assert second["detail"]
    assert second["page_id"] == identify("source", "b")
    assert [(row["error"], row["content"]) for row in (first, third)] == [(None, b"a"), (None, b"c")]


@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(1, 5000))
def test_how_pages_are_spooled_does_not_show_in_them(sizes: list[int], table_bytes: int) -> None:
    pages = [Page(f"{n}", content=b"x" * size, title=f"Page {n}") for n, size in enumerate(sizes)]
    whole = rows(*pages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phase, "TABLE_BYTES", table_bytes)
        tables = list(page_tables("source", pages))
    assert pa.concat_tables(tables).to_pylist() == whole
    assert all(table.schema == GATHERED for table in tables)
    assert all(
        table["size"].to_pylist()[:-1] == [] or sum(table["size"].to_pylist()[:-1]) < table_bytes
        for table in tables
    )


def test_the_row_hash_is_of_what_a_page_is_and_not_of_where_it_lies(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"same")
    here, there, titled = rows(
        Page("a", path=str(tmp_path / "one")),
        Page("a", path=str(tmp_path / "two")),
        Page("a", path=str(tmp_path / "one"), title="T"),
    )
    assert here["row_hash"] == there["row_hash"] != titled["row_hash"]


def test_live_parts_are_fetched_at_every_build_and_each_name_reads_its_own(tmp_path: Path) -> None:
    """Another build may be reading what a live part gave it, when the part is fetched again and differs."""
    counting = """
        path = place.base / "count"
        count = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(count))
        yield Page("page", content=f"Fetched {count} times".encode())
    """.strip()
    bench = odd(tmp_path, counting)
    first = bench.gather().pages
    bench.name = "other"
    second = bench.gather().pages
    assert bench.performed == {"gather": 1}
    for n, pages in enumerate((first, second), 1):
        held = read_rows([(pages["file"][0], [0])], ["content"])["content"][0].as_py()
        assert held == f"Fetched {n} times".encode()


def test_a_table_is_read_once_however_often_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\nOne.\nTwo.\n")
    bench = Bench(tmp_path, '[[source]]\nuse = "files"\npath = "rows.csv"\n')
    first = bench.gather()
    assert bench.performed == {"gather": 1}
    again = bench.gather()
    assert bench.performed == {"gather": 0}
    assert again.sources == first.sources
