"""Templates that would train nothing, the wrong turns, or answers without an end are refused with the reason, before a build begins."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from families import FAMILIES, LLAMA2, QWEN, make_family

from plugins.formats.chat import Chat
from plugins.formats.instruct import Instruct
from schemas.errors import UserError

LOOP = "{% for m in messages %}BODY{% endfor %}"


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return make_family(QWEN, tmp_path_factory.mktemp("qwen"))


def prepared(folder: Path, model: Path, text: str) -> Chat:
    (folder / "mine.jinja").write_text(text, encoding="utf-8")
    return Chat(template=str(folder / "mine.jinja")).prepared(model)


def loop(body: str) -> str:
    return LOOP.replace("BODY", body)


WRONG = {
    "shows nothing": ("hello", "never shows what turn 1 of 2, a turn of the user"),
    "shows users only": (loop("{% if m.role == 'user' %}{{ m.content + eos_token }}{% endif %}"), "never shows what turn 2 of 2, a turn of the assistant"),
    "shows the last turn only": ("{{ messages[-1].content + eos_token }}", "never shows what turn 1"),
    "shows turns twice": (loop("{{ m.content + m.content + eos_token }}"), "twice"),
    "turns the order round": ("{% for m in messages|reverse %}{{ m.content + eos_token }}{% endfor %}", "another order: 2, 1"),
    "has no end mark": (loop("{{ m.role + ': ' + m.content + '\n' }}"), "an answer would never stop. .* {{ eos_token }}"),
    "ends the last turn only": (loop("{{ m.content + (eos_token if loop.last else '\n') }}"), "two ways"),
    "spells an end token this tokenizer lacks": (loop("{{ m.role + m.content + '<|eot_id|>' }}"), "an answer would never stop"),
    "changes the words": (loop("{{ m.role + m.content|upper + eos_token }}"), "learn what nobody said"),
    "cuts the words short": (loop("{{ m.role + m.content[:4] + eos_token }}"), "never shows|what nobody said|apart"),
    "asks in another way than it trains": (loop("{{ '<' + ('assistant' if m.role == 'user' else 'user') + '>' + m.content + eos_token }}") + "{% if add_generation_prompt %}<assistant>{% endif %}", "the wrong turns would be trained"),
    "loops for ever": ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "steps"),
    "refuses": ("{{ raise_exception('no tools, no talk') }}", "no tools, no talk"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_template_is_refused_with_the_reason(name, qwen, tmp_path):
    text, reason = WRONG[name]
    with pytest.raises(UserError, match=rf"(?s)chat template mine\.jinja.*({reason})"):
        prepared(tmp_path, qwen, text)


def test_what_nothing_is_said_of_by_the_model_is_named(tmp_path):
    bare = make_family(QWEN, tmp_path)
    (bare / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}')
    with pytest.raises(
        UserError, match='no chat template.*template = "vicuna".*alpaca, chatml, llama-3, metharme, mistral'
    ):
        Chat().prepared(bare)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_trial_finds_end_mark_lead_and_place_of_system_turns(family, tmp_path):
    taken = Chat().prepared(make_family(family, tmp_path)).taken
    assert (taken.end, taken.lead, taken.system) == (family.end, family.lead, family.system)
    notes = Chat().prepared(tmp_path).notes()
    assert bool(notes) is not family.system


@pytest.mark.parametrize("name", ["alpaca", "metharme", "mistral", "pygmalion", "vicuna", "chatml"])
def test_templates_that_ship_work_with_any_tokenizer_that_has_their_tokens(name, qwen):
    spans = (
        Instruct(template=name)
        .prepared(qwen)
        .render(None, [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}])
    )
    assert "".join(span.text for span in spans if span.trained).strip() == "Yes?<|im_end|>"


def test_a_shipped_template_begins_as_the_tokenizer_does(tmp_path, qwen):
    llama = make_family(LLAMA2, tmp_path)
    config = llama / "tokenizer_config.json"
    messages = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}]

    def first() -> str:
        return Chat(template="vicuna").prepared(llama).render(None, messages)[0].text

    assert not first().startswith("<s>")
    config.write_text(config.read_text().replace("{", '{"add_bos_token": true, ', 1))
    assert first().startswith("<s>")


def test_a_template_of_a_list_in_the_tokenizers_config_is_found(tmp_path):
    import json

    model = make_family(QWEN, tmp_path)
    tables = json.loads((model / "tokenizer_config.json").read_text())
    tables["chat_template"] = [
        {"name": "tool_use", "template": "nonsense"},
        {"name": "default", "template": QWEN.template},
    ]
    (model / "tokenizer_config.json").write_text(json.dumps(tables))
    assert Chat().prepared(model).taken.text == QWEN.template
