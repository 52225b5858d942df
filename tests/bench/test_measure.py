"""Contestants run in processes of their own; what they fail with is told, not raised."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import measure


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Writes a contestant's script; returns the contestant."""
    (tmp_path / "peers").mkdir()
    monkeypatch.setattr(measure, "HERE", tmp_path)

    def write(source, **config):
        (tmp_path / "peers/it.py").write_text("import json, sys\nconfig = json.load(sys.stdin)\n" + source)
        return measure.Contestant(Path(sys.executable), "it.py", config, limit=20)

    return write


def test_a_contestant_is_told_its_configuration_and_its_last_line_counts(script):
    figures = measure.run(script("print('talk')\nprint(json.dumps({'seconds': config['n'] / 2}))", n=3))
    assert figures["seconds"] == 1.5


def test_the_last_words_of_one_that_fails_are_its_error(script):
    assert "no such thing" in measure.run(script("raise SystemExit('no such thing')"))["error"]


def test_the_median_of_the_runs_counts(script):
    source = "import time; open(config['log'], 'a').write('x'); n = len(open(config['log']).read())\n"
    contestant = script(
        source + "print(json.dumps({'seconds': [9.0, 1.0, 2.0][n - 1]}))", log=str(measure.HERE / "log")
    )
    found = measure.alternate({"it": contestant}, 3)["it"]
    assert (found["seconds"], found["timings"]) == (2.0, [9.0, 1.0, 2.0])


def test_memory_of_children_counts(script):
    child = "import time; held = bytearray(60_000_000); time.sleep(0.8)"
    figures = measure.run(
        script(
            f"import subprocess\nsubprocess.run([sys.executable, '-c', {child!r}])\nprint(json.dumps({{'seconds': 1.0}}))"
        )
    )
    assert figures["peak_mb"] > 60


def test_the_family_of_a_process_holds_its_children():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in measure.family(os.getpid())
        child.communicate(b"\n")
