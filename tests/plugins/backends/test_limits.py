"""What cannot be computed is refused before it is loaded, with what to type."""

import pytest

from plugins.backends import limits
from plugins.backends.lora import recomputes
from plugins.backends.peft import Peft
from plugins.backends.unsloth import Unsloth
from schemas.errors import MissingExtra, UserError
from schemas.recipe import Train


@pytest.mark.parametrize("backend", [Peft(), Unsloth()])
def test_four_bits_need_a_gpu(backend):
    with pytest.raises(
        UserError, match=r'quantization is "4bit", which needs a CUDA GPU, but this run is on cpu'
    ):
        backend.check_run(Train(quantization="4bit"), "cpu")


def test_four_bits_need_bitsandbytes(monkeypatch):
    monkeypatch.setattr(limits, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'gristmill\[qlora\]'"):
        Peft().check_run(Train(quantization="4bit"), "cuda")


def test_float16_needs_a_gpu():
    with pytest.raises(UserError, match="float32 in silence"):
        Peft().check_run(Train(precision="float16"), "cpu")
    Peft().check_run(Train(precision="float16"), "cuda")


def test_unsloth_refuses_what_it_would_compute_otherwise():
    with pytest.raises(UserError, match='For method = "full" write backend = "peft"'):
        Unsloth().check_run(Train(method="full"), "cpu")
    with pytest.raises(UserError, match='Write backend = "peft"'):
        Unsloth().check_run(Train(precision="float32"), "cuda")
    Unsloth().check_run(Train(), "cuda")


@pytest.mark.parametrize(
    ("said", "device", "found"),
    [("auto", "cpu", False), ("auto", "cuda", True), (True, "cpu", True), (False, "cuda", False)],
)
def test_activations_are_recomputed_on_a_gpu_or_where_asked(said, device, found):
    assert recomputes(Train(gradient_checkpointing=said), device) is found
