"""Sentences fire on planted monotony, name what is off, and are silent on ordinary corpora."""

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from corpus.diversity.balance import balances
from corpus.diversity.records import By, Row
from corpus.diversity.remarks import remarks
from corpus.diversity.sample import LONGEST
from corpus.diversity.text import text_measures
from plugins.entries import entries

Texts = list[str]


def row(texts: Texts, by: By = "source", name: str = "s", near: float = 0.0, **named: list[Any]) -> Row:
    """The row of documents with these texts; `named` are their site, author and group_id."""
    frame = pl.DataFrame(
        {
            "source": named.get("source", ["s"] * len(texts)),
            "site": named.get("site", [None] * len(texts)),
            "author": named.get("author", [None] * len(texts)),
            "group_id": named.get("group_id", [str(n) for n in range(len(texts))]),
            "n_chars": [len(text) for text in texts],
        },
        schema_overrides={"site": pl.String, "author": pl.String},
    )
    order = random.Random(3).sample(range(len(texts)), len(texts))
    column = pa.chunked_array([pa.array([text[:LONGEST] for text in texts], pa.large_string())])
    measured = text_measures(column, order)
    return Row(by, name, len(texts), sum(map(len, texts)), measured, balances(frame), near, None)


def said(*rows: Row, group: str = "auto") -> str:
    return "\n".join(remarks(rows, group))


# ------------------------------------------------------------------------------------------------ ordinary corpora


def pages(kind: str) -> Callable[[Path], Texts]:
    def read(data: Path) -> Texts:
        found = []
        for path in sorted((data / "extraction/wcxb-dev/ground-truth").glob("*.json")):
            page = json.loads(path.read_text(encoding="utf-8"))
            if page["_internal"]["page_type"]["primary"] == kind:
                found.append(page["ground_truth"]["main_content"])
        return found

    return read


def novels(data: Path) -> Texts:
    found: Texts = []
    for path in sorted((data / "books").rglob("*[0-9]-0.txt")):
        paragraphs = path.read_text(encoding="utf-8", errors="replace").split("\n\n")
        found += ["\n\n".join(paragraphs[n : n + 60]) for n in range(0, len(paragraphs), 60)]
    return found


def role_play(data: Path) -> Texts:
    found: Texts = []
    for path in sorted((data / "dialogue/crd3-sample").rglob("*.json")):
        lines = list(utterances(json.loads(path.read_text(encoding="utf-8"))))
        found += ["\n".join(lines[n : n + 60]) for n in range(0, len(lines), 60)]
    return found


def utterances(value: Any) -> Iterator[str]:
    """What is said, turn for turn, wherever it lies in an episode."""
    if isinstance(value, dict) and "UTTERANCES" in value:
        yield " ".join([*value.get("NAMES", []), *value["UTTERANCES"]])
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from utterances(inner)


def logs(data: Path) -> Texts:
    found: Texts = []
    for path in sorted((data / "dialogue/irc-dev").rglob("*.raw.txt")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += ["\n".join(lines[n : n + 100]) for n in range(0, len(lines), 100)]
    return found


def code(data: Path) -> Texts:
    with gzip.open(data / "code/human-eval/data/HumanEval.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [(task := json.loads(line))["prompt"] + task["canonical_solution"] for line in lines]


ORDINARY = {
    **{
        f"pages: {kind}": pages(kind)
        for kind in ("article", "forum", "listing", "service", "product", "documentation", "collection")
    },
    "novels": novels,
    "role-play": role_play,
    "chat logs": logs,
    "code": code,
}


@pytest.mark.parametrize("read", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_text_is_not_remarked_upon(shared_data: Path, read: Callable[[Path], Texts]) -> None:
    texts = [text for text in read(shared_data) if text.strip()]
    assert len(texts) >= 60
    assert said(row(texts)) == ""


# ------------------------------------------------------------------------------------------------ planted monotony


@pytest.fixture(scope="module")
def articles(shared_data: Path) -> Texts:
    return pages("article")(shared_data)[:200]


def test_a_text_that_every_page_carries_is_told(articles: Texts) -> None:
    template = (
        "Click here to subscribe to our newsletter and get the best deals of the week in your inbox. " * 2
    )
    told = said(row([template + text[:400] for text in articles], name="shop"))
    assert re.search(r"source `shop` repeats itself: one 4-gram in [234] stands in another document", told)
    assert "boilerplate" in told


def test_the_same_sentences_in_another_order_are_told(articles: Texts) -> None:
    sentences = re.split(r"(?<=[.!?])\s+", articles[0] + articles[1])
    draw = random.Random(1)
    told = said(row([" ".join(draw.choices(sentences, k=40)) for _ in range(60)]))
    assert "says the same over and over" in told
    assert "repeats itself" in told
    assert "is about few things" in told


def test_what_a_sentence_says_to_use_is_there(articles: Texts) -> None:
    told = said(row([articles[0]] * 60))
    named = set(re.findall(r'\[\[(\w+)\]\] use = "([\w-]+)"', told))
    assert named == {("filter", "gopher-repetition"), ("clean", "boilerplate")}
    assert "gopher-repetition" in entries("filter")
    assert "boilerplate" in entries("cleaner")


def test_five_chapters_over_and_over_are_told(shared_data: Path) -> None:
    chapters = novels(shared_data)[:5]
    told = said(row([chapters[n % 5] for n in range(60)], near=1.0))
    assert "is about few things" in told
    assert "near-duplicates left: 100%" in told


# ------------------------------------------------------------------------------------------------ balance


def texts(count: int) -> Texts:
    return [" ".join(f"d{n}x{k}" for k in range(100)) for n in range(count)]


def test_few_threads_that_hold_much_are_told_with_a_cap_that_reaches_them() -> None:
    threads = [f"t{min(n // 30, 3 + n // 3)}" if n < 90 else f"t{n}" for n in range(150)]
    told = said(row(texts(150), group_id=threads))
    assert re.search(r"3 of 63 hold 5\d% of its text\. Try \[mix\] cap = \{ thread = 8 \}", told)


def test_long_documents_that_no_cap_can_reach_are_not_blamed_on_threads() -> None:
    assert said(row(texts(40))) == ""


def test_threads_are_called_what_the_recipe_splits_by() -> None:
    threads = [f"t{n // 30}" if n < 90 else f"t{n}" for n in range(150)]
    assert "few sites" in said(row(texts(150), group_id=threads), group="site")
    assert "few groups" in said(row(texts(150), group_id=threads), group="lang")


def test_one_site_and_one_author_that_hold_half_are_told() -> None:
    sites = ["big.org"] * 60 + [f"s{n}.org" for n in range(40)]
    told = said(row(texts(100), site=sites, author=sites))
    assert "big.org holds 59%" in told
    assert "cap = { site = 8 }" in told
    assert "cap = { author = 8 }" in told
    assert said(row(texts(100), site=["only.org"] * 100)) == ""


def test_a_source_that_drowns_the_others_is_told_of_the_whole_only() -> None:
    sources = ["web"] * 99 + ["forum"]
    whole = row(texts(100), by="all", name="all", source=sources)
    told = said(whole, row(texts(100), by="split", name="train", source=sources))
    assert told.startswith("the corpus is one source: `web` holds 99")
    assert told.count("\n") == 0


def test_a_rule_speaks_of_sources_before_the_whole_and_of_splits_last() -> None:
    rows = [
        row(texts(30), by, name, near=0.5)
        for by, name in (("all", "all"), ("source", "web"), ("split", "val"))
    ]
    assert said(*rows).startswith("source `web` has near-duplicates left")
    assert said(rows[0], rows[2]).startswith("the corpus has")
    assert said(rows[2]).startswith("split `val` has")
