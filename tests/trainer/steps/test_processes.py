"""Two processes over gloo compute what one does, also where memory is short in one of them only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_model import TEXTS

import trainer
from schemas.errors import UserError
from trainer.steps import processes
from trainer.steps.launch import launch

ROWS = [text[: 10 + 17 * n % 70] for n, text in enumerate(TEXTS[:13])]
"""Steps of four, and a last one of a single row, which leaves the second process none."""

CROWDED = """
import os
from plugins.backends.peft import Peft

load = Peft.load

def crowded(self, *args, **more):
    import torch

    found = load(self, *args, **more)

    def look(module, inputs, output):
        if module.training and len(inputs[0]) > 1 and os.environ.get("RANK") == "1":
            raise torch.OutOfMemoryError("CUDA out of memory.")

    found.model.get_input_embeddings().register_forward_hook(look)
    return found

Peft.load = crowded
"""
"""Python runs this at start: the second process has memory for one row."""


@pytest.mark.slow
def test_two_processes_train_as_one_and_only_the_main_one_writes(made, tmp_path):
    more = (
        'optimizer = "sgd"\nlearning_rate = 0.5\nepochs = 2\neval_every = 3\nbatch_size = 4\npacking = false'
    )
    root, recipe = made(more, train_texts=ROWS, val_texts=ROWS[:4])
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(CROWDED)
    alone = trainer.train(recipe, root=root, quiet=True)
    command = [
        Path(sys.executable).parent / "gristmill",
        "train",
        recipe,
        "--root",
        root,
        "--device",
        "cpu",
        "--processes",
        "2",
    ]
    ended = subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path / "start")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in (root / "runs" / "tale").iterdir()) == ["1", "2"]
    assert ended.stdout.count("tale/2: 8 steps") == 1
    assert "process 1: memory ran out at step 1 with 2 rows a pass" in ended.stderr
    together = trainer.open("tale/2", root=root)
    for row, other in zip(together.metrics().to_pylist(), alone.metrics().to_pylist(), strict=True):
        assert (row["kind"], row["step"], row["tokens"]) == (other["kind"], other["step"], other["tokens"])
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-5)
        assert row["grad_norm"] == pytest.approx(other["grad_norm"], abs=1e-5)
    weights, others = (load_file(run.adapter / "adapter_model.safetensors") for run in (together, alone))
    assert max(float((weights[name] - others[name]).abs().max()) for name in others) < 1e-5


def test_one_process_is_the_main_one_and_tells_itself(monkeypatch):
    for name in processes.SIZES:
        monkeypatch.delenv(name, raising=False)
    assert processes.join("cpu")
    assert processes.made_by_main(lambda: processes.told("what it made")) == "what it made"


@pytest.mark.parametrize(
    ("started", "device", "message"),
    [
        ("2", "cpu", "a launcher has started it 2 times"),
        ("1", "cuda", "each process takes one"),
        ("1", "mps", "MPS is one"),
    ],
)
def test_more_processes_than_there_can_be_are_refused(monkeypatch, started, device, message):
    monkeypatch.setenv("WORLD_SIZE", started)
    with pytest.raises(UserError, match=message):
        launch(64, ["gristmill", "train"], device=device)
