"""docs/guide.ipynb runs from top to bottom, on a model of two layers, and what it kept of its last full run is whole."""

import re
from pathlib import Path

import pytest
from tiny_model import make_tiny_model

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = DOCS / "guide.ipynb"

nbformat = pytest.importorskip("nbformat", reason="the notebook needs nbformat and nbclient (extra dev)")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_guide_runs_from_top_to_bottom(tmp_path, monkeypatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("GRISTMILL_GUIDE_MODEL", str(make_tiny_model(tmp_path / "tiny")))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(GUIDE, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = "\n".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert re.search(r"guide/1: \d+ steps", shown)
    assert (tmp_path / "guide/runs/guide/1/adapter/adapter_model.safetensors").is_file()


def test_the_guide_is_committed_with_the_pictures_of_a_full_run() -> None:
    notebook = nbformat.read(GUIDE, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    kinds = {kind for cell in cells for output in cell.outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


def test_what_the_guide_links_to_is_there() -> None:
    text = "\n".join(cell.source for cell in nbformat.read(GUIDE, as_version=4).cells)
    named = set(re.findall(r"\]\(([\w./-]+)\)", text))
    assert named
    assert not [name for name in named if not (DOCS / name).is_file()]
