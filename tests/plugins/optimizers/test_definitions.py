"""Each optimiser takes the steps of its definition, computed here in plain Python on a problem of two weights.

The problem: f(x, y) = (x² + 4 y² + 2 x y) / 2, so that the gradient is (x + y, x + 4 y). Small enough for paper: from (1, -2) the gradient is
(-1, -7), and one step of rate 0.1 leads to (1.1, -1.3).
"""

import math

import pytest
import torch

from plugins.contracts import Optimizer
from plugins.optimizers.adam import Adam, AdamW
from plugins.optimizers.adamw_8bit import AdamW8bit
from plugins.optimizers.sgd import Gd, Sgd

START = (1.0, -2.0)
RATE, STEPS = 0.1, 6


def gradient(x: float, y: float) -> tuple[float, float]:
    return x + y, x + 4 * y


def path(plugin: Optimizer, *, decay: float = 0.0, dtype=torch.float64) -> list[tuple[float, float]]:
    """Where the optimiser goes in STEPS steps; the gradient is autograd's."""
    weights = torch.nn.Parameter(torch.tensor(START, dtype=dtype))
    optimizer = plugin.make([{"params": [weights]}], learning_rate=RATE, weight_decay=decay)
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        x, y = weights
        ((x**2 + 4 * y**2 + 2 * x * y) / 2).backward()
        optimizer.step()
        found.append(tuple(weights.tolist()))
    return found


def by_hand(step) -> list[tuple[float, float]]:
    """The same of a rule: `step(t, weight, gradient, memory)` gives a weight's next value."""
    at, memories, found = START, ({}, {}), []
    for t in range(1, STEPS + 1):
        slopes = gradient(*at)
        at = tuple(step(t, *of_one) for of_one in zip(at, slopes, memories, strict=True))
        found.append(at)
    return found


def close(found, expected, by: float = 1e-7) -> bool:
    return all(a == pytest.approx(b, abs=by) for a, b in zip(found, expected, strict=True))


def adam(decay: float, *, decoupled: bool, beta1=0.9, beta2=0.999, eps=1e-8):
    def step(t, weight, slope, memory):
        slope += 0 if decoupled else decay * weight
        weight -= RATE * decay * weight if decoupled else 0
        memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * slope
        memory["v"] = beta2 * memory.get("v", 0) + (1 - beta2) * slope**2
        mean, square = memory["m"] / (1 - beta1**t), memory["v"] / (1 - beta2**t)
        return weight - RATE * mean / (math.sqrt(square) + eps)

    return step


def sgd(decay: float, *, momentum=0.0, nesterov=False):
    def step(t, weight, slope, memory):
        slope += decay * weight
        memory["b"] = slope if t == 1 else momentum * memory["b"] + slope
        return weight - RATE * (slope + momentum * memory["b"] if nesterov else memory["b"])

    return step


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_lets_weight_decay_enter_the_gradient(decay):
    assert close(path(Adam(), decay=decay), by_hand(adam(decay, decoupled=False)))
    own = Adam(beta1=0.5, beta2=0.9, eps=0.1)
    assert close(path(own, decay=decay), by_hand(adam(decay, decoupled=False, beta1=0.5, beta2=0.9, eps=0.1)))


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adamw_takes_weight_decay_from_the_weights(decay):
    assert close(path(AdamW(), decay=decay), by_hand(adam(decay, decoupled=True)))
    own = AdamW(beta1=0.5, beta2=0.9, eps=0.1)
    assert close(path(own, decay=decay), by_hand(adam(decay, decoupled=True, beta1=0.5, beta2=0.9, eps=0.1)))


def test_the_two_differ_by_weight_decay_alone():
    assert path(Adam()) == path(AdamW())
    # Adam's first step is the rate's length whatever the gradient, so its decay does not show in it; AdamW's does.
    assert path(Adam(), decay=0.3)[0] == pytest.approx((1.1, -1.9))
    assert path(AdamW(), decay=0.3)[0] == pytest.approx((1.1 - 0.03, -1.9 + 0.06))


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
def test_sgd_goes_down_the_gradient_with_the_momentum_asked_for(decay, options):
    assert close(path(Sgd(**options), decay=decay), by_hand(sgd(decay, **options)))


def test_the_first_steps_of_sgd_are_those_on_paper():
    plain, heavy = path(Sgd()), path(Sgd(momentum=0.5))
    assert plain[:2] == [pytest.approx((1.1, -1.3)), pytest.approx((1.12, -0.89))]
    # The second step adds half of the first, (0.05, 0.35).
    assert heavy[:2] == [pytest.approx((1.1, -1.3)), pytest.approx((1.17, -0.54))]
    assert path(Sgd(), decay=0.5)[0] == pytest.approx((1.05, -1.2))


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_gd_is_plain_descent_and_takes_all_rows(decay):
    assert close(path(Gd(), decay=decay), by_hand(sgd(decay)))
    assert Gd.full_batch
    assert not any(kind.full_batch for kind in (Adam, AdamW, AdamW8bit, Sgd))


def test_eight_bits_take_the_steps_of_adamw_exactly_where_a_tensor_is_small_and_nearly_where_it_is_large():
    pytest.importorskip("bitsandbytes")
    small = path(AdamW8bit(), decay=0.3, dtype=torch.float32)
    assert close(small, by_hand(adam(0.3, decoupled=True)), by=1e-6)  # float32's own grain
    torch.manual_seed(0)
    ways = []
    for plugin in (AdamW8bit(), AdamW()):
        weights = torch.nn.Parameter(torch.zeros(8192))
        slopes = torch.randn(8192, generator=torch.Generator().manual_seed(1))
        optimizer = plugin.make([{"params": [weights]}], learning_rate=RATE, weight_decay=0.0)
        for _ in range(4):
            weights.grad = slopes + 0.5
            optimizer.step()
        ways.append(weights.detach())
        if isinstance(plugin, AdamW8bit):
            state = optimizer.state[weights]
            kept = sum(
                v.numel() * v.element_size()
                for k, v in state.items()
                if k in {"state1", "state2", "absmax1", "absmax2"}
            )
            assert kept == plugin.state_bytes * 8192
    off = (ways[0] - ways[1]).abs()
    assert off.median() < 0.01 * 4 * RATE, "a hundredth of the way"
    assert not torch.equal(*ways)


@pytest.mark.parametrize("plugin", [Adam(), AdamW(), Sgd(), Sgd(momentum=0.9), Gd()], ids=repr)
def test_it_says_how_many_bytes_it_keeps(plugin):
    weights = torch.nn.Parameter(torch.zeros(1000))
    optimizer = plugin.make([{"params": [weights]}], learning_rate=RATE, weight_decay=0.0)
    weights.grad = torch.ones(1000)
    optimizer.step()
    kept = [v for v in optimizer.state[weights].values() if torch.is_tensor(v) and v.numel() > 1]
    assert sum(v.numel() * v.element_size() for v in kept) == plugin.state_bytes * 1000


def test_groups_keep_rates_and_decays_of_their_own():
    first, second = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [first], "weight_decay": 0.0}, {"params": [second], "lr": 1.0}]
    optimizer = Sgd().make(groups, learning_rate=RATE, weight_decay=0.5)
    first.grad, second.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
    assert (first.item(), second.item()) == pytest.approx((0.9, -0.5))


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match="nesterov needs momentum; write momentum = 0.9"):
        Sgd(nesterov=True).check()


def test_eight_bits_say_what_is_missing(monkeypatch):
    import plugins.optimizers.adamw_8bit as module

    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    assert "pip install 'gristmill[qlora]'" in (AdamW8bit.unavailable() or "")
    assert Adam.unavailable() is None
