"""The estimate counts what PEFT trains and what a forward pass keeps, and grows and shrinks with the knobs that it should."""

import pytest

from schemas.errors import UserError
from schemas.recipe import Train
from trainer.preflight import checks, estimate, machine
from trainer.preflight.shape import read_shape

H100 = machine.named("h100-80gb")


@pytest.fixture(scope="module")
def shape(tiny_model):
    return read_shape(tiny_model)


def memory(shape, *, on=H100, precision="bfloat16", tokens=8192, **train):
    """The estimate for a [train] of these keys; an optimiser that is a plugin tells its own bytes."""
    return estimate.memory(
        shape, Train(**train), on, precision, tokens=tokens, length=2048, eval_tokens=tokens
    )


def part(found, name):
    return next(one.bytes for one in found.parts if one.name == name)


@pytest.mark.parametrize(
    "lora", [{}, {"r": 4, "dora": True}, {"targets": ("q_proj", "down_proj")}], ids=["all", "dora", "two"]
)
def test_trainable_numbers_are_those_peft_makes(tiny_model, shape, lora):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from plugins.backends.lora import target_layers

    train = Train(lora=lora)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    config = LoraConfig(
        r=train.lora.r,
        use_dora=train.lora.dora,
        target_modules=target_layers(model, train.lora),
        task_type="CAUSAL_LM",
    )
    trained = sum(p.numel() for p in get_peft_model(model, config).parameters() if p.requires_grad)
    assert estimate.trainable_parameters(shape, train) == trained


@pytest.mark.parametrize("packed", [False, True])
def test_activations_are_what_autograd_keeps(tiny_model, shape, packed):
    """Oracle: the storages that autograd's own hooks see saved in a forward pass, but for the weights."""
    import torch

    from plugins.backends.peft import Peft

    train = Train(packing=packed)
    model = Peft().load(tiny_model, train, max_length=256, device="cpu").model
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage  # held, so that no later tensor gets its address
        return tensor

    ids = torch.randint(1, 300, (2, 256))
    more = {"position_ids": torch.arange(128).repeat(2, 2)} if packed else {}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model.get_base_model().model(ids, use_cache=False, **more)
    found = sum(storage.nbytes() for storage in kept.values()) / (ids.numel() * shape.layers)
    assert estimate.block_bytes(shape, train, "float32", 256) == pytest.approx(found, rel=0.12)


def test_what_costs_less_is_told_to_cost_less(shape):
    usual = memory(shape)
    assert part(memory(shape, gradient_checkpointing=False), "activations") > part(usual, "activations")
    assert part(memory(shape, quantization="4bit"), "weights") < part(usual, "weights")
    assert part(memory(shape, tokens=4096), "activations") < part(usual, "activations")
    assert memory(shape, method="full").fixed > usual.fixed


@pytest.mark.parametrize(
    ("optimizer", "held"),
    [
        ('"adamw"', 8),
        ('"gd"', 0),
        ('{ use = "sgd", momentum = 0.9 }', 4),
        ('"adafactor"', 0.02),
        ('"lion_8bit"', 1.02),
    ],
)
def test_an_optimiser_keeps_what_its_definition_says(optimizer, held, tmp_path):
    from plugins.registry import load_recipe

    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'name = "a"\n[[source]]\nuse = "files"\npath = "*.txt"\n[train]\noptimizer = {optimizer}\n'
    )
    resolved = load_recipe(recipe)
    assert estimate.state_bytes(resolved.recipe.train, resolved.optimizer) == held


def test_an_evaluation_far_over_memory_is_an_error_and_one_a_little_over_a_warning(shape):
    def checked(share):
        whole = memory(shape, tokens=4_000_000).evaluating
        on = machine.Machine("it", "cuda", int(whole * share), 1e12, "")
        return checks.check_memory(memory(shape, on=on, tokens=4_000_000), Train(eval_batch_size=8), 8)

    with pytest.raises(UserError, match=r"an evaluation pass of 8 rows takes about .*eval_batch_size = 3"):
        checked(0.48)
    assert "an evaluation may take" in checked(0.95)[-1]
    assert "eval_batch_size = 7" in checked(0.95)[-1]
    assert not any("evaluation" in told for told in checked(1.5))


def test_weights_that_cannot_be_loaded_are_an_error_that_says_what_takes_less(shape):
    found = memory(shape, on=machine.Machine("it", "cuda", 10_000, 1e12, ""), method="full")
    with pytest.raises(UserError, match=r'cannot be loaded.*in \[train\]: method = "lora"; a smaller model'):
        checks.check_memory(found, Train(method="full"), 4)


def test_time_is_longer_for_more_steps_and_for_whole_models_and_ends_at_max_minutes(shape):
    def seconds(steps=100, **train):
        return estimate.run_time(
            shape, Train(**train), H100, steps=steps, places=1e6, eval_places=1000, length=128
        ).seconds

    assert seconds(200) > 1.9 * seconds()
    assert seconds(method="full") > seconds() > seconds(gradient_checkpointing=False)
    assert seconds(10**9, max_minutes=3) == 180


def test_a_machine_that_is_not_known_is_refused_with_the_nearest():
    with pytest.raises(UserError, match='Nearest: "h100-80gb"'):
        machine.named("h100")


def test_this_machine_is_measured():
    found = machine.this_machine("cpu", "float32", hidden=64, width=128)
    assert found.memory > 0
    assert found.reached > 1e6


def test_an_evaluation_of_no_rows_takes_nothing(shape):
    found = estimate.memory(shape, Train(), H100, "bfloat16", tokens=8192, length=2048, eval_tokens=0)
    assert found.evaluation.bytes == 0


def test_a_gpu_is_measured_with_rows_enough_to_be_busy():
    # Operations for each byte of a 4096 x 14336 matrix in bfloat16 and what is multiplied; 295 keep an H100 busy.
    rows, hidden, width = machine.trial_tokens("cuda"), 4096, 14336
    read = 2 * (rows * hidden + hidden * width + rows * width)
    assert 2 * rows * hidden * width / read > 295
