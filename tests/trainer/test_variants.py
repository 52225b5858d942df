"""Variants of [train] that a backend answers for: trained, saved, and read again with the loss that was recorded."""

from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file
from transformers.models.llama.modeling_llama import LlamaMLP

import trainer
from plugins.backends import peft
from schemas.errors import UserError
from trainer.data import read_rows
from trainer.evaluation.measure import measure
from trainer.loading import read_model
from trainer.steps import packing

SHORT = "max_steps = 4\neval_every = 2\n"


def again(run, model, device="cpu") -> float:
    """The val loss of what lies on disk."""
    readable = read_model(run.record, model, run.adapter, device)
    rows = packing.dataset(read_rows(run.store.version("tale@1"), "val"), 128, packing=False)
    with readable.tuned() as tuned:
        return measure(tuned, rows, packing.Collator(0), batch_size=4, precision=readable.precision).loss


def losses(run, kind: str) -> list[float]:
    return [row["loss"] for row in run.metrics().to_pylist() if row["kind"] == kind]


@pytest.mark.parametrize(
    "lora", ["dora = true", "rank_stabilized = true, r = 4", 'targets = ["v_proj", "up_proj"], dropout = 0.2']
)
def test_a_variant_learns_and_is_read_again_as_it_was_measured(made, tiny_model, lora):
    root, recipe = made(f"{SHORT}lora = {{ {lora} }}")
    run = trainer.train(recipe, root=root, quiet=True)
    end = run.record.outcome
    assert end.val_loss < end.first_val_loss - 0.01
    assert again(run, tiny_model) == pytest.approx(end.val_loss, abs=1e-5)


def test_a_doras_magnitudes_are_trained_and_saved(made, tiny_model):
    root, recipe = made(f"{SHORT}lora = {{ dora = true }}")
    run = trainer.train(recipe, root=root, quiet=True)
    saved = load_file(run.adapter / "adapter_model.safetensors")
    base = load_file(tiny_model / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj"
    magnitude = saved[f"base_model.model.{name}.lora_magnitude_vector"]
    norm = base[f"{name}.weight"].norm(dim=1)
    assert not torch.equal(magnitude, norm)
    torch.testing.assert_close(magnitude, norm, atol=0.2, rtol=0)


def test_recomputed_activations_change_no_loss_and_no_gradient(made, monkeypatch):
    passes = 0
    forward = LlamaMLP.forward

    def counting(self, x):
        nonlocal passes
        passes += torch.is_grad_enabled()
        return forward(self, x)

    monkeypatch.setattr(LlamaMLP, "forward", counting)
    for method in ("lora", "full"):
        seen = {}
        for recompute in ("true", "false"):
            root, recipe = made(f'{SHORT}method = "{method}"\ngradient_checkpointing = {recompute}')
            passes = 0
            run = trainer.train(recipe, root=root, quiet=True)
            rows = [row for row in run.metrics().to_pylist() if row["kind"] == "train"]
            seen[recompute] = passes, [(row["loss"], row["grad_norm"]) for row in rows]
            for folder in ("corpora", "runs"):
                (root / folder).rename(root / f"{folder}-{method}-{recompute}")
        assert seen["true"][0] == 2 * seen["false"][0], "nothing was computed twice"
        for one, other in zip(seen["true"][1], seen["false"][1], strict=True):
            assert one == pytest.approx(other, abs=1e-6, rel=1e-6)


def test_neftune_is_noise_in_training_and_nowhere_else(made, tiny_model):
    root, recipe = made(SHORT)
    plain = trainer.train(recipe, root=root, quiet=True)
    recipe.write_text(recipe.read_text() + "neftune_alpha = 5\n")
    noisy = trainer.train(recipe, root=root, quiet=True)
    assert losses(noisy, "train")[0] != pytest.approx(losses(plain, "train")[0], abs=1e-4)
    assert losses(noisy, "val")[0] == losses(plain, "val")[0]
    assert again(noisy, tiny_model) == pytest.approx(noisy.record.outcome.val_loss, abs=1e-5)


needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)
QUANTIZED = SHORT + 'quantization = "4bit"\n'


@needs_bitsandbytes
def test_a_4_bit_base_stays_4_bit_and_its_adapter_float32(made, monkeypatch):
    """bitsandbytes computes NF4 on a CPU too, too slowly to be offered: enough to see what TRL makes of such a model."""
    loaded = []
    load = peft.Peft.load
    monkeypatch.setattr(peft, "check_numbers", lambda train, device: None)

    def kept(self, *args, **more):
        loaded.append(load(self, *args, **more))
        for layer in loaded[-1].model.modules():
            if hasattr(layer, "support_avx512bf16_for_cpu"):
                layer.support_avx512bf16_for_cpu = (
                    False  # it repacks weights at the first evaluation, and cannot go back
                )
        return loaded[-1]

    monkeypatch.setattr(peft.Peft, "load", kept)
    root, recipe = made(QUANTIZED)
    run = trainer.train(recipe, root=root, quiet=True, device="cpu")
    end = run.record.outcome
    assert end.val_loss < end.first_val_loss - 0.01
    model = loaded[0].model
    config = model.config.quantization_config
    assert (config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == ("nf4", True)
    assert model.base_model.model.model.layers[0].mlp.up_proj.base_layer.weight.dtype == torch.uint8
    saved = load_file(run.adapter / "adapter_model.safetensors")
    assert {weight.dtype for weight in saved.values()} == {torch.float32}


@needs_bitsandbytes
def test_a_run_over_4_bits_is_read_over_the_whole_base_where_there_is_no_gpu(
    made, monkeypatch, tiny_model, capsys
):
    root, recipe = made(SHORT)
    run = trainer.train(recipe, root=root, quiet=True)
    train = run.record.train | {"quantization": "4bit"}
    record = run.record.model_copy(update={"train": train})
    readable = read_model(record, tiny_model, run.adapter, "cpu")
    assert "trained over a 4-bit base, which needs a GPU" in capsys.readouterr().err
    with readable.tuned() as tuned:
        assert {weight.dtype for weight in tuned.parameters()} == {torch.float32}


@pytest.mark.gpu
@needs_bitsandbytes
def test_a_4_bit_run_learns_on_a_gpu_and_is_read_again_as_it_was_measured(made, tiny_model):
    root, recipe = made(QUANTIZED)
    run = trainer.train(recipe, root=root, quiet=True, device="cuda")
    end = run.record.outcome
    assert end.val_loss < end.first_val_loss - 0.01
    assert again(run, tiny_model, "cuda") == pytest.approx(end.val_loss, abs=1e-3)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('quantization = "4bit"', "needs a CUDA GPU, but this run is on cpu"),
        ('method = "full"\nbackend = "unsloth"', 'write backend = "peft"'),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_run_begins(made, lines, message):
    root, recipe = made(lines)
    with pytest.raises(UserError, match=message):
        trainer.train(recipe, root=root, quiet=True, device="cpu")
    assert not (root / "runs").exists()
