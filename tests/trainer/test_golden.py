"""The golden check catches exports that were broken on purpose, and leaves nothing of them."""

import dataclasses
import json
from pathlib import Path

import pytest
from forged_run import forge, make_base, write_corpus

from schemas.errors import LedgerError
from trainer.exports import gguf, gguf_tensors, gguf_vocabulary, merge, ollama, spoken
from trainer.exports.golden import BOUNDS, Agreement, faults


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run on chat."""
    root = tmp_path_factory.mktemp("run")
    base = make_base(root / "tiny")
    write_corpus(root, base)
    return forge(root, base, form={"use": "chat", "system": "Answer."})


def refused(run, folder: Path, told: str, **options) -> None:
    """The export fails for the reason `told`, and nothing is left in `folder`."""
    with pytest.raises(LedgerError, match=told):
        run.export(folder / "out", quiet=True, **options)
    assert not any(folder.iterdir())


def test_an_adapter_that_was_dropped_while_merging(run, tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "merged", lambda model: model.unload())
    refused(run, tmp_path, "merged model is not the run's")


@pytest.mark.parametrize("quantize", ["f16", "q8_0"])
def test_an_adapter_that_was_dropped_while_writing_gguf(run, tmp_path, monkeypatch, quantize):
    from transformers import AutoModelForCausalLM

    true = gguf.packed
    base = AutoModelForCausalLM.from_pretrained(run.record.base.path)
    monkeypatch.setattr(gguf, "packed", lambda _model, kind: true(base, kind))
    refused(run, tmp_path, "0% of what the run changed", to="gguf", quantize=quantize)


def test_an_adapter_that_was_dropped_while_saving(run, tmp_path, monkeypatch):
    from transformers import AutoModelForCausalLM

    true = merge.save_merged
    base = AutoModelForCausalLM.from_pretrained(run.record.base.path)
    monkeypatch.setattr(merge, "save_merged", lambda _model, *rest, **more: true(base, *rest, **more))
    refused(run, tmp_path, "0% of what the run changed")


@pytest.mark.parametrize("quantize", ["f16", "q8_0"])
def test_attention_heads_in_the_order_of_transformers(run, tmp_path, monkeypatch, quantize):
    monkeypatch.setattr(gguf_tensors, "permute", lambda weights, _heads: weights)
    refused(run, tmp_path, "divergence", to="gguf", quantize=quantize)


def test_rows_of_the_head_that_are_permuted(run, tmp_path, monkeypatch):
    true = gguf.packed

    def rolled(model, quantize):
        for tensor in true(model, quantize):
            head = tensor.name in gguf_tensors.HEADS
            yield dataclasses.replace(tensor, weight=tensor.weight.roll(1, 0)) if head else tensor

    monkeypatch.setattr(gguf, "packed", rolled)
    refused(run, tmp_path, "divergence", to="gguf", quantize="q4_0")


@pytest.mark.parametrize("to", ["safetensors", "gguf"])
def test_a_template_that_is_not_the_runs(run, tmp_path, monkeypatch, to):
    monkeypatch.setattr(
        spoken, "_pinned", lambda form, _tokenizer: form.taken.text.replace("assistant: ", "bot: ")
    )
    refused(run, tmp_path, "template writes 'bot: ' where the run's writes 'assistant: '", to=to)


def test_a_go_template_that_is_not_the_runs(run, tmp_path, monkeypatch):
    true = ollama.go_template
    monkeypatch.setattr(ollama, "go_template", lambda said: true(said).replace("user: ", "USER: "))
    refused(run, tmp_path, "template writes 'USER", to="ollama")


@pytest.mark.parametrize("to", ["safetensors", "gguf", "ollama"])
def test_a_wrong_end_token(run, tmp_path, monkeypatch, to):
    if to == "safetensors":
        monkeypatch.setattr(
            merge, "_ends", lambda model, _said: setattr(model.generation_config, "eos_token_id", 7)
        )
    elif to == "gguf":
        true = gguf._words
        monkeypatch.setattr(
            gguf, "_words", lambda *parts: true(*parts[:2], dataclasses.replace(parts[2], end=None))
        )
    else:
        true_file = ollama.modelfile
        monkeypatch.setattr(ollama, "modelfile", lambda said, *rest, **more: true_file(dataclasses.replace(said, marks=()), *rest, **more))  # fmt: skip
    refused(run, tmp_path, "end|eot|stop", to=to)


def test_a_swapped_vocabulary_in_a_folder(run, tmp_path, monkeypatch):
    true = merge.save_tokenizer

    def swapped(said, base, target):
        true(said, base, target)
        told = json.loads((target / "tokenizer.json").read_text())
        words = told["model"]["vocab"]
        words["a"], words["b"] = words["b"], words["a"]
        (target / "tokenizer.json").write_text(json.dumps(told))

    monkeypatch.setattr(merge, "save_tokenizer", swapped)
    refused(run, tmp_path, "vocabulary numbers other words")


def test_a_swapped_vocabulary_in_gguf(run, tmp_path, monkeypatch):
    true = gguf_vocabulary.vocabulary

    def swapped(*parts):
        made = true(*parts)
        return dataclasses.replace(
            made, tokens=(*made.tokens[:9], made.tokens[10], made.tokens[9], *made.tokens[11:])
        )

    monkeypatch.setattr(gguf, "vocabulary", swapped)
    refused(run, tmp_path, "vocabulary numbers other words", to="gguf")


def test_bounds_are_held_on_each_side():
    good = Agreement("q8_0", 100, 0.001, 0.98, 2, 0.3, change=1.0, change_error=0.001)
    assert faults(good, 8) == []
    for change in ({"divergence": 0.03}, {"divergence": float("nan")}, {"agreement": 0.8}, {"change": 0.4}):
        assert faults(dataclasses.replace(good, **change), 8), change
    assert faults(dataclasses.replace(good, change=0.0, change_error=0.9), 8) == [], "noise tells nothing"
    merged = Agreement("merged", 100, 1e-7, 1.0, 8, 0.0)
    assert faults(merged, 8) == []
    assert "1 of 8 answers differ" in faults(dataclasses.replace(merged, answers=7, worst=0.5), 8)[0]
    assert BOUNDS.keys() == {"merged", "float32", "float16", "bfloat16", "f16", "q8_0", "q4_0"}
