import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from tiny_tokenizers import EOS, FIXTURE, TOKENIZERS, byte_level, documents, eos, train, whole
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from corpus.phases import tokenize as phase
from corpus.phases.tokenize import CUT, REFUSALS, Cutting, tokenize
from plugins.contracts import Format, Span
from plugins.formats.text import Text
from schemas.fingerprint import identify
from schemas.tables import CUTS


class Halves(Format):
    """Text in square brackets is not trained."""

    name = "halves"

    def render(self, text, messages):
        return [
            Span(part, trained=not part.startswith("["), turn=turn)
            for turn, part in enumerate(re.findall(r"\[[^\]]*\]?|[^\[]+", text))
        ]


NASTY = st.one_of(
    st.text(max_size=300),
    st.text(st.sampled_from("aé語😀👩‍👩‍👧e\u0301ﬁ \n\r\t.。#\u3000\u2028\x00" + EOS), max_size=300),
    st.sampled_from([
        FIXTURE[:900],
        EOS * 9,
        "e\u0301" * 90,
        "👩‍👩‍👧‍👦" * 40,
        "﷽" * 30,
        "\n" * 200,
        "word " * 90,
    ]),
)


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(texts=st.lists(NASTY, max_size=4), max_tokens=st.integers(8, 64))
def test_rows_put_together_are_the_document(kind, texts, max_tokens):
    tokenizer = TOKENIZERS[kind]()
    chunks, refusals, _ = tokenize(documents(*texts), Text(), tokenizer, Cutting(max_tokens), eos(tokenizer))
    assert chunks.schema == CUT
    rows = chunks.to_pylist()
    refused = {row["doc_id"] for row in refusals.to_pylist()}
    assert refused.isdisjoint(row["doc_id"] for row in rows)
    for index, text in enumerate(texts):
        own = [row for row in rows if row["doc_id"] == f"d{index}"]
        assert bool(own) != (f"d{index}" in refused)
        if not own:
            assert not text.strip() or not whole(tokenizer, text)
            continue
        ids = [token for row in own for token in row["input_ids"]]
        assert ids == [*whole(tokenizer, text), eos(tokenizer)]
        assert [row["position"] for row in own] == list(range(len(own)))
        assert [row["chunk_id"] for row in own] == [
            identify(row["doc_id"], str(row["position"])) for row in own
        ]
        borders = [0, *(row["char_end"] for row in own)]
        assert [row["char_start"] for row in own] == borders[:-1]
        assert borders == sorted(borders)
        assert borders[-1] == len(text)
        assert all(row["n_tokens"] == len(row["input_ids"]) <= max_tokens for row in own)
        assert all(row["labels"] == row["input_ids"] and row["n_trained"] == row["n_tokens"] for row in own)


@given(text=NASTY, max_tokens=st.integers(8, 64))
def test_offsets_of_a_byte_level_tokenizer_are_exact(text, max_tokens):
    tokenizer = byte_level()
    chunks, *_ = tokenize(documents(text), Text(), tokenizer, Cutting(max_tokens), eos(tokenizer))
    for row in chunks.to_pylist():
        ids = row["input_ids"][:-1] if row["char_end"] == len(text) else row["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=False) == text[row["char_start"] : row["char_end"]]


@given(text=NASTY, max_tokens=st.integers(8, 64))
def test_both_ways_to_align_agree_on_where_byte_level_rows_end(text, max_tokens):
    tokenizer = byte_level()
    slow = Tokenizer.from_str(tokenizer.to_str())
    # Replacing a character by itself changes nothing, but a tokenizer with such a normaliser is not taken to spell bytes.
    slow.normalizer = normalizers.Replace("\u0001", "\u0001")
    fast_rows, *_ = tokenize(documents(text), Text(), tokenizer, Cutting(max_tokens), eos(tokenizer))
    slow_rows, *_ = tokenize(documents(text), Text(), slow, Cutting(max_tokens), eos(tokenizer))
    assert fast_rows.equals(slow_rows)


@given(
    text=st.text(st.sampled_from("ab[] é語"), min_size=1, max_size=200),
    max_tokens=st.integers(8, 32),
    kind=st.sampled_from(["byte-level", "byte-level-nfkd", "metaspace"]),
)
def test_no_token_is_trained_that_holds_an_untrained_character(text, max_tokens, kind):
    tokenizer = TOKENIZERS[kind]()
    chunks, refusals, cuts = tokenize(
        documents(text), Halves(), tokenizer, Cutting(max_tokens), eos(tokenizer)
    )
    rows = chunks.to_pylist()
    if not rows:
        assert refusals["reason"].to_pylist() == ["untrained"]
        return
    lost = {cut["position"]: cut["n_lost"] for cut in cuts.to_pylist()}
    offsets = Tokenizer.from_str(tokenizer.to_str()).encode(text, add_special_tokens=False).offsets
    trained = np.repeat(
        [span.trained for span in Halves().render(text, None)],
        [len(span.text) for span in Halves().render(text, None)],
    )
    labels, ids = [], []
    for row in rows:
        gap = [-100] * lost.get(row["position"] - 1, 0)  # rows of which nothing is trained
        labels += gap + row["labels"]
        ids += gap + row["input_ids"]
    assert labels[-1] == ids[-1] == eos(tokenizer)
    for label, token, (start, end) in zip(labels, ids, offsets, strict=False):
        assert label in {token, -100}
        if not trained[start:end].all():
            assert label == -100
    assert sum(row["n_trained"] for row in rows) == sum(label != -100 for label in labels)


def test_only_the_tokens_of_untrained_spans_are_masked():
    tokenizer = byte_level()
    chunks, *_ = tokenize(documents("[The] innkeeper"), Halves(), tokenizer, Cutting(64), eos(tokenizer))
    row = chunks.to_pylist()[0]
    trained = [label for label in row["labels"] if label != -100]
    assert tokenizer.decode(trained, skip_special_tokens=False) == " innkeeper" + EOS


def test_a_row_says_which_messages_it_shows_and_begins_with_one():
    said = [[{"content": f"Message {index} says rather little."} for index in range(12)]]
    tokenizer = byte_level()
    chunks, *_ = tokenize(documents(None, messages=said), Text(), tokenizer, Cutting(64), eos(tokenizer))
    rows = chunks.to_pylist()
    assert len(rows) > 2
    borders = [0, *(row["turn_end"] for row in rows)]
    assert [row["turn_start"] for row in rows] == borders[:-1], "no message is torn"
    assert borders[-1] == 12
    assert tokenizer.decode(rows[1]["input_ids"]).startswith("Message")


def test_text_that_spells_a_control_token_does_not_become_one():
    tokenizer = byte_level()
    chunks, *_ = tokenize(
        documents(f"They end with {EOS}, always."), Text(), tokenizer, Cutting(64), eos(tokenizer)
    )
    assert chunks["input_ids"].to_pylist()[0].count(eos(tokenizer)) == 1


def test_an_unknown_character_that_becomes_eos_is_not_trained():
    tokenizer = Tokenizer(models.BPE(unk_token=EOS))  # as SmolLM2's tokenizer has it
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = train(tokenizer)
    chunks, *_ = tokenize(documents("Rain \u0416 runs."), Text(), tokenizer, Cutting(64), eos(tokenizer))
    row = chunks.to_pylist()[0]
    assert row["input_ids"].count(eos(tokenizer)) == 2
    assert row["labels"].count(eos(tokenizer)) == 1
    assert row["labels"][-1] == eos(tokenizer)
    assert row["n_trained"] == row["n_tokens"] - 1


def test_a_tokenizer_s_own_truncation_and_padding_do_nothing_and_stay_as_they_were():
    tokenizer = Tokenizer.from_str(byte_level().to_str())
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=512)
    before = tokenizer.to_str()
    chunks, *_ = tokenize(documents(FIXTURE[:70]), Text(), tokenizer, Cutting(64), eos(tokenizer))
    plain, *_ = tokenize(documents(FIXTURE[:70]), Text(), byte_level(), Cutting(64), eos(tokenizer))
    assert chunks.equals(plain)
    assert tokenizer.to_str() == before


@pytest.mark.parametrize("size", [1, 300, 1 << 21])
def test_results_do_not_depend_on_how_documents_are_batched(size, monkeypatch):
    tokenizer = byte_level()
    texts = [FIXTURE[:200], None, "語" * 70, "", FIXTURE[:1500], "a"]
    expected = [
        tokenize(documents(*texts), Text(), tokenizer, Cutting(32), eos(tokenizer))[part]
        for part in (0, 1, 2)
    ]
    monkeypatch.setattr(phase, "BATCH_CHARACTERS", size)
    for part in (0, 1, 2):
        assert tokenize(documents(*texts), Text(), tokenizer, Cutting(32), eos(tokenizer))[part].equals(
            expected[part]
        )
    table = documents(*texts)
    alone = [
        tokenize(table.slice(index, 1), Text(), tokenizer, Cutting(32), eos(tokenizer))[0]
        for index in range(len(texts))
    ]
    assert pa.concat_tables(alone).combine_chunks().equals(expected[0])


def test_a_format_that_raises_costs_its_document_a_refusal_and_no_other():
    class Picky(Text):
        def render(self, text, messages):
            if "bad" in text:
                raise ValueError("no roles in it")
            return super().render(text, messages)

    tokenizer = byte_level()
    chunks, refusals, _ = tokenize(
        documents("good", "bad", " "), Picky(), tokenizer, Cutting(32), eos(tokenizer)
    )
    assert refusals.schema == REFUSALS
    assert refusals.to_pylist() == [
        {"doc_id": "d1", "stage": "format", "reason": "failed", "detail": "ValueError: no roles in it"},
        {"doc_id": "d2", "stage": "format", "reason": "empty", "detail": None},
    ]
    assert chunks["doc_id"].to_pylist() == ["d0"]


def test_no_documents_give_empty_typed_tables():
    chunks, refusals, cuts = tokenize(documents(), Text(), byte_level(), Cutting(32), 0)
    assert (chunks.num_rows, chunks.schema) == (0, CUT)
    assert (refusals.num_rows, refusals.schema) == (0, REFUSALS)
    assert (cuts.num_rows, cuts.schema) == (0, CUTS)


def test_one_word_of_two_megabytes_is_cut_into_full_rows():
    tokenizer = byte_level()
    chunks, refusals, _ = tokenize(
        documents("q" * 2_000_000), Text(), tokenizer, Cutting(2048), eos(tokenizer)
    )
    assert refusals.num_rows == 0
    assert set(chunks["n_tokens"].to_pylist()[:-1]) == {2048}
    assert chunks["char_end"].to_pylist()[-1] == 2_000_000


def test_a_row_of_which_nothing_is_trained_is_left_out_and_its_tokens_are_counted():
    tokenizer = byte_level()
    text = "He came in. [" + "They read on and on. " * 40 + "] She left."
    chunks, refusals, cuts = tokenize(documents(text), Halves(), tokenizer, Cutting(32), eos(tokenizer))
    rows = chunks.to_pylist()
    assert refusals.num_rows == 0
    assert len(rows) >= 2
    assert all(row["n_trained"] for row in rows)
    assert [row["position"] for row in rows] == list(range(len(rows)))
    lost = sum(cuts["n_lost"].to_pylist())
    assert lost > 200
    assert sum(row["n_tokens"] for row in rows) + lost == len(whole(tokenizer, text)) + 1
