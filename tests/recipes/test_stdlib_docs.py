"""The shipped crawl, against the very server it names: Python's own."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_model import make_tiny_model

from corpus.crawling import crawl
from corpus.pipeline import build
from corpus.query import query
from schemas.runtime import Runtime

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "stdlib-docs.toml"
MODULES = "json|textwrap|shlex|heapq|bisect"


@contextmanager
def pydoc() -> Iterator[int]:
    """The documentation server, at a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-I", "-S", "-m", "pydoc", "-p", str(port)]
    # It serves for as long as its stdin is open.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("localhost", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                pytest.fail("pydoc's server did not start")
            yield port
        finally:
            server.kill()


def test_the_documentation_server_of_python_is_crawled_and_built(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "model")
    with pydoc() as port:
        text = (
            RECIPE.read_text(encoding="utf-8").replace("8614", str(port)).replace("smollm2-135m", str(model))
        )
        text = re.sub(r'^    "\^http://localhost:\d+/\((?!abc\|).*\n', "", text, flags=re.MULTILINE)
        text = re.sub(r"\(abc\|[^)]*\)", f"({MODULES})", text).replace("delay = 0.1", "delay = 0.0")
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(text, encoding="utf-8")
        runtime = Runtime(tmp_path, workers=1, quiet=True)
        (gathered,) = crawl(recipe, runtime)
        assert gathered.fates == {"ok": 6}, "the list of modules and five of them"
    # The server is gone: what was gathered is enough.
    version = build(recipe, runtime).version
    titles = query(version, "select title from documents order by title")["title"].to_list()
    modules = sorted(title.rpartition(" ")[2] for title in titles if not title.startswith("Pydoc: Index"))
    assert modules == sorted(MODULES.split("|"))
