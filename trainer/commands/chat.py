"""`gristmill chat`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.commands.options import Device, Json, Root, RunName, need_extra, print_json


def chat(
    run: RunName,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="Answer this and end; without it, ask line by line.")
    ] = None,
    system: Annotated[
        str | None,
        typer.Option("--system", help="The system turn, where the run was trained on chat or instruct."),
    ] = None,
    base: Annotated[bool, typer.Option("--base", help="Let the base model answer, the adapter off.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="At most this many tokens.")] = 200,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 takes the likeliest token; above, tokens are drawn.")
    ] = 0.0,
    top_p: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Draw from the likeliest tokens that sum to this.")
    ] = 1.0,
    repetition_penalty: Annotated[
        float, typer.Option(min=1.0, help="Above 1 makes tokens already written less likely.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    root: Root = Path(),
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Let the adapter answer a prompt, or prompts line by line, in the format it was trained with; a chat remembers what was said."""
    need_extra()
    from trainer import runs
    from trainer.generate import Speaker

    speaker = Speaker.open(runs.open(run, root=root), device=device)
    options: dict[str, Any] = {
        "system": system,
        "base": base,
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
    }
    if speaker.form is not None and speaker.form.lacks_system() and not system:
        sys.stderr.write(
            "the recipe's system prompt says what only a document tells, such as a name; give one with --system\n"
        )
    history: list[tuple[str, str]] = []
    for asked in [prompt] if prompt is not None else _asked():
        answer = speaker.answer(asked, history=history, **options)
        if speaker.remembers and answer:
            history.append((asked, answer))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
        print_json({"run": speaker.name, "prompt": asked, "answer": answer, "base": base}, as_json=as_json)


def _asked() -> Any:
    """Lines from stdin; on a terminal with a prompt, until an empty line or its end."""
    terminal = sys.stdin.isatty()
    while True:
        if terminal:
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line or (terminal and not line.strip()):
            return
        if line.strip():
            yield line.rstrip("\n")
