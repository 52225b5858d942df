"""The smoke test proves the path on a CPU too, says when there is no GPU, and fails when a check does."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "gpu_smoke.py"
ELSEWHERE = ("unsloth", "variants", "recomputing", "full")
"""Checks of what tests/trainer looks at closely; unsloth also needs a process of its own."""


def smoke(*options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, TOOL, *options], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.fixture
def tool(monkeypatch):
    """The tool as a module."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("gpu_smoke", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_whole_path_runs_on_a_cpu():
    done = smoke("--cpu", *(word for name in ELSEWHERE for word in ("--skip", name)))
    assert done.returncode == 0, done.stdout + done.stderr
    states = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()[:-1]}
    passed = {"machine", "corpus", "peft", "packing", "resume", "out-of-memory", "eval", "chat"}
    assert states == dict.fromkeys(passed, "ok") | {"memory": "skip", "4-bit": "skip"}


def test_without_a_gpu_it_says_so_and_nothing_failed(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool, "has_gpu", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_smoke.py"])
    assert tool.main() == 0
    assert capsys.readouterr().out.startswith("skipped: no CUDA device on this machine")


def test_a_check_that_fails_is_told_and_the_others_go_on(tool, monkeypatch, capsys):
    def broken(bench):
        bench.agree([1.0, 2.0], [1.0, 2.1])

    def other(bench):
        return "as it should"

    monkeypatch.setattr(tool, "CHECKS", {"broken": broken, "other": other})
    monkeypatch.setattr(sys, "argv", ["gpu_smoke.py", "--cpu"])
    assert tool.main() == 1
    out = capsys.readouterr().out
    assert "FAIL  broken" in out
    assert "losses differ by 1.00e-01, allowed are 0.001" in out
    assert "ok    other" in out
    assert out.endswith("1 of 2 checks failed: broken\n")


def test_losses_that_are_no_numbers_agree_with_nothing(tool):
    bench = tool.Bench(Path(), "cpu", tool.Small())
    with pytest.raises(AssertionError, match="losses differ by nan"):
        bench.agree([1.0, float("nan")], [1.0, 1.0])


@pytest.mark.gpu
@pytest.mark.slow
def test_the_whole_path_runs_on_a_gpu():
    done = smoke()
    assert done.returncode == 0, done.stdout + done.stderr
