"""Files of prompts, as text and as JSON lines."""

import pytest

from schemas.errors import NotFound, UserError
from trainer.speaking.question import Question, read_questions


def test_a_text_file_has_a_prompt_a_line(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffWho?\r\n\n  Wer, 龍?\n".encode())
    assert [one.prompt for one in read_questions(tmp_path / "a.txt")] == ["Who?", "  Wer, 龍?"]


def test_json_lines_say_what_stands_before_and_defaults_fill_the_rest(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"prompt": "Who?", "history": [["Hm?", "Hm."]], "name": "Ada"}\n{"prompt": "B", "system": "Short."}\n'
    )
    found = read_questions(tmp_path / "a.jsonl", system="Be kind.", fields={"name": "Eve", "length": "short"})
    assert found == [
        Question("Who?", (("Hm?", "Hm."),), "Be kind.", {"name": "Ada", "length": "short"}),
        Question("B", (), "Short.", {"name": "Eve", "length": "short"}),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Who?", "line 2 is not JSON"),
        ('{"text": "a"}', "line 2 says no prompt"),
        ('{"prompt": "a", "sistem": "b"}', 'the key "sistem".*Nearest: "system"'),
        ('{"prompt": "a", "history": [["b"]]}', "history must be a list of pairs"),
        ('{"prompt": "a", "system": 3}', "must be texts"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path, line, told):
    (tmp_path / "a.jsonl").write_text(f'{{"prompt": "fine"}}\n{line}\n')
    with pytest.raises(UserError, match=told):
        read_questions(tmp_path / "a.jsonl")


def test_no_file_no_text_and_no_prompt_are_refused(tmp_path):
    with pytest.raises(NotFound, match="cannot be read"):
        read_questions(tmp_path / "none.txt")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="is not UTF-8"):
        read_questions(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("\n \n")
    with pytest.raises(UserError, match="holds no prompt"):
        read_questions(tmp_path / "b.txt")
