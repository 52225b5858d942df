"""llama.cpp's own converter, where it is installed: `--converter llama.cpp`. Nothing is downloaded.

`convert_hf_to_gguf.py` reads the merged folder; `llama-quantize` packs what the script cannot (q4_0). What they write is held to the same golden
check as our own file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import NotFound, TaskFailed

SCRIPT = "convert_hf_to_gguf.py"
QUANTIZER = "llama-quantize"
PLACES = ("", "build/bin", "bin")
SCRIPT_TYPES = ("f16", "q8_0")
"""What the script writes by itself."""


@dataclass(frozen=True)
class LlamaCpp:
    """The two programs, as far as they are needed."""

    script: Path
    quantizer: Path | None

    @classmethod
    def find(cls, folder: Path | None, quantize: str) -> LlamaCpp:
        """In `folder` (llama.cpp's own, built or not), else on PATH. Raises NotFound with what to type."""
        script = _find(SCRIPT, folder)
        quantizer = _find(QUANTIZER, folder)
        missing = [] if quantize in SCRIPT_TYPES or quantizer else [QUANTIZER]
        if script is None or missing:
            missing = [*([SCRIPT] if script is None else []), *missing]
            where = f"{folder} (nor its build/bin)" if folder else "PATH"
            raise NotFound(
                f"no {' and no '.join(missing)} in {where}, which --converter llama.cpp needs for {quantize}. Say where llama.cpp lies with "
                "--llama-cpp FOLDER, or leave --converter out: the built-in one needs only gguf-py"
            )
        return cls(script, quantizer)

    def write(self, merged: Path, target: Path, quantize: str) -> None:
        """The folder `merged` as the file `target`. Raises TaskFailed with the last lines a program said."""
        direct = quantize in SCRIPT_TYPES
        first = target if direct else target.with_name(f".{target.name}.f16")
        # The script imports transformers, gguf and torch: those of this environment.
        _run([sys.executable, str(self.script), str(merged), "--outfile", str(first), "--outtype", quantize if direct else "f16"])  # fmt: skip
        if not direct:
            _run([str(self.quantizer), str(first), str(target), quantize.upper()])
            first.unlink()


def _find(name: str, folder: Path | None) -> Path | None:
    if folder is not None:
        return next((folder / place / name for place in PLACES if (folder / place / name).is_file()), None)
    # A script need not be executable to be run by Python.
    return next(
        (Path(place) / name for place in os.get_exec_path() if (Path(place) / name).is_file()),
        Path(found) if (found := shutil.which(name)) else None,
    )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise TaskFailed(
            f"{Path(command[1] if command[0] == sys.executable else command[0]).name} ended with {done.returncode}, so there is no GGUF file:\n"
            f"{said}\nMend that, or leave --converter out: the built-in one knows Llama, Mistral and Qwen2"
        )
