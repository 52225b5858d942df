"""chat and instruct: who speaks as whom, and masks exact to the character for five families of templates."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parent))
from families import FAMILIES, GEMMA, LLAMA2, QWEN, make_family

from plugins.formats.chat import Chat
from plugins.formats.instruct import Instruct
from plugins.registry import load_recipe

SMOLLM = Path(__file__).parents[3] / ".gristmill/models/smollm2-135m"
FAMILY = {family.name: family for family in FAMILIES}
SPELLED = [*sorted({token for family in FAMILIES for token in family.specials}), "[INST]", "<<SYS>>", "{{ x }}", "{% raw %}", "\ue0000\ue000"]  # fmt: skip

says = st.lists(
    st.one_of(st.sampled_from(SPELLED), st.text(max_size=12), st.sampled_from(["\n\n", "  ", "\r\n", "Ada:", "日本語", "🙂"])), max_size=5
).map("".join)  # fmt: skip
message = st.fixed_dictionaries({
    "role": st.sampled_from(["user", "assistant", "user", "assistant", "system"]),
    "name": st.sampled_from([None, "Ada", "Bo", "Cy"]),
    "content": says,
    "train": st.sampled_from([None, True, True, False]),
})
dialogues = st.lists(message, min_size=1, max_size=9)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {family.name: make_family(family, tmp_path_factory.mktemp(family.name)) for family in FAMILIES}


def given_turns(messages, family):
    """The turns a careful person would give the template by hand: an oracle apart from the code under test."""
    posts = [(m, (m["content"] or "").strip()) for m in messages]
    posts = [(m, text) for m, text in posts if text]
    system = []
    while posts and posts[0][0]["role"] == "system":
        system.append(posts.pop(0)[1])
    turns = []
    for m, text in posts:
        spoke = bool(turns)
        side = "assistant" if m["role"] == "assistant" and (spoke) else "user"
        if m["role"] == "assistant" and all(s == "user" and mine for s, _, _, mine in turns):
            side = "user"  # the model cannot open: what it says first is read
        turns.append((side, text, m["train"] is not False, m["role"] == "assistant"))
    if not any(side == "assistant" and trained for side, _, trained, _ in turns):
        return None
    while not (turns[-1][0] == "assistant" and turns[-1][2]):
        turns.pop()
    return "\n\n".join(system), turns


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dialogues, st.sampled_from(sorted(FAMILY)))
def test_what_is_trained_is_what_the_model_says_and_its_end_marks(models, messages, name):
    family = FAMILY[name]
    form = Chat(names=False).prepared(models[name])
    # Without names, so that what stands in a turn is what was said.
    for one in messages:
        one["name"] = None
    wanted = given_turns(messages, family)
    if wanted is None:
        with pytest.raises(ValueError, match=r"nobody is the model|says nothing"):
            form.render(None, messages)
        return
    spans = form.render(None, messages)
    expected, run = [], []
    for (side, text, trained, _), after in zip(wanted[1], [*wanted[1][1:], None], strict=True):
        if side != "assistant":
            continue
        run.append((text, trained))
        if after is None or after[0] == "user":
            said = (family.lead if run[0][1] else "") + run[0][0] * run[0][1]
            for (_, before), (now, learn) in pairwise(run):
                said += ("\n\n" if before and learn else "") + now * learn
            expected.append(said + family.end * run[-1][1])
            run = []
    assert "".join(span.text for span in spans if span.trained) == "".join(expected)
    assert all(span.control is False for span in spans if span.trained and span.text != family.end)


@settings(max_examples=60, deadline=None)
@given(dialogues, st.sampled_from(sorted(FAMILY)))
def test_the_spans_are_what_transformers_makes_of_the_conversation(models, messages, name):
    pytest.importorskip("transformers")
    from transformers.utils.chat_template_utils import render_jinja_template

    family = FAMILY[name]
    for one in messages:
        one["name"] = None
    wanted = given_turns(messages, family)
    if wanted is None:
        return
    system, turns = wanted
    chat = []
    for side, text, _, _ in turns:
        if chat and chat[-1]["role"] == side:
            chat[-1]["content"] += "\n\n" + text
        else:
            chat.append({"role": side, "content": text})
    if system and family.system:
        chat.insert(0, {"role": "system", "content": system})
    elif system:
        chat[0]["content"] = system + "\n\n" + chat[0]["content"]
    tokens = {"eos_token": family.eos, **({"bos_token": family.bos} if family.bos else {})}
    theirs, _ = render_jinja_template([chat], chat_template=family.template, **tokens)
    spans = Chat(names=False).prepared(models[name]).render(None, messages)
    assert "".join(span.text for span in spans) == theirs[0]


@settings(max_examples=60, deadline=None)
@given(dialogues, st.sampled_from(sorted(FAMILY)))
def test_every_window_is_what_the_template_makes_of_the_shorter_conversation(models, messages, name):
    form = Chat(names=False).prepared(models[name])
    for one in messages:
        one["name"] = None
    try:
        spans = form.render(None, messages)
    except ValueError:
        return
    assert [span.begins for span in spans] == [True, *[False] * (len(spans) - 1)]
    carried = [span for span in spans if span.carried]
    assert spans[: len(carried)] == carried
    head = "".join(span.text for span in carried)
    first = next(n for n, m in enumerate(messages) if m["role"] != "system" and m["content"].strip())
    for n, span in enumerate(spans):
        # A window may open with any post of the user; where the model's own opening post was left out, another one is the first.
        if span.opens and span.turn is not None and messages[span.turn]["role"] == "user":
            shorter = form.render(None, [*messages[:first], *messages[span.turn :]])
            assert head + "".join(s.text for s in spans[n:]) == "".join(s.text for s in shorter)


@settings(max_examples=80, deadline=None)
@given(dialogues, st.sampled_from(sorted(FAMILY)))
def test_decoding_the_trained_tokens_gives_the_trained_text(models, messages, name):
    form = Chat().prepared(models[name])
    try:
        spans = form.render(None, messages)
    except ValueError:
        return
    control = Tokenizer.from_file(str(models[name] / "tokenizer.json"))
    plain = Tokenizer.from_file(str(models[name] / "tokenizer.json"))
    plain.encode_special_tokens = True
    for span in spans:
        encoded = (control if span.control else plain).encode(span.text, add_special_tokens=False)
        ids = set(encoded.ids)
        special = {control.token_to_id(token) for token in FAMILY[name].specials if token != "<unk>"}
        assert span.control or not ids & special, "what somebody says never becomes a control token"
        if span.trained:
            assert control.decode(encoded.ids, skip_special_tokens=False) == span.text
            assert not span.control or ids & special, "an end mark is a token, not its spelling"


@pytest.mark.skipif(not SMOLLM.is_dir(), reason="the model SmolLM2 is not in .gristmill/models")
@settings(max_examples=30, deadline=None)
@given(dialogues)
def test_smollm2s_own_template_is_understood(messages):
    form = Chat().prepared(SMOLLM)
    assert (form.taken.end, form.taken.lead, form.taken.system) == ("<|im_end|>", "", True)
    try:
        spans = form.render(None, messages)
    except ValueError:
        return
    said = [m["content"].strip() for m in messages if m["role"] == "assistant"]
    trained = [span.text for span in spans if span.trained and not span.control]
    assert set(trained) <= {*said, "\n\n"}


def roles(*listed):
    return [{"role": role, "name": name, "content": content} for role, name, content in listed]


THREAD = roles(("user", "Ada", "Who goes?"), ("user", "Bo", "A friend."), ("user", "Cy", "And I."), ("user", "Bo", "Cold."), ("user", "Ada", "Enter."))  # fmt: skip


def trained(spans):
    return [span.text for span in spans if span.trained and not span.control]


@pytest.fixture
def qwen(models):
    return models["qwen"]


def test_the_last_speaker_is_the_model_and_the_opening_post_is_read_under_its_name(qwen):
    spans = Chat(model_speaks="last").prepared(qwen).render("ignored", THREAD)
    assert trained(spans) == ["Enter."]
    shown = "".join(span.text for span in spans)
    assert "user\nAda: Who goes?\n\nBo: A friend.\n\nCy: And I.\n\nBo: Cold.<|im_end|>" in shown
    assert [span.turn for span in spans if span.turn is not None] == [0, 1, 2, 3, 4]


def test_each_speaker_in_turn_has_a_conversation_and_each_post_is_trained_once(qwen):
    spans = Chat(model_speaks="each", system="You are {name}; with you: {names}.").prepared(qwen).render(None, THREAD)  # fmt: skip
    assert sum(span.begins for span in spans) == 3
    assert sorted(trained(spans)) == sorted(["Enter.", "A friend.", "Cold.", "And I."])
    systems = [span.text for span in spans if span.carried and not span.control]
    assert systems == [
        "You are Ada; with you: Bo, Cy.",
        "You are Bo; with you: Ada, Cy.",
        "You are Cy; with you: Ada, Bo.",
    ]


def test_a_named_speaker_is_the_model_and_consecutive_posts_are_one_turn(qwen):
    messages = roles(("user", "Ada", "Hi."), ("user", "Bo", "One."), ("user", "Bo", "Two."))
    spans = Chat(model_speaks="Bo").prepared(qwen).render(None, messages)
    assert trained(spans) == ["One.", "\n\n", "Two."]
    assert sum(span.text == "<|im_end|>" for span in spans if span.trained) == 1
    with pytest.raises(ValueError, match='nobody named "Dee" speaks; who does: Ada, Bo'):
        Chat(model_speaks="Dee").prepared(qwen).render(None, messages)


@pytest.mark.parametrize(
    ("names", "speakers", "shown"),
    [(None, 2, False), (None, 3, True), (True, 2, True), (False, 3, False)],
)
def test_names_are_shown_where_asked_or_where_more_than_two_speak(qwen, names, speakers, shown):
    messages = [m for m in THREAD[1:4] if speakers == 3 or m["name"] == "Bo"] + roles(("user", "Ada", "Ah."))
    spans = Chat(model_speaks="last", names=names).prepared(qwen).render(None, messages)
    assert any(span.text.startswith("Bo: ") for span in spans) is shown


def test_roles_as_they_stand_need_an_assistant(qwen):
    with pytest.raises(ValueError, match=r"nobody is the model. Say who is: model_speaks"):
        Chat().prepared(qwen).render(None, THREAD)


def test_a_text_has_no_turns(qwen):
    with pytest.raises(ValueError, match="a text and no messages"):
        Chat().prepared(qwen).render("Rain.", None)
    with pytest.raises(ValueError, match="what is prompt and what is completion"):
        Instruct().prepared(qwen).render("Rain.", None)


def test_what_is_marked_as_not_to_train_is_read(qwen):
    messages = roles(("user", None, "Hi."), ("assistant", None, "OOC: brb"), ("user", None, "?"), ("assistant", None, "Back."))  # fmt: skip
    messages[1]["train"] = False
    spans = Chat().prepared(qwen).render(None, messages)
    assert trained(spans) == ["Back."]
    assert "OOC: brb" in "".join(span.text for span in spans)
    assert next(span for span in spans if span.text == "<|im_end|>").trained is False


def test_short_conversations_are_refused_where_asked(qwen):
    messages = roles(("user", None, "Hi."), ("assistant", None, "Yes?"))
    assert Chat(min_turns=2).prepared(qwen).render(None, messages)
    with pytest.raises(ValueError, match="it has 2 turns; min_turns is 3"):
        Chat(min_turns=3).prepared(qwen).render(None, messages)


def test_a_document_keeps_its_own_system_turn(qwen):
    messages = roles(("system", None, "Mine."), ("user", None, "Hi."), ("assistant", None, "Yes?"))
    shown = "".join(s.text for s in Chat(system="Theirs.").prepared(qwen).render(None, messages))
    assert "system\nMine.<|im_end|>" in shown
    assert "Theirs" not in shown


def test_a_system_text_stands_before_the_first_user_turn_where_the_template_has_no_place_for_it(models):
    form = Chat(system="Be brief.").prepared(models["gemma"])
    spans = form.render(None, roles(("user", None, "Hi."), ("assistant", None, "Yes?")))
    assert "".join(s.text for s in spans).startswith(
        "<bos><start_of_turn>user\nBe brief.\n\nHi.<end_of_turn>"
    )
    assert [s.text for s in spans if s.carried][-1] == "Be brief.\n\n"
    assert "in front of the first user turn" in form.notes()[0]


def test_a_template_that_drops_thinking_from_earlier_turns_is_followed(tmp_path):
    family = QWEN
    model = make_family(family, tmp_path)
    thinking = family.template.replace("message.content + '<|im_end|>'", "(message.content.split('</think>')[-1].lstrip() if not loop.last else message.content) + '<|im_end|>'")  # fmt: skip
    (tmp_path / "t.jinja").write_text(thinking)
    form = Chat(template=str(tmp_path / "t.jinja")).prepared(model)
    messages = roles(("user", None, "Hi."), ("assistant", None, "<think>hm</think>Yes?"), ("user", None, "So?"), ("assistant", None, "<think>ah</think>No."))  # fmt: skip
    assert trained(form.render(None, messages)) == ["Yes?", "<think>ah</think>No."]


def test_a_template_whose_words_hang_on_what_is_said_is_refused_for_that_document(tmp_path):
    model = make_family(QWEN, tmp_path)
    odd = QWEN.template.replace("'<|im_start|>' + message.role", "'<|im_start|>' + ('x' if 'magic' in message.content else '') + message.role")  # fmt: skip
    (tmp_path / "t.jinja").write_text(odd)
    form = Chat(template=str(tmp_path / "t.jinja")).prepared(model)
    assert form.render(None, roles(("user", None, "Hi."), ("assistant", None, "Yes?")))
    with pytest.raises(ValueError, match="around turn 1 because of what that turn says"):
        form.render(None, roles(("user", None, "magic"), ("assistant", None, "Yes?")))


def test_instruct_shows_the_first_exchange(qwen):
    messages = roles(("user", None, "2+2?"), ("assistant", None, "4"), ("user", None, "3+3?"), ("assistant", None, "6"))  # fmt: skip
    spans = Instruct(template="alpaca").prepared(qwen).render(None, messages)
    assert [span.text for span in spans if span.trained] == ["4", "<|im_end|>"]
    assert "3+3" not in "".join(span.text for span in spans)
    with pytest.raises(ValueError, match="no completion"):
        Instruct().prepared(qwen).render(None, [*messages[:1], {**messages[1], "train": False}])


RECIPE = 'name = "a"\n[[source]]\nuse = "files"\npath = "*.txt"\n[tokens]\nformat = { use = "chat", template = "%s" }\n'


def test_a_template_is_named_or_a_file_beside_the_recipe_and_its_text_is_identity(tmp_path, qwen):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "mine.jinja").write_text(QWEN.template)
    recipe = tmp_path / "r.toml"

    def read(template):
        recipe.write_text(RECIPE % template)
        resolved = load_recipe(recipe)
        ready = resolved.prepared(qwen)
        assert ready.sections == resolved.sections, "`train` reads the recipe without a model at hand"
        return ready.format.identity(), ready.sections

    mine, named = read("./mine.jinja"), read("chatml")
    assert mine[0] != named[0]
    assert mine[1] != named[1]
    (tmp_path / "mine.jinja").write_text(QWEN.template.replace("You are a", "You were a"))
    assert read("./mine.jinja")[0] != mine[0]
    assert read("./mine.jinja")[1] != mine[1]
    recipe.write_text(RECIPE % "chatlm")
    with pytest.raises(Exception, match=r"built in: alpaca, chatml.*Nearest: \"chatml\""):
        load_recipe(recipe)


@pytest.mark.parametrize(
    ("system", "fault"),
    [("{nam}", "fields are name, names, length, style"), ("{a|b", "never closed"), ("a}", "too many")],
)
def test_faulty_system_prompts_are_faults_of_the_recipe(tmp_path, system, fault):
    (tmp_path / "r.toml").write_text(
        RECIPE.replace('template = "%s"', f'system = "{system}"') + "max_tokens = 64\n"
    )
    with pytest.raises(Exception, match=fault):
        load_recipe(tmp_path / "r.toml")


def test_the_families_differ_where_it_matters():
    assert LLAMA2.lead
    assert not GEMMA.system
