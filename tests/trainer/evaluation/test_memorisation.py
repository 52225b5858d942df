"""Memorisation: a model overfitted on texts gives them back and is caught at it, the same model without its adapter does not."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tiny_model import TEXTS, WORDS

from plugins.backends.peft import Peft
from schemas.errors import Corruption
from schemas.recipe import Train
from schemas.store import Store
from schemas.tables import DOCUMENTS
from trainer.data import MASKED, read_rows
from trainer.evaluation.greedy import Pace, continued
from trainer.evaluation.measure import RowTooLarge
from trainer.evaluation.memorisation import LENGTH, PROMPTS, memorised, passages
from trainer.loading import Readable

LONG = tuple(
    " ".join(np.random.default_rng(seed).choice(WORDS, 36)) for seed in range(3)
)  # some 115 tokens each, in no order that could be guessed


def write_documents(version, split, documents):
    """The rows of `documents` that origins are read from."""
    empty = dict.fromkeys(DOCUMENTS.names)
    rows = [empty | {"page_id": "p", "split": split} | row for row in documents]
    (version.path / "documents").mkdir(exist_ok=True)
    pq.write_table(
        pa.Table.from_pylist(rows, DOCUMENTS),
        version.path / "documents" / f"{split}-00000.parquet",
        write_page_checksum=True,
    )


@pytest.fixture(scope="module")
def version(make_version, tmp_path_factory):
    root, _ = make_version(tmp_path_factory.mktemp("long"), train_texts=(*LONG, *TEXTS[:5]))
    found = Store(root).version("tale")
    write_documents(
        found,
        "train",
        [{"doc_id": f"doc-train-{n}", "source": "forum", "url": f"https://a.test/{n}"} for n in range(8)],
    )
    return found


@pytest.fixture(scope="module")
def overfitted(tiny_model, version):
    """Trained on pieces of the three long rows until it knows them: base and tuned are one model, its adapter off and on."""
    loaded = Peft().load(tiny_model, Train(), max_length=128)
    rows = [row for row in read_rows(version, "train").table["input_ids"].to_pylist() if len(row) >= 100]
    assert len(rows) == 3
    weights = [weight for weight in loaded.model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=1e-2)
    for step in range(
        80
    ):  # what is asked begins anywhere, so pieces of the shortest prompt and its continuation do too
        starts = [(7 * step + 3 * n) % (len(row) - 81) for n, row in enumerate(rows)]
        ids = torch.tensor([row[start : start + 82] for row, start in zip(rows, starts, strict=True)])
        optimizer.zero_grad()
        loaded.model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    return Readable(loaded.tokenizer, "float32", "cpu", loaded.model.eval())


def ask(readable, version, answers=None):
    found, chunks = passages(version, 16)
    return memorised(readable, version, found, chunks, answers or {}, pad=0, ends=[0])


def test_what_was_overfitted_is_extracted_and_a_fresh_model_gives_nothing_back(overfitted, version):
    found = ask(overfitted, version)
    assert found.chunks == 3
    assert [(one.prompt_tokens, one.tried, one.base, one.tuned) for one in found.asked] == [
        (50, 3, 0, 3),
        (32, 3, 0, 3),
    ]
    assert found.asked[0].tuned_matched == LENGTH > 5 > found.asked[0].base_matched
    assert {one.models for one in found.verbatim} == {("tuned",)}
    assert sorted(one.url for one in found.verbatim) == [f"https://a.test/{n}" for n in range(3)]
    assert all(one.text in LONG[int(one.url[-1])] + "<|end|>" for one in found.verbatim)
    assert "base 0 of 3 [0%, 56%], tuned 3 of 3 [44%, 100%]" in "\n".join(found.lines())
    assert found.to_json()["asked"][0]["tuned_interval"] == pytest.approx([0.4385, 1.0], abs=1e-4)
    assert found.verbatim[0].document in "\n".join(found.lines())


def test_the_longest_overlap_of_answers_names_its_document(overfitted, version):
    rows = {row["doc_id"]: row["input_ids"] for row in read_rows(version, "train").table.to_pylist()}
    answers = {"base": [[9, 8, 7, 6, 5]], "tuned": [[9, 8], [5, *rows["doc-train-1"][20:45], 5]]}
    found = ask(overfitted, version, answers)
    assert found.base is None
    assert (found.tuned.document, found.tuned.source, found.tuned.answer) == ("doc-train-1", "forum", 1)
    assert found.tuned.tokens == 25
    assert found.tuned.text in LONG[1]
    assert found.tuned.words == len(found.tuned.text.split())


def test_passages_are_the_same_every_time_and_a_larger_number_adds_to_them(version, monkeypatch):
    few, many = passages(version, 2)[0], passages(version, 16)[0]
    assert few == many[:2]
    monkeypatch.setattr("trainer.evaluation.blocks.ROWS", 1)
    assert passages(version, 2) == (few, 3)
    assert len({one.chunk for one in many}) == 3
    rows = {row["chunk_id"]: row["input_ids"] for row in read_rows(version, "train").table.to_pylist()}
    for one in many:
        window = rows[one.chunk][one.start - PROMPTS[0] : one.start + LENGTH]
        assert (*one.prompt, *one.target) == tuple(window)


def test_only_what_was_trained_is_asked_for(make_version, tmp_path):
    def edit(rows):
        for row in rows["train"]:
            row["labels"][::40] = [MASKED] * len(
                row["labels"][::40]
            )  # no 50 trained tokens in a row are left

    root, _ = make_version(tmp_path, train_texts=LONG, edit=edit)
    assert passages(Store(root).version("tale"), 4) == ([], 0)


def test_a_part_of_the_training_chunks_gives_no_answer(make_version, tmp_path):
    root, _ = make_version(tmp_path)
    (root / "corpora/tale/v1/chunks/train-00000.parquet").unlink()
    with pytest.raises(
        Corruption, match=r"holds 0 rows of split train, but 24 were published.*gristmill verify tale@1"
    ):
        passages(Store(root).version("tale"), 4)


class Small(torch.nn.Module):
    """A model on a machine that holds so many prompts."""

    def __init__(self, inner, holds):
        super().__init__()
        self.inner, self.holds, self.passes = inner, holds, []

    def generate(self, *, input_ids, **more):
        self.passes.append(len(input_ids))
        if len(input_ids) > self.holds:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inner.generate(input_ids=input_ids, **more)


def test_a_batch_of_prompts_is_continued_as_each_alone_also_where_memory_ends(overfitted, version):
    rows = [
        row[:n]
        for row, n in zip(
            read_rows(version, "train").table["input_ids"].to_pylist(), (40, 7, 23, 31), strict=False
        )
    ]
    with overfitted.tuned() as model:
        alone = [continued(model, [row], 12, pad=0, ends=[0])[0] for row in rows]
        small = Small(model, holds=2)
        assert continued(model, rows, 12, pad=0, ends=[0]) == alone
        assert continued(small, rows, 12, pad=0, ends=[0], batch_size=4) == alone
        assert small.passes == [4, 2, 2]
        with pytest.raises(RowTooLarge, match="one prompt of 40 tokens by 12.*--memorisation 0"):
            continued(Small(model, holds=0), rows, 12, pad=0)


def test_a_pace_counts_the_reading_of_every_batch_once_and_its_tokens_each():
    """Three batches of sixteen: three readings, and nine further tokens in each."""
    assert Pace(first=2.0, more=0.5).seconds(40, 10) == 3 * (2.0 + 9 * 0.5)
    assert Pace(first=2.0, more=0.5).seconds(0, 10) == 0


def test_an_answer_stops_at_its_end_token(overfitted, version):
    row = read_rows(version, "train").table["input_ids"].to_pylist()[0]
    with overfitted.tuned() as model:
        (whole,) = continued(model, [row[:50]], 20, pad=0)
        (cut,) = continued(model, [row[:50]], 20, pad=0, ends=[whole[7]])
    assert cut == whole[: whole.index(whole[7]) + 1]
