"""A stranger's backend and callback, really installed, named in a recipe and trained with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trainer

REPO = Path(__file__).resolve().parents[2]
LANTERN = REPO / "tests" / "third_party" / "gristmill-lantern"
CALL = "import sys; from corpus.cli import app; app(prog_name='gristmill')"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that pip put gristmill-lantern into, without index, dependencies or build environment."""
    base = tmp_path_factory.mktemp("lantern")
    shutil.copytree(LANTERN, base / "project")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", base / "site", base / "project"],
        check=True,
        capture_output=True,
        cwd=base,
    )
    return base / "site"


def start(*arguments: str | Path, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    found = os.pathsep.join(str(one) for one in (path, REPO) if one)
    return subprocess.run(
        [sys.executable, "-P", "-c", CALL, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": found},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_an_installed_strangers_backend_and_callback_train(made, installed):
    from safetensors.torch import load_file

    root, recipe = made("max_steps = 40\neval_every = 2\nlearning_rate = 3e-2\nearly_stopping = false")
    text = recipe.read_text().replace('backend = "peft"', 'backend = { use = "upper-layers", share = 0.5 }')
    recipe.write_text(f'{text}[[train.callback]]\nuse = "gap"\nmost = 0.05\n')
    refused = start("train", recipe.name, cwd=root)
    assert refused.returncode == 2
    assert '"upper-layers" is not a backend' in refused.stderr
    assert '"gap" is not a callback' in refused.stderr

    done = start("train", recipe.name, cwd=root, path=installed)
    assert done.returncode == 0, done.stderr
    run = trainer.open("tale/1", root=root)
    assert run.record.backend == "upper-layers"
    assert run.record.outcome.stop_reason.startswith('callback "gap": val is ')
    assert run.record.outcome.steps < 40
    moved = {
        name: bool(weight.any())
        for name, weight in load_file(run.path / "adapter" / "adapter_model.safetensors").items()
        if "lora_B" in name
    }
    assert {name for name, learned in moved.items() if learned} == {n for n in moved if ".layers.1." in n}


@pytest.mark.slow
def test_the_example_is_listed_and_keeps_the_contract(installed, tmp_path):
    listed = start("plugins", "list", "callbacks", cwd=tmp_path, path=installed)
    assert ["callback", "gap", "gristmill-lantern"] in [
        line.split()[:3] for line in listed.stdout.splitlines()
    ]
    project = shutil.copytree(LANTERN, tmp_path / "lantern")
    done = start("plugins", "test", project, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("checks, 0 failed") == 2
    own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", project]
    subprocess.run(
        own, env={**os.environ, "PYTHONPATH": str(REPO)}, cwd=tmp_path, check=True, capture_output=True
    )
