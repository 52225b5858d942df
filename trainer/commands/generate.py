"""`gristmill generate`."""

from __future__ import annotations

import json
import sys
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


def generate(
    run: RunName,
    prompts: Annotated[
        Path, typer.Argument(metavar="PROMPTS", help="A text file with a prompt a line, or a .jsonl file.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write JSON lines here; the same call goes on after a break. By default stdout.",
        ),
    ] = None,
    base: Annotated[bool, typer.Option("--base", help="The base model's answers beside.")] = False,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Prompts answered at once.")] = 8,
    system: System = None,
    model_name: ModelName = None,
    user: User = None,
    length: Length = None,
    style: Style = None,
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
    """Answer a file of prompts, many at once; each answer is the one the prompt would get alone."""
    need_extra()
    from trainer import runs
    from trainer.generate import Speaker
    from trainer.speaking.answering import Job, answer_file
    from trainer.speaking.question import read_questions
    from trainer.speaking.sampling import Sampling

    sampling = Sampling(
        max_new_tokens, temperature, top_p, top_k, min_p, repetition_penalty, seed, tuple(stop or ())
    )
    fields = fields_of(model_name, user, length, style)
    questions = read_questions(prompts, system=system, fields=fields)
    opened = runs.open(run, root=root)
    speaker = Speaker.open(opened, device=device)
    tell_what_lacks(speaker, system, fields)
    record = opened.record
    job = Job(speaker, f"{record.base.digest} {record.adapter}", questions, sampling, base, batch_size)
    there = 0
    if out is not None:
        there = answer_file(job, out)
    else:
        for row in job.rows():
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    told = {
        "run": opened.spec,
        "answers": len(questions),
        "there_already": there,
        "out": str(out) if out else None,
    }
    print_json(told, as_json=as_json)
