"""`gristmill export-model`: named so because `gristmill export` is the corpus'."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Device, Json, Root, RunName, need_extra, print_json


def export_model(
    run: RunName,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="adapter (the LoRA as it is), safetensors (merged), gguf, or ollama (gguf and a Modelfile).",
        ),
    ] = "safetensors",
    quantize: Annotated[
        str | None,
        typer.Option("--quantize", help="f16, q8_0 or q4_0, for gguf and ollama; by default q8_0."),
    ] = None,
    converter: Annotated[
        str,
        typer.Option("--converter", help="Who writes the GGUF: builtin, or llama.cpp where it is installed."),
    ] = "builtin",
    llama_cpp: Annotated[
        Path | None,
        typer.Option("--llama-cpp", metavar="FOLDER", help="Where llama.cpp lies; by default on PATH."),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option("--dtype", help="float16, bfloat16 or float32, for safetensors; by default bfloat16."),
    ] = None,
    root: Root = Path(),
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Take a run's model home: proven by golden prompts against the run, with a model card, or not written at all."""
    need_extra()
    from trainer import runs
    from trainer.export import export

    done = export(
        runs.open(run, root=root), directory, to=to, quantize=quantize, converter=converter, llama_cpp=llama_cpp, dtype=dtype, device=device
    )  # fmt: skip
    sys.stdout.writelines(f"{line}\n" for line in done.lines())
    print_json(done.to_json(), as_json=as_json)
