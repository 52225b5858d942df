"""`gristmill chat`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Device, Json, Root, RunName, need_extra, print_json
from trainer.commands.speaking import (
    Length,
    MaxNewTokens,
    MinP,
    ModelName,
    RepetitionPenalty,
    Seed,
    Stop,
    Style,
    System,
    Temperature,
    TopK,
    TopP,
    User,
    fields_of,
    tell_what_lacks,
)


def chat(
    run: RunName,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="Answer this and end; without it, ask line by line.")
    ] = None,
    system: System = None,
    model_name: ModelName = None,
    user: User = None,
    length: Length = None,
    style: Style = None,
    base: Annotated[bool, typer.Option("--base", help="Let the base model answer, the adapter off.")] = False,
    max_new_tokens: MaxNewTokens = 200,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    min_p: MinP = 0.0,
    repetition_penalty: RepetitionPenalty = 1.0,
    seed: Seed = 0,
    stop: Stop = None,
    root: Root = Path(),
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Let the adapter answer a prompt, or prompts line by line, in the format it was trained with; a chat remembers what was said. /help lists what can be typed instead of a prompt."""
    need_extra()
    from trainer import runs
    from trainer.generate import Speaker
    from trainer.speaking.sampling import Sampling
    from trainer.speaking.talk import Talk

    sampling = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "stop": tuple(stop or ()),
    }
    Sampling(**sampling)  # type: ignore[arg-type]  # its faults before a model is loaded
    speaker = Speaker.open(runs.open(run, root=root), device=device)
    fields = fields_of(model_name, user, length, style)
    tell_what_lacks(speaker, system, fields)
    talk = Talk(speaker, system, fields, base, sampling, terminal=sys.stdout.isatty())
    if prompt is not None:
        _json(talk, prompt, talk.answer(prompt), as_json=as_json)
    elif sys.stdin.isatty():
        sys.stderr.write("/help lists what can be typed instead of a prompt; Ctrl-D ends\n")
        for line in _typed():
            if not talk.heard(line):
                return
    else:
        for line in sys.stdin:
            if line.strip():
                asked = line.rstrip("\n")
                _json(talk, asked, talk.answer(asked), as_json=as_json)


def _json(talk: object, prompt: str, answer: str, *, as_json: bool) -> None:
    told = {"run": talk.speaker.name, "prompt": prompt, "answer": answer, "base": talk.base}  # type: ignore[attr-defined]
    print_json(told, as_json=as_json)


def _typed() -> Iterator[str]:
    """Lines typed at a terminal, with its history; until Ctrl-D. Ctrl-C leaves the line."""
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  gives input() a line that can be edited

    while True:
        try:
            if sys.stdout.isatty():
                line = input("> ")
            else:
                sys.stderr.write("> ")
                sys.stderr.flush()
                line = input()
        except EOFError:
            sys.stderr.write("\n")
            return
        except KeyboardInterrupt:
            sys.stderr.write("\n(Ctrl-D ends)\n")
            continue
        if line.strip():
            yield line
