"""A model's shape from headers or from its config alone is that of the model transformers builds."""

import json

import pytest

from schemas.errors import Corruption, UserError
from schemas.recipe_lora import Lora
from trainer.preflight.shape import read_header, read_shape

CONFIGS = {
    "llama": {"num_key_value_heads": 2, "intermediate_size": 128, "tie_word_embeddings": True},
    "gpt2": {"n_embd": 64, "n_head": 4, "n_layer": 2},
}


def folder(path, kind, **more):
    """A folder with a config and nothing else."""
    usual = {
        "model_type": kind, "vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    }  # fmt: skip
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({**usual, **CONFIGS[kind], **more}))
    return path


def test_headers_and_the_config_alone_give_the_same_shape(tiny_model, tmp_path):
    (tmp_path / "config.json").write_bytes((tiny_model / "config.json").read_bytes())
    assert read_shape(tmp_path) == read_shape(tiny_model)


def test_counts_are_those_of_the_model(tiny_model):
    from transformers import AutoModelForCausalLM

    model, shape = AutoModelForCausalLM.from_pretrained(tiny_model), read_shape(tiny_model)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert (shape.layers, shape.hidden, shape.vocab, shape.queries, shape.keys) == (2, 64, 300, 64, 32)
    assert len(shape.linear) == 2 * 7


def test_a_head_that_is_not_tied_counts_and_is_no_linear_layer(tmp_path):
    tied, apart = (
        read_shape(folder(tmp_path / str(tie), "llama", tie_word_embeddings=tie)) for tie in (True, False)
    )
    assert apart.parameters == tied.parameters + 300 * 64
    assert apart.linear == tied.linear


def test_gpt2_names_its_numbers_otherwise(tmp_path):
    shape = read_shape(folder(tmp_path / "gpt2", "gpt2"))
    assert (shape.layers, shape.hidden, shape.keys) == (2, 64, 64)
    assert set(shape.adapted(Lora())) == {
        f"transformer.h.{n}.{name}"
        for n in range(2)
        for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    }


def test_a_target_the_model_lacks_is_refused_with_the_nearest(tiny_model):
    shape = read_shape(tiny_model)
    assert len(shape.adapted(Lora(targets=("q_proj", "v_proj")))) == 4
    with pytest.raises(UserError, match=r'"q_pro", which is not a linear layer.*Nearest: "q_proj"'):
        shape.adapted(Lora(targets=("q_pro",)))


def test_a_file_that_broke_off_is_corruption(tiny_model, tmp_path):
    data = (tiny_model / "model.safetensors").read_bytes()
    for name, part in {"short": data[:40], "empty": b"", "other": b"<!doctype html><p>not found"}.items():
        (tmp_path / name).write_bytes(part)
        with pytest.raises(Corruption, match="no whole safetensors file"):
            read_header(tmp_path / name)


def test_an_architecture_nobody_knows_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no-such-model", "hidden_size": 8}))
    with pytest.raises(UserError, match="of no model that transformers"):
        read_shape(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError):
        read_shape(tmp_path)
