"""Prove the whole path on a GPU box, offline: raw text, corpus, adapters by both backends, resume, memory that ends, eval, chat.

    python tools/gpu_smoke.py            # without a CUDA device it says so, and ends with 0
    python tools/gpu_smoke.py --cpu      # the same path on the CPU, tiny

Everything is made on the spot: the texts, a tokenizer trained on them, and a Llama with random weights (41 MB, written to a temporary
folder). One line a check: ok, FAIL or skip, what was measured, and the seconds. Ends with 1 where a check failed. docs/gpu.md says what each proves.

Losses of two runs agree where they differ by at most 0.02 nats in bfloat16, which keeps 8 bits, and 0.001 in float32: of about 6 nats.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "tests")]
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

from smoke_bench import Bench, Skipped, losses  # noqa: E402  found by the line above
from smoke_material import Small  # noqa: E402  the same


def main() -> int:
    """Run the checks; 0 where none failed."""
    parser = argparse.ArgumentParser(description="Prove the whole path on a GPU box, offline.")
    parser.add_argument("--cpu", action="store_true", help="run the same path on the CPU, tiny")
    parser.add_argument("--skip", action="append", default=[], choices=list(CHECKS), help="leave a check out")
    parser.add_argument("--child", nargs=3, metavar=("RECIPE", "ROOT", "DEVICE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(*given.child)
    if not given.cpu and not has_gpu():
        print("skipped: no CUDA device on this machine; --cpu runs the same path on the CPU, tiny")
        return 0
    device = "cpu" if given.cpu else "cuda"
    with tempfile.TemporaryDirectory(prefix="gristmill-smoke-") as folder:
        bench = Bench(Path(folder), device, Small() if given.cpu else Small.for_gpu())
        failed = [
            name for name, check in CHECKS.items() if name not in given.skip and not told(name, check, bench)
        ]
    print(
        f"{len(failed)} of {len(CHECKS) - len(given.skip)} checks failed: {', '.join(failed)}"
        if failed
        else "all checks passed"
    )
    return 1 if failed else 0


def has_gpu() -> bool:
    """Asked in a child: a process that has touched CUDA cannot hide a GPU from its children's libraries any more."""
    line = [sys.executable, "-c", "import torch, sys; sys.exit(not torch.cuda.is_available())"]
    return subprocess.run(line, check=False).returncode == 0


def told(name: str, check: Callable[[Bench], str], bench: Bench) -> bool:
    """Run one check and print its line."""
    started, state = time.monotonic(), "ok"
    try:
        detail = check(bench)
    except Skipped as reason:
        state, detail = "skip", str(reason)
    except Exception as error:  # noqa: BLE001  whatever a library raises fails its check, and the others go on
        state, detail = "FAIL", f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"
    print(f"{state:4}  {name:<14} {detail} ({time.monotonic() - started:.0f} s)", flush=True)
    return state != "FAIL"


def child(recipe: str, root: str, device: str) -> int:
    """Train in a process of its own, as unsloth must; the last line on stdout is what came of it."""
    import trainer

    run = trainer.train(recipe, root=root, device=device, quiet=True)
    print(
        json.dumps({"backend": run.record.backend, "rows": run.metrics().to_pylist(), "path": str(run.path)})
    )
    return 0


# ------------------------------------------------------------------------------------------------ checks


def machine(bench: Bench) -> str:
    """What this is."""
    return bench.machine()


def corpus(bench: Bench) -> str:
    """Raw text files become a version."""
    version = bench.build()
    table = version.sql("select count(*) as chunks, sum(n_tokens) as tokens from chunks")
    chunks, tokens = table.row(0)
    return f"{chunks:,} chunks, {tokens:,} tokens, built from {bench.size.documents:,} text files"


def peft(bench: Bench) -> str:
    """An adapter by PEFT learns, and what lies on disk has the loss that was recorded."""
    run = bench.peft()
    return f"{bench.learned(run)}; {bench.speed(run)}"


def memory(bench: Bench) -> str:
    """The preflight's estimate holds."""
    bench.peft()
    if bench.device == "cpu":
        raise Skipped("a process' main memory is not the run's alone; measured on a GPU")
    peak, estimate = bench.peak, bench.estimate()
    if peak > 1.25 * estimate + 64 * 2**20:
        raise AssertionError(f"the peak was {peak / 2**20:,.0f} MiB, the estimate {estimate / 2**20:,.0f}")
    return f"peak {peak / 2**20:,.0f} MiB, estimated {estimate / 2**20:,.0f} (libraries left out), {peak / estimate:.0%}"


def packing(bench: Bench) -> str:
    """A step over all rows has the same loss packed and not."""
    packed, plain = (bench.train(optimizer="gd", max_steps=2, packing=packing) for packing in (True, False))
    return f"packed and unpacked losses differ by {bench.agree(losses(packed), losses(plain)):.1e}"


def recomputing(bench: Bench) -> str:
    """Activations computed again change no loss."""
    other = bench.train(gradient_checkpointing=bench.device == "cpu")
    return f"losses with and without recomputed activations differ by {bench.agree(losses(other), losses(bench.peft())):.1e}"


def variants(bench: Bench) -> str:
    """DoRA with rsLoRA scaling, on some layers, with NEFTune's noise."""
    lora = {"dora": True, "rank_stabilized": True, "r": 8, "targets": ["q_proj", "v_proj", "down_proj"]}
    return bench.learned(bench.train(lora=lora, neftune_alpha=5))


def full(bench: Bench) -> str:
    """Every weight is trained."""
    return bench.learned(bench.train(method="full", learning_rate=bench.size.rate / 5))


def unsloth(bench: Bench) -> str:
    """Unsloth computes what PEFT computes."""
    found = bench.unsloth()
    difference = bench.agree([row["loss"] for row in found["rows"]], losses(bench.peft()))
    return f"losses differ from peft's by {difference:.1e}; {bench.speed_of(found['rows'])}"


def four_bits(bench: Bench) -> str:
    """A 4-bit base, by both backends."""
    bench.need("bitsandbytes")
    if bench.device == "cpu":
        raise Skipped("4-bit needs a GPU")
    run = bench.train(quantization="4bit")
    told = f"peft: {bench.learned(run)}, peak {bench.peak / 2**20:,.0f} MiB"
    if not bench.has("unsloth"):
        return f"{told}; unsloth is not installed"
    theirs = [row["loss"] for row in bench.unsloth(quantization="4bit")["rows"]]
    # Each quantises by itself, and not the same layers: what agrees is how much is learned.
    ours = losses(run)
    if theirs[-1] - theirs[0] > 0.5 * (ours[-1] - ours[0]):
        raise AssertionError(
            f"unsloth learned {theirs[0]:.3f} -> {theirs[-1]:.3f}, peft {ours[0]:.3f} -> {ours[-1]:.3f}"
        )
    return f"{told}; unsloth: loss {theirs[0]:.3f} -> {theirs[-1]:.3f}"


def resume(bench: Bench) -> str:
    """A run that Ctrl-C ended goes on as if nothing had been."""
    run = bench.interrupted()
    difference = bench.agree(losses(run), losses(bench.peft()), exact=bench.device == "cpu")
    return f"interrupted and resumed; losses differ from the run in one go by {difference:.1e}"


def out_of_memory(bench: Bench) -> str:
    """Where memory ends the passes are halved and the loss stays."""
    run, rows, how = bench.starved()
    difference = bench.agree(losses(run), losses(bench.peft()))
    return f"{how}: passes went from {max(rows)} rows to {rows[-1]}; losses differ by {difference:.1e}"


def evaluate(bench: Bench) -> str:
    """The sealed test split: base against tuned."""
    found = bench.peft().evaluate(device=bench.device)
    if found.tuned.loss >= found.base.loss:
        raise AssertionError(f"tuned {found.tuned.loss:.4f} is no better than base {found.base.loss:.4f}")
    return f"test perplexity {found.base.perplexity:,.1f} -> {found.tuned.perplexity:,.1f} over {found.tuned.tokens:,} tokens"


def chat(bench: Bench) -> str:
    """Base and tuned answer."""
    said, before = (
        bench.peft().chat("The innkeeper", max_new_tokens=12, base=base) for base in (False, True)
    )
    if not said.strip() or said == before:
        raise AssertionError(f"tuned said {said!r}, base {before!r}")
    return f"tuned goes on: {said!r}"


CHECKS: dict[str, Callable[[Bench], str]] = {
    "machine": machine,
    "corpus": corpus,
    "peft": peft,
    "memory": memory,
    "packing": packing,
    "recomputing": recomputing,
    "variants": variants,
    "full": full,
    "unsloth": unsloth,
    "4-bit": four_bits,
    "resume": resume,
    "out-of-memory": out_of_memory,
    "eval": evaluate,
    "chat": chat,
}


if __name__ == "__main__":
    sys.exit(main())
