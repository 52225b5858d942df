"""The run's optimiser: which weights it moves how fast, and what transformers makes by name."""

import pytest
import torch
from torch import nn

from plugins.registry import load_recipe
from schemas.errors import MissingExtra, UserError
from schemas.recipe import Train
from trainer.steps.arguments import Steps, check_names, optimizer_options, sft_arguments
from trainer.steps.optimizers import make, parameter_groups

STEPS = Steps(micro=2, accumulate=2, per_epoch=4, total=4, warmup=0, batch=4)


class Norms(nn.Module):
    """Every name the rule is about."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(2, 2)
        self.input_layernorm = nn.Linear(2, 2, bias=False)
        self.q_norm = nn.Linear(2, 2, bias=False)
        self.norm = nn.LayerNorm(2)
        self.odd = nn.LayerNorm(2)
        self.normal = nn.Linear(2, 2, bias=False)


class Lora(nn.Module):
    """One adapter of rank 1 by PEFT's names: f = (x A B - 1)² / 2 with x = 1."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)
        for side, value in (("lora_B", 0.5), ("lora_A", 2.0)):
            weight = nn.Linear(1, 1, bias=False, dtype=torch.float64)
            weight.weight.data.fill_(value)
            self.add_module(side, nn.ModuleDict({"default": weight}))

    def forward(self) -> torch.Tensor:
        a, b = (self.get_submodule(f"lora_{side}.default").weight.squeeze() for side in "AB")
        return (a * b - 3) ** 2 / 2


def named(model: nn.Module, group: dict) -> set[str]:
    return {
        name for name, weight in model.named_parameters() if any(weight is one for one in group["params"])
    }


def test_no_decay_pulls_at_norms_and_biases_which_is_transformers_own_rule():
    from transformers import Trainer

    model = Norms()
    decayed, bare = parameter_groups(model, Train(weight_decay=0.1))
    assert named(model, decayed) == set(Trainer.get_decay_parameter_names(None, model))
    assert named(model, decayed) == {"proj.weight", "normal.weight"}
    assert (decayed["weight_decay"], bare["weight_decay"]) == (0.1, 0.0)
    assert named(model, decayed) | named(model, bare) == {name for name, _ in model.named_parameters()}


def test_the_rule_is_transformers_own_on_a_whole_model(tiny_model):
    from transformers import AutoModelForCausalLM, Trainer

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    decayed, bare = parameter_groups(model, Train(weight_decay=0.1))
    theirs = set(Trainer.get_decay_parameter_names(None, model)) - {
        "lm_head.weight"
    }  # tied: the embeddings' own
    assert named(model, decayed) == theirs
    assert all("norm" in name for name in named(model, bare))


def test_lora_plus_lets_b_learn_ratio_times_as_fast():
    """By hand: A = 2, B = 0.5, so AB - 3 = -2 and the gradient is (-2 B, -2 A) = (-1, -4). With rate 0.1 and ratio 16 A goes to 2.1 and B to
    0.5 + 1.6 * 4 = 6.9; without a ratio B goes to 0.9."""
    for ratio, expected in ((16, (2.1, 6.9)), (None, (2.1, 0.9))):
        model = Lora()
        train = Train(
            optimizer="sgd", learning_rate=0.1, schedule="constant", warmup=0, lora={"plus_ratio": ratio}
        )
        optimizer, scheduler = make(model, train, STEPS, spec_of("sgd"))
        model().backward()
        optimizer.step()
        scheduler.step()
        got = [model.get_submodule(f"lora_{side}.default").weight.item() for side in "AB"]
        assert got == pytest.approx(expected, abs=1e-12)
        assert scheduler.get_last_lr()[0] == 0.1, "what the journal shows is the recipe's rate"


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings")  # merging is not what is tested
def test_lora_plus_names_the_b_matrices_that_peft_makes(tiny_model):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    model = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "embed_tokens"]))
    train = Train(learning_rate=1e-3, lora={"plus_ratio": 8})
    slow, fast = parameter_groups(model, train)
    assert (slow["lr"], fast["lr"]) == (1e-3, 8e-3)
    assert {name.split(".lora_")[1] for name in named(model, fast)} == {
        "B.default.weight",
        "embedding_B.default",
    }
    assert {name.split(".lora_")[1] for name in named(model, slow)} == {
        "A.default.weight",
        "embedding_A.default",
    }


def test_the_schedule_moves_every_group_from_its_own_rate():
    train = Train(optimizer="sgd", learning_rate=0.1, schedule="linear", warmup=0, lora={"plus_ratio": 10})
    optimizer, scheduler = make(Lora(), train, STEPS, spec_of("sgd"))
    rates = []
    for _ in range(STEPS.total):
        rates.append(tuple(group["lr"] for group in optimizer.param_groups))
        optimizer.step()
        scheduler.step()
    assert rates == [pytest.approx((0.1 * left, left)) for left in (1, 0.75, 0.5, 0.25)]


def test_state_that_was_saved_goes_on_as_if_never_stopped():
    train = Train(optimizer="adamw", learning_rate=0.1, schedule="cosine", weight_decay=0.1)

    def steps(model, pair, n):
        for _ in range(n):
            pair[0].zero_grad()
            model().backward()
            pair[0].step()
            pair[1].step()

    whole = Lora()
    steps(whole, make(whole, train, STEPS, spec_of("adamw")), 4)
    cut = Lora()
    pair = make(cut, train, STEPS, spec_of("adamw"))
    steps(cut, pair, 2)
    saved = [part.state_dict() for part in pair]
    fresh = Lora()
    fresh.load_state_dict(cut.state_dict())
    again = make(fresh, train, STEPS, spec_of("adamw"))
    for part, state in zip(again, saved, strict=True):
        part.load_state_dict(state)
    steps(fresh, again, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), fresh.parameters(), strict=True))


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"optimizer": "adamm"}, 'is "adamm", which is no optimiser. Nearest: "adam"'),
        ({"optimizer": "lion_33bit"}, 'Nearest: "lion_32bit"'),
        ({"optimizer": "nothing-like-it"}, "Often used: adamw, adam"),
        ({"schedule": "linar"}, 'Nearest: "linear"'),
        ({"optimizer": {"use": "lion_32bit", "betas": [0.9, 0.99]}}, "train.optimizer.betas is [0.9, 0.99]"),
        ({"method": "full", "lora": {"plus_ratio": 16}}, "trains no LoRA"),
    ],
    ids=str,
)
def test_names_and_options_that_cannot_be_are_errors_before_a_model_is_loaded(train, words):
    with pytest.raises(UserError) as caught:
        check_names(Train(**train))
    assert words in str(caught.value)


def test_an_optimiser_of_transformers_own_gets_its_options_and_our_groups(tmp_path):
    import trl

    train = Train(optimizer={"use": "adagrad", "lr_decay": 0.5, "eps": 1e-3}, weight_decay=0.1)
    check_names(train)
    assert optimizer_options(train) == "lr_decay=0.5,eps=0.001"
    settings = sft_arguments(train, STEPS, tmp_path, device="cpu", precision="float32")
    optimizer, _ = make(Norms(), train, STEPS, None, trl.SFTConfig(**settings))
    assert type(optimizer) is torch.optim.Adagrad
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert {group["lr_decay"] for group in optimizer.param_groups} == {0.5}
    assert {group["eps"] for group in optimizer.param_groups} == {1e-3}


def test_what_an_optimiser_lacks_is_said_before_a_model_is_loaded(monkeypatch):
    import plugins.optimizers.adamw_8bit as module

    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"adamw-8bit.*pip install 'gristmill\[qlora\]'"):
        check_names(Train(optimizer="adamw-8bit"), spec_of("adamw-8bit"))


def test_embeddings_keep_whole_moments_where_others_have_eight_bits(tmp_path):
    pytest.importorskip("bitsandbytes")
    model = nn.ModuleDict({"words": nn.Embedding(300, 64), "out": nn.Linear(64, 300, bias=False)})
    optimizer, _ = make(model, Train(optimizer="adamw-8bit", warmup=0), STEPS, spec_of("adamw-8bit"))
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    kinds = {name: optimizer.state[weight]["state1"].dtype for name, weight in model.named_parameters()}
    assert kinds == {"words.weight": torch.float32, "out.weight": torch.uint8}


def test_eight_bit_moments_go_through_a_checkpoint_and_on_as_if_never_stopped(tmp_path):
    pytest.importorskip("bitsandbytes")
    from trainer.watching.saved_state import read_state, write_state

    train = Train(optimizer="adamw-8bit", learning_rate=0.1, warmup=0)

    def started() -> tuple[nn.Module, tuple]:
        torch.manual_seed(0)
        model = nn.ModuleList(
            nn.Linear(64, 80, bias=False) for _ in range(2)
        )  # two, which share bitsandbytes' tables
        return model, make(model, train, STEPS, spec_of("adamw-8bit"))

    def steps(model: nn.Module, pair: tuple, seeds: range) -> None:
        for seed in seeds:
            draw = torch.Generator().manual_seed(seed)
            for weight in model.parameters():
                weight.grad = torch.randn(weight.shape, generator=draw)
            pair[0].step()
            pair[1].step()

    whole, pair = started()
    steps(whole, pair, range(4))
    cut, pair = started()
    steps(cut, pair, range(2))
    write_state(tmp_path, {"optimizer": pair[0].state_dict(), "scheduler": pair[1].state_dict()})
    again, fresh = started()
    again.load_state_dict(cut.state_dict())
    saved = read_state(tmp_path)
    fresh[0].load_state_dict(saved["optimizer"])
    fresh[1].load_state_dict(saved["scheduler"])
    steps(again, fresh, range(2, 4))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def spec_of(name: str):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recipe.toml")
        path.write_text(f'name = "a"\n[[source]]\nuse = "files"\npath = "*"\n[train]\noptimizer = "{name}"\n')
        return load_recipe(path).optimizer


def test_a_model_with_nothing_to_train_is_an_error():
    with pytest.raises(UserError, match="has no weight to train"):
        parameter_groups(nn.Linear(2, 2).requires_grad_(False), Train())
    with pytest.raises(UserError, match="none is trained here"):
        parameter_groups(nn.Linear(2, 2), Train(lora={"plus_ratio": 2}))
