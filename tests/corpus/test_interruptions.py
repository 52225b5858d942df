"""Killed at any moment and run again, a build ends as if nothing had happened, and leaves nobody behind."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builds import build_here, parquet_hashes, write_recipe, write_site

KILLS = 10
GRISTMILL = [sys.executable, "-c", "from corpus.cli import app; app()"]


def start(recipe: Path, marker: str) -> subprocess.Popen[bytes]:
    """`gristmill build` as the leader of its own process group; `marker` finds its children wherever they go."""
    return subprocess.Popen(
        [*GRISTMILL, "build", str(recipe), "--root", str(recipe.parent), "--workers", "2"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GRISTMILL_TEST_MARKER": marker},
    )


def marked(marker: str) -> list[int]:
    """Living processes that inherited the marker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"GRISTMILL_TEST_MARKER={marker}".encode() in (
                entry / "environ"
            ).read_bytes() and "zombie" not in state(entry):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def state(entry: Path) -> str:
    return next(line for line in (entry / "status").read_text().splitlines() if line.startswith("State:"))


def wait_until_gone(marker: str, seconds: float = 20) -> list[int]:
    end = time.monotonic() + seconds
    while (left := marked(marker)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


@pytest.mark.slow
def test_a_build_killed_ten_times_equals_one_left_alone(tmp_path: Path, tokenizer: Path) -> None:
    whole = tmp_path / "whole"
    write_site(whole / "site", pages=60)
    began = time.monotonic()
    assert start(write_recipe(whole, tokenizer), "whole").wait(timeout=120) == 0
    length = time.monotonic() - began

    killed = tmp_path / "killed"
    write_site(killed / "site", pages=60)
    recipe = write_recipe(killed, tokenizer)
    draw = random.Random(7)
    stopped = attempts = 0
    while stopped < KILLS and attempts < 4 * KILLS:
        attempts += 1
        process = start(recipe, f"killed-{attempts}")
        try:
            process.wait(timeout=draw.uniform(0.1, 1.0) * length)
            for folder in (
                "corpora",
                ".gristmill/work",
            ):  # over before it could be killed: the next starts anew
                shutil.rmtree(killed / folder)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            stopped += 1
        assert wait_until_gone(f"killed-{attempts}") == []
        assert all(path.name == "v1" for path in (killed / "corpora").glob("tales/*"))
    assert stopped == KILLS, "the build is over before it can be killed: this test tests nothing"

    assert start(recipe, "last").wait(timeout=120) == 0
    first, second = (folder / "corpora/tales" for folder in (whole, killed))
    assert [path.name for path in second.iterdir()] == ["v1"]
    assert parquet_hashes(second / "v1") == parquet_hashes(first / "v1")
    assert not list((killed / ".gristmill/work/publish").iterdir())


@pytest.mark.slow
def test_workers_end_when_only_the_build_is_killed(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site", pages=200)
    process = start(write_recipe(tmp_path, tokenizer), "orphans")
    end = time.monotonic() + 60
    while len(marked("orphans")) < 4 and time.monotonic() < end:
        time.sleep(0.05)
    assert len(marked("orphans")) >= 4, "no workers were started"
    process.kill()
    process.wait()
    assert wait_until_gone("orphans") == []


@pytest.mark.ray
@pytest.mark.slow
def test_a_local_ray_gives_the_same_bytes(tmp_path: Path, tokenizer: Path) -> None:
    pytest.importorskip("ray")
    for name in ("here", "ray"):
        write_site(tmp_path / name / "site", pages=16)
    here = build_here(write_recipe(tmp_path / "here", tokenizer))
    recipe = write_recipe(tmp_path / "ray", tokenizer)
    line = [
        *GRISTMILL,
        "build",
        str(recipe),
        "--root",
        str(recipe.parent),
        "--workers",
        "2",
        "--executor",
        "ray",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert parquet_hashes(tmp_path / "ray/corpora/tales/v1") == parquet_hashes(here.version.path)
