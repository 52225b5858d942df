"""Write locks/py3XX.txt: every distribution of the extras a developer needs, one exact version each.

`just lock` runs this with uv, once for each Python that gristmill supports. The files name versions only: no index, no
address, no hash, so that they install from whatever package index pip is set up with. torch and what comes with it
(triton, CUDA, torchvision, xformers) are left out: which build fits is the machine's choice, and `tools/setup.py`
installs it first, from locks/torch.txt.

The target is Linux x86-64; only releases with a wheel there are taken, so that nothing is compiled at installation.
"""

import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
LOCKS = REPO / "locks"
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORM = "x86_64-manylinux_2_28"

EXTRAS = ("train", "unsloth", "ray", "pdf", "code", "spelling", "dev")
"""Not those that only `just bench` installs, into environments of its own; nor presidio, whose spaCy models are fetched at run time."""

LEFT_OUT = re.compile(
    r"^(torch|torchvision|torchaudio|torchao|xformers|triton|nvidia-[\w-]+|cuda-[\w-]+)==", re.IGNORECASE
)
"""Installed with torch or not needed; FINDINGS "Installing" measured that none is missed on a CPU."""

HEADER = """\
# Python {python}, Linux x86-64. Made by `just lock` (tools/lock.py) from pyproject.toml and its extras; do not edit.
# torch and what comes with it are left out on purpose: see locks/torch.txt.
"""


def compiled(python: str) -> list[str]:
    """The resolved requirements for one Python, sorted, torch's family included."""
    command = [
        *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet"),
        *(word for extra in EXTRAS for word in ("--extra", extra)),
        *("--python-version", python, "--python-platform", PLATFORM),
        *("--only-binary", ":all:", "--override", "locks/overrides.txt", "--constraint", "locks/torch.txt"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        "pyproject.toml",
    ]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"lock: uv could not resolve for Python {python}; its reason stands above")
    return [line for line in done.stdout.splitlines() if line and not line.startswith("#")]


def main() -> None:
    """Write one file for each Python."""
    for python in PYTHONS:
        rows = [row for row in compiled(python) if not LEFT_OUT.match(row)]
        if strange := [row for row in rows if not re.fullmatch(r"[a-z0-9][a-z0-9-]*==[^\s@/]+", row)]:
            sys.exit(f"lock: not a plain pin: {strange[0]!r}")
        target = LOCKS / f"py{python.replace('.', '')}.txt"
        target.write_text(HEADER.format(python=python) + "\n".join(rows) + "\n", encoding="utf-8")
        print(f"{target.relative_to(REPO)}: {len(rows)} distributions")


if __name__ == "__main__":
    main()
