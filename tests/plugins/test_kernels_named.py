"""A plugin whose result a kernel can change names it: an edit to any of them must make anew what the plugin made."""

import ast
import importlib.util
import inspect
from pathlib import Path

import pytest

from plugins.contracts import KINDS
from plugins.entries import entries

BUILT_IN = [entry.load() for kind in KINDS for entry in entries(kind).values() if entry.origin == "gristmill"]


def imported(source: str) -> set[str]:
    """The kernel modules that a source file imports anywhere, by those that they import in turn."""
    found: set[str] = set()
    waiting = [source]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop())):
            name = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if name.startswith("plugins.kernels.") and name not in found:
                found.add(name)
                spec = importlib.util.find_spec(name)
                assert spec is not None
                assert spec.origin is not None
                waiting.append(Path(spec.origin).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("plugin", BUILT_IN, ids=lambda plugin: plugin.__name__)
def test_a_plugin_names_every_kernel_that_it_depends_on(plugin: type) -> None:
    source = Path(inspect.getfile(plugin)).read_text(encoding="utf-8")
    named = set(plugin.kernels)  # type: ignore[attr-defined]
    # How a kernel is compiled changes no result.
    assert "plugins.kernels" in named or imported(source) - {"plugins.kernels.compiled"} <= named
