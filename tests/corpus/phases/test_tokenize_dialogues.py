import json
from functools import cache
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from tiny_tokenizers import EOS, FIXTURE, byte_level, documents, eos, metaspace
from tokenizers import Tokenizer

from corpus.phases import tokenize as phase
from corpus.phases.tokenize import Cutting, tokenize
from plugins.contracts import Format, Span
from plugins.formats.chat import Chat
from plugins.formats.text import Text

START, END = "<|im_start|>", "<|im_end|>"
SMOLLM2 = Path(".gristmill/models/smollm2-135m/tokenizer.json")


class Spans(Format):
    """A document's text is a JSON list of spans' fields."""

    name = "spans"
    control_tokens = True
    ends = True

    def render(self, text, messages):
        return [Span(**fields) for fields in json.loads(text)]


class Ended(Spans):
    ends = False


def said(*turns: str, system: str | None = "Be brief.", trained=lambda _n: True) -> list[Span]:
    """A conversation as `plugins.formats.chat` writes one in ChatML: even turns are the user's."""
    spans = []
    if system is not None:
        spans += [
            Span(f"{START}system\n", trained=False, control=True, opens=False, carried=True),
            Span(system, trained=False, opens=False, carried=True),
            Span(f"{END}\n{START}user\n", trained=False, control=True, opens=False, carried=True),
        ]
    for n, turn in enumerate(turns):
        if n % 2:
            spans += [
                Span(turn, trained(n), turn=n, opens=False),
                Span(END, trained(n), control=True, opens=False),
                Span(f"\n{START}user\n", trained=False, control=True, opens=False),
            ]
        else:
            spans += [
                Span(turn, trained=False, turn=n),
                Span(f"{END}\n{START}assistant\n", trained=False, control=True, opens=False),
            ]
    return [Span(**{**fields(spans[0]), "begins": True}), *spans[1:]]


def fields(span: Span) -> dict:
    return {name: getattr(span, name) for name in Span.__slots__}


def written(*dialogues: list[Span]) -> pa.Table:
    return documents(*(json.dumps([fields(span) for span in spans]) for spans in dialogues))


def inference(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


@cache
def smollm2() -> Tokenizer:
    if not SMOLLM2.is_file():
        pytest.skip("no smollm2-135m in .gristmill/models; `gristmill models pull smollm2-135m` brings it")
    return Tokenizer.from_file(str(SMOLLM2))


TOKENIZERS = {"byte-level": byte_level, "metaspace": metaspace, "smollm2": smollm2}


def rows_and_cuts(tables):
    chunks, _, cuts = tables
    return chunks.to_pylist(), {(cut["doc_id"], cut["position"]): cut for cut in cuts.to_pylist()}


WORDS = st.lists(
    st.sampled_from(["Rain fell. ", "Who?\n\n", "é語 ", "nobody speaks ", START, EOS, "\n", "\x00"]),
    max_size=40,
).map("".join)
TURNS = st.lists(WORDS.map(lambda text: text or "Yes."), min_size=1, max_size=8)
DIALOGUES = st.lists(
    st.tuples(TURNS, st.sampled_from([None, "Be brief.", f"Never write {END}. " * 3]), st.integers(1, 3)),
    min_size=1,
    max_size=2,
).map(
    lambda parts: [
        span
        for turns, system, every in parts
        for span in said(*turns, system=system, trained=lambda n, every=every: n % every == 0 or every == 1)
    ]
)


def check(tokenizer, spans, form, cutting):
    """Every law that rows of dialogues obey; returns the rows."""
    chunks, refusals, cuts = tokenize(written(spans), form, tokenizer, cutting, eos(tokenizer))
    if not chunks.num_rows:
        assert refusals["reason"].to_pylist()[0] in {"untrained", "crowded", "short"}
        return []
    rows, found = rows_and_cuts((chunks, refusals, cuts))
    # The reference: the same conversations, each in one row.
    whole, before = rows_and_cuts(tokenize(written(spans), form, tokenizer, Cutting(1 << 20), eos(tokenizer)))
    assert not any(cut["n_repeated"] for cut in before.values())
    assert all(row["n_tokens"] <= cutting.max_tokens for row in rows)
    assert all(row["n_trained"] for row in rows)
    texts = "".join(span.text for span in spans)
    own = repeated = 0
    for row in rows:
        cut = found.get(("d0", row["position"] - 1), {"n_repeated": 0})
        repeated += cut["n_repeated"]
        own += row["n_tokens"] - cut["n_repeated"]
        assert set(row["labels"][: cut["n_repeated"]]) <= {-100}
        assert row["char_start"] <= row["char_end"] <= len(texts)
    lost = sum(cut["n_lost"] for cut in found.values())
    count = sum(row["n_tokens"] for row in whole) + sum(cut["n_lost"] for cut in before.values())
    assert own + lost == count
    trained, expected = (
        [label for row in each for label in row["labels"] if label != -100] for each in (rows, whole)
    )
    assert trained == expected
    return rows


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(
    spans=DIALOGUES,
    max_tokens=st.integers(24, 200),
    overlap=st.integers(0, 6),
    least=st.integers(1, 6),
    ends=st.booleans(),
)
def test_rows_of_a_dialogue_train_each_token_once_and_account_for_all(
    kind, spans, max_tokens, overlap, least, ends
):
    check(
        TOKENIZERS[kind](),
        spans,
        Spans() if ends else Ended(),
        Cutting(max_tokens, overlap=overlap, min_tokens=least),
    )


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(turns=TURNS, max_tokens=st.integers(24, 120), overlap=st.integers(0, 6))
def test_no_row_starts_with_the_model(kind, turns, max_tokens, overlap):
    tokenizer = TOKENIZERS[kind]()
    head = "".join(span.text for span in said("x") if span.carried)
    for row in check(tokenizer, said(*turns), Spans(), Cutting(max_tokens, overlap=overlap)):
        ids = row["input_ids"]
        first = inference(tokenizer, head)
        starts = [n for n, token in enumerate(ids) if token == tokenizer.token_to_id(START)]
        assert ids[0] == first[0]
        assert ids[: len(first) - 1] == first[:-1], "what is carried stands in front of every row"
        told = tokenizer.decode(ids[starts[2] :], skip_special_tokens=False) if len(starts) > 2 else ""
        assert told.replace(" ", "").startswith(f"{START}assistant"), "the user speaks first, then the model"


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(
    turns=st.lists(
        st.sampled_from(["Who goes?", "A  friend.\n\nCome in", "naïve 語", "\x04 odd"]), min_size=2
    )
)
def test_a_dialogue_that_spells_no_control_token_is_encoded_as_a_server_encodes_it(kind, turns):
    tokenizer = TOKENIZERS[kind]()
    spans = said(*turns[: len(turns) // 2 * 2])
    chunks, *_ = tokenize(written(spans), Spans(), tokenizer, Cutting(1 << 20), eos(tokenizer))
    assert chunks["input_ids"].to_pylist()[0] == inference(tokenizer, "".join(span.text for span in spans))


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=st.text(st.sampled_from("ab \n<|im_end>"), max_size=20), token=st.sampled_from([START, END, EOS]))
def test_a_control_token_that_somebody_says_is_plain_characters(kind, text, token):
    tokenizer = TOKENIZERS[kind]()
    spans = said(f"What is {token}? {text}", f"It is {token}.")
    chunks, *_ = tokenize(written(spans), Spans(), tokenizer, Cutting(1 << 20), eos(tokenizer))
    (row,) = chunks.to_pylist()
    special = {tokenizer.token_to_id(name) for name in (START, END, EOS)}
    names = [tokenizer.id_to_token(index) for index in row["input_ids"] if index in special]
    assert names == [START, END, START, END, START, END, START]
    trained = tokenizer.decode([label for label in row["labels"] if label != -100], skip_special_tokens=False)
    if kind != "metaspace":
        assert trained == f"It is {token}.{END}"


def test_only_the_answers_and_their_end_marks_are_trained():
    tokenizer = byte_level()
    spans = said("Who goes there?", "A friend.", "Come in.", "Gladly.", trained=lambda n: n == 3)
    chunks, _, cuts = tokenize(written(spans), Spans(), tokenizer, Cutting(512), eos(tokenizer))
    (row,) = chunks.to_pylist()
    trained = [label for label in row["labels"] if label != -100]
    assert tokenizer.decode(trained, skip_special_tokens=False) == f"Gladly.{END}"
    assert cuts.num_rows == 0
    assert (row["turn_start"], row["turn_end"]) == (0, 4)


def test_a_template_s_own_end_token_is_trained_and_one_in_a_text_is_not():
    spans = said("Who?", "I \x04 am.")
    spans = [Span(**{**fields(span), "text": span.text.replace(END, EOS)}) for span in spans]
    tokenizer = smollm2()
    (row,) = tokenize(written(spans), Spans(), tokenizer, Cutting(512), 0)[0].to_pylist()
    answer = row["input_ids"].index(0, row["input_ids"].index(0, row["input_ids"].index(0) + 1) + 1)
    assert row["labels"][answer] == -100, "a control character that the tokenizer does not know"
    assert row["labels"].count(0) == 1


def exchange(n: int) -> tuple[str, str]:
    return f"Question {n}: who goes there?", f"Answer {n}: a friend, and cold."


def texts_of(tokenizer, rows):
    return [tokenizer.decode(row["input_ids"], skip_special_tokens=False) for row in rows]


def test_a_long_dialogue_is_cut_into_windows_that_keep_the_system_turn():
    tokenizer = byte_level()
    spans = said(*(turn for n in range(9) for turn in exchange(n)))
    rows, cuts = rows_and_cuts(tokenize(written(spans), Spans(), tokenizer, Cutting(140), eos(tokenizer)))
    assert len(rows) > 2
    shown = texts_of(tokenizer, rows)
    assert all(text.startswith(f"{START}system\nBe brief.{END}\n{START}user\nQuestion") for text in shown)
    for n in range(9):
        assert sum(f"Question {n}" in text for text in shown) == 1
    assert [row["turn_start"] for row in rows] == [0, *(row["turn_end"] for row in rows[:-1])]
    carried = len(inference(tokenizer, f"{START}system\nBe brief.{END}\n{START}user\n"))
    assert [(cut["level"], cut["n_lost"], cut["n_repeated"]) for cut in cuts.values()] == [
        ("turn", 0, carried)
    ] * (len(rows) - 1)


def test_an_overlap_repeats_whole_exchanges_as_context():
    tokenizer = byte_level()
    spans = said(*(turn for n in range(9) for turn in exchange(n)))
    unit = len(inference(tokenizer, "".join(span.text for span in said(*exchange(0), system=None)[:5])))
    rows, _ = rows_and_cuts(
        tokenize(written(spans), Spans(), tokenizer, Cutting(4 * unit + 40, overlap=unit + 3), eos(tokenizer))
    )
    shown = texts_of(tokenizer, rows)
    trained = [tokenizer.decode([t for t in row["labels"] if t != -100]) for row in rows]
    for text, taught, before in zip(shown[1:], trained[1:], trained, strict=False):
        last = before.rstrip().rpartition("Answer ")[2]
        assert f"Answer {last[0]}" in text
        assert f"Answer {last[0]}" not in taught


def test_of_a_long_question_the_end_is_kept_and_what_is_lost_is_counted():
    tokenizer = byte_level()
    spans = said("\n\n".join(f"Point {n} of a long question." for n in range(40)), "It is so.")
    rows, cuts = rows_and_cuts(tokenize(written(spans), Spans(), tokenizer, Cutting(120), eos(tokenizer)))
    (row,) = rows
    (text,) = texts_of(tokenizer, rows)
    assert f"{START}user\nPoint " in text, "cut between two paragraphs"
    assert f"Point 39 of a long question.{END}\n{START}assistant\nIt is so.{END}" in text
    (cut,) = cuts.values()
    assert (cut["position"], cut["level"], cut["n_repeated"]) == (-1, "paragraph", 0)
    whole = inference(tokenizer, "".join(span.text for span in spans))
    assert cut["n_lost"] == len(whole) - row["n_tokens"] > 0
    assert row["n_tokens"] > 60


def test_a_long_answer_goes_on_in_rows_that_repeat_the_question():
    tokenizer = byte_level()
    answer = " ".join(f"Sentence {n} of it." for n in range(60))
    spans = said("Tell me.", answer)
    rows, cuts = rows_and_cuts(tokenize(written(spans), Spans(), tokenizer, Cutting(128), eos(tokenizer)))
    shown = texts_of(tokenizer, rows)
    assert len(rows) > 3
    assert all(f"{START}user\nTell me.{END}\n{START}assistant\n" in text for text in shown)
    trained = "".join(
        tokenizer.decode([t for t in row["labels"] if t != -100], skip_special_tokens=False) for row in rows
    )
    assert trained == answer + END
    assert all(row["n_trained"] >= 128 // 8 for row in rows), "no answer is an end mark alone"
    assert sum(cut["n_lost"] for cut in cuts.values()) == 0
    assert {cut["level"] for cut in cuts.values()} == {"sentence"}


def test_an_untrained_part_of_an_answer_too_long_for_a_row_is_lost_and_counted():
    tokenizer = byte_level()
    *head, _, end, gap = said("Tell me.", "x")
    ramble = Span("Out of character. " * 40, trained=False, turn=1, opens=False)
    spans = [*head, ramble, Span("Back in it.", turn=1, opens=False), end, gap]
    rows, cuts = rows_and_cuts(tokenize(written(spans), Spans(), tokenizer, Cutting(96), eos(tokenizer)))
    (text,) = texts_of(tokenizer, rows)
    assert f"{START}user\nTell me.{END}\n{START}assistant\n" in text
    assert f"Back in it.{END}" in text
    (cut,) = cuts.values()
    assert cut["n_lost"] == len(inference(tokenizer, "".join(span.text for span in spans))) - len(
        rows[0]["input_ids"]
    )
    assert rows[0]["turn_start"] == 1
    check(tokenizer, spans, Spans(), Cutting(96))


def test_a_line_end_that_joins_the_system_turn_s_is_repeated_in_no_row():
    tokenizer = smollm2()
    double = tokenizer.token_to_id("ĊĊ")
    spans = said("\n\nWho goes?", "A friend.", *(turn for n in range(9) for turn in exchange(n)))
    rows = check(tokenizer, spans, Spans(), Cutting(140))
    first, *others = texts_of(tokenizer, rows)
    assert double in rows[0]["input_ids"]
    assert "user\n\n\nWho goes?" in first
    assert all(f"{END}\n{START}user\nQuestion" in text for text in others)


def test_a_short_last_row_takes_an_exchange_from_the_one_before():
    tokenizer = byte_level()
    spans = said(*(turn for n in range(5) for turn in exchange(n)))

    def rows(least):
        return check(tokenizer, spans, Spans(), Cutting(4 * unit + 30, min_tokens=least))

    unit = len(inference(tokenizer, "".join(span.text for span in said(*exchange(0), system=None)[:5])))
    assert [row["turn_end"] for row in rows(1)] == [8, 10]
    assert [row["turn_end"] for row in rows(unit + 2)] == [6, 10]


def test_context_before_the_first_answer_goes_with_it():
    tokenizer = byte_level()
    spans = said(*(turn for n in range(6) for turn in exchange(n)), trained=lambda n: n in {5, 11})
    rows, _ = rows_and_cuts(tokenize(written(spans), Spans(), tokenizer, Cutting(200), eos(tokenizer)))
    assert [row["turn_end"] for row in rows] == [6, 12]
    assert all(row["n_trained"] for row in rows)


def test_conversations_of_one_document_share_no_row_and_each_carries_its_own():
    tokenizer = byte_level()
    spans = [*said("Who?", "Ada.", system="You are Ada."), *said("Who?", "Brom.", system="You are Brom.")]
    rows, cuts = rows_and_cuts(tokenize(written(spans), Spans(), tokenizer, Cutting(512), eos(tokenizer)))
    ada, brom = texts_of(tokenizer, rows)
    assert "Brom" not in ada
    assert "Ada" not in brom
    (cut,) = cuts.values()
    assert (cut["level"], cut["n_lost"], cut["n_repeated"]) == ("conversation", 0, 0)


def test_a_system_turn_that_leaves_no_room_refuses_its_document_alone():
    tokenizer = byte_level()
    crowded = said("Tell me.", "It is so. " * 50, system="Be brief. " * 40)
    chunks, refusals, _ = tokenize(
        written(crowded, said("Who?", "I.")), Spans(), tokenizer, Cutting(128), eos(tokenizer)
    )
    assert [(row["doc_id"], row["reason"]) for row in refusals.to_pylist()] == [("d0", "crowded")]
    assert chunks["doc_id"].to_pylist() == ["d1"]


def test_a_format_that_does_not_spell_its_end_gets_one_eos_at_the_very_end():
    tokenizer = byte_level()
    spans = said(*(turn for n in range(9) for turn in exchange(n)))
    chunks, *_ = tokenize(written(spans), Ended(), tokenizer, Cutting(140), eos(tokenizer))
    counts = [ids.count(eos(tokenizer)) for ids in chunks["input_ids"].to_pylist()]
    assert counts == [0] * (len(counts) - 1) + [1]
    assert chunks["labels"].to_pylist()[-1][-1] == eos(tokenizer)


@pytest.mark.parametrize("size", [1, 500, 1 << 21])
def test_rows_of_dialogues_do_not_depend_on_how_they_are_batched(size, monkeypatch):
    tokenizer = byte_level()
    table = written(
        said(*(turn for n in range(9) for turn in exchange(n))),
        said(f"What is {END}?", FIXTURE[:900]),
        said("Who?", "I."),
    )
    expected = tokenize(table, Spans(), tokenizer, Cutting(96, overlap=8), eos(tokenizer))
    monkeypatch.setattr(phase, "BATCH_CHARACTERS", size)
    found = tokenize(table, Spans(), tokenizer, Cutting(96, overlap=8), eos(tokenizer))
    assert all(one.equals(other) for one, other in zip(found, expected, strict=True))


def test_an_episode_of_role_play_is_learned_whole_and_only_what_its_game_master_says(shared_data: Path):
    tokenizer = smollm2()
    path = shared_data / "dialogue" / "crd3-sample" / "data" / "cleaned data" / "C2E001.json"
    episode = json.loads(path.read_text())["TURNS"]
    turns = [(turn["NAMES"][0], " ".join(turn["UTTERANCES"])) for turn in episode]
    messages = [
        {"role": None, "name": name, "content": words.strip(), "train": None} for name, words in turns
    ]
    chat = Chat(model_speaks="MATT").prepared(SMOLLM2.parent)
    table = documents(None, messages=[messages])
    tables = tokenize(table, chat, tokenizer, Cutting(1024), eos(tokenizer))
    rows, cuts = rows_and_cuts(tables)
    assert len(rows) > 50
    taught = [
        tokenizer.decode([label for label in row["labels"] if label != -100], skip_special_tokens=False)
        for row in rows
    ]
    spans = chat.render(None, messages)
    assert "".join(taught) == "".join(span.text for span in spans if span.trained)
    assert all(row["n_trained"] for row in rows)
    total = len(inference(tokenizer, "".join(span.text for span in spans)))
    lost, repeated = (sum(cut[name] for cut in cuts.values()) for name in ("n_lost", "n_repeated"))
    assert sum(row["n_tokens"] for row in rows) - repeated + lost == total
    assert lost / total < 0.05


# ------------------------------------------------------------------------------------------------ options, in texts


@given(
    texts=st.lists(st.sampled_from([FIXTURE[:900], FIXTURE, "Rain.", "語" * 90, "word " * 90]), max_size=3),
    max_tokens=st.integers(24, 90),
    overlap=st.integers(0, 6),
    least=st.integers(1, 6),
    header=st.sampled_from([(), ("title",), ("url", "title", "author")]),
)
def test_a_text_is_there_again_when_what_is_repeated_is_taken_off(texts, max_tokens, overlap, least, header):
    tokenizer = byte_level()
    table = titled(*texts)
    cutting = Cutting(max_tokens, overlap=overlap, min_tokens=least, header=header)
    tables = tokenize(table, Text(), tokenizer, cutting, eos(tokenizer))
    rows, cuts = rows_and_cuts(tables)
    for doc_id, own in groupby(rows, key=lambda row: row["doc_id"]):
        ids, lengths = [], []
        for row in own:
            cut = cuts.get((doc_id, row["position"] - 1), {"n_repeated": 0})
            assert row["n_tokens"] <= max_tokens
            assert set(row["labels"][: cut["n_repeated"]]) <= {-100}
            assert row["labels"][cut["n_repeated"] :] == row["input_ids"][cut["n_repeated"] :]
            ids += row["input_ids"][cut["n_repeated"] :]
            lengths.append(row["n_tokens"] - cut["n_repeated"])
        assert ids == [*inference(tokenizer, texts[int(doc_id[1:])]), eos(tokenizer)]
        assert min(lengths) >= least
    assert not any(cut["n_lost"] for cut in cuts.values())
    short = {row["doc_id"] for row in tables[1].to_pylist() if row["reason"] == "short"}
    assert short == {f"d{n}" for n, text in enumerate(texts) if len(inference(tokenizer, text)) + 1 < least}


def titled(*texts: str) -> pa.Table:
    table = documents(*texts)
    for name in ("title", "author", "url"):
        table = table.append_column(
            name, pa.array([f"The {name} {n}" if n else None for n in range(len(texts))], pa.string())
        )
    return table


def test_a_header_stands_untrained_at_the_head_of_every_row():
    tokenizer = byte_level()
    table = titled("Rain.", FIXTURE[:900])
    tables = tokenize(table, Text(), tokenizer, Cutting(128, header=("author", "title")), eos(tokenizer))
    rows, cuts = rows_and_cuts(tables)
    assert rows[0]["n_trained"] == rows[0]["n_tokens"], "a document without title and author has no header"
    assert len(rows) > 2
    for row in rows[1:]:
        head = cuts["d1", row["position"] - 1]["n_repeated"]
        assert tokenizer.decode(row["input_ids"][:head]) == "Author: The author 1\nTitle: The title 1\n\n"
        assert row["n_trained"] == row["n_tokens"] - head


def test_a_header_line_too_long_for_a_quarter_of_the_row_is_left_out():
    tokenizer = byte_level()
    table = documents(None, messages=[[{"name": f"Speaker {n}", "content": "Hm. " * 30} for n in range(9)]])
    table = table.append_column("title", pa.array(["Inn"]))
    rows, _ = rows_and_cuts(
        tokenize(table, Text(), tokenizer, Cutting(96, header=("title", "speakers")), eos(tokenizer))
    )
    assert all(text.startswith("Title: Inn\n\nHm.") for text in texts_of(tokenizer, rows[:1]))
    rows, _ = rows_and_cuts(
        tokenize(table, Text(), tokenizer, Cutting(900, header=("title", "speakers")), eos(tokenizer))
    )
    assert texts_of(tokenizer, rows)[0].startswith("Title: Inn\nSpeakers: Speaker 0, Speaker 1, ")
