"""extract: each page's bytes are extracted once, whoever has them; a page that cannot be costs itself."""

from pathlib import Path

import pytest
from phase_runs import FILES, Bench

from corpus.engine.parquet import read_rows
from corpus.phases.extract import Extractions
from corpus.phases.gather import Gathered

HOSTILE = """
import os, signal
from plugins.contracts import Extractor

class Hostile(Extractor):
    name = "hostile"

    def extract(self, html):
        if "hang" in html:
            while True:
                pass
        if "crash" in html:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "raise" in html:
            raise RuntimeError("no such luck")
        if "number" in html:
            return 5
        if "surrogate" in html:
            return "half a \\ud83d pair"
        if "nothing" in html:
            return " \\n"
        return html.upper()
"""
PDF = """
from plugins.contracts import Page, Scraper

class Typed(Scraper):
    name = "typed"

    def fetch(self, place, part):
        for n, media in enumerate(["application/pdf", "image/png", "text/plain", "TEXT/Markdown; charset=latin-1", None]):
            yield Page(str(n), content="h\\u00e9".encode("latin-1" if n == 3 else "utf-8"), content_type=media)
"""


def texts(found: Extractions, gathered: Gathered) -> dict[str, str | None]:
    """Text, or error, by locator."""
    told = gathered.pages.select("page_id", "locator").join(
        found.places, on="page_id", how="inner", maintain_order="left"
    )
    refs = [(file, [row]) for file, row in told.select("extract_file", "extract_row").iter_rows()]
    held = read_rows(refs, ["text"])["text"].to_pylist()
    return {
        locator: error or text
        for locator, error, text in zip(told["locator"], told["error"], held, strict=True)
    }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    for n in range(6):
        bench.page(f"{n}.txt", f"Page number {n}.")
    return bench


def test_only_what_no_earlier_build_has_is_extracted(bench: Bench) -> None:
    bench.extract()
    assert bench.performed["extract"] == 6
    bench.page("2-and-a-half.txt", "A page between.")
    found = bench.extract()
    assert bench.performed["extract"] == 1
    assert texts(found, bench.gather())["2-and-a-half.txt"] == "A page between."


def test_removing_or_renaming_pages_extracts_nothing(bench: Bench) -> None:
    before = texts(bench.extract(), bench.gather())
    (bench.folder / "site" / "0.txt").unlink()
    (bench.folder / "site" / "1.txt").rename(bench.folder / "site" / "one.txt")
    after = texts(bench.extract(), bench.gather())
    assert bench.performed.get("extract", 0) == 0
    assert after == {
        ("one.txt" if name == "1.txt" else name): text for name, text in before.items() if name != "0.txt"
    }


def test_equal_bytes_are_extracted_once_also_across_sources(bench: Bench) -> None:
    bench.recipe = FILES + '[[source]]\nuse = "files"\nname = "more"\npath = "more/*"\n'
    (bench.folder / "more").mkdir()
    for n in range(4, 9):
        (bench.folder / "more" / f"again-{n}.txt").write_text(f"Page number {n}.")
    bench.page("copy.txt", "Page number 0.")
    gathered = bench.gather()
    found = texts(bench.extract(), gathered)
    assert bench.performed["extract"] == 9
    assert len(found) == gathered.pages.height == 12
    assert found["again-4.txt"] == found["4.txt"] == "Page number 4."


def test_equal_bytes_of_another_type_are_another_extraction(bench: Bench) -> None:
    bench.plugin = HOSTILE
    bench.recipe = FILES + '[extract]\nuse = "hostile"\n'
    for name in ("page.html", "page.txt"):
        bench.page(name, "<p>words</p>")
    found = texts(bench.extract(), bench.gather())
    assert (found["page.html"], found["page.txt"]) == ("<P>WORDS</P>", "<p>words</p>")


def test_another_extractor_or_limit_extracts_anew(bench: Bench) -> None:
    bench.extract()
    bench.recipe = FILES + "[extract]\ncpu_seconds = 21\n"
    bench.extract()
    assert bench.performed["extract"] == 6


POSTS = """
from plugins.contracts import Extracted
from plugins.scrapers.files import Files

class Posts(Files):
    name = "posts"

    def parse(self, html):
        return Extracted("posts alone", metadata={"posts": 2}) if "thread" in html else Extracted(None)
"""


def test_a_page_that_its_scraper_cannot_read_goes_to_the_extractor_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FILES.replace("files", "posts") + '[extract]\nuse = "none"\n', POSTS)
    bench.page("a.html", "<p>a thread")
    bench.page("b.html", "<p>a notice")
    found = bench.extract()
    assert found.places["detail"].to_list() == [None, "posts found nothing; text by none"]
    rows = read_rows([
        (file, [row]) for file, row in found.places.select("extract_file", "extract_row").iter_rows()
    ])
    assert rows.select(["text", "metadata"]).to_pylist() == [
        {"text": "posts alone", "metadata": '{"posts": 2}'},
        {"text": "a notice", "metadata": None},
    ]


def test_a_type_without_an_extractor_is_unsupported(tmp_path: Path) -> None:
    bench = Bench(tmp_path, '[[source]]\nuse = "typed"\n[extract]\nuse = "none"\n', PDF)
    found = texts(bench.extract(), bench.gather())
    assert found == {"0": "unsupported", "1": "unsupported", "2": "hé", "3": "hé", "4": "hé"}
    details = bench.extract().places["detail"].to_list()
    assert details[:3] == ["application/pdf has no extractor", "image/png has no extractor", None]


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", "empty"), (b" \n\t", "empty"), (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "binary")],
)
def test_what_is_no_text_says_so(bench: Bench, content: bytes, error: str) -> None:
    bench.page("odd.txt", content)
    assert texts(bench.extract(), bench.gather())["odd.txt"] == error


def test_a_hostile_page_costs_itself_whatever_it_does(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FILES + '[extract]\nuse = "hostile"\ncpu_seconds = 1\n', HOSTILE)
    kinds = ("a good one", "crash", "hang", "nothing", "number", "raise", "surrogate", "z good one")
    for kind in kinds:
        bench.page(f"{kind}.html", kind)
    found = bench.extract()
    assert found.timeouts == 1
    assert texts(found, bench.gather()) == {
        "a good one.html": "A GOOD ONE",
        "crash.html": "crashed",
        "hang.html": "timeout",
        "nothing.html": "empty",
        "number.html": "failed",
        "raise.html": "failed",
        "surrogate.html": "failed",
        "z good one.html": "Z GOOD ONE",
    }
    details = dict(zip(kinds, found.places["detail"], strict=True))
    assert details["crash"] == "SIGSEGV"
    assert details["raise"] == "RuntimeError: no such luck"
    again = bench.extract()
    assert bench.performed["extract"] == 0, "a page that failed is not tried again"
    assert again.timeouts == 1


# ------------------------------------------------------------------------------------------------ errors of the moment


def test_a_page_rewritten_while_the_build_runs_is_changed_and_poisons_no_later_build(bench: Bench) -> None:
    gathered = bench.gather()
    bench.page("3.txt", "Rewritten.")
    bench.page("copy.txt", "Page number 3.")
    found = bench.extract(gathered)
    assert texts(found, gathered)["3.txt"] == "changed"
    assert "build again" in found.places["detail"][3]
    assert found.disturbed == [gathered.pages["page_id"][3]]

    after = bench.extract()
    assert bench.performed["extract"] == 2
    assert texts(after, bench.gather()) == {
        **{f"{n}.txt": f"Page number {n}." for n in range(6)},
        "3.txt": "Rewritten.",
        "copy.txt": "Page number 3.",
    }
    assert after.disturbed == []


def test_a_page_that_vanishes_while_the_build_runs_is_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    path = bench.page("only.txt", "Here.")
    gathered = bench.gather()
    path.unlink()
    assert texts(bench.extract(gathered), gathered) == {"only.txt": "unreadable"}
    bench.page("only.txt", "Here.")
    assert texts(bench.extract(gathered), gathered) == {"only.txt": "Here."}
    bench.extract(gathered)
    assert bench.performed["extract"] == 0
