"""Where machine code is kept, and that nothing depends on it."""

import subprocess
import sys
from pathlib import Path

import pytest

from plugins.kernels import compiled

ROOT = Path(compiled.__file__).resolve().parents[2]

PROGRAM = """
import sys
from pathlib import Path
import pyarrow as pa
from plugins.kernels.compiled import use_cache
from plugins.kernels.components import components, _join_all
used = use_cache(Path(sys.argv[1]))
roots = components(4, [0, 2], [1, 3]).tolist()
print(used is not None, roots, sum(_join_all.stats.cache_hits.values()))
"""


def run(path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    return done.stdout.strip()


def test_a_second_process_finds_the_machine_code_of_the_first(tmp_path):
    assert run(tmp_path) == "True [0, 0, 2, 2] 0"
    assert run(tmp_path) == "True [0, 0, 2, 2] 1"
    assert [folder.name for folder in tmp_path.iterdir()] == [f"kernels-{compiled.source_digest()[:16]}"]


def test_damaged_machine_code_is_compiled_again(tmp_path):
    run(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:-20])
    assert run(tmp_path) == "True [0, 0, 2, 2] 0"


def test_where_nothing_can_be_written_kernels_compile_without_a_cache(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert run(tmp_path / "file" / "cache") == "False [0, 0, 2, 2] 0"


@pytest.mark.parametrize("name", ["words.py", "signatures.py", "leaders.py"])
def test_the_digest_covers_the_kernels(name, tmp_path, monkeypatch):
    before = compiled.source_digest()
    for path in compiled.HERE.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes() + (b"# edited" if path.name == name else b""))
    monkeypatch.setattr(compiled, "HERE", tmp_path)
    assert compiled.source_digest.__wrapped__() != before
