"""The ledger gives every page and every document one fate, whatever happened, and refuses books that do not balance."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from corpus.phases.fates import Outcomes, ledger, losses
from schemas.errors import LedgerError
from schemas.tables import FATES

TEXT = pl.String


def frame(rows: list[dict[str, Any]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: pl.Float64 if name == "similarity" else TEXT for name in columns})


def outcomes(**given_: list[dict[str, Any]]) -> Outcomes:
    """Rows of each frame; what a row leaves out is null."""
    columns = {
        "pages": ("page_id", "source", "url", "error", "detail"),
        "extractions": ("page_id", "error", "detail"),
        "merged": ("page_id", "doc_id"),
        "drafts": ("doc_id", "page_id", "source", "url", "stage", "reason", "detail"),
        "verdicts": ("doc_id", "reason", "detail"),
        "duplicates": ("doc_id", "survivor_id", "similarity", "method", "against"),
        "mixed": ("doc_id", "reason", "detail"),
        "purged": ("doc_id", "reason", "detail"),
        "refusals": ("doc_id", "stage", "reason", "detail"),
    }
    return Outcomes(**{name: frame(given_.get(name, []), *names) for name, names in columns.items()})


def page(name: str, **fields: Any) -> dict[str, Any]:
    return {"page_id": name, "source": "s", **fields}


def document(name: str, **fields: Any) -> dict[str, Any]:
    return {"doc_id": f"d-{name}", "page_id": name, "source": "s", **fields}


def told(outcome: Outcomes) -> dict[str, tuple[Any, ...]]:
    """(doc_id, stage, reason, detail, survivor_id) by page."""
    columns = ("page_id", "doc_id", "stage", "reason", "detail", "survivor_id")
    return {row[0]: row[1:] for row in ledger(outcome).select(columns).iter_rows()}


def test_every_way_to_end_is_told() -> None:
    whole = outcomes(
        pages=[
            page("gone", error="unreadable", detail="Permission denied"),
            *map(page, ["blank", "second", "first", "bad", "copy", "near", "odd", "good"]),
        ],
        extractions=[{"page_id": "blank", "error": "empty", "detail": "0 bytes"}, {"page_id": "first"}],
        merged=[{"page_id": "second", "doc_id": "d-first"}],
        drafts=[
            document("first", stage="clean", reason="odd", detail="boom"),
            *map(document, ["bad", "copy", "near", "odd", "good"]),
        ],
        verdicts=[
            {"doc_id": "d-bad", "reason": "length:min_words", "detail": "n_words 1 < 2"},
            {"doc_id": "d-good"},
        ],
        duplicates=[{"doc_id": "d-copy", "survivor_id": "d-near", "similarity": 0.87654, "method": "fuzzy"}],
        purged=[{"doc_id": "d-near", "reason": "overlap", "detail": "near d-good of train"}],
        refusals=[{"doc_id": "d-odd", "stage": "tokenize", "reason": "empty"}],
    )
    assert told(whole) == {
        "gone": (None, "gather", "unreadable", "Permission denied", None),
        "blank": (None, "extract", "empty", "0 bytes", None),
        "second": (None, "merged", None, None, "d-first"),
        "first": ("d-first", "clean", "odd", "boom", None),
        "bad": ("d-bad", "filter", "length:min_words", "n_words 1 < 2", None),
        "copy": ("d-copy", "dedup", "fuzzy", "similarity 0.8765", "d-near"),
        "near": ("d-near", "split", "overlap", "near d-good of train", None),
        "odd": ("d-odd", "tokenize", "empty", None, None),
        "good": ("d-good", "kept", None, None, None),
    }
    assert ledger(whole)["page_id"].to_list() == whole.pages["page_id"].to_list()
    assert ledger(whole).columns == FATES.names


def test_what_a_page_says_of_its_text_stands_beside_the_fate_of_a_document_that_is_kept() -> None:
    note = "forum found nothing; text by trafilatura"
    fates = told(
        outcomes(
            pages=[page("a"), page("b")],
            extractions=[page("a"), page("b")],
            drafts=[document("a", detail=note), document("b", detail=note)],
            verdicts=[{"doc_id": "d-b", "reason": "length:min_words", "detail": "3 < 60"}],
        )
    )
    assert fates["a"] == ("d-a", "kept", None, note, None)
    assert fates["b"] == ("d-b", "filter", "length:min_words", "3 < 60", None)


def test_a_survivor_of_which_the_tokenizer_makes_nothing_is_no_fault() -> None:
    whole = outcomes(
        pages=[page("a"), page("b"), page("c")],
        drafts=[document("a"), document("b"), document("c")],
        duplicates=[{"doc_id": "d-b", "survivor_id": "d-a", "similarity": 1.0, "method": "exact"}],
        refusals=[{"doc_id": "d-a", "stage": "tokenize", "reason": "empty"}],
    )
    assert [fate[1] for fate in told(whole).values()] == ["tokenize", "dedup", "kept"]


def test_the_first_phase_that_refused_gives_the_reason() -> None:
    everywhere = outcomes(
        pages=[page("a")],
        drafts=[document("a", stage="format", reason="refused")],
        verdicts=[{"doc_id": "d-a", "reason": "length:min_words"}],
        purged=[{"doc_id": "d-a", "reason": "overlap"}],
    )
    assert told(everywhere)["a"][:3] == ("d-a", "format", "refused")


FINE: dict[str, Any] = {"pages": [page("a"), page("b")], "drafts": [document("a"), document("b")]}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"drafts": [document("a")]}, "1 pages have no fate, b among them"),
        (
            {"drafts": [*FINE["drafts"], document("c")]},
            "1 fates name a page that was not gathered, c among them",
        ),
        ({"drafts": [*FINE["drafts"], document("b")]}, "3 documents have 3 fates for 2 of them"),
        (
            {"verdicts": [{"doc_id": "d-a", "reason": "x:y"}, {"doc_id": "d-a", "reason": "x:z"}]},
            "2 documents have 3 fates for 2 of them",
        ),
        (
            {
                "pages": [page("a"), page("b"), page("c", error="x")],
                "extractions": [{"page_id": "c", "error": "empty"}],
            },
            "a page that yielded no document has two fates",
        ),
        (
            {"extractions": [{"page_id": "a", "error": "empty"}]},
            "1 pages are told to have yielded a document and none, a",
        ),
        (
            {"pages": [*FINE["pages"], page("c")], "merged": [{"page_id": "c", "doc_id": "d-gone"}]},
            "1 documents that pages were merged into are not there, d-gone among them",
        ),
        ({"drafts": [document("a", stage="lost"), document("b")]}, "stages ['lost'] are not known"),
        (
            {
                "duplicates": [{"doc_id": "d-a", "survivor_id": "d-b", "similarity": 1.0, "method": "exact"}],
                "verdicts": [{"doc_id": "d-b", "reason": "length:min_words"}],
            },
            "1 duplicates name a survivor that was not kept",
        ),
        (
            {"duplicates": [{"doc_id": "d-a", "survivor_id": None, "similarity": 1.0, "method": "exact"}]},
            "1 duplicates name a survivor that was not kept",
        ),
    ],
)
def test_books_that_do_not_balance_are_not_published(broken: dict[str, Any], words: str) -> None:
    ledger(outcomes(**FINE))
    with pytest.raises(LedgerError) as caught:
        ledger(outcomes(**{**FINE, **broken}))
    assert words in str(caught.value)
    assert "nothing is published" in str(caught.value)


# ------------------------------------------------------------------------------------------------ as a property

ENDS = (
    "gather",
    "extract",
    "merged",
    "clean",
    "format",
    "filter",
    "dedup",
    "mix",
    "split",
    "tokenize",
    "kept",
)


def random_outcomes(ends: list[str]) -> Outcomes:
    """Books that balance, in which page n ends as `ends` says."""
    names = [f"{n:03d}" for n in range(len(ends))]
    ending = dict(zip(names, ends, strict=True))
    mine = {end: [name for name in names if ending[name] == end] for end in ENDS}
    documents = [name for name in names if ending[name] not in ENDS[:3]]
    survivors = mine["kept"] or mine["mix"] or mine["split"] or mine["tokenize"]
    return outcomes(
        pages=[page(name, error="lost" if ending[name] == "gather" else None) for name in names],
        extractions=[
            {"page_id": name, "error": "empty" if ending[name] == "extract" else None}
            for name in names
            if ending[name] != "gather"
        ],
        merged=[{"page_id": name, "doc_id": f"d-{documents[0]}"} for name in mine["merged"]],
        drafts=[
            document(
                name,
                **({"stage": ending[name], "reason": "r"} if ending[name] in {"clean", "format"} else {}),
            )
            for name in documents
        ],
        verdicts=[
            {"doc_id": f"d-{name}", "reason": "f:r" if ending[name] == "filter" else None}
            for name in documents
            if ending[name] not in {"clean", "format"}
        ],
        duplicates=[
            {"doc_id": f"d-{name}", "survivor_id": f"d-{survivors[0]}", "similarity": 1.0, "method": "exact"}
            for name in mine["dedup"]
        ],
        mixed=[{"doc_id": f"d-{name}", "reason": "weight"} for name in mine["mix"]],
        purged=[{"doc_id": f"d-{name}", "reason": "overlap"} for name in mine["split"]],
        refusals=[
            {"doc_id": f"d-{name}", "stage": "tokenize", "reason": "empty"} for name in mine["tokenize"]
        ],
    )


def possible(ends: list[str]) -> list[str]:
    """Pages can be merged only into a document, and be dropped only for a survivor."""
    if not set(ends) & {"kept", "mix", "split", "tokenize"}:
        ends = ["kept" if end == "dedup" else end for end in ends]
    if not set(ends) - set(ENDS[:3]):
        ends = ["extract" if end == "merged" else end for end in ends]
    return ends


@given(st.lists(st.sampled_from(ENDS), max_size=40).map(possible), st.randoms(use_true_random=False))
def test_every_page_has_one_fate_in_the_order_of_the_pages_whatever_happened(
    ends: list[str], draw: Any
) -> None:
    whole = random_outcomes(ends)
    fates = ledger(whole)
    assert fates["page_id"].to_list() == whole.pages["page_id"].to_list()
    assert fates["stage"].to_list() == ends
    assert fates["doc_id"].null_count() == sum(end in ENDS[:3] for end in ends)
    shuffled = {
        name: getattr(whole, name).sample(fraction=1, shuffle=True, seed=draw.randint(0, 99))
        for name in (
            "extractions",
            "merged",
            "verdicts",
            "duplicates",
            "mixed",
            "purged",
            "refusals",
            "drafts",
        )
    }
    assert ledger(replace(whole, **shuffled)).equals(fates)


@given(st.lists(st.sampled_from(ENDS), min_size=1, max_size=20).map(possible), st.data())
def test_a_page_or_document_that_vanishes_is_always_noticed(ends: list[str], data: st.DataObject) -> None:
    whole = random_outcomes(ends)
    lost = data.draw(st.sampled_from(whole.pages["page_id"].to_list()))
    without = {
        name: getattr(whole, name).filter(pl.col("page_id") != lost)
        for name in ("extractions", "merged", "drafts")
    }
    pages = whole.pages.with_columns(error=pl.when(pl.col("page_id") == lost).then(None).otherwise("error"))
    with pytest.raises(LedgerError):
        ledger(replace(whole, pages=pages, **without))


def test_losses_name_the_commonest_first() -> None:
    rows = (
        [("filter", "a:b")] * 3
        + [("extract", "empty")] * 5
        + [("clean", "x"), ("gather", "y"), ("kept", None)]
    )
    assert (
        losses(pl.DataFrame(rows, schema=["stage", "reason"], orient="row"))
        == "extract empty (5), filter a:b (3), clean x (1)"
    )
