"""The peers' own environments under .bench: none of them is a dependency of gristmill, and their versions must not meet its own.

text-dedup stands alone: it holds urllib3 below 2, which trafilatura does not accept.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
OWN = ("gristmill", "polars", "pyarrow", "numba", "numpy", "trafilatura", "tokenizers")
PEERS = (
    "datatrove",
    "spacy",
    "datasketch",
    "rensa",
    "scrapy",
    "numpy",
    "pyarrow",
    "trafilatura",
    "tokenizers",
)
TRAINERS = ("llamafactory", "torch", "transformers", "trl", "peft", "accelerate", "unsloth")

EXTRAS = {"bench": "venv", "bench-text-dedup": "venv-text-dedup", "bench-train": "venv-train"}
"""Extra of pyproject.toml → folder of its environment."""


def requirements(extra: str) -> list[str]:
    """The distributions of an extra."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    return extras[extra]


def peers(root: Path, extra: str) -> Path:
    """The Python of an environment, filled once for the present list of requirements."""
    folder = root / EXTRAS[extra]
    python, stamp = folder / "bin/python", folder / "bench-requirements.txt"
    wanted = "\n".join(requirements(extra))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"bench: filling {folder} with the peers", file=sys.stderr, flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", *requirements(extra)], check=True)
    if extra == "bench-train":
        _llamafactory(python)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _llamafactory(python: Path) -> None:
    """LLaMA-Factory without its dependencies, and an empty module for torchaudio, which it imports whatever it trains on."""
    command = [str(python), "-m", "pip", "install", "-q", "--no-deps", "llamafactory>=0.9.5,<0.10"]
    subprocess.run(command, check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True)
    stand_in = Path(done.stdout.strip()) / "torchaudio" / "__init__.py"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.touch()


def versions(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    """What is installed there."""
    ask = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({d.name: d.version for d in m.distributions() if d.name in sys.argv[1:]}))"
    )
    done = subprocess.run([str(python), "-c", ask, *names], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return dict(sorted(found.items()))


def both(main: Path, text_dedup: Path) -> dict[str, dict[str, str]]:
    """What is installed, on either side."""
    alone = versions(text_dedup, ("text-dedup", "datasets"))
    return {
        "gristmill": versions(Path(sys.executable), OWN),
        "peers": versions(main, PEERS),
        "text-dedup": alone,
    }
