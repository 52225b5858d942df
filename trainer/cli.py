"""The commands `train`, `eval`, `chat` and `runs`: each parses, calls one function of the same name, and prints.

Mounted through the entry-point group `gristmill.commands`; what a command raises, `corpus.cli` prints. Nothing heavy is
imported before a command runs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

Root = Annotated[Path, typer.Option("--root", help="Holds corpora/, runs/ and .gristmill/.")]
Json = Annotated[bool, typer.Option("--json", help="End stdout with one line of JSON.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps; eval and chat also cuda:1.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="NAME (its newest run) or NAME/N.")]


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a TOML file.")],
    root: Root = Path(),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be trained, masked, packed and cut.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest run, killed before its end.")
    ] = False,
    version: Annotated[
        str | None, typer.Option("--version", metavar="NAME@N", help="Train on this version, not the newest.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train the recipe's adapter on the newest version of its corpus."""
    _need_extra()
    from trainer import sft

    if dry_run:
        plan = sft.train(recipe, root=root, dry_run=True, device=device, version=version)
        _print(plan.to_json(), as_json=as_json)
        return
    run = sft.train(recipe, root=root, resume=resume, device=device, version=version)
    record, end = run.record, run.record.outcome
    told = {
        "run": record.run,
        "path": str(run.path),
        "corpus": record.corpus,
        "fingerprint": record.fingerprint,
    }
    if end:
        sys.stdout.write(f"{record.run}: {end.steps} steps; {end.stop_reason}\n")
        if end.first_val_loss is not None and end.val_loss is not None:
            sys.stdout.write(
                f"val loss {end.first_val_loss:.4f} before, {end.val_loss:.4f} in the {end.kept} adapter\n"
            )
        told |= end.model_dump(mode="json")
    sys.stdout.write(f"adapter: {run.path / 'adapter'}\n")
    _print(told, as_json=as_json)


def evaluate(run: RunName, root: Root = Path(), device: Device = "auto", as_json: Json = False) -> None:
    """Compare base and tuned model on the sealed test split; every opening is counted."""
    _need_extra()
    from trainer.evaluate import evaluate as measure_run

    found = measure_run(run, root=root, device=device)
    sys.stdout.writelines(f"{line}\n" for line in found.lines())
    _print(found.to_json(), as_json=as_json)


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
    _need_extra()
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
        _print({"run": speaker.name, "prompt": asked, "answer": answer, "base": base}, as_json=as_json)


def runs(root: Root = Path(), as_json: Json = False) -> None:
    """List training runs: what they were trained on, how they ended, how often their test split was opened."""
    from trainer.runs import listing

    found = listing(root)
    if not found:
        sys.stderr.write(f"no runs under {root / 'runs'} yet: `gristmill train RECIPE` makes one.\n")
    for row in found:
        loss = f"val {row.val_loss:.4f}" if row.val_loss is not None else ""
        parts = [
            row.run,
            row.status,
            row.corpus or "",
            row.model or "",
            f"{row.steps} steps" if row.steps else "",
            loss,
        ]
        opened = f"test opened {row.openings}x" if row.openings else ""
        sys.stdout.write("  ".join(part for part in [*parts, opened, row.stop_reason or ""] if part) + "\n")
    _print([asdict(row) for row in found], as_json=as_json)


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


def _need_extra() -> None:
    """Say which extra is missing before an import fails in the middle of something."""
    from plugins.backends.peft import Peft
    from schemas.errors import MissingExtra

    if reason := Peft.unavailable():
        raise MissingExtra(reason)


def _print(value: Any, *, as_json: bool) -> None:
    if as_json:
        from trainer.record import finite

        sys.stdout.write(json.dumps(finite(value), ensure_ascii=False, allow_nan=False) + "\n")
