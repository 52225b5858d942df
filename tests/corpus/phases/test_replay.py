"""Every document of a version gives back the text that was extracted, exactly, and that text every step again."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from phase_runs import FILES, Bench

from corpus.engine.parquet import read_table
from corpus.engine.tasks import beside
from corpus.phases.clean import clean
from corpus.phases.cleaning import run_cleaner
from corpus.phases.extract import extract
from corpus.phases.fold import LIGHT, fold
from corpus.phases.gather import gather
from corpus.phases.replay import Said, replay, restore
from plugins.contracts import Cleaner, Edit, Turn

REPO = Path(__file__).resolve().parents[3]

ASIDES = '''
import re
from plugins.contracts import Cleaner, Edit, Turn

class Asides(Cleaner):
    """Out-of-character asides go; a post that is nothing else is not trained; speakers get other names."""

    name = "asides"

    def clean(self, text):
        return [Edit(m.start(), m.end(), "") for m in re.finditer(r"\\\\(\\\\([^()]*\\\\)\\\\)|\\\\bthe\\\\b", text)]

    def clean_messages(self, messages):
        names = {m["name"]: f"Speaker {n}" for n, m in enumerate(messages)}
        return [Turn(self.clean(m["content"]), names[m["name"]], False if len(m["content"]) < 200 else None) for m in messages]
'''.replace("\\\\", "\\")

STEPS = """
[[clean]]
use = "unicode"
[[clean]]
use = "asides"
[[clean]]
use = "boilerplate"
min_pages = 3
[[clean]]
use = "whitespace"
[[clean]]
use = "c4-lines"
"""


def drafts(bench: Bench) -> tuple[dict[str, Said], dict[str, list[dict[str, Any]]]]:
    """What each document says after cleaning, and its edits."""
    engine, resolved = bench.engine(), bench.resolved()
    pages = gather(resolved, engine).pages
    files = clean(pages, extract(pages, resolved, engine), resolved, engine).files
    said: dict[str, Said] = {}
    edits: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        for row in read_table(file, ["doc_id", "text", "messages"]).to_pylist():
            said[row["doc_id"]] = Said(row["text"], row["messages"])
        for row in read_table(beside(file, "edits")).to_pylist():
            edits.setdefault(row["doc_id"], []).append(row)
    return said, edits


def hold(folder: Path, source: str) -> set[str]:
    """Every document of the source goes back and forth; gives the steps that changed any."""
    after, edits = drafts(Bench(folder, source + STEPS, ASIDES))
    before, none = drafts(Bench(folder, "clean = []\n" + source, ASIDES))
    assert not none
    assert before.keys() == after.keys()
    for doc_id, said in after.items():
        rows = edits.get(doc_id, [])
        assert restore(said, rows) == before[doc_id]
        assert replay(before[doc_id], rows) == said
    return {row["step"] for rows in edits.values() for row in rows}


def test_every_document_of_the_demo_goes_back_to_what_was_extracted(tmp_path: Path) -> None:
    source = f'[[source]]\nuse = "forum"\npath = "{REPO}/recipes/demo/site/**/*.html"\n'
    assert {"1:asides", "4:c4-lines"} <= hold(tmp_path, source)


@pytest.mark.slow
def test_every_fifth_of_1337_real_pages_goes_back_to_what_was_extracted(
    tmp_path: Path, shared_data: Path
) -> None:
    pages = sorted((shared_data / "extraction/wcxb-dev/html").glob("*.html.gz"))[::5]
    assert len(pages) == 268
    for page in pages:
        (tmp_path / "site").mkdir(exist_ok=True)
        (tmp_path / "site" / page.name.removesuffix(".gz")).write_bytes(gzip.decompress(page.read_bytes()))
    source = FILES + '[extract]\nuse = "resiliparse"\n'
    assert {"0:unicode", "1:asides", "3:whitespace", "4:c4-lines"} <= hold(tmp_path, source)


# ------------------------------------------------------------------------------------------------ any cleaner, any document

TEXT = st.text(st.sampled_from("ab \n\u00e9\U0001f642"), max_size=12)
NAME = st.none() | st.sampled_from(["", "Ann", "Bo"])
FLAG = st.none() | st.booleans()
MESSAGES = st.lists(
    st.fixed_dictionaries({
        "role": st.just("user"),
        "name": NAME,
        "content": st.none() | TEXT,
        "train": FLAG,
    }),
    min_size=1,
    max_size=4,
)


class Whatever(Cleaner):
    """Makes of a text or a turn whatever the test drew."""

    name = "any"
    draws: Any

    def clean(self, text: str) -> str | list[Edit]:
        if self.draws.draw(st.booleans()):
            return self.draws.draw(TEXT)  # type: ignore[no-any-return]
        ends = sorted(self.draws.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=6)))
        return [Edit(a, b, self.draws.draw(TEXT)) for a, b in zip(ends[::2], ends[1::2], strict=False)]


class WhateverTurns(Whatever):
    """As `Whatever`, a dialogue as a whole."""

    def clean_messages(self, messages: Sequence[dict[str, Any]]) -> list[Turn]:
        draw = self.draws.draw
        return [
            Turn(self.clean(m["content"]) if draw(st.booleans()) else None, draw(NAME), draw(FLAG))
            for m in messages
        ]


PAGE = {**dict.fromkeys(LIGHT), "page_id": "0" * 32, "source": "s", "locator": "0"}


@given(
    st.data(), TEXT, st.none() | MESSAGES, st.lists(st.sampled_from([Whatever, WhateverTurns]), max_size=4)
)
def test_whatever_cleaners_do_is_undone_and_done_again(
    data: st.DataObject, text: str, messages: list[dict[str, Any]] | None, kinds: list[type[Whatever]]
) -> None:
    found = {**PAGE, "text": text, "messages": messages, "detail": None}
    draft = fold([PAGE], [found])
    before = replay(Said(draft["text"], draft["messages"]), [])
    rows = []
    for n, kind in enumerate(kinds):
        rows += run_cleaner(f"{n}:any", kind.model_construct(draws=data), [draft])
    assert draft["stage"] is None
    after = replay(before, rows)
    assert after.messages == draft["messages"]
    assert messages or after.text == draft["text"]
    assert restore(after, rows) == before


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"before": "roads"}, "expects 'roads'; 'inn' stands there"),
        ({"turn": 3, "field": "name"}, "names turn 3, which the document does not have"),
        ({"start": 40, "end": 43}, "'' stands there"),
    ],
)
def test_a_row_that_does_not_fit_is_an_error_and_never_a_wrong_text(
    change: dict[str, Any], complaint: str
) -> None:
    row = {"step": "0:x", "turn": None, "field": None, "start": 4, "end": 7, "before": "inn", "after": "mill"}
    said = Said("The inn leans.")
    assert restore(replay(said, [row]), [row]) == said
    with pytest.raises(ValueError, match=complaint):
        replay(said, [{**row, **change}])


def test_rows_pass_through_json_as_sql_hands_them_out() -> None:
    row = {
        "step": "0:x",
        "turn": 0,
        "field": "train",
        "start": 0,
        "end": 4,
        "before": "true",
        "after": "false",
    }
    said = Said("Hm.", [{"role": "user", "name": None, "content": "Hm.", "train": True}])
    (known,) = replay(said, json.loads(json.dumps([row]))).messages or []
    assert known["train"] is False
