"""The examples in the benchmark's docstrings are true."""

import doctest
import importlib
import importlib.util
from pathlib import Path

import pytest

import bench


@pytest.mark.parametrize("name", ["bench.measure", "bench.oracle", "bench.run", "bench.parts.filters"])
def test_examples_of_a_module(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_of_the_shingles_peers_are_given():
    path = Path(bench.__file__).parent / "peers/shingled.py"
    spec = importlib.util.spec_from_file_location("shingled", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert doctest.testmod(module).failed == 0
