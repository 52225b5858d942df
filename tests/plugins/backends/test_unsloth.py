"""When unsloth may be imported, and for which device; nothing here imports it."""

import os
import sys

import pytest

from plugins.backends import unsloth
from plugins.backends.unsloth import Unsloth
from schemas.errors import UserError


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has loaded nothing, with an environment of its own."""
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if not k.startswith("UNSLOTH_")})
    for name in ("unsloth", *unsloth.PATCHED):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(unsloth, "version", lambda name: "2026.10.9")


def test_it_is_refused_where_what_it_patches_is_loaded(fresh, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", sys)
    with pytest.raises(
        UserError, match="has loaded transformers already, which unsloth must be imported before"
    ):
        Unsloth().prepare()


@pytest.mark.parametrize("version", ["2026.10.7", "2027.1.1"])
def test_a_release_it_was_not_written_to_is_refused_with_the_line_that_mends_it(fresh, monkeypatch, version):
    monkeypatch.setattr(unsloth, "version", lambda name: version if name == "unsloth_zoo" else "2026.11.1")
    with pytest.raises(
        UserError, match=rf"unsloth_zoo is {version}, wanted >=2026.10.9,<2027. Mend it with: pip install"
    ):
        Unsloth().prepare()


def test_a_cpu_is_chosen_before_the_import(fresh, monkeypatch):
    """It sees the GPU otherwise and takes it."""
    seen = {}

    class Fake:
        def find_spec(self, name, path=None, target=None):
            if name == "unsloth":
                seen.update(os.environ)
                raise ImportError("seen")

    monkeypatch.setattr(sys, "meta_path", [Fake(), *sys.meta_path])
    with pytest.raises(ImportError, match="seen"):
        Unsloth().prepare("cpu")
    assert seen["UNSLOTH_FORCE_CPU"] == "1"


@pytest.mark.parametrize(
    ("wanted", "chosen", "line"),
    [
        ("cpu", "cuda", "UNSLOTH_FORCE_CPU=1 in front of the command, with --device cpu"),
        ("cuda", "cpu", "leave UNSLOTH_FORCE_CPU out"),
        ("mps", "cpu", "type --device cpu"),
    ],
)
def test_another_device_than_it_chose_is_refused(fresh, monkeypatch, wanted, chosen, line):
    stand_in = type(sys)("unsloth")
    stand_in.DEVICE_TYPE = chosen
    monkeypatch.setitem(sys.modules, "unsloth", stand_in)
    with pytest.raises(UserError, match=f'has chosen {chosen} in this process.*{line}.*backend = "peft"'):
        Unsloth().prepare(wanted)


def test_the_device_it_chose_is_taken(fresh, monkeypatch):
    stand_in = type(sys)("unsloth")
    stand_in.DEVICE_TYPE = "hip"
    monkeypatch.setitem(sys.modules, "unsloth", stand_in)
    Unsloth().prepare("cuda:0")
