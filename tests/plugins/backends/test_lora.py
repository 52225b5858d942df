"""The variants of an adapter are what their papers say, and start as the base."""

import math

import pytest
import torch
from tiny_model import make_tiny_model

from plugins.backends.peft import Peft
from schemas.recipe import Train


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def load(model, **train):
    return Peft().load(model, Train.model_validate(train), max_length=64).model


def layer_of(wrapped):
    return wrapped.base_model.model.model.layers[1].self_attn.q_proj


@pytest.mark.parametrize(("stable", "scale"), [(True, 12 / math.sqrt(3)), (False, 12 / 3)])
def test_the_adapter_is_scaled_by_alpha_over_r_or_over_its_root(model, stable, scale):
    layer = layer_of(load(model, lora={"r": 3, "alpha": 12, "rank_stabilized": stable}))
    generator = torch.Generator().manual_seed(1)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    b.data.normal_(generator=generator)
    x = torch.randn(5, 64, generator=generator)
    weight = layer.get_base_layer().weight
    with torch.no_grad():
        torch.testing.assert_close(layer(x), x @ weight.T + scale * (x @ a.T) @ b.T, atol=1e-4, rtol=1e-5)


def test_dora_scales_each_output_to_its_magnitude(model):
    """Liu et al. 2024, equation 5: m (W + s B A) / ||W + s B A||."""
    layer = layer_of(load(model, lora={"r": 3, "alpha": 6, "dora": True}))
    generator = torch.Generator().manual_seed(1)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    m = layer.lora_magnitude_vector["default"].weight
    b.data.normal_(generator=generator)
    m.data.mul_(1.5)
    x = torch.randn(5, 64, generator=generator)
    with torch.no_grad():
        moved = layer.get_base_layer().weight + 2 * b @ a
        direction = moved / moved.norm(dim=1, keepdim=True)
        torch.testing.assert_close(layer(x), x @ (m[:, None] * direction).T, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fresh_dora_gives_the_bases_outputs_and_float32_magnitudes(model, precision):
    wrapped = load(model, lora={"dora": True}, precision=precision).eval()
    ids = torch.arange(10)[None]
    with torch.no_grad():
        with wrapped.disable_adapter():
            base = wrapped(ids).logits
        assert torch.equal(wrapped(ids).logits, base)
    layer = layer_of(wrapped)
    magnitude = layer.lora_magnitude_vector["default"].weight
    assert magnitude.dtype == torch.float32
    assert torch.equal(magnitude, layer.get_base_layer().weight.float().norm(dim=1))


def test_a_doras_matrices_start_as_a_loras_of_the_same_seed(model):
    plain, dora = load(model), load(model, lora={"dora": True})
    theirs = {name: weight for name, weight in dora.named_parameters() if ".lora_A." in name}
    assert theirs
    ours = dict(plain.named_parameters())
    assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())


def test_dropout_drops_while_training_and_never_after(model):
    wrapped = load(model, lora={"dropout": 0.5})
    for name, weight in wrapped.named_parameters():
        if ".lora_B." in name:
            weight.data.fill_(0.1)
    ids = torch.arange(10)[None]
    with torch.no_grad():
        wrapped.train()
        assert not torch.equal(wrapped(ids).logits, wrapped(ids).logits)
        wrapped.eval()
        assert torch.equal(wrapped(ids).logits, wrapped(ids).logits)


def test_method_full_trains_every_weight_in_float32_without_an_adapter(model):
    loaded = Peft().load(model, Train(method="full", precision="bfloat16"), max_length=64)
    assert not hasattr(loaded.model, "peft_config")
    assert all(weight.requires_grad and weight.dtype == torch.float32 for weight in loaded.model.parameters())
