"""A training state on disk without a pickle."""

import math
from collections import OrderedDict

import numpy as np
import pytest
import torch

from schemas.errors import Corruption, GristmillError
from trainer.watching.saved_state import read_state, write_state


def test_a_state_comes_back_as_it_was(tmp_path):
    whole = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    state = {
        "optimizer": {
            "state": {
                0: {"step": torch.tensor(3.0), "exp_avg": whole.T, "part": whole[1]},
                1: {"buffer": None},
            },
            "param_groups": [{"lr": 0.1 + 0.2, "betas": (0.9, 0.999), "params": [0, 1], "fused": False}],
        },
        "scale": math.inf,
        "worst": -math.inf,
        "eight bits": torch.tensor([1, 255], dtype=torch.uint8),
        "random": (3, tuple(range(5)), None),
        "numpy": ("MT19937", np.array([1, 2**32 - 1], dtype=np.uint32), np.int64(7)),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "ordered": OrderedDict(a=1),
    }
    write_state(tmp_path, state)
    back = read_state(tmp_path)
    assert back["optimizer"]["param_groups"] == state["optimizer"]["param_groups"]
    assert back["optimizer"]["state"].keys() == {0, 1}
    for name, tensor in state["optimizer"]["state"][0].items():
        assert torch.equal(back["optimizer"]["state"][0][name], tensor)
    assert back["optimizer"]["state"][1] == {"buffer": None}
    assert (back["scale"], back["worst"], back["random"]) == (math.inf, -math.inf, state["random"])
    assert back["numpy"][1].dtype == np.uint32
    assert back["numpy"][1].tolist() == [1, 2**32 - 1]
    assert torch.equal(back["eight bits"], state["eight bits"])
    assert torch.equal(back["half"], state["half"])
    assert back["ordered"] == {"a": 1}


def test_what_would_need_a_pickle_is_refused_with_its_place(tmp_path):
    with pytest.raises(
        GristmillError,
        match=r"state\.optimizer\.state\.0\.hook is a function, which a checkpoint cannot hold",
    ):
        write_state(tmp_path, {"optimizer": {"state": {0: {"hook": lambda: None}}}})


@pytest.mark.parametrize("name", ["state.json", "state.safetensors"])
def test_files_cut_short_are_corruption(tmp_path, name):
    write_state(tmp_path, {"a": torch.ones(4)})
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(Corruption, match="holds no training state that can be read"):
        read_state(tmp_path)
