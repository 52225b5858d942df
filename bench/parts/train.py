"""Training: gristmill, TRL by hand, Unsloth by hand and LLaMA-Factory on the same model, rows, batch and precision."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench import environment
from bench.measure import Contestant, alternate, run as once
from bench.setting import CORES, REPO, Setting

MODEL = REPO / ".gristmill" / "models" / "smollm2-135m"
ROWS, WATCHED = 48, 16
"""Paragraphs trained on, and others on which every adapter's loss is measured afterwards, by one script."""
SHORTEST, LONGEST = 300, 900
"""Characters of a paragraph; 256 tokens at most, so that none is cut by anybody."""
SHAPE = {"batch": 4, "micro": 2, "steps": 7, "max_length": 256, "learning_rate": 2e-4, "r": 16, "alpha": 16}
NAMES = {
    "gristmill, unsloth": "Unsloth + TRL by hand",
    "gristmill, peft": "PEFT + TRL by hand",
}
"""gristmill's contestants, and the same libraries' calls written by hand."""


def run(setting: Setting) -> dict[str, Any]:
    """Interleaved; then the loss of every adapter. The base model must have been pulled."""
    if not MODEL.exists():
        return {"error": f"{MODEL} is not there; fetch it: .venv/bin/gristmill models pull smollm2-135m"}
    home = setting.root / "train"
    home.mkdir(parents=True, exist_ok=True)
    texts, watched = _texts(setting, home)
    given = {"model": str(MODEL), "texts": str(texts), **SHAPE}

    def told(name: str, **more: Any) -> dict[str, Any]:
        return {**given, "out": str(home / name.replace(", ", "-").replace(" ", "-")), **more}

    contestants = {
        name: setting.own("gristmill_train.py", cores=CORES, **told(name, backend=name.rpartition(" ")[2]))
        for name in NAMES
    }
    for name, loader in (("Unsloth + TRL by hand", True), ("PEFT + TRL by hand", False)):
        contestants[name] = setting.own("trl_train.py", cores=CORES, **told(name, unsloth=loader))
    contestants["LLaMA-Factory"] = Contestant(
        setting.llamafactory, "llamafactory_train.py", told("LLaMA-Factory"), CORES
    )
    found = alternate(contestants, setting.runs)
    for name, figures in found.items():
        if "error" not in figures:
            adapter = Path(contestants[name].config["out"]) / "adapter"
            judged = once(
                setting.own(
                    "judge_adapter.py",
                    cores=CORES,
                    model=str(MODEL),
                    texts=str(watched),
                    adapter=str(adapter),
                )
            )
            figures["val_loss"] = judged.get("loss")
            figures["base_loss"] = judged.get("base_loss")
    versions = {
        "gristmill": environment.versions(Path(sys.executable), environment.TRAINERS),
        "LLaMA-Factory": environment.versions(setting.llamafactory, environment.TRAINERS),
    }
    return {
        "tokens": _tokens(texts),
        "rows": ROWS,
        "shape": SHAPE,
        "versions": versions,
        "contestants": found,
    }


def table(figures: dict[str, Any]) -> str:
    """One row a contestant; ratios against gristmill with the same libraries."""
    if "error" in figures:
        return f"Not measured: {figures['error']}"
    shape, found = figures["shape"], figures["contestants"]
    about = (
        f"SmolLM2-135M in float32 on {CORES} cores, LoRA r = {shape['r']} on all linear layers, {figures['rows']} paragraphs of "
        f"{figures['tokens'] / figures['rows']:.0f} tokens in the mean, not packed, {shape['steps']} steps of {shape['batch']} rows in passes of {shape['micro']}. "
        "A step's time is a run's from the end of its first step to its last, over the steps; the median of the runs. The first step counts from the start of the process: imports, "
        "loading, tokenizing (gristmill's rows lie ready in the corpus), its preflight, and gristmill's measurement of val before step 0, which the others do not make. "
        "The loss is measured by one script on paragraphs nobody trained on; each shuffles in its own way, so it is near, not equal."
    )
    lines = [
        about,
        "",
        "| | step, s | tokens/s | first step after, s | peak MB | val loss |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    per_step = figures["tokens"] / figures["rows"] * shape["batch"]
    for name, one in found.items():
        if "error" in one:
            lines.append(f"| {name} | failed: {one['error']} | | | | |")
            continue
        loss = f"{one['val_loss']:.4f}" if one.get("val_loss") is not None else ""
        lines.append(
            f"| {name} | {_step(one):.2f} | {per_step / _step(one):.0f} | {one['first_step']:.0f} | {one['peak_mb']:,} | {loss} |"
        )
    ratios = [
        f"{own} over {hand}: **{_step(found[own]) / _step(found[hand]):.3f}**"
        for own, hand in NAMES.items()
        if "error" not in found[own] and "error" not in found[hand]
    ]
    told = (
        f"{side}: {', '.join(f'{name} {number}' for name, number in known.items())}"
        for side, known in figures["versions"].items()
    )
    return "\n".join([*lines, "", *(f"{side}." for side in told), "", f"Step time, {'; '.join(ratios)}."])


def _step(figures: dict[str, Any]) -> float:
    """Seconds of a step in the run whose time is the median."""
    return float(figures["seconds"] / figures["steps"])


def _texts(setting: Setting, home: Path) -> tuple[Path, Path]:
    """Paragraphs of the throughput corpus, in its order, as JSON lines."""
    chosen: list[str] = []
    for path in sorted(setting.corpus.glob("*.parquet")):
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist():
            chosen += [
                part
                for part in text.split("\n\n")
                if part.isascii() and SHORTEST <= len(part) <= LONGEST and _length(part) < 250
            ]
            if len(chosen) >= ROWS + WATCHED:
                break
        if len(chosen) >= ROWS + WATCHED:
            break
    files = home / "rows.jsonl", home / "watched.jsonl"
    for file, part in zip(files, (chosen[:ROWS], chosen[ROWS : ROWS + WATCHED]), strict=True):
        file.write_text("".join(json.dumps({"text": text}) + "\n" for text in part), encoding="utf-8")
    return files


@cache
def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


def _length(text: str) -> int:
    return len(_tokenizer().encode(text).ids)


def _tokens(texts: Path) -> int:
    return sum(
        _length(json.loads(line)["text"]) + 1 for line in texts.read_text(encoding="utf-8").splitlines()
    )
