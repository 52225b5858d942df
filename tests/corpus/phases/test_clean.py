"""clean folds pages, runs the cleaners, and never lets one of them corrupt a text: what it gets wrong is that document's fate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from phase_runs import FILES, Bench, plugin

from corpus.engine.parquet import write_table
from corpus.phases import edits
from corpus.phases.clean import _finish, clean_documents
from corpus.phases.cleaning import run_cleaner
from corpus.phases.fold import natural
from corpus.phases.gather import page_tables
from plugins.contracts import Cleaner, Edit, Format, Page, Span
from plugins.specs import PluginSpec
from schemas.fingerprint import identify
from schemas.tables import DRAFTS, EDITS, EXTRACTED, MERGED

ODD = """
from plugins.contracts import Cleaner, Edit

class Odd(Cleaner):
    name = "odd"

    def clean(self, text):
        if "raise" in text:
            raise RuntimeError("not\\nthis one")
        if "overlap" in text:
            return [Edit(0, 4, "x"), Edit(2, 6, "y")]
        if "descend" in text:
            return [Edit(4, 6, "x"), Edit(0, 2, "y")]
        if "beyond" in text:
            return [Edit(0, len(text) + 1, "")]
        if "negative" in text:
            return [Edit(-2, 1, "")]
        if "null" in text:
            return None
        if "number" in text:
            return 7
        if "tuples" in text:
            return [(0, 1, "x")]
        if "untexts" in text:
            return [Edit(0, 1, None)]
        if "surrogate" in text:
            return text + "\\ud83d"
        if "edits" in text:
            return [Edit(0, 0, ">"), Edit(1, 1, ""), Edit(2, 3, "")]
        if "erase" in text:
            return ""
        return text.replace("bad", "good")
"""
SHORT = """
from plugins.contracts import Cleaner

class Short(Cleaner):
    name = "short"

    def clean(self, text):
        return text + "!"

    def clean_column(self, texts):
        return ["wrong"] * (len(texts) - 1)
"""
Rows = list[dict[str, Any]]
Said = str | list[dict[str, Any]]


def said(*contents: str) -> Rows:
    return [{"role": "user", "name": None, "content": content, "train": True} for content in contents]


def cleaned(
    folder: Path,
    pages: Sequence[Said],
    cleaners: Sequence[PluginSpec],
    units: Sequence[int] = (),
    form: str = "text",
) -> tuple[Rows, Rows, Rows]:
    """(drafts, edits, merged) of pages that were extracted as these texts or messages."""
    gathered = page_tables("s", [Page(f"{n}", content=b"", group="g", position=n) for n in range(len(pages))])
    found = [
        {
            **dict.fromkeys(EXTRACTED.names),
            "extract_key": str(n),
            "text" if isinstance(page, str) else "messages": page,
        }
        for n, page in enumerate(pages)
    ]
    write_table(pa.concat_tables(gathered), folder / "pages.parquet")
    write_table(pa.Table.from_pylist(found, schema=EXTRACTED), folder / "texts.parquet")
    numbers = list(range(len(pages)))
    made = clean_documents(
        [(str(folder / "pages.parquet"), numbers)],
        [(str(folder / "texts.parquet"), numbers)],
        list(units) or [1] * len(pages),
        [spec.to_json() for spec in cleaners],
        Bench(folder, FILES + f'[tokens]\nformat = "{form}"\n').resolved().format.to_json(),
    )
    assert {name: table.schema for name, table in made.items()} == {
        "": DRAFTS,
        "edits": EDITS,
        "merged": MERGED,
    }
    return made[""].to_pylist(), made["edits"].to_pylist(), made["merged"].to_pylist()


def test_each_thing_a_cleaner_can_get_wrong_is_the_fate_of_that_document_alone(tmp_path: Path) -> None:
    wrong = {
        "raise": "RuntimeError: not this one",
        "overlap": "ValueError: edit [2, 6) does not follow 4 inside a text of 7 characters",
        "descend": "ValueError: edit [0, 2) does not follow 6",
        "beyond": "ValueError: edit [0, 7) does not follow 0",
        "negative": "ValueError: edit [-2, 1) does not follow 0",
        "null": "TypeError: it returned NoneType; a text or a list of Edit was due",
        "number": "TypeError: it returned int",
        "tuples": "TypeError: it returned (0, 1, 'x') among its edits",
        "untexts": "TypeError: it returned Edit(start=0, end=1, after=None) among its edits",
        "surrogate": "UnicodeEncodeError",
    }
    pages = ["a bad start", *wrong, "a bad end"]
    drafts, changes, _ = cleaned(tmp_path, pages, [plugin(tmp_path, ODD, "odd")])
    assert [draft["text"] for draft in drafts] == ["a good start", *wrong, "a good end"]
    assert [draft["stage"] for draft in drafts] == [None, *["clean"] * len(wrong), None]
    assert {draft["reason"] for draft in drafts[1:-1]} == {"odd"}
    for draft, told in zip(drafts[1:-1], wrong.values(), strict=True):
        assert draft["detail"].startswith(told)
    assert [(change["doc_id"], change["start"], change["before"], change["after"]) for change in changes] == [
        (drafts[0]["doc_id"], 2, "ba", "goo"),
        (drafts[-1]["doc_id"], 2, "ba", "goo"),
    ]


def test_a_cleaner_may_return_its_edits_and_those_that_change_nothing_are_left_out(tmp_path: Path) -> None:
    (draft,), changes, _ = cleaned(tmp_path, ["edits"], [plugin(tmp_path, ODD, "odd")])
    assert draft["text"] == ">edts"
    assert [(change["start"], change["end"], change["before"], change["after"]) for change in changes] == [
        (0, 0, "", ">"),
        (2, 3, "i", ""),
    ]


def test_a_column_of_the_wrong_length_is_done_text_by_text(tmp_path: Path) -> None:
    drafts, _, _ = cleaned(tmp_path, ["one", "two"], [plugin(tmp_path, SHORT, "short")])
    assert [draft["text"] for draft in drafts] == ["one!", "two!"]


def test_a_document_that_loses_all_its_text_is_empty(tmp_path: Path) -> None:
    (draft,), _, _ = cleaned(tmp_path, ["erase"], [plugin(tmp_path, ODD, "odd")])
    assert (draft["stage"], draft["reason"], draft["text"]) == ("clean", "empty", "")


def test_cleaners_run_in_order_and_their_edits_say_which_it_was(tmp_path: Path) -> None:
    both = [plugin(tmp_path, SHORT, "short"), plugin(tmp_path, ODD, "odd")]
    (draft,), changes, _ = cleaned(tmp_path, ["bad"], [both[1]])
    assert draft["text"] == "good"
    (tmp_path / "other").mkdir()
    shouting = plugin(tmp_path / "other", SHORT, "short")
    (draft,), changes, _ = cleaned(tmp_path, ["bad"], [both[1], shouting])
    assert draft["text"] == "good!"
    assert [change["step"] for change in changes] == ["0:odd", "1:short"]


def test_a_dialogue_is_cleaned_message_by_message(tmp_path: Path) -> None:
    odd = plugin(tmp_path, ODD, "odd")
    drafts, changes, _ = cleaned(
        tmp_path, [said("a bad word", "fine", "bad"), said("bad", "raise", "bad")], [odd]
    )
    first, second = drafts
    assert [message["content"] for message in first["messages"]] == ["a good word", "fine", "good"]
    assert first["text"] == "a good word\n\nfine\n\ngood"
    assert [(change["turn"], change["start"]) for change in changes] == [(0, 2), (2, 0)]
    assert (second["stage"], second["reason"]) == ("clean", "odd")
    assert [message["content"] for message in second["messages"]] == ["bad", "raise", "bad"], (
        "as it was before the step"
    )


def test_folded_pages_are_one_document_and_the_others_are_merged_into_it(tmp_path: Path) -> None:
    drafts, _, merged = cleaned(tmp_path, ["one", "two", "three"], [], units=[2, 1])
    assert [draft["text"] for draft in drafts] == ["one\n\ntwo", "three"]
    assert [draft["position"] for draft in drafts] == [None, 2]
    assert merged == [{"page_id": identify("s", "1"), "doc_id": drafts[0]["doc_id"]}]
    assert drafts[0]["doc_id"] == identify(identify("s", "0"), "")


def test_a_thread_of_which_one_page_is_no_dialogue_loses_none_of_its_text(tmp_path: Path) -> None:
    drafts, _, _ = cleaned(
        tmp_path, [said("Who goes?", "A friend."), "A page apart.", said("x"), said("y")], [], units=[2, 2]
    )
    assert drafts[0]["text"] == "Who goes?\n\nA friend.\n\nA page apart."
    assert drafts[0]["messages"] is None
    assert [message["content"] for message in drafts[1]["messages"]] == ["x", "y"]


def test_documents_stand_in_locator_order_and_pages_of_a_thread_in_their_own(tmp_path: Path) -> None:
    from corpus.engine.parquet import read_table
    from corpus.engine.tasks import beside
    from corpus.phases.clean import clean

    bench = Bench(tmp_path, '[[source]]\nuse = "files"\npath = "site/*"\ngroup = "(t[0-9])-"\nfold = true\n')
    for name in ("t1-page-10.txt", "t1-page-2.txt", "t1-index.txt", "t0-x.txt", "single.txt", "t1-zz.txt"):
        bench.page(name, name.removesuffix(".txt"))
    gathered = bench.gather()
    files = clean(gathered.pages, bench.extract(gathered), bench.resolved(), bench.engine()).files
    drafts = [row for file in files for row in read_table(file, ["locator", "text"]).to_pylist()]
    assert [draft["locator"] for draft in drafts] == ["single.txt", "t0-x.txt", "t1-index.txt"]
    assert drafts[-1]["text"].split("\n\n") == ["t1-index", "t1-page-2", "t1-page-10", "t1-zz"]
    assert sum(read_table(beside(file, "merged")).num_rows for file in files) == 3


@given(
    st.integers(0, 999), st.integers(0, 999), st.text("ab/-.²١", max_size=4), st.text("ab/-.²١", max_size=4)
)
def test_names_with_numbers_are_ordered_by_value(one: int, other: int, before: str, after: str) -> None:
    first, second = (natural(f"{before}{number}{after}") for number in (one, other))
    assert (first < second, first == second) == (one < other, one == other)


# ------------------------------------------------------------------------------------------------ as a property


class Given(Cleaner):
    """Does with each text what the test says."""

    name = "given"
    answers: dict[str, Any]

    def clean(self, text: str) -> str | list[Edit]:
        answer = self.answers[text]
        if isinstance(answer, Exception):
            raise answer
        return answer


ANSWERS = st.one_of(
    st.text(max_size=8),
    st.lists(st.builds(Edit, st.integers(-1, 9), st.integers(-1, 9), st.text(max_size=3)), max_size=4),
    st.sampled_from([None, 3, RuntimeError("no"), MemoryError(), [None], b"bytes", "\ud800"]),
)


def draft(text: str, turns: int) -> dict[str, Any]:
    messages = said(*[f"{text}{turn}" for turn in range(turns)]) or None
    return {"doc_id": text, "text": text, "messages": messages, "stage": None, "reason": None, "detail": None}


def parts(one: dict[str, Any]) -> list[str]:
    return [message["content"] for message in one["messages"]] if one["messages"] else [one["text"]]


@given(
    st.dictionaries(st.text("xyz", min_size=1, max_size=7), st.integers(0, 3), min_size=1, max_size=4),
    st.data(),
)
def test_whatever_a_cleaner_returns_a_text_is_replayed_from_its_edits_or_left_alone(
    documents: dict[str, int], data: st.DataObject
) -> None:
    drafts = [draft(text, turns) for text, turns in documents.items()]
    before = {one["doc_id"]: parts(one) for one in drafts}
    answers = {part: data.draw(ANSWERS) for texts in before.values() for part in texts}
    changes = run_cleaner("0:given", Given.model_construct(answers=answers), drafts)
    for one in drafts:
        mine = [change for change in changes if change["doc_id"] == one["doc_id"]]
        if one["stage"]:
            assert (one["stage"], one["reason"]) == ("clean", "given")
            assert one["detail"]
            assert not mine
            assert parts(one) == before[one["doc_id"]]
            continue
        for turn, (old, new) in enumerate(zip(before[one["doc_id"]], parts(one), strict=True)):
            of_turn = [change for change in mine if change["turn"] == (turn if one["messages"] else None)]
            assert (
                edits.apply(
                    old, [Edit(change["start"], change["end"], change["after"]) for change in of_turn]
                )
                == new
            )
            assert all(old[change["start"] : change["end"]] == change["before"] for change in of_turn)
            assert isinstance(answers[old], (str, list))
            assert new == (answers[old] if isinstance(answers[old], str) else edits.apply(old, answers[old]))
            assert new.encode() is not None


# ------------------------------------------------------------------------------------------------ the format's word


class Choosy(Format):
    """Refuses, trains nothing, or shows the text."""

    name = "choosy"

    def render(self, text: str | None, messages: list[dict[str, Any]] | None) -> list[Span]:
        if text == "refuse":
            raise ValueError("no dialogue in it")
        return [Span(text or "", trained=text != "context")]


@pytest.mark.parametrize(
    ("text", "stage", "reason", "detail"),
    [
        ("refuse", "format", "refused", "ValueError: no dialogue in it"),
        ("context", "format", "untrained", 'format "choosy" trains no part of it'),
        (" \n ", "clean", "empty", "nothing was left after cleaning"),
        ("fine", None, None, None),
    ],
)
def test_what_the_format_cannot_show_a_model_goes_no_further(
    text: str, stage: str | None, reason: str | None, detail: str | None
) -> None:
    finished = _finish(draft(text, 0), Choosy())
    assert (finished["stage"], finished["reason"], finished["detail"]) == (stage, reason, detail)
    assert finished["n_chars"] == len(text)
