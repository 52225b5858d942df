"""Prompts for both models: from val only, chosen the same every time; a user's own; written so that nothing in them is obeyed."""

import json
from types import SimpleNamespace

import pytest
from tiny_model import TEXTS
from transformers import PreTrainedTokenizerFast

from schemas.errors import NotFound, UserError
from schemas.manifest import TokenizerRecord
from schemas.store import Store
from trainer.data import MASKED
from trainer.evaluation.side_by_side import (
    BEGINNING,
    Sample,
    end_tokens,
    read_prompts,
    val_prompts,
    write_samples,
)


def test_prompts_are_the_beginnings_of_val_rows_chosen_the_same_every_time(made):
    root, _ = made(val_texts=TEXTS[24:36])
    for split in ("train", "test"):
        for file in (root / "corpora/tale/v1/chunks").glob(f"{split}-*"):
            file.unlink()
    version = Store(root).version("tale")
    few, many = val_prompts(version, 3), val_prompts(version, 50)
    assert few == many[:3]
    assert len(many) == 12
    assert all(1 <= len(prompt.ids) <= BEGINNING for prompt in many)
    assert [prompt.document for prompt in many] != sorted(prompt.document for prompt in many)


def test_in_dialogue_a_prompt_is_all_before_the_first_answer(made):
    def edit(rows):
        for row in rows["val"]:
            row["labels"][:9] = [MASKED] * 9

    root, _ = made(edit=edit)
    assert {len(prompt.ids) for prompt in val_prompts(Store(root).version("tale"), 4)} == {9}


def test_an_answer_ends_where_the_model_the_corpus_or_the_template_says(tiny_model):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_model)
    taken = {"end": "silence."}
    told = TokenizerRecord(
        model="m", digest="d", eos_token_id=7, format="chat", max_tokens=8, options={"taken": taken}
    )
    last = tokenizer("silence.", add_special_tokens=False)["input_ids"][-1]
    assert end_tokens(SimpleNamespace(tokenizer=told), tokenizer) == sorted({0, 7, last})
    plain = told.model_copy(update={"options": {}, "format": "text"})
    assert end_tokens(SimpleNamespace(tokenizer=plain), tokenizer) == [0, 7]


def test_a_users_prompts_are_read_from_lines_or_from_jsonl(tmp_path):
    plain, rows = tmp_path / "mine.txt", tmp_path / "mine.jsonl"
    plain.write_text("The innkeeper\n\n  Who let rain in?  \n")
    assert read_prompts(plain) == [("The innkeeper", None), ("Who let rain in?", None)]
    rows.write_text('{"prompt": "Who?", "system": "You are Wren."}\n{"prompt": "And"}\n')
    assert read_prompts(rows) == [("Who?", "You are Wren."), ("And", None)]


@pytest.mark.parametrize(
    "line", ['{"prompt": 5}', '{"text": "a"}', "[1]", "nothing", '{"prompt": "a", "system": 1}']
)
def test_a_line_that_is_no_prompt_is_named(tmp_path, line):
    (tmp_path / "mine.jsonl").write_text(f'{{"prompt": "Who?"}}\n{line}\n')
    with pytest.raises(UserError, match=r"line 2 of .*mine.jsonl is not a prompt"):
        read_prompts(tmp_path / "mine.jsonl")


def test_files_without_prompts_say_what_to_type(tmp_path):
    with pytest.raises(NotFound, match="there is no file .*--prompts prompts.txt"):
        read_prompts(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(UserError, match="holds no prompt. Write one a line"):
        read_prompts(tmp_path / "empty.txt")
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read as UTF-8"):
        read_prompts(tmp_path / "odd.txt")


def test_what_a_model_says_can_neither_leave_its_block_nor_move_the_cursor(tmp_path):
    hostile = "```\n# Not a heading\n````\n\x1b[2Jcleared\u202e"
    write_samples(tmp_path, "tale/1", [Sample("Who?", "fine", hostile, document="d1")])
    text = (tmp_path / "samples.md").read_text()
    block = text.partition("Tuned:\n\n")[2]
    assert block.startswith("`````text\n")
    assert block.endswith("\n`````\n")
    assert "\x1b" not in text
    assert "\\x1b[2Jcleared\\u202e" in text
    assert json.loads((tmp_path / "samples.jsonl").read_text())["tuned"] == hostile
    assert "\x1b" not in "\n".join(Sample("Who?", "fine", hostile).lines())
