"""Exports that a stranger's files, or a file that says less than the model does, would spoil."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from forged_run import forge, make_base, write_corpus

from trainer.exports.licence import licence_of
from trainer.exports.questions import questions
from trainer.exports.spoken import Spoken

LLAMA3 = {"rope_type": "llama3", "rope_theta": 5000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}  # fmt: skip
LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}
PLAIN = Spoken(None, None, bos=None, eos=0, pad=None, unk=None, end=None, marks=())


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A tiny Llama without a chat template."""
    return make_base(tmp_path_factory.mktemp("models") / "tiny", template=None)


@pytest.fixture
def run(tmp_path, base):
    """A finished run on plain text."""
    return forge(tmp_path / "root", base)


@pytest.mark.parametrize("rope", [LLAMA3, LINEAR])
@pytest.mark.parametrize("lost", ["rope_theta", "stretching"])
def test_a_file_that_turns_positions_otherwise_is_found_though_transformers_does_not_read_it(
    tmp_path, rope, lost
):
    import torch
    from transformers import AutoModelForCausalLM

    from trainer.exports.gguf import write_gguf
    from trainer.exports.reread import rotary_faults

    folder = make_base(tmp_path / "m", template=None, rope_parameters=rope)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    true = model.config.rope_parameters

    def written() -> Path:
        file = tmp_path / "model.gguf"
        write_gguf(model, PLAIN, folder / "tokenizer.json", file, quantize="f16", name="x", license_name=None)
        return file

    assert rotary_faults(written(), model.config) == []
    model.config.rope_parameters = (
        {**true, "rope_theta": 10000.0}
        if lost == "rope_theta"
        else {"rope_type": "default", "rope_theta": 5000.0}
    )
    file = written()
    model.config.rope_parameters = true
    assert rotary_faults(file, model.config)


def test_a_tokenizer_that_leaves_numbers_out_passes(tmp_path, base):
    import shutil

    folder = tmp_path / "gaps"
    shutil.copytree(base, folder)
    told = json.loads((folder / "tokenizer.json").read_text())
    words = told["model"]["vocab"]
    words[max(words, key=words.__getitem__)] = 294
    (folder / "tokenizer.json").write_text(json.dumps(told))
    done = forge(tmp_path / "root", folder).export(tmp_path / "out", to="gguf", quantize="f16", quiet=True)
    assert "vocabulary" in done.golden.checked


def test_an_end_token_that_the_tokenizer_does_not_call_special_is_a_control_token(tmp_path, base):
    import shutil

    folder = tmp_path / "plain-end"
    shutil.copytree(base, folder)
    told = json.loads((folder / "tokenizer.json").read_text())
    for entry in told["added_tokens"]:
        entry["special"] = False
    (folder / "tokenizer.json").write_text(json.dumps(told))
    forge(tmp_path / "root", folder).export(tmp_path / "out", to="gguf", quantize="f16", quiet=True)


def test_a_folder_named_by_a_link_or_a_dot_is_written(run, tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    run.export(tmp_path / "link", to="adapter", quiet=True)
    assert (tmp_path / "real" / "golden.json").is_file()
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run.export(".", to="adapter", quiet=True)
    assert (tmp_path / "here" / "golden.json").is_file()


def test_an_adapter_taken_home_names_no_folder_of_this_machine(run, base, tmp_path):
    done = run.export(tmp_path / "out", to="adapter", quiet=True)
    for file in done.path.glob("*.json"):
        assert str(base) not in file.read_text(), file.name
        assert str(run.root) not in file.read_text(), file.name
    assert json.loads((done.path / "adapter_config.json").read_text())["base_model_name_or_path"] == base.name
    from trainer.record import check_adapter, read_record

    assert read_record(done.path).base.name == base.name
    weights = "adapter_model.safetensors"
    assert (done.path / weights).read_bytes() == (run.adapter / weights).read_bytes()
    record = read_record(done.path)
    (done.path / "gristmill.json").unlink()
    (done.path / "golden.json").unlink()
    check_adapter(record, done.path)


def test_another_corpus_of_the_name_does_not_keep_a_model_from_going_home(run, base):
    from transformers import AutoTokenizer

    write_corpus(run.root, base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    asked = questions(run.record, run.store, PLAIN, tokenizer)
    assert [one.source for one in asked] == ["val"] * 2 + ["fixed"] * 4
    other = run.record.model_copy(update={"fingerprint": "another"})
    assert {one.source for one in questions(other, run.store, PLAIN, tokenizer)} == {"fixed"}


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("---\nlicense: mit\n---\n", {"license": "mit"}),
        ("---\nlicense: other\nlicense_name: qwen-research\nlicense_link: https://x/L\n---\n",
         {"license": "other", "license_name": "qwen-research", "license_link": "https://x/L"}),
        ("---\nlicense: [mit\n: {\n---\n", {"license": "other", "license_name": "not-stated"}),
        ("no header", {"license": "other", "license_name": "not-stated"}),
        (None, {"license": "other", "license_name": "not-stated"}),
    ],
)  # fmt: skip
def test_a_licence_keeps_its_name_and_a_strange_card_is_none(tmp_path, card, told):
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    record = SimpleNamespace(base=SimpleNamespace(name="mine"))
    assert licence_of(record, tmp_path) == told


def test_a_loss_beyond_floats_still_has_a_card(run):
    from trainer import card
    from trainer.record import write_record

    record = run.record
    write_record(
        run.path,
        record.model_copy(update={"outcome": record.outcome.model_copy(update={"first_val_loss": 1e4})}),
    )
    assert "| inf |" in card.write(run).read_text()


def test_the_runs_own_card_loads_the_adapter_from_where_it_lies(run, tmp_path):
    from trainer import card

    assert '"path/to/this/folder/adapter"' in card.write(run).read_text()
    assert '"path/to/this/folder")' in card.write(run, tmp_path).read_text()


def test_a_base_with_several_chat_templates_gives_its_usual_one(base, run):
    from transformers import AutoTokenizer

    from trainer.exports.spoken import spoken_of

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = {"tool_use": "b", "default": "a"}
    assert spoken_of(run.record, tokenizer).template == "a"


@pytest.mark.parametrize("system", ["Bonjour\u00a0!", 'Say """ never.'])
def test_a_system_turn_that_ollama_would_change_is_left_out_and_told(system):
    from trainer.exports.ollama import modelfile, system_of

    made = type("Talk", (Spoken,), {"system": system})(**vars(PLAIN))
    record = SimpleNamespace(run="tale/1", corpus="tale@1", max_length=128)
    config = SimpleNamespace(max_position_embeddings=512)
    text = modelfile(made, record, config)
    assert not system_of(text)
    assert "pass it yourself" in text


def test_only_a_seed_that_every_generator_takes_is_one():
    from pydantic import ValidationError

    from schemas.recipe import Train

    for seed in (-1, 2**32):
        with pytest.raises(ValidationError, match="seed"):
            Train(seed=seed)
    assert Train(seed=2**32 - 1).seed == 2**32 - 1


def test_a_finished_run_has_a_card_and_one_that_fails_fails_no_run(made, monkeypatch, capfd):
    import trainer

    root, recipe = made("max_steps = 2")
    run = trainer.train(recipe, root=root, quiet=True)
    end = run.record.outcome
    text = (run.path / "README.md").read_text()
    assert f"| val | {end.first_val_loss:.4f} | {end.val_loss:.4f} |" in text
    assert "- steps, at most: 2\n" in text
    assert "- epochs" not in text, "the steps went before them"

    run.evaluate(quiet=True)
    seen = run.record.openings[-1]
    assert f"| test | {seen.base_loss:.4f} | {seen.tuned_loss:.4f} |" in (run.path / "README.md").read_text()

    def broken(*_args, **_options):
        raise RuntimeError("no ink")

    monkeypatch.setattr("trainer.card.write", broken)
    other = trainer.train(recipe, root=root, quiet=True)
    assert other.record.status == "finished"
    assert not (other.path / "README.md").exists()
    assert "has no card: no ink" in capfd.readouterr().err
