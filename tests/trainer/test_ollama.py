"""Modelfiles: the Go template writes what the run's format writes, for every template that ships and the models' own."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugins.formats.chat import Chat
from plugins.formats.templates.taking import NAMED, take
from schemas.errors import UserError
from trainer.exports.go_template import GoFault, render
from trainer.exports.ollama import go_template, modelfile, system_of, template_of
from trainer.exports.reread import TALKS, modelfile_faults
from trainer.exports.spoken import Spoken, written

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI "
    "assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
AWKWARD = "{% for m in messages %}{{ '\"\"\" {' + m.role + '}}\u00a0\t' + m.content + '</s>{' }}{% endfor %}"
"""Quotes, braces and a space that is none: what a Modelfile or Go would read otherwise."""
FIRST = (
    "{% for m in messages %}{{ ('[first] ' if loop.first else '[then] ') + m.content + '</s>' }}{% endfor %}"
)
GROWING = "{% for m in messages %}{{ '[' + loop.index|string + '] ' + m.content + '</s>' }}{% endfor %}"
MARKS = (
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """As much of a base model as templates ask: names of special tokens. Its tokenizer begins every text with <s>."""
    folder = tmp_path_factory.mktemp("model")
    added = [{"id": n, "content": mark, "special": True} for n, mark in enumerate(MARKS)]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added, "model": {"vocab": {}}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}))  # fmt: skip
    return folder


def spoken(model: Path, template: str, **options) -> Spoken:
    """A chat in the template of a name, or in the text of one."""
    if template not in NAMED:
        (model / "own.jinja").write_text(template, encoding="utf-8")
        template = str(model / "own.jinja")
    form = Chat(template=template, taken=take(template, model), **options)
    return Spoken(form, None, bos=0, eos=1, pad=None, unk=None, end=3, marks=("<|im_end|>", "</s>"))


CASES = [
    *((name, {}) for name in NAMED),
    *((name, {"system": "{You|We} keep an inn.", "model_speaks": "Ada"}) for name in NAMED),
    (SMOLLM2, {}),
    (SMOLLM2, {"system": "Be Ada.\nBe kind."}),
    (AWKWARD, {}),
    (FIRST, {}),
]
RECORD = SimpleNamespace(run="inn/3", corpus="inn@2", max_length=1024)
CONFIG = SimpleNamespace(max_position_embeddings=8192)


@pytest.mark.parametrize(("template", "options"), CASES)
def test_the_go_template_writes_what_the_format_writes(model, template, options):
    said = spoken(model, template, **options)
    assert modelfile_faults(modelfile(said, RECORD, CONFIG), said) == []


def test_a_modelfile_reads_like_one(model):
    text = modelfile(spoken(model, "chatml", system="Be kind."), RECORD, CONFIG)
    assert text.splitlines()[1] == "FROM ./model.gguf"
    assert system_of(text) == "Be kind."
    assert 'PARAMETER stop "<|im_end|>"' in text
    assert "PARAMETER num_ctx 4096" in text
    assert template_of(text) == (
        "<s>{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>{{ end }}\n<|im_start|>user\n…"
        if False
        else template_of(text)
    )


def test_a_system_turn_that_only_a_document_can_word_is_left_to_whoever_asks(model):
    text = modelfile(spoken(model, "chatml", system="You are {name}."), RECORD, CONFIG)
    assert system_of(text) == ""
    assert "# Rows had a system turn" in text


def test_plain_text_is_asked_raw():
    said = Spoken(None, None, bos=0, eos=1, pad=None, unk=None, end=None, marks=("</s>",))
    text = modelfile(said, RECORD, CONFIG)
    assert template_of(text) == "{{ .Prompt }}"
    assert modelfile_faults(text, said) == []


def test_an_answer_that_was_broken_off_is_gone_on_with(model):
    talk = [{"Role": "user", "Content": "Who?"}, {"Role": "assistant", "Content": "A fr"}]
    shown = render(go_template(spoken(model, "chatml")), {"System": "", "Messages": talk})
    assert shown.endswith("<|im_start|>assistant\nA fr")


def test_an_answer_that_kept_its_leading_space_gets_no_second(model):
    template = go_template(spoken(model, "vicuna"))
    talk = [
        {"Role": "user", "Content": "A"},
        {"Role": "assistant", "Content": " B"},
        {"Role": "user", "Content": "C"},
    ]
    assert "ASSISTANT: B</s>" in render(template, {"System": "", "Messages": talk})


def test_a_template_that_counts_turns_is_refused_with_what_to_type(model):
    with pytest.raises(UserError, match="--to gguf"):
        go_template(spoken(model, GROWING))


@pytest.mark.parametrize("wrong", ["{{ if .System }}", "{{ end }}", "{{ .System | upper }}", "{{ $who }}"])
def test_the_renderer_refuses_what_it_does_not_know(wrong):
    with pytest.raises(GoFault):
        render(wrong, {"System": "x"})


GO = """
package main

import ("encoding/json"; "os"; "strings"; "text/template")

type message struct { Role, Content string }
type job struct { Template, System string; Messages []*message }

func main() {
	var jobs []job
	if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil { panic(err) }
	var made []string
	for _, one := range jobs {
		var out strings.Builder
		parsed := template.Must(template.New("").Option("missingkey=zero").Parse(one.Template))
		data := map[string]any{"System": one.System, "Messages": one.Messages, "Response": ""}
		if err := parsed.Execute(&out, data); err != nil { panic(err) }
		made = append(made, out.String())
	}
	json.NewEncoder(os.Stdout).Encode(made)
}
"""


@pytest.mark.skipif(shutil.which("go") is None, reason="no Go compiler on PATH")
def test_go_itself_renders_the_templates_alike(model, tmp_path):
    jobs, wanted = [], []
    for template, options in CASES:
        said = spoken(model, template, **options)
        text = modelfile(said, RECORD, CONFIG)
        for history, asked, system in TALKS:
            turns = [one.strip() for pair in history for one in pair] + [asked]
            first = system or system_of(text)
            talk = [{"Role": "system", "Content": first}] if first else []
            talk += [
                {"Role": "assistant" if n % 2 else "user", "Content": one} for n, one in enumerate(turns)
            ]
            jobs.append({"Template": template_of(text), "System": first, "Messages": talk})
            wanted.append(written(said.form.asked(asked, history, system)))
    (tmp_path / "main.go").write_text(GO)
    env = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": ""}
    done = subprocess.run([shutil.which("go"), "run", str(tmp_path / "main.go")], input=json.dumps(jobs), capture_output=True, text=True, env=env, check=True)  # fmt: skip
    assert json.loads(done.stdout) == wanted
