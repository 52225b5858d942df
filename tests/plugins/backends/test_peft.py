"""The portable backend: a start that depends on the seed alone, layers by name, weights as asked."""

from pathlib import Path

import pytest
import torch
from tiny_model import make_tiny_model

from plugins.backends.lora import device_of, precision_of
from plugins.backends.peft import Peft
from schemas.errors import UserError
from schemas.recipe import Train


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def start(model: Path, **train) -> dict[str, torch.Tensor]:
    """The adapter's tensors as they start."""
    loaded = Peft().load(model, Train.model_validate(train), max_length=64)
    return {
        name: weight.detach().clone()
        for name, weight in loaded.model.named_parameters()
        if weight.requires_grad
    }


def test_an_adapter_starts_from_its_seed_alone(model):
    torch.manual_seed(1)
    first = start(model, seed=5)
    torch.manual_seed(2)
    second = start(model, seed=5)
    other = start(model, seed=6)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first if "lora_A" in name)


def test_a_fresh_adapter_changes_nothing(model):
    loaded = Peft().load(model, Train(), max_length=64)
    loaded.model.eval()
    ids = torch.arange(10)[None]
    with torch.no_grad():
        with loaded.model.disable_adapter():
            base = loaded.model(ids).logits
        assert torch.equal(loaded.model(ids).logits, base)


def test_all_linear_takes_every_layer_but_the_head(model):
    layers = {name.split(".lora_")[0].rpartition(".")[2] for name in start(model)}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_only_the_named_layers_get_an_adapter_of_the_named_rank(model):
    found = start(model, lora={"r": 3, "targets": ["v_proj"]})
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in found} == {"v_proj"}
    assert {min(weight.shape) for weight in found.values()} == {3}


def test_the_base_does_not_train_and_is_float32_on_a_cpu(model):
    loaded = Peft().load(model, Train(), max_length=64)
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float32}
    assert all(".lora_" in name for name, weight in loaded.model.named_parameters() if weight.requires_grad)


def test_a_named_precision_is_the_bases_while_the_adapter_stays_float32(model):
    loaded = Peft().load(model, Train(precision="bfloat16"), max_length=64)
    kinds = {(".lora_" in name, weight.dtype) for name, weight in loaded.model.named_parameters()}
    assert kinds == {(False, torch.bfloat16), (True, torch.float32)}


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r'no device "tpu" here; there is: cpu'):
        device_of("tpu")
    assert precision_of(Train(), "cpu") == "float32"


def test_a_gpu_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of("cuda:1") == "cuda:1"
    with pytest.raises(UserError, match=r'no device "cuda:2" here; there is: cpu, cuda, cuda:0, cuda:1'):
        device_of("cuda:2")


def test_a_saved_adapter_is_what_is_loaded(model, tmp_path):
    loaded = Peft().load(model, Train(), max_length=64)
    for name, weight in loaded.model.named_parameters():
        if "lora_B" in name:
            weight.data.fill_(0.25)
    loaded.model.save_pretrained(tmp_path, save_embedding_layers=False)
    again = Peft().load(model, Train(), max_length=64, adapter=tmp_path, trainable=False)
    values = {name: weight for name, weight in again.model.named_parameters() if "lora_B" in name}
    assert values
    assert all((weight == 0.25).all() and not weight.requires_grad for weight in values.values())
