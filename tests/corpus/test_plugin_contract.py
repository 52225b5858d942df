"""What `gristmill plugins test` finds: each way to break the contract fails its own check, and says what to change."""

from pathlib import Path
from typing import Any

import pytest

from corpus.commands.plugins.case import Case
from corpus.commands.plugins.checks import checks
from corpus.commands.plugins.contract import check
from corpus.commands.plugins.new import new_plugin
from corpus.commands.plugins.outcomes import Outcome
from corpus.commands.plugins.probe import outcome
from corpus.commands.plugins.subjects import Subject, subjects
from plugins.entries import local_entries


def held(file: Path, **options: Any) -> dict[str, Outcome]:
    """Every check of the one plugin in a file, in this process."""
    (entry,) = local_entries(file)
    case = Case(Subject(entry.kind, entry.name, str(file.parent), options, str(file)))
    return {name: outcome(name, one, case) for name, one in checks(entry.kind)}


def failed(outcomes: dict[str, Outcome]) -> set[str]:
    return {name for name, one in outcomes.items() if one.state == "fail"}


CLEANER = '''\
import re
import threading
from pydantic import field_validator
from plugins.contracts import Cleaner, Edit

class Mine(Cleaner):
    """Strips."""
    name = "mine"
    often: int = 1
    """How often."""
    def clean(self, text):
        return text.replace("poured", "pours")
'''
FILTER = '''\
import itertools
from typing import Annotated
import polars as pl
from plugins.contracts import Filter, Rule, Threshold

COUNT = itertools.count()

class Mine(Filter):
    """Counts."""
    name = "mine"
    scores = ("mine_chars",)
    least: Annotated[int, Threshold()] = 3
    """The fewest."""
    def score(self, texts):
        return pl.DataFrame({"mine_chars": texts.str.len_chars()})
    def rules(self):
        return [Rule("short", pl.col("mine_chars") < self.least, "mine_chars", f"< {self.least}")]
'''
SCRAPER = '''\
import json, random
from typing import Annotated
from plugins.contracts import Locates, Extracted, Page, Part, Scraper

class Mine(Scraper):
    """Reads."""
    name = "mine"
    path: Annotated[str, Locates()] = "pages/*.html"
    """Which."""
    def fetch(self, place, part):
        for file in sorted(place.base.glob(self.path)):
            yield Page(file.name, content=file.read_bytes(), content_type="text/html")
    def parse(self, html):
        return Extracted(html)
'''
CLEAN = 'return text.replace("poured", "pours")'
SCORE = 'return pl.DataFrame({"mine_chars": texts.str.len_chars()})'
RULE = 'Rule("short", pl.col("mine_chars") < self.least, "mine_chars", f"< {self.least}")'
PAGE = 'yield Page(file.name, content=file.read_bytes(), content_type="text/html")'
BREAKS = [
    # what all kinds owe
    (CLEANER, '    """How often."""\n', "", "documented"),
    (CLEANER, '    """Strips."""\n', "", "documented"),
    (CLEANER, "often: int = 1", "often: int", "defaults make an instance"),
    (
        CLEANER,
        "often: int = 1",
        'requires = ("no-such-library",)\n    often: int = 1',
        "requires and kernels",
    ),
    (CLEANER, "often: int = 1", 'kernels = ("no.such.module",)\n    often: int = 1', "requires and kernels"),
    (
        CLEANER,
        CLEAN,
        "from plugins.kernels import words; return text if words else text",
        "requires and kernels",
    ),
    (CLEANER, "often: int = 1", "model_config = {'frozen': False}\n    often: int = 1", "frozen"),
    (
        CLEANER,
        "    def clean(",
        "    @field_validator('often')\n    def _twice(cls, often):\n        return often * 2\n    def clean(",
        "survives JSON and pickle",
    ),
    # cleaners
    (CLEANER, CLEAN, "return None", "a text or edits that fit"),
    (CLEANER, CLEAN, "return text[1:] if text[0] == ' ' else text", "a text or edits that fit"),
    (CLEANER, CLEAN, "return [Edit(0, len(text) + 1, '')]", "a text or edits that fit"),
    (
        CLEANER,
        CLEAN,
        "return [Edit(m.start(), m.end(), '') for m in re.finditer('a', text)][::-1]",
        "a text or edits that fit",
    ),
    (CLEANER, CLEAN, "return text.replace('poured', '\\ud800')", "a text or edits that fit"),
    (CLEANER, CLEAN, "return text.replace('\\n\\n', '\\n')", "idempotent"),
    (CLEANER, CLEAN, "return re.sub(r'\\[\\d*d\\d+(?:[+-]\\d+)?: \\d+\\]', '', text)", "idempotent"),
    (
        CLEANER,
        CLEAN,
        "import random; return f'{random.random()}' if 'poured' in text else text",
        "deterministic",
    ),
    (
        CLEANER,
        CLEAN,
        CLEAN + "\n    def clean_column(self, texts):\n        return sorted(texts)",
        "a column is its texts",
    ),
    # filters
    (FILTER, '("mine_chars",)', '("n_chars",)', "scores are named"),
    (FILTER, '("mine_chars",)', '("doc_id",)', "scores are named"),
    (FILTER, '("mine_chars",)', "()", "scores are named"),
    (FILTER, SCORE, SCORE.replace("texts.str", "texts.drop_nulls().str"), "a score for every text"),
    (FILTER, SCORE, SCORE.replace("mine_chars", "chars"), "a score for every text"),
    (FILTER, SCORE, 'return pl.DataFrame({"mine_chars": [len(t) for t in texts]})', "a score for every text"),
    (FILTER, SCORE, 'return pl.DataFrame({"mine_chars": [None] * len(texts)})', "a score for every text"),
    (FILTER, SCORE, SCORE.replace("len_chars()", "len_chars().rank()"), "independent of batching"),
    (FILTER, SCORE, SCORE.replace("len_chars()", "len_chars() + next(COUNT)"), "independent of batching"),
    (FILTER, RULE, RULE.replace('"mine_chars", f', '"chars", f'), "rules decide by scores"),
    (
        FILTER,
        RULE,
        RULE.replace('pl.col("mine_chars")', 'pl.col("text").str.len_chars()'),
        "rules decide by scores",
    ),
    (FILTER, RULE, RULE.replace(" < self.least", ""), "rules decide by scores"),
    (FILTER, RULE, RULE.replace('"short"', '"too short"'), "rules decide by scores"),
    (FILTER, RULE, f"{RULE}, {RULE}", "rules decide by scores"),
    (FILTER, SCORE, SCORE.replace("len_chars()", "len_chars() + self.least"), "thresholds only decide"),
    (FILTER, "scores = (", 'reads = ("url",)\n    scores = (', "a score for every text"),
    (FILTER, "scores = (", 'reads = ("text_of",)\n    scores = (', "a score for every text"),
    # scrapers
    (SCRAPER, PAGE, PAGE.replace("file.name", '"page"'), "pages are named and whole"),
    (SCRAPER, PAGE, PAGE.replace("file.name", "str(file)"), "pages are named and whole"),
    (SCRAPER, PAGE, PAGE.replace("content=file.read_bytes(), ", ""), "pages are named and whole"),
    (SCRAPER, PAGE, 'yield Page(file.name, error="not found")', "pages are named and whole"),
    (SCRAPER, PAGE, PAGE.replace("file.name", 'f"{file.name}{random.random()}"'), "deterministic"),
    (SCRAPER, PAGE, f"file.read_bytes().decode('ascii').index('</html>'); {PAGE}", "bad pages are fates"),
    (
        SCRAPER,
        "return Extracted(html)",
        "return Extracted(html[html.index('<p>'):])",
        "parse answers for any page",
    ),
    (SCRAPER, "return Extracted(html)", "return Extracted(None)", "parse answers for any page"),
    (SCRAPER, "return Extracted(html)", "return html", "parse answers for any page"),
]


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder with two saved pages."""
    (tmp_path / "pages").mkdir()
    for n in (1, 2):
        (tmp_path / "pages" / f"{n}.html").write_text(f"<html><body><p>Page {n}.</p></body></html>")
    return tmp_path


@pytest.mark.parametrize("source", [CLEANER, FILTER, SCRAPER], ids=["cleaner", "filter", "scraper"])
def test_what_keeps_the_contract_passes_every_check(source: str, pages: Path) -> None:
    (pages / "mine.py").write_text(source)
    assert {one.state for one in held(pages / "mine.py").values()} <= {"pass"}


@pytest.mark.parametrize(
    ("source", "old", "put", "name"),
    BREAKS,
    ids=[f"{n}-{broken[3].split()[-1]}" for n, broken in enumerate(BREAKS)],
)
def test_what_breaks_the_contract_fails_the_check_and_is_told_what_to_change(
    source: str, old: str, put: str, name: str, pages: Path
) -> None:
    assert old in source
    (pages / "mine.py").write_text(source.replace(old, put))
    found = held(pages / "mine.py")
    assert name in failed(found), found
    assert found[name].seen
    assert len(found[name].change) > 15


def test_a_plugin_of_a_package_must_name_what_its_file_imports(tmp_path: Path) -> None:
    project = new_plugin("cleaner", "night-market", tmp_path / "made")
    package = project / "gristmill_night_market"
    (package / "words.py").write_text("PHRASES = ()\n")
    plugin = package / "__init__.py"
    before = plugin.read_text(encoding="utf-8")
    use = before.replace("edits, start = [], 0", "edits, start = list(PHRASES), 0")
    for line, missing in (
        (
            "from gristmill_night_market.words import PHRASES",
            'add "gristmill_night_market.words" to `kernels`',
        ),
        ("from .words import PHRASES", 'add "gristmill_night_market.words" to `kernels`'),
        ("from ftfy import fix_text as PHRASES", 'add "ftfy" to `requires`'),
    ):
        plugin.write_text(
            use.replace("import Cleaner, Edit\n", f"import Cleaner, Edit\n{line}\n"), encoding="utf-8"
        )
        outcomes = {one.check: one for one in check(*subjects(str(project)))}
        assert missing in outcomes["requires and kernels"].change


def test_an_entry_point_must_be_called_as_its_class(tmp_path: Path) -> None:
    project = new_plugin("cleaner", "night-market", tmp_path / "made")
    table = project / "pyproject.toml"
    table.write_text(
        table.read_text(encoding="utf-8").replace("night-market = ", "day-market = "), encoding="utf-8"
    )
    outcomes = check(*subjects(str(project)))
    assert failed({one.check: one for one in outcomes}) == {"named as its entry point"}


def test_a_text_below_the_projects_sample_is_tried_too(tmp_path: Path) -> None:
    project = new_plugin("cleaner", "night-market", tmp_path / "made")
    plugin = project / "gristmill_night_market" / "__init__.py"
    once = plugin.read_text(encoding="utf-8").replace(
        "edits, start = [], 0", "edits, start = [][: 1 // ('ferry' not in text)], 0"
    )
    plugin.write_text(once, encoding="utf-8")
    outcomes = {one.check: one for one in check(*subjects(str(project)))}
    assert "ZeroDivisionError on 'The ferry" in outcomes["a text or edits that fit"].seen


# ------------------------------------------------------------------------------------------------ its processes


def in_children(file: Path, source: str, seconds: float = 30) -> dict[str, Outcome]:
    file.write_text(source)
    return {
        one.check: one
        for one in check(Subject("cleaner", "mine", str(file.parent), file=str(file)), seconds=seconds)
    }


def test_another_hash_seed_must_give_the_same(tmp_path: Path) -> None:
    odd = "return text + ''.join({'a', 'b', 'c', 'd', 'e', 'f'}) if text == '0' else text"
    found = in_children(tmp_path / "mine.py", CLEANER.replace(CLEAN, odd))
    assert found["deterministic"].state == "pass"
    assert found["same in a fresh process"].state == "fail"
    assert "order of a set" in found["same in a fresh process"].change


def test_a_plugin_that_ends_its_process_fails_there_and_what_it_prints_does_no_harm(tmp_path: Path) -> None:
    odd = 'print("{}"); import os; os._exit(7) if text == "0" else None; return text'
    found = in_children(tmp_path / "mine.py", CLEANER.replace(CLEAN, odd))
    assert found["survives JSON and pickle"].state == "pass"
    assert found["a text or edits that fit"].state == "fail"
    assert "exit code 7" in found["a text or edits that fit"].seen


def test_a_plugin_that_hangs_fails_there(tmp_path: Path) -> None:
    odd = 'threading.Event().wait() if text == "0" else None; return text'
    found = in_children(tmp_path / "mine.py", CLEANER.replace(CLEAN, odd), seconds=3)
    assert found["a text or edits that fit"].seen == "no end after 3 s"


def test_an_import_may_not_reach_for_the_network_and_a_cleaner_does_not_get_it(tmp_path: Path) -> None:
    reach = "import socket\ntry:\n    socket.socket().connect(('192.0.2.1', 9))\nexcept OSError:\n    pass\n"
    found = in_children(tmp_path / "mine.py", reach + CLEANER)
    assert failed(found) == {"imports, without network"}
    assert "socket.connect 192.0.2.1" in found["imports, without network"].seen
    ask = "import socket; socket.getaddrinfo('gristmill.invalid', 80); return text"
    found = in_children(tmp_path / "mine.py", CLEANER.replace(CLEAN, ask))
    assert "allows no network" in found["a text or edits that fit"].seen
