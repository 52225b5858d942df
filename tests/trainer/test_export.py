"""Taking a run home: what is written, that it is the run's model, and that a fault leaves nothing behind."""

import errno
import json
import shutil
from pathlib import Path

import pytest
from forged_run import END, TURN, forge, make_base, write_corpus

from schemas.errors import LedgerError, Mismatch, NotFound, StorageError, TaskFailed, UserError
from trainer.record import write_record

CHAT = {"use": "chat", "system": "Answer."}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A tiny Llama with a chat template of its own."""
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def talker(tmp_path_factory, base: Path):
    """A finished run on chat, its corpus beside it."""
    root = tmp_path_factory.mktemp("talker")
    write_corpus(root, base)
    return forge(root, base, form=CHAT)


@pytest.fixture(scope="module")
def writer(tmp_path_factory, base: Path):
    """A finished run on plain text, its corpus pruned."""
    return forge(tmp_path_factory.mktemp("writer"), base)


def logits(model, ids=(5, 9, 40, 41, 60)):
    """What a transformers model says after each token."""
    import torch

    with torch.no_grad():
        return model(torch.tensor([list(ids)])).logits


def tuned(run):
    """Base and adapter, as PEFT puts them together."""
    from trainer.loading import read_model

    record = run.record
    with read_model(record, Path(record.base.path), run.adapter, "cpu").tuned() as model:
        return model


def test_the_merged_folder_speaks_as_adapter_on_base_and_ends_where_the_template_ends(talker, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    done = talker.export(tmp_path / "out", dtype="float32", quiet=True)
    model = AutoModelForCausalLM.from_pretrained(done.path)
    assert torch.allclose(logits(model), logits(tuned(talker)), atol=1e-4)
    assert model.config.tie_word_embeddings
    tokenizer = AutoTokenizer.from_pretrained(done.path)
    assert model.generation_config.eos_token_id == tokenizer.convert_tokens_to_ids([END, TURN])
    talk = [{"role": "system", "content": "Answer."}, {"role": "user", "content": "Who?"}]
    shown = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    assert shown == f"system: Answer.{TURN}\nuser: Who?{TURN}\nassistant: "


def test_sixteen_bits_are_the_default_and_tokenizer_files_are_the_bases_own(talker, base, tmp_path):
    from safetensors import safe_open

    done = talker.export(tmp_path / "out", quiet=True)
    assert json.loads((done.path / "config.json").read_text())["dtype"] == "bfloat16"
    with safe_open(done.path / "model.safetensors", framework="pt") as file:
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118
        assert all(file.get_slice(key).get_dtype() == "BF16" for key in file.keys())  # noqa: SIM118
    assert (done.path / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    assert "chat_template" not in json.loads((done.path / "tokenizer_config.json").read_text())


@pytest.mark.parametrize("lora", [{"r": 4, "rank_stabilized": True, "alpha": 8}, {"r": 4, "dora": True}])
def test_rslora_and_dora_merge(base, tmp_path, lora):
    run = forge(tmp_path, base, lora=lora)
    done = run.export(tmp_path / "out", dtype="float32", quiet=True)
    merged = next(one for one in done.golden.models if one.what == "float32")
    assert merged.answers == len(done.golden.prompts)
    assert merged.change == pytest.approx(1, abs=1e-4)


def test_a_run_that_trained_every_weight_is_taken_home_whole(base, tmp_path):
    run = forge(tmp_path, base, form=CHAT, method="full")
    done = run.export(tmp_path / "out", to="gguf", quantize="f16", quiet=True)
    assert done.golden.models[-1].change == pytest.approx(1, abs=1e-3)
    with pytest.raises(UserError, match="--to safetensors"):
        run.export(tmp_path / "other", to="adapter")


def test_the_adapter_goes_as_it_is_with_card_record_and_proof(talker, base, tmp_path):
    (base / "LICENSE").write_text("Do as you like.")
    done = talker.export(tmp_path / "out", to="adapter", quiet=True)
    (base / "LICENSE").unlink()
    for file in talker.adapter.glob("*.safetensors"):
        assert (done.path / file.name).read_bytes() == file.read_bytes()
    assert {"README.md", "LICENSE", "gristmill.json", "golden.json"} <= done.files.keys()
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), done.path)


def test_a_gguf_file_is_read_by_transformers_as_the_same_model(writer, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM

    done = writer.export(tmp_path / "out", to="gguf", quantize="f16", quiet=True)
    model = AutoModelForCausalLM.from_pretrained(done.path, gguf_file="model.gguf", dtype=torch.float32)
    assert torch.allclose(logits(model), logits(tuned(writer)), atol=0.05)


def test_golden_json_keeps_prompts_of_val_and_never_of_test(talker, tmp_path):
    from tiny_model import TEXTS

    done = talker.export(tmp_path / "out", to="ollama", quiet=True)
    kept = json.loads((done.path / "golden.json").read_text())
    assert [one["source"] for one in kept["prompts"]] == ["val", "val", "fixed", "fixed", "fixed", "fixed"]
    assert all(TEXTS[n].startswith(kept["prompts"][n]["prompt"]) for n in range(2))
    assert [one["what"] for one in kept["models"]] == ["base", "merged", "q8_0"]
    assert kept["models"][1]["answers"] == 6
    assert kept["models"][0]["answers"] == 0, "the adapter must show, or the check would prove nothing"


def test_a_base_whose_head_stands_apart_keeps_both(tmp_path):
    base = make_base(tmp_path / "m", tie_word_embeddings=False)
    run = forge(tmp_path, base)
    done = run.export(tmp_path / "out", dtype="float32", quiet=True)
    assert not json.loads((done.path / "config.json").read_text())["tie_word_embeddings"]
    run.export(tmp_path / "packed", to="gguf", quiet=True)


def test_a_head_that_a_run_moved_from_its_embeddings_is_written_apart(base):
    import torch
    from transformers import AutoModelForCausalLM

    from trainer.exports.merge import merged

    model = AutoModelForCausalLM.from_pretrained(base)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone() + 1)
    assert not merged(model).config.tie_word_embeddings


# ------------------------------------------------------------------------------------------------ what goes wrong


def nothing_left(folder: Path) -> bool:
    """No export, and no half of one under a hidden name."""
    return not any(folder.iterdir())


def test_a_folder_that_holds_something_is_left_alone(writer, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="overwrites nothing"):
        writer.export(tmp_path / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="overwrites nothing"):
        writer.export(tmp_path / "file")
    assert (tmp_path / "out" / "mine.txt").read_text() == (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("form", ["safetensors", "gguf"])
def test_a_disk_that_fills_up_leaves_nothing(writer, tmp_path, monkeypatch, form):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        "trainer.exports.merge.shutil.copyfile"
        if form == "safetensors"
        else "gguf.GGUFWriter.write_tensor_data",
        full,
    )
    with pytest.raises(StorageError, match="No space left"):
        writer.export(tmp_path / "out", to=form, quiet=True)
    assert nothing_left(tmp_path)


def test_too_little_room_is_told_before_anything_is_loaded(writer, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(StorageError, match="GB are free"):
        writer.export(tmp_path / "out")
    assert nothing_left(tmp_path)


def test_a_run_at_work_has_nothing_to_take_home(base, tmp_path):
    run = forge(tmp_path, base)
    write_record(run.path, run.record.model_copy(update={"status": "started", "outcome": None}))
    with pytest.raises(NotFound, match="--resume"):
        run.export(tmp_path / "out")


def test_a_base_that_changed_is_refused(tmp_path):
    base = make_base(tmp_path / "m")
    run = forge(tmp_path, base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))
    with pytest.raises(Mismatch, match="weights"):
        run.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_that_was_tampered_with_is_refused(base, tmp_path):
    run = forge(tmp_path, base)
    file = run.adapter / "adapter_model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(Mismatch, match="is not the adapter"):
        run.export(tmp_path / "out", to="adapter")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"to": "gguf", "quantize": "q4_k"}, 'no "q4_k".*q4_0'),
        ({"to": "onnx"}, "adapter, safetensors, gguf, ollama"),
        ({"to": "safetensors", "quantize": "q8_0"}, "--to gguf"),
        ({"to": "gguf", "dtype": "float16"}, "--quantize f16"),
        ({"dtype": "float8"}, "bfloat16"),
        ({"to": "adapter", "converter": "llama.cpp"}, "Leave it out"),
        ({"to": "gguf", "converter": "other"}, "builtin, llama.cpp"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_what_to_type(writer, tmp_path, options, told):
    with pytest.raises(UserError, match=told):
        writer.export(tmp_path / "out", **options)
    assert nothing_left(tmp_path)


def test_llama_cpp_is_looked_for_and_never_fetched(writer, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match=r"convert_hf_to_gguf.py and no llama-quantize in PATH"):
        writer.export(tmp_path / "out", to="gguf", quantize="q4_0", converter="llama.cpp", quiet=True)
    assert nothing_left(tmp_path)


SCRIPT = """
import shutil, sys
from pathlib import Path

folder, _, target, _, kind = sys.argv[1:]
if kind != "f16" or not (Path(folder) / "model.safetensors").is_file():
    sys.exit("KeyError: no such model")
shutil.copyfile({made!r}, target)
"""


def test_llama_cpps_script_is_run_on_the_merged_folder_and_held_to_the_same_check(writer, talker, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    options = {"to": "gguf", "converter": "llama.cpp", "llama_cpp": tools, "quantize": "f16", "quiet": True}
    made = writer.export(tmp_path / "made", to="gguf", quantize="f16", quiet=True).path / "model.gguf"
    (tools / "convert_hf_to_gguf.py").write_text(SCRIPT.format(made=str(made)))
    done = writer.export(tmp_path / "out", **options)
    assert done.files.keys() == {"README.md", "golden.json", "model.gguf"}
    with pytest.raises(LedgerError, match="ends answers with"):
        talker.export(tmp_path / "other", **options)
    with pytest.raises(TaskFailed, match="no such model"):
        writer.export(tmp_path / "other", **{**options, "quantize": "q8_0"})
    assert not (tmp_path / "other").exists()


def test_the_command_writes_prints_and_ends_with_json(writer, tmp_path):
    import typer
    from typer.testing import CliRunner

    from trainer.commands.export_model import export_model
    from trainer.commands.runs import runs

    app = typer.Typer()
    for function in (export_model, runs):
        app.command()(function)
    root = writer.path.parents[2]
    told = CliRunner().invoke(app, ["export-model", "tale", str(tmp_path / "out"), "--to", "gguf", "--root", str(root), "--json"], catch_exceptions=False)  # fmt: skip
    assert json.loads(told.stdout.splitlines()[-1])["golden"]["models"][-1]["what"] == "q8_0"
    assert (tmp_path / "out" / "model.gguf").is_file()
