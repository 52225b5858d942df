"""A base model that cannot be trusted or read is refused with the reason and what to do."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import make_tiny_model

from plugins import models
from plugins.backends.peft import Peft
from schemas.errors import Corruption, Mismatch, NotFound, UserError
from schemas.recipe import Train


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def model(whole, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(whole, tmp_path / "tiny")


def load(model):
    return Peft().load(model, Train(), max_length=64)


def edit(path, **values):
    tables = json.loads(path.read_text())
    for key, value in values.items():
        tables.pop(key, None) if value is None else tables.update({key: value})
    path.write_text(json.dumps(tables))


def test_weights_that_are_pickles_only_are_never_opened(model):
    weights = load_file(model / "model.safetensors")
    torch.save(weights, model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    for call in (load, lambda path: models.resolve(str(path), path, path, weights=True)):
        with pytest.raises(NotFound, match=r"only as pickles \(pytorch_model.bin\).*safe_serialization=True"):
            call(model)


def test_a_folder_without_weights_says_what_a_model_is(model):
    (model / "model.safetensors").unlink()
    with pytest.raises(NotFound, match=r"no weights at .*tiny: a model is a folder that holds config.json"):
        load(model)


def test_missing_weights_are_not_filled_with_random_numbers(model):
    weights = load_file(model / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        Corruption, match=r"lacks the weights model.layers.1.mlp.up_proj.weight: they would be random"
    ):
        load(model)


@pytest.mark.parametrize(
    "config", [{"model_type": "of-my-own", "auto_map": {"AutoConfig": "c.C"}}, {"hidden_size": 32}]
)
def test_a_config_that_transformers_cannot_follow_is_the_users_to_mend(model, config):
    edit(model / "config.json", **config)
    with pytest.raises(UserError, match=r"tiny cannot be loaded: .*runs no code of a model's own"):
        load(model)


def test_a_safetensors_file_cut_short_is_told(model):
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="tiny cannot be loaded"):
        load(model)


def test_a_tokenizer_without_end_and_padding_takes_those_the_corpus_was_cut_with(model):
    edit(model / "tokenizer_config.json", eos_token=None, pad_token=None)
    tokenizer = load(model).tokenizer
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (models.eos_token_id(model), 0)
    assert len(tokenizer) == 300


def test_a_tokenizer_that_nothing_gives_an_end_is_refused(model):
    edit(model / "tokenizer_config.json", eos_token=None, pad_token=None)
    edit(model / "generation_config.json", eos_token_id=None)
    edit(model / "config.json", eos_token_id=None)
    with pytest.raises(NotFound, match='names no end-of-text token.*Set "eos_token" in'):
        load(model)


def test_a_tokenizer_with_more_tokens_than_the_model_has_embeddings_is_another_models(model):
    edit(model / "tokenizer_config.json", additional_special_tokens=["<|one|>", "<|two|>"])
    with pytest.raises(
        Mismatch, match=r'has 302 tokens, but the model only 300 embeddings.*such as "<\|two\|>"'
    ):
        load(model)
