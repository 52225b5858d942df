"""A run trained on chat answers in its own template: built, trained and asked from end to end on the tiny model."""

import json
import shutil

import pytest
from tiny_model import make_tiny_model
from typer.testing import CliRunner

import corpus
import trainer
from schemas.errors import UserError
from trainer.generate import Speaker
from trainer.speaking.talk import Talk

TEMPLATE = "{% for m in messages %}{{ '\n' + m.role + ': ' + m.content + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ '\nassistant: ' }}{% endif %}"
ASKED = ["Who let the rain in?", "Who draws her blade?", "Who pays for silence?"]
SAID = ["The dragon and the miller.", "She draws her blade slowly.", "Nobody pays in this town."]
PLUGIN = f"""
from plugins.contracts import Extracted, Page, Scraper

ASKED, SAID = {ASKED!r}, {SAID!r}


class Talk(Scraper):
    name = "talk"

    def fetch(self, place, part):
        for n in range(9):
            yield Page(f"{{n}}.html", content=f"<p>{{n}}".encode(), content_type="text/html")

    def parse(self, html):
        n = int(html[3:])
        say = [(ASKED[(n + k) % 3], SAID[(n + k) % 3]) for k in range(1 + n // 3)]
        messages = [m for a, s in say for m in ({{"role": "user", "content": a}}, {{"role": "assistant", "content": s}})]
        return Extracted(text=None, messages=messages)
"""
RECIPE = """
name = "talk"
plugins = ["./talk.py"]
[[source]]
use = "talk"
[dedup]
exact = false
fuzzy = false
[split]
val = 0.0
test = 0.0
[tokens]
model = "{model}"
format = {{ use = "chat", system = "Answer." }}
max_tokens = 200
[train]
backend = "peft"
max_steps = 150
batch_size = 3
micro_batch_size = 3
learning_rate = 1e-2
schedule = "constant"
early_stopping = false
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that knows three answers by heart."""
    root = tmp_path_factory.mktemp("root")
    model = make_tiny_model(root / "tiny")
    config = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": TEMPLATE}))
    (root / "talk.py").write_text(PLUGIN)
    (root / "recipe.toml").write_text(RECIPE.format(model=model))
    corpus.build(root / "recipe.toml", root=root)
    return trainer.train(root / "recipe.toml", root=root, quiet=True)


def test_an_answer_is_the_next_turn_alone_and_stops_at_its_end_mark(run):
    assert [run.chat(asked, max_new_tokens=60) for asked in ASKED] == SAID


def test_what_was_said_stands_before_what_is_asked(run):
    speaker = Speaker.open(run, device="cpu")
    history = [(ASKED[0], SAID[0])]
    assert speaker.answer(ASKED[1], history=history, max_new_tokens=60) == SAID[1]
    spans = speaker.form.asked(ASKED[1], history, "Be kind.")
    assert "".join(span.text for span in spans) == (
        f"\nsystem: Be kind.<|end|>\nuser: {ASKED[0]}<|end|>\nassistant: {SAID[0]}<|end|>\nuser: {ASKED[1]}<|end|>\nassistant: "
    )


def test_a_prompt_has_the_tokens_that_rows_had(run):
    speaker = Speaker.open(run, device="cpu")
    rows = (
        corpus
        .open("talk", root=run.path.parents[2])
        .sql("select input_ids from chunks")["input_ids"]
        .to_list()
    )
    for asked in ASKED:
        ids = speaker._encode(speaker.form.asked(f" {asked}\n"))
        assert any(row[: len(ids)] == ids for row in rows)


def test_a_prompt_that_spells_the_end_mark_stays_text(run):
    speaker = Speaker.open(run, device="cpu")
    ids = speaker._encode(speaker.form.asked("a<|end|>b"))
    assert ids.count(speaker.tokenizer.eos_token_id) == 2, "those of the template: after system and user"


def test_an_adapter_speaks_its_template_where_corpus_and_the_models_template_are_not(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "runs/talk/1")
    assert trainer.open("talk", root=tmp_path).chat(ASKED[2], max_new_tokens=60) == SAID[2]


def test_the_command_keeps_a_history_line_by_line(run):
    import typer

    from trainer.commands.chat import chat
    from trainer.commands.runs import runs

    app = typer.Typer()
    for function in (chat, runs):
        app.command()(function)
    root = run.path.parents[2]
    told = CliRunner().invoke(app, ["chat", "talk", "--root", str(root), "--max-new-tokens", "60"], input=f"{ASKED[0]}\n{ASKED[1]}\n", catch_exceptions=False)  # fmt: skip
    assert told.stdout.splitlines()[:2] == SAID[:2]


def test_a_prompt_of_white_space_is_refused(run):
    with pytest.raises(UserError, match="empty"):
        Speaker.open(run, device="cpu").answer(" \n")


def test_plain_text_has_no_system_turn(make_version, tmp_path):
    root, recipe = make_version(tmp_path, "max_steps = 1\neval_every = 1\nearly_stopping = false")
    run = trainer.train(recipe, root=root, quiet=True)
    with pytest.raises(UserError, match="no system turn"):
        run.chat("Who", system="Be kind.")


# ------------------------------------------------------------------------------------------------ talking


@pytest.fixture(scope="module")
def speaker(run):
    """It, loaded."""
    return Speaker.open(run, device="cpu")


@pytest.fixture
def talk(speaker):
    """A conversation at a terminal."""
    return Talk(speaker, sampling={"max_new_tokens": 60}, terminal=True)


def test_a_conversation_is_remembered_taken_back_and_forgotten(talk, capsys):
    for asked in ASKED[:2]:
        assert talk.heard(asked)
    assert capsys.readouterr().out.splitlines() == SAID[:2]
    assert talk.history == list(zip(ASKED[:2], SAID[:2], strict=True))
    talk.heard("/undo")
    assert talk.history == [(ASKED[0], SAID[0])]
    talk.heard("/again")
    assert talk.history == [(ASKED[0], SAID[0])]
    talk.heard("/reset")
    assert talk.history == []
    talk.heard("/undo")
    assert "nothing was said yet" in capsys.readouterr().err
    assert not talk.heard("/quit")


def test_again_says_where_it_cannot_differ_and_loses_nothing_when_stopped_at_once(talk, monkeypatch, capsys):
    talk.heard(ASKED[0])
    talk.heard("/again")
    assert "--temperature 0.8" in capsys.readouterr().err
    monkeypatch.setattr(
        talk.speaker, "answer", lambda *args, **more: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    talk.heard("/again")
    assert talk.history == [(ASKED[0], SAID[0])]


def test_the_bases_answer_needs_no_room_for_the_exchange_it_repeats(talk, monkeypatch):
    talk.heard(ASKED[0])
    seen = []
    monkeypatch.setattr(
        talk.speaker, "fitting", lambda *args, **more: seen.append(len(args[1])) or len(args[1])
    )
    talk.heard("/base")
    assert not seen
    assert talk.history == [(ASKED[0], SAID[0])]


def test_ctrl_c_outside_an_answer_and_a_home_that_is_not_there_end_no_conversation(
    talk, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    assert talk.heard("/save ~nobody-of-that-name/talk.txt")
    assert "cannot be written" in capsys.readouterr().err
    talk.history.append((ASKED[0], SAID[0]))
    monkeypatch.setattr(
        talk.speaker, "fitting", lambda *args, **more: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert talk.heard(ASKED[1])
    assert "(stopped)" in capsys.readouterr().err


def test_the_base_answers_the_last_question_and_is_not_remembered(talk, capsys):
    talk.heard(ASKED[0])
    said = capsys.readouterr().out
    talk.heard("/base")
    assert capsys.readouterr().out != said
    assert talk.history == [(ASKED[0], SAID[0])]
    assert not talk.base


def test_commands_that_are_none_say_what_there_is_and_two_slashes_are_a_prompt(talk, monkeypatch, capsys):
    talk.heard("/rest")
    assert 'Nearest: "/reset"' in capsys.readouterr().err
    monkeypatch.setattr(talk.speaker, "answer", lambda prompt, **more: f"got {prompt}")
    talk.heard("//roll 2d6")
    assert talk.last == "/roll 2d6"


def test_a_conversation_is_saved_once_as_messages_or_as_text(talk, tmp_path, capsys):
    talk.heard("/system Be kind.")
    talk.heard(ASKED[0])
    said = talk.history[0][1]
    talk.heard(f"/save {tmp_path / 'a.jsonl'}")
    talk.heard(f"/save {tmp_path / 'a.txt'}")
    roles = [("system", "Be kind."), ("user", ASKED[0]), ("assistant", said)]
    assert json.loads((tmp_path / "a.jsonl").read_text())["messages"] == [
        {"role": role, "content": text} for role, text in roles
    ]
    assert (tmp_path / "a.txt").read_text() == "\n\n".join(f"{role}: {text}" for role, text in roles) + "\n"
    talk.heard("/reset")
    talk.heard(f"/save {tmp_path / 'a.txt'}")
    assert "is there already" in capsys.readouterr().err
    assert ASKED[0] in (tmp_path / "a.txt").read_text()


def test_ctrl_c_stops_an_answer_and_keeps_what_was_said(talk, monkeypatch, capsys):
    def stopped(prompt, *, on_text, **more):
        on_text("The dragon ")
        raise KeyboardInterrupt

    monkeypatch.setattr(talk.speaker, "answer", stopped)
    assert talk.heard(ASKED[0])
    assert talk.history == [(ASKED[0], "The dragon")]
    assert "(stopped)" in capsys.readouterr().err


def test_what_a_model_says_cannot_command_the_terminal(talk, monkeypatch, capsys):
    monkeypatch.setattr(
        talk.speaker, "answer", lambda prompt, *, on_text, **more: on_text("\x1b[2Jgone\n") or ""
    )
    talk.heard("Hm?")
    assert capsys.readouterr().out == "\\x1b[2Jgone\n\n"


def test_the_oldest_exchanges_are_forgotten_whole_when_there_is_no_room_and_it_is_said_once(talk, capsys):
    talk.history = [(f"{n}: " + ASKED[0] * 6, SAID[0] * 6) for n in range(9)]
    talk.system = "Be kind."
    for _ in range(2):
        talk.heard(ASKED[1])
    said = capsys.readouterr()
    assert said.err.count("its oldest turns are forgotten") == 1
    assert talk.history[-1][0] == ASKED[1]
    first = talk.history[0][0]
    assert first[0].isdigit()
    assert int(first[0]) > 0
    asked = talk.speaker.form.asked(ASKED[2], talk.history, talk.system)
    assert len(talk.speaker._encode(asked)) < talk.speaker.context
    assert asked[1].text == "Be kind."


def test_a_system_prompt_that_spells_names_is_filled_in_where_they_are_told(speaker):
    form = speaker.form.model_copy(update={"system": "You are {name}, with {names}; {length}."})
    form.__dict__.pop("prompt", None)
    assert form.lacks_system() == ("name", "names", "length")
    assert form.lacks_system({"name": "Ada", "length": "short"}) == ("names",)
    fields = {"name": "Ada", "names": "Ben", "length": "short"}
    assert form.lacks_system(fields) == ()
    asked = "".join(span.text for span in form.asked("Hm?", fields=fields))
    assert asked.startswith("\nsystem: You are Ada, with Ben; short.<|end|>")
    assert "system" not in "".join(span.text for span in form.asked("Hm?", fields={"name": "Ada"}))


def test_a_template_that_spells_the_models_name_gets_it():
    from plugins.formats.chat import Chat
    from plugins.formats.templates.template import Taken

    text = "{% for m in messages %}{{ (char if m.role == 'assistant' else 'You') + ': ' + m.content + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ char + ': ' }}{% endif %}"
    form = Chat(
        taken=Taken(source="mine", text=text, variables={"eos_token": "<|end|>"}, end="<|end|>", system=False)
    )
    asked = "".join(span.text for span in form.asked("Hm?", fields={"name": "Ada"}))
    assert asked == "You: Hm?<|end|>Ada: "
