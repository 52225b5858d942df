"""Base against tuned on one split: intervals, sources, and a batch that memory does not hold."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import trainer
from plugins.backends.peft import Peft
from schemas.recipe import Train
from schemas.tables import DOCUMENTS
from trainer.data import read_rows
from trainer.evaluation.measure import measure
from trainer.steps import packing


@pytest.fixture(scope="module")
def trained(make_version, tmp_path_factory):
    root, recipe = make_version(tmp_path_factory.mktemp("trained"), "max_steps = 6\neval_every = 3")
    trainer.train(recipe, root=root, quiet=True)
    return root


@pytest.fixture
def run(trained, tmp_path):
    return trainer.open("tale/1", root=shutil.copytree(trained, tmp_path / "root"))


def write_documents(run, sources):
    """Documents of the test split: their sources in turn."""
    empty = dict.fromkeys(DOCUMENTS.names)
    rows = [
        empty
        | {"doc_id": f"doc-test-{n}", "page_id": "p", "split": "test", "source": sources[n % len(sources)]}
        for n in range(12)
    ]
    folder = run.root / "corpora/tale/v1/documents"
    folder.mkdir()
    table = pa.Table.from_pylist(rows, DOCUMENTS)
    pq.write_table(table, folder / "test-00000.parquet", write_page_checksum=True)


def test_intervals_hold_what_was_measured_and_say_how_few_documents_they_stand_on(run):
    found = run.evaluate()
    values = found.to_json()
    for name in ("base", "tuned"):
        for measured, (low, high) in values[name]["intervals"].items():
            assert low <= values[name][measured] <= high
    low, high = values["change"]["intervals"]["loss"]
    assert low <= values["change"]["loss"] <= high < 0
    assert found.test.groups == 12
    assert "the intervals stand on 12 groups of documents" in "\n".join(found.lines())
    wide, narrow = list(found.test.lines()), list(found.test.lines(60))[:-1]
    assert max(map(len, narrow)) <= 60 < len(wide[1])
    assert sorted(" ".join(narrow).split()) == sorted(
        " ".join([*wide[:4], *["base", "tuned", "change"] * 2]).split()
    )


def test_every_source_has_its_own_numbers_and_they_add_up(run, tiny_model):
    write_documents(run, ["forum", "books", "forum"])
    found = run.evaluate()
    books, forum = found.sources
    assert [(one.name, one.documents) for one in found.sources] == [("books", 4), ("forum", 8)]
    assert books.tuned.tokens + forum.tuned.tokens == found.tuned.tokens
    whole = books.base.loss * books.base.tokens + forum.base.loss * forum.base.tokens
    assert whole / found.base.tokens == pytest.approx(found.base.loss)
    table = read_rows(run.store.version("tale"), "test").table
    own = [row for row in table.to_pylist() if int(row["doc_id"].rpartition("-")[2]) % 3 == 1]
    untouched = Peft().load(tiny_model, Train(), max_length=128).model.unload()
    alone = measure(untouched, own, packing.Collator(0), batch_size=2)
    assert (books.base.tokens, books.base.loss) == (alone.tokens, pytest.approx(alone.loss, abs=1e-5))
    assert [
        line.split(":")[0].strip() for line in found.lines() if ": " in line and "documents, " in line
    ] == [
        "books",
        "forum",
    ]
    rows = pq.read_table(run.path / "test_rows.parquet").to_pylist()
    nats = sum(row["tuned_loss"] * row["tokens"] for row in rows if row["source"] == "books")
    assert nats / books.tuned.tokens == pytest.approx(books.tuned.loss)


def test_without_a_table_of_documents_there_is_one_unknown_source(run):
    assert [one.name for one in run.evaluate().sources] == ["unknown"]


def test_memory_that_ends_halves_the_test_pass_and_changes_no_number(run, monkeypatch):
    whole = run.evaluate()
    pad, told = packing.Collator.__call__, []

    def small(self, rows):
        if len(rows) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return pad(self, rows)

    monkeypatch.setattr(packing.Collator, "__call__", small)
    monkeypatch.setattr("trainer.evaluate.say", lambda line, quiet: told.append(line))
    assert run.evaluate().tuned.loss == pytest.approx(whole.tuned.loss, abs=1e-5)
    assert [line for line in told if "memory" in line] == [
        "memory does not hold 2 rows: measured by 1 from here on, which changes no number"
    ]
